"""Networks given as named tensors and a list of layers: a state_dict, a .safetensors file."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import scipy

from ..errors import ArgumentError, UnsupportedError
from ..layers import ACTIVATIONS, LAYER_TYPES, Linear
from ..model import Model
from ..sparse_input import checked
from ._steps import Affine, Normalisation, Scale, build_model

LAYERS_HELP = "names of layers among the tensors, names of activations, or activation layers such as ReLU()"


_BIAS = frozenset({"bias", "bias_orig", "bias_mask"})
# The ways to store a layer: the tensor that tells which one it is, and all that it may have; in order.
FORMS = {
    "running_mean": {"running_mean", "running_var", "weight", "bias", "num_batches_tracked"},
    "weight_orig": {"weight_orig", "weight_mask", *_BIAS},
    "weight.data": {"weight.data", "weight.indices", "weight.indptr", "weight.shape", *_BIAS},
    "weight": {"weight", *_BIAS},
    "kernel": {"kernel", *_BIAS},
}


def from_tensors(names: Iterable[str], read: Callable[[str], np.ndarray], layers) -> Model:
    """A Model of named tensors.

    names   every tensor's name
    read    the tensor of that name as an ndarray, or a scipy sparse matrix
    layers  in order: the name of a layer ("fc1": fc1.weight and fc1.bias), or an activation ("relu", ReLU())

    A layer's tensors are weight (out, in) or kernel (in, out), dense or as CSR (weight.data, weight.indices,
    weight.indptr), and bias (out,) where there is one; weight_orig and weight_mask are multiplied. One with
    running_mean and running_var is a batch normalisation and is folded. UnsupportedError for a layer that has
    other tensors, such as a scale or a low-rank part: what they do is not known.
    """
    if isinstance(layers, (str, bytes, Mapping)) or not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list of {LAYERS_HELP}, got {type(layers).__name__}")
    tensors = _Tensors(names, read)
    steps: list = []
    for index, layer in enumerate(layers):
        if isinstance(layer, LAYER_TYPES) and not isinstance(layer, Linear):
            steps.append(layer)
        elif not isinstance(layer, str):
            raise TypeError(f"layers[{index}] must be one of {LAYERS_HELP}, got {type(layer).__name__}")
        elif tensors.has_layer(layer):
            steps.append(tensors.layer(layer))
        elif layer in ACTIVATIONS:
            steps.append(ACTIVATIONS[layer]())
        else:
            raise ArgumentError(
                f"layers[{index}] must name a layer ({_some(tensors.layers())}) or an activation "
                f"({', '.join(ACTIVATIONS)}), got {layer!r}"
            )
    return build_model(steps)


def batch_norm(
    mean, variance, gain, offset, *, epsilon: float, name: str, momentum: float | None = 0.1
) -> Normalisation:
    """Batch normalisation of inference: gain (x - mean) / sqrt(variance + epsilon) + offset, as a Scale.

    All (features,); gain and offset may be None. Source: Ioffe and Szegedy 2015, arXiv:1502.03167

    momentum  the share that a batch has in the running statistics
    """
    shapes = [np.shape(part) for part in (mean, variance, gain, offset) if part is not None]
    if len(shapes[0]) != 1 or len(set(shapes)) > 1:
        raise ArgumentError(f"{name} must have one mean, variance, gain and offset a feature, got {shapes}")
    with np.errstate(all="ignore"):  # what is not finite is refused where the layer is made
        mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
        scale = 1 / np.sqrt(variance + epsilon)
        if gain is not None:
            scale = scale * np.asarray(gain, np.float64)
        shift = -mean * scale
        if offset is not None:
            shift = shift + np.asarray(offset, np.float64)
    ones, zeros = np.ones(shapes[0]), np.zeros(shapes[0])
    arrays = np.stack([ones if gain is None else gain, zeros if offset is None else offset, mean, variance])
    momentum = 0.1 if momentum is None else float(momentum)
    return Normalisation(scale, shift, name, arrays, float(epsilon), momentum)


class _Tensors:
    def __init__(self, names: Iterable[str], read: Callable[[str], np.ndarray]):
        self.names, self.read = frozenset(names), read
        self.ordered = sorted(self.names)

    def layers(self) -> list[str]:
        """What can be named as a layer."""
        prefixes = {name.rpartition(".")[0] for name in self.names}
        return sorted(prefix for prefix in prefixes if prefix and self.has_layer(prefix))

    def has_layer(self, prefix: str) -> bool:
        return any(f"{prefix}.{first}" in self.names for first in FORMS)

    def parts(self, prefix: str) -> set[str]:
        """The names of the tensors of a layer, without the prefix."""
        start, end = (bisect.bisect_left(self.ordered, f"{prefix}{mark}") for mark in "./")  # "/" follows "."
        return {name[len(prefix) + 1 :] for name in self.ordered[start:end]}

    def check_parts(self, prefix: str) -> None:
        """UnsupportedError for a layer with tensors whose effect is not known."""
        parts = self.parts(prefix)
        unknown = parts - next(known for first, known in FORMS.items() if first in parts)
        if unknown:
            names = _some(sorted(repr(f"{prefix}.{part}") for part in unknown))
            raise UnsupportedError(f"{prefix}: the meaning of some of its tensors is not known: {names}")

    def layer(self, prefix: str) -> Affine | Scale:
        self.check_parts(prefix)
        if f"{prefix}.running_mean" in self.names:
            parts = [
                self.get(f"{prefix}.{part}") for part in ("running_mean", "running_var", "weight", "bias")
            ]
            if parts[1] is None:
                raise ArgumentError(f"{prefix}.running_var must be there beside {prefix}.running_mean")
            return batch_norm(*parts, epsilon=1e-5, name=prefix)
        return Affine(self.weight(prefix), self.masked(f"{prefix}.bias"), prefix)

    def weight(self, prefix: str):
        if f"{prefix}.kernel" in self.names:
            return _matrix(self.read(f"{prefix}.kernel"), f"{prefix}.kernel").T
        if f"{prefix}.weight.data" in self.names:
            return self.csr(prefix)
        return _matrix(self.masked(f"{prefix}.weight"), f"{prefix}.weight")

    def csr(self, prefix: str):
        parts = [self.get(f"{prefix}.weight.{part}") for part in ("data", "indices", "indptr")]
        if any(part is None or part.ndim != 1 for part in parts):
            raise ArgumentError(f"{prefix}.weight must have data, indices and indptr, each one-dimensional")
        data, indices, indptr = parts
        shape = self.get(f"{prefix}.weight.shape")
        if shape is None:
            columns = int(indices.max(initial=0)) + 1
            raise ArgumentError(
                f"{prefix}.weight.shape must say how many columns the CSR weight has (at least {columns}); "
                "a file that sparsenn saved is read by sparsenn.load"
            )
        if shape.shape != (2,) or shape.dtype.kind not in "iu" or min(shape) < 1 or max(shape) >= 2**31:
            raise ArgumentError(f"{prefix}.weight.shape must be two whole numbers in [1, 2^31), got {shape}")
        rows, columns = (int(size) for size in shape)
        if indptr.size != rows + 1:
            raise ArgumentError(f"{prefix}.weight.indptr must hold {rows + 1} entries, got {indptr.size}")
        csr = scipy.sparse.csr_array((rows, columns), dtype=data.dtype)
        csr.data, csr.indices, csr.indptr = data, indices, indptr
        return checked(csr, f"{prefix}.weight")

    def masked(self, name: str):
        """The tensor; original times mask where it was pruned and not made permanent; None for none."""
        if f"{name}_orig" not in self.names:
            return self.get(name)
        original, mask = self.read(f"{name}_orig"), self.get(f"{name}_mask")
        if mask is None or mask.shape != original.shape:
            raise ArgumentError(f"{name}_mask must be there with the shape {original.shape} of {name}_orig")
        return np.where(mask != 0, original * mask, np.zeros((), original.dtype))

    def get(self, name: str):
        return self.read(name) if name in self.names else None


def _matrix(weight, name: str):
    if len(weight.shape) != 2:
        raise ArgumentError(f"{name} must have two dimensions, got shape {tuple(weight.shape)}")
    return weight


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "there are none"
