"""Batch normalisation."""

from __future__ import annotations

import numpy as np

from ..checks import as_float32, as_numbers, check_float32
from ..errors import ArgumentError
from ..graph.coupling import Coupling, slim, spread
from ..graph.node import Node
from ..graph.value import Dims
from .array_layer import ArrayLayer
from .layer import EPS, TINY, Pointwise

_MODULES = {2: "BatchNorm1d", 3: "BatchNorm1d", 4: "BatchNorm2d", 5: "BatchNorm3d"}


class BatchNorm(Pointwise, ArrayLayer):
    """scale (x - mean) / sqrt(variance + epsilon) + shift, of each channel of (batch, channels, ...).

    scale, shift     (channels,) float32, which training moves; shift None: zeros
    mean, variance   (channels,) float32, the running statistics; None: zeros and ones
    momentum         while it trains, each batch moves them this share of the way to its own

    Training normalises by the mean and the variance of the batch, all else by the running ones. Plans fold it
    into the product beside it. Arrays are copies. Source: Ioffe and Szegedy 2015, arXiv:1502.03167
    """

    op, attributes = "batch_norm", ("epsilon", "momentum")
    constants = ("scale", "shift", "mean", "variance")

    def __init__(self, scale, shift=None, mean=None, variance=None, *, epsilon=1e-5, momentum=0.1):
        scale = as_numbers(scale, "scale")
        if scale.ndim != 1 or not scale.size:
            raise ArgumentError(f"scale must have shape (channels,), got {scale.shape}")
        self.scale = as_float32(scale, "scale")
        self.shift = self._like("shift", shift, 0.0)
        self.mean = self._like("mean", mean, 0.0)
        self.variance = self._like("variance", variance, 1.0)
        self.epsilon = check_float32("epsilon", epsilon)
        self.momentum = check_float32("momentum", momentum)
        if self.momentum > 1:
            raise ArgumentError(f"momentum must be in [0, 1], got {momentum:g}")

    def _like(self, name: str, given, value: float) -> np.ndarray:
        array = np.full(self.scale.shape, value) if given is None else as_numbers(given, name)
        if array.shape != self.scale.shape:
            raise ArgumentError(f"{name} must have the shape {self.scale.shape} of scale, got {array.shape}")
        return as_float32(array, name)

    @property
    def channels(self) -> int:
        return self.scale.size

    @property
    def moved(self) -> tuple[str, ...]:
        return "scale", "shift"

    def copy(self) -> BatchNorm:
        return BatchNorm(*self.arrays, epsilon=self.epsilon, momentum=self.momentum)

    def infer(self, dims: Dims) -> Dims:
        if len(dims) < 2 or dims[1] != self.channels:
            raise ArgumentError(
                f"operand of a BatchNorm of {self.channels} channels must have dims "
                f"(None, {self.channels}, ...), got {dims}"
            )
        return dims

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """What inference multiplies each channel by, and what it adds: (channels,) float64."""
        with np.errstate(all="ignore"):  # of statistics that make no sense
            factor = self.scale / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
            return factor, self.shift - self.mean * factor

    def _along(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same as z wants them."""
        return tuple(part.reshape(-1, *[1] * (z.ndim - 1)) for part in self.factors())

    def value(self, z: np.ndarray) -> np.ndarray:
        factor, shift = self._along(z)
        return z * factor.astype(z.dtype) + shift.astype(z.dtype)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """Twice the factor times the operand's, for a weight that took the factor in; 4 eps of both terms."""
        factor, _ = self._along(z)
        mean, shift = (part.reshape(factor.shape).astype(np.float64) for part in (self.mean, self.shift))
        terms = abs(factor) * (abs(z) + bound + abs(mean)) + abs(shift)
        return 2 * abs(factor) * bound + 4 * EPS * terms + TINY

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """By the running statistics, which do not depend on z; training has its own (training/norm.py)."""
        return da * self._along(z)[0].astype(da.dtype)

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        return spread(coupling.of_channels(labels), node.output.dims)

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        """0 times what nobody knows is 0."""
        factor, shift = self._along(z)
        return np.broadcast_to(np.where(factor == 0, shift, slim(z) * factor + shift), z.shape)

    def shrunk(self, before: list[tuple[np.ndarray, ...]], after: tuple[np.ndarray, ...]) -> BatchNorm:
        kept = (array[after[0]] for array in self.arrays)
        return BatchNorm(*kept, epsilon=self.epsilon, momentum=self.momentum)

    def to_torch(self, nn, dims: Dims):
        """The module of torch.nn for values of these dims."""
        module = getattr(nn, _MODULES[len(dims)])(self.channels, self.epsilon, self.momentum)
        names = ("weight", "bias", "running_mean", "running_var")
        for name, array in zip(names, self.arrays, strict=True):
            target = getattr(module, name).data
            target.copy_(target.new_tensor(array))
        return module

    def to_onnx(self, graph, x: str) -> str:
        names = [graph.constant(name, getattr(self, name)) for name in self.constants]
        return graph.node("BatchNormalization", x, *names, epsilon=self.epsilon, momentum=1.0 - self.momentum)

    def __repr__(self) -> str:
        return f"BatchNorm({self.channels})"
