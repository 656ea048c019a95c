"""What every importer makes: a list of steps, and the Model that they become.

    Affine (weight, bias)   Scale (scale, shift; also Normalisation)   Against (layer, constant)   ReLU() ...

Arithmetic on weights is done in float64 and rounded to float32 once; a weight that needs none keeps its bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import scipy

from ..errors import ArgumentError, UnsupportedError
from ..graph.value import Value
from ..layers import BatchNorm, Layer, Linear, Pair
from ..model import Model

# Share of zeros from which a weight is stored as CSR: about where the sparse kernels overtake the dense one.
BREAK_EVEN = 0.6


@dataclass(frozen=True)
class Affine:
    """y = weight x + bias: weight (out, in), ndarray or scipy sparse; bias (out,) or None; any float."""

    weight: object
    bias: np.ndarray | None
    name: str


@dataclass(frozen=True)
class Scale:
    """y = scale * x + shift: each (features,) or one element, or what fits samples of more dimensions."""

    scale: np.ndarray
    shift: np.ndarray
    name: str

    @property
    def is_identity(self) -> bool:
        return bool((self.scale == 1).all() and not np.any(self.shift))


@dataclass(frozen=True)
class Normalisation(Scale):
    """A Scale that is a batch normalisation, with what it is made of."""

    arrays: np.ndarray  # (4, channels): gain, offset, mean, variance
    epsilon: float
    momentum: float

    def mapped(self, order: Callable[[np.ndarray], np.ndarray]) -> Normalisation:
        """Of features in another order."""
        arrays = np.stack([order(array) for array in self.arrays])
        return replace(self, scale=order(self.scale), shift=order(self.shift), arrays=arrays)

    def layer(self) -> BatchNorm:
        arrays = [as_constant(array, self.name) for array in self.arrays]
        return BatchNorm(*arrays, epsilon=self.epsilon, momentum=self.momentum)


@dataclass(frozen=True)
class Against:
    """A layer of two values of which one is a constant: its first operand, or its second."""

    layer: Pair
    constant: np.ndarray
    first: bool
    name: str

    def __call__(self, value: Value) -> Value:
        constant = as_constant(self.constant, self.name)
        return self.layer(*((constant, value) if self.first else (value, constant)))


@dataclass(frozen=True)
class Beside:
    """A layer of several values of which some are constants; None stands for a value that is not."""

    layer: Layer
    constants: tuple[np.ndarray | None, ...]
    name: str

    def __call__(self, *values: Value) -> Value:
        left = iter(values)
        operands = []
        for constant in self.constants:
            if constant is not None and np.isnan(constant).any():
                raise ArgumentError(f"{self.name}: its constants must not be NaN")
            operands.append(next(left) if constant is None else np.asarray(constant, np.float32))
        return self.layer(*operands)


def as_constant(values: np.ndarray, name: str) -> np.ndarray:
    """values as float32, finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        constant = np.asarray(values, np.float32)
    if not np.isfinite(constant).all():
        raise ArgumentError(f"{name}: its constant must be finite as float32")
    return constant


def build_model(steps: Iterable, *, width: int | None = None) -> Model:
    """The Model of the steps: scales folded, weights checked and copied.

    width   the number of input features, where it is known: needed by a network that begins with a Scale
            which no linear layer follows
    Raises ArgumentError for weights that are not finite or do not chain, UnsupportedError for a network
    without a linear layer.
    """
    steps = fold_scales(list(steps), width=width)
    if not any(isinstance(step, Affine) for step in steps):
        raise UnsupportedError("the network must hold at least one linear layer, got none")
    previous = None
    layers = []
    for step in steps:
        if isinstance(step, Affine):
            _check_chain(step, previous, width)
            previous = step
            layers.append(linear(step))
        else:
            layers.append(step)
    return Model(layers)


def fold_scales(steps: list, *, width: int | None = None) -> list:
    """steps without Scale: each is folded into the Affine before it, else after it, else a diagonal layer."""
    folded: list = []
    for step in merge_scales(steps):
        if isinstance(step, Scale):
            step = _diagonal(step, _width_before(folded, width))
        folded.append(step)
    return folded


def merge_scales(steps: list) -> list:
    """steps where each Scale is folded into an Affine beside it; one without, that does something, stays."""
    merged: list = []
    for step in steps:
        before = merged[-1] if merged else None
        if isinstance(before, Scale) and isinstance(step, (Affine, Scale)):
            merged.pop()
            step = (_scale_inputs if isinstance(step, Affine) else _chain_scales)(before, step)
        if isinstance(step, Scale) and merged and isinstance(merged[-1], Affine):
            step = _scale_outputs(merged.pop(), step)
        merged.append(step)
    return [step for step in merged if not (isinstance(step, Scale) and step.is_identity)]


def as_identity(width: int, *, name: str) -> Affine:
    """The linear layer that changes nothing, for networks of activations alone."""
    return Affine(scipy.sparse.eye_array(width, format="csr", dtype=np.float32), None, name)


def _width_before(steps: list, width: int | None) -> int | None:
    return next((step.weight.shape[0] for step in reversed(steps) if isinstance(step, Affine)), width)


def _chain_scales(first: Scale, second: Scale) -> Scale:
    width = max(len(first.scale), len(first.shift))
    if width > 1:
        _check_width(second, width, other=first.name)
    return Scale(first.scale * second.scale, first.shift * second.scale + second.shift, second.name)


def _scale_outputs(affine: Affine, scale: Scale) -> Affine:
    rows = affine.weight.shape[0]
    _check_width(scale, rows, other=affine.name)
    factors, shift = _vector(scale.scale, rows), _vector(scale.shift, rows)
    bias = shift if affine.bias is None else _float64(affine.bias) * factors + shift
    if (factors == 1).all():
        return Affine(affine.weight, bias, affine.name)
    if scipy.sparse.issparse(affine.weight):
        weight = scipy.sparse.diags_array(factors).tocsr() @ _csr(affine.weight).astype(np.float64)
    else:
        weight = _float64(affine.weight) * factors[:, np.newaxis]
    return Affine(weight, bias, affine.name)


def _scale_inputs(scale: Scale, affine: Affine) -> Affine:
    columns = affine.weight.shape[1]
    _check_width(scale, columns, other=affine.name)
    factors, shift = _vector(scale.scale, columns), _vector(scale.shift, columns)
    sparse = scipy.sparse.issparse(affine.weight)
    weight = _csr(affine.weight).astype(np.float64) if sparse else _float64(affine.weight)
    bias = weight @ shift + (0 if affine.bias is None else _float64(affine.bias))
    scaled = weight @ scipy.sparse.diags_array(factors).tocsr() if sparse else weight * factors
    return Affine(affine.weight if (factors == 1).all() else scaled, bias, affine.name)


def _diagonal(scale: Scale, width: int | None) -> Affine:
    size = max(len(scale.scale), len(scale.shift)) if width is None else width
    if width is not None:
        _check_width(scale, width, other="the input")
    elif size == 1:
        raise UnsupportedError(
            f"{scale.name} must follow or precede a linear layer, or the input width be known"
        )
    shift = _vector(scale.shift, size)
    factors = scipy.sparse.diags_array(_vector(scale.scale, size)).tocsr()
    return Affine(factors, shift if shift.any() else None, scale.name)


def _check_width(scale: Scale, width: int, *, other: str) -> None:
    for part in (scale.scale, scale.shift):
        if len(part) not in (1, width):
            raise ArgumentError(f"{scale.name} must have {width} features like {other}, got {len(part)}")


def _vector(values, size: int) -> np.ndarray:
    return np.broadcast_to(_float64(values), (size,))


def _float64(values) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(values, np.float64)


def _csr(weight):
    return scipy.sparse.csr_array(weight)


def _check_chain(step: Affine, previous: Affine | None, width: int | None) -> None:
    got = step.weight.shape[1]
    if previous is not None and got != previous.weight.shape[0]:
        raise ArgumentError(
            f"{step.name} must take the {previous.weight.shape[0]} features that {previous.name} gives, "
            f"got a weight (out, in) of shape {tuple(step.weight.shape)}"
        )
    if previous is None and width is not None and got != width:
        raise ArgumentError(
            f"{step.name} must take the {width} features of the input, got a weight (out, in) of shape "
            f"{tuple(step.weight.shape)}"
        )


def linear(step: Affine) -> Linear:
    """The layer with its own float32 arrays: CSR where the weight was, or where most of it is zero."""
    weight, sparse = step.weight, scipy.sparse.issparse(step.weight)
    if len(weight.shape) != 2 or 0 in weight.shape:
        raise ArgumentError(f"{step.name} must have a weight (out, in), got shape {tuple(weight.shape)}")
    check_floats(weight, step.bias, step.name)
    if not sparse and np.count_nonzero(weight) <= (1 - BREAK_EVEN) * weight.size:
        weight = scipy.sparse.csr_array(np.asarray(weight, np.float32))
    return Linear(weight, step.bias)


def check_floats(weight, bias, name: str) -> None:
    """UnsupportedError where they hold no floats, ArgumentError where float32 cannot hold them."""
    for part, values in (("weight", weight), ("bias", bias)):
        if values is None:
            continue
        if values.dtype.kind != "f":
            raise UnsupportedError(f"{name}: the {part} must hold floats, got {values.dtype}")
        values = values.data if scipy.sparse.issparse(values) else values
        with np.errstate(over="ignore"):
            fits = np.isfinite(np.asarray(values, np.float32))
        if not fits.all():
            raise ArgumentError(f"{name}: the {part} must be finite as float32, got {values[~fits][0]:g}")
