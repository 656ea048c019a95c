"""The exact gradients of a model's mean squared error, and how far float32 back-propagation may be from them.

A running error analysis, to first order, in plain float64 numpy: beside each quantity runs the error that
float32 may have made in it. A sum of k products adds k eps of the sum of their magnitudes, a function passes
an error on by its slope, and where an error reaches a kink of it, by the whole step of the slope there.
"""

from __future__ import annotations

import numpy as np

import sparsenn as snn
from sparsenn.graph.value import Value
from sparsenn.layers.pair import summed_to
from sparsenn.reference import as_inputs

EPS = float(np.finfo(np.float32).eps)
MORE = 8  # roundings beside those of a sum: of a function, a factor, what other sums are added to


def gradients_with_bounds(model: snn.Model, inputs, targets: np.ndarray) -> list[tuple]:
    """(gradient, error) of each parameter of a model of one output, as its training orders them.

    inputs   as the reference takes them, float32;  targets  (batch, features)
    """
    values = {value: (z, 0 * z) for value, z in as_inputs(model, inputs, np.float64).items()}
    kept = []
    for node in model.nodes:
        operands = [
            values[operand] if isinstance(operand, Value) else _exact(operand.column(np.float64))
            for operand in node.inputs
        ]
        z, errors = ([pair[i] for pair in operands] for i in (0, 1))
        layer = _Moments(node.layer, z[0], errors[0]) if _normalises(node.layer, z) else node.layer
        a = layer.value(*z)
        values[node.output] = a, layer.bound(*z, a, *errors)
        kept.append((node, layer, z, errors, a))
    y, error = values[model.output_values[0]]
    back, y_target = {}, targets.T
    slope = 2 * (y - y_target) / y.size
    back[model.output_values[0]] = slope, 2 * (error + MORE * EPS * (abs(y) + abs(y_target))) / y.size
    parameters = []
    for node, layer, z, errors, a in reversed(kept):
        da, da_error = back[node.output]
        parameters[:0] = _parameters(layer, z[0], errors[0], da, da_error)
        slopes = _back(layer, z, errors, a, da, da_error)
        for operand, (dz, dz_error) in zip(node.inputs, slopes, strict=True):
            if isinstance(operand, Value):
                before, before_error = back.get(operand, (0.0, 0.0))
                rounding = EPS * (abs(before) + abs(dz)) if operand in back else 0.0
                back[operand] = before + dz, before_error + dz_error + rounding
    return parameters


def _exact(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return z, np.zeros_like(z)


def _parameters(layer, z, z_error, da, da_error) -> list[tuple]:
    """Those of a layer, in its order: the weight (stored ones of CSR) and bias, or scale and shift."""
    if isinstance(layer, _Moments):
        return layer.parameters(da, da_error)
    if not isinstance(layer, (snn.Linear, snn.Conv2d)):
        return []
    columns, errors = layer.columns(z)[0], layer.columns(z_error)[0]
    da, da_error = (part.reshape(layer.shape[0], -1) for part in (da, da_error))
    terms = da.shape[1] + MORE
    gradient = da @ columns.T
    error = da_error @ abs(columns).T + abs(da) @ errors.T + terms * EPS * (abs(da) @ abs(columns).T)
    if layer.sparse:
        at = layer.weight.tocoo().coords
        gradient, error = gradient[at], error[at]
    made = [(gradient, error)]
    if layer.bias is not None:
        made.append((da.sum(axis=1), da_error.sum(axis=1) + terms * EPS * abs(da).sum(axis=1)))
    return made


def _back(layer, z, errors, a, da, da_error) -> list[tuple]:
    """(gradient, error) of each operand."""
    made = layer.gradient(*z, a, da)
    made = made if isinstance(made, tuple) else (made,)
    if isinstance(layer, _Moments):
        moved = layer.back_error(da, da_error)
    elif isinstance(layer, (snn.Linear, snn.Conv2d)):
        moved = _product(layer, z[0], da, da_error)
    elif isinstance(layer, (snn.AxisSoftmax, snn.LogSoftmax)):
        moved = _softmax(layer, z[0], errors[0], a, da, da_error)
    elif isinstance(layer, (snn.MaxPool2d, snn.ReduceMax, snn.ReduceMin)):
        moved = _largest(layer, z[0], errors[0], a, da, da_error)
    elif len(z) == 1 and a.shape == z[0].shape and not isinstance(layer, _MOVES):
        moved = _function(layer, z[0], errors[0], da, da_error)
    elif isinstance(layer, _LINEAR):
        counts = _as_tuple(layer.gradient(*z, a, np.ones_like(da)))
        sizes = _as_tuple(layer.gradient(*z, a, abs(da))), _as_tuple(layer.gradient(*z, a, da_error))
        moved = tuple(
            abs(error) + (2 * abs(count).max(initial=0) + MORE) * EPS * abs(size)
            for count, size, error in zip(counts, *sizes, strict=True)
        )
    else:
        moved = _pair(layer, z, errors, a, da, da_error)
    return list(zip(made, moved, strict=True))


_BLOCKS = (snn.DepthToSpace, snn.SpaceToDepth)
_MOVES = (snn.Reshape, snn.Transpose, snn.Slice, snn.Pad, snn.Resize, snn.AvgPool2d, snn.Expand, snn.Concat)
_LINEAR = (*_MOVES, *_BLOCKS, snn.Add, snn.Sub, snn.ReduceMean, snn.ReduceSum)  # one sign an operand


def _as_tuple(made) -> tuple:
    return made if isinstance(made, tuple) else (made,)


def _product(layer, z, da, da_error) -> tuple:
    """Of W transposed times da: as many terms as a channel has weights."""
    stored = layer.weight != 0
    stored = stored.toarray() if layer.sparse else stored
    terms = stored.reshape(len(stored), -1, layer.columns_per_unit).sum(axis=(0, 2)).max() + MORE
    sizes = layer.with_weight(abs(layer.weight), None)
    return (sizes.gradient(z, None, da_error + terms * EPS * abs(da)),)


def _function(layer, z, z_error, da, da_error) -> tuple:
    """By the slopes at both ends of what z may be."""
    one = np.ones_like(z)
    slope, *ends = (layer.gradient(at, layer.value(at), one) for at in (z, z - z_error, z + z_error))
    step = np.maximum(*(abs(end - slope) for end in ends))
    return (abs(slope) * da_error + abs(da) * (step + 2 * MORE * EPS * np.maximum(1, abs(slope))),)


def _softmax(layer, z, z_error, a, da, da_error) -> tuple:
    axis, count = layer.axis - 1, z.shape[layer.axis - 1]
    if isinstance(layer, snn.LogSoftmax):  # da - exp(a) sum(da)
        share, total = np.exp(a), da.sum(axis=axis, keepdims=True)
        size = abs(da).sum(axis=axis, keepdims=True)
        of_share = share * (np.expm1(2 * z_error.max(axis=axis, keepdims=True)) + (count + MORE) * EPS)
        wrong = share * (da_error.sum(axis=axis, keepdims=True) + (count + MORE) * EPS * size)
        return (da_error + of_share * abs(total) + wrong + MORE * EPS * abs(da),)
    a_error = layer.bound(z, a, z_error)
    mean = (a * da).sum(axis=axis, keepdims=True)
    size = abs(da) + (a * abs(da)).sum(axis=axis, keepdims=True)
    wrong = (a_error * abs(da) + a * da_error).sum(axis=axis, keepdims=True)
    return (a_error * abs(da - mean) + a * (da_error + wrong) + (count + MORE) * EPS * a * size,)


def _largest(layer, z, z_error, a, da, da_error) -> tuple:
    """Each place that may be the largest of its window may get what another gets."""
    if isinstance(layer, snn.MaxPool2d):
        window, made = layer.window, layer.window.padded(np.zeros_like(z))
        values, margins = (window.places(window.padded(*part)) for part in ((z, -np.inf), (z_error, 0.0)))
        least = np.max([value - margin for value, margin in zip(values, margins, strict=True)], axis=0)
        may = [value + margin >= least for value, margin in zip(values, margins, strict=True)]
        several = np.sum(may, axis=0) > 1
        for part, one in zip(window.places(made), may, strict=True):
            part += one * (da_error + (several + len(may) * EPS) * abs(da))
        return (window.cropped(made),)
    sign = layer.sign
    least = (sign * z - z_error).max(axis=layer._places, keepdims=True)
    may = sign * z + z_error >= least
    several = may.sum(axis=layer._places, keepdims=True) > 1
    return (may * (da_error + several * abs(da)),)


def _pair(layer, z, errors, a, da, da_error) -> tuple:
    """Of the corners of what both operands may be."""
    one = np.ones_like(da)
    sums = [da.size / part.size + MORE for part in z]

    def slopes(x, y) -> tuple[np.ndarray, ...]:
        """Of each operand at each place, before anything is added up."""
        shape = np.broadcast_shapes(x.shape, y.shape)
        x, y = (np.broadcast_to(part, shape) for part in (x, y))
        return layer.gradient(x, y, layer.value(x, y), one)

    middle = slopes(*z)
    ends = [slopes(z[0] + s * errors[0], z[1] + t * errors[1]) for s in (-1, 1) for t in (-1, 1)]
    made = []
    for k, slope in enumerate(middle):
        step = np.max([abs(end[k] - slope) for end in ends], axis=0)
        error = abs(slope) * da_error + abs(da) * (step + sums[k] * EPS * abs(slope))
        made.append(summed_to(error, z[k].shape))
    return tuple(made)


def _normalises(layer, z: list[np.ndarray]) -> bool:
    """A batch of one value a channel goes by the running statistics."""
    return isinstance(layer, snn.BatchNorm) and z[0][0].size > 1


class _Moments:
    """A BatchNorm as it trains, at what it is given: x (channels, ..., batch)."""

    def __init__(self, layer: snn.BatchNorm, x: np.ndarray, error: np.ndarray):
        self.layer, self.axes = layer, tuple(range(1, x.ndim))
        self.count = x[0].size
        scale, shift = (part.astype(np.float64).reshape(-1, *[1] * (x.ndim - 1)) for part in layer.arrays[:2])
        mean, variance = self._mean(x), x.var(axis=self.axes, keepdims=True) + layer.epsilon
        self.shift, self.inverse = shift, 1 / np.sqrt(variance)
        self.factor, self.x = scale * self.inverse, (x - mean) * self.inverse
        self.size = (abs(x) + abs(mean)) * self.inverse  # of what x is the difference of
        apart = error + self._mean(error) + MORE * EPS * (abs(x) + self._mean(abs(x)))
        self.spread = self._mean(abs(self.x) * apart) * self.inverse + MORE * EPS  # of inverse, relative
        self.error = apart * self.inverse + abs(self.x) * self.spread

    def _mean(self, x: np.ndarray) -> np.ndarray:
        return x.mean(axis=self.axes, keepdims=True)

    def value(self, x: np.ndarray) -> np.ndarray:
        return self.factor / self.inverse * self.x + self.shift

    def bound(self, x: np.ndarray, a: np.ndarray, error: np.ndarray) -> np.ndarray:
        scale = abs(self.factor / self.inverse)
        return scale * self.error + MORE * EPS * (scale * abs(self.x) + abs(self.shift))

    def gradient(self, x: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return self.factor * (da - self._mean(da) - self.x * self._mean(da * self.x))

    def back_error(self, da: np.ndarray, error: np.ndarray) -> tuple:
        size = abs(da) + self._mean(abs(da)) + self.size * self._mean(abs(da * self.x))
        along = self._mean(error * abs(self.x) + abs(da) * self.error)
        moved = error + self._mean(error) + self.error * self._mean(abs(da * self.x)) + abs(self.x) * along
        return (abs(self.factor) * (moved + (self.spread + 2 * MORE * EPS) * size),)

    def parameters(self, da: np.ndarray, error: np.ndarray) -> list[tuple]:
        sums = {"axis": self.axes}
        moved = error * abs(self.x) + abs(da) * self.error + MORE * EPS * abs(da * self.x)
        return [
            ((da * self.x).sum(**sums), moved.sum(**sums) + MORE * EPS * abs(da).sum(**sums)),
            (da.sum(**sums), (error + MORE * EPS * abs(da)).sum(**sums)),
        ]
