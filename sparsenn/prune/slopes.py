"""What the criteria that look at data need: each Linear layer's inputs and its output gradients.

A plain walk forward and backward through the model, all in feature-major arrays (features, batch) float32:
dense layers by BLAS, sparse ones by the sparse kernels, at their pattern only.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import ops
from ..checks import as_features, check_same_length
from ..errors import ArgumentError
from ..layers import Linear, Softmax
from ..model import Model
from ..training.losses import choose_loss

_BATCH = 1024  # samples at a time: bounds the memory


def layer_inputs(model: Model, data, criterion: str) -> Iterator[list[np.ndarray]]:
    """For each batch of data the input (in, batch) of every Linear layer.

    data       X (n, inputs), or a tuple that starts with it
    criterion  for the error message
    """
    X = data[0] if isinstance(data, (tuple, list)) and len(data) else data
    if X is None:
        raise ArgumentError(f"data must be X or (X, y) for criterion {criterion!r}, got None")
    features = as_features(X, inputs=model.inputs)
    for start in range(0, len(features), _BATCH):
        a = np.ascontiguousarray(features[start : start + _BATCH].T)
        inputs = []
        for layer in model.layers:
            if isinstance(layer, Linear):
                inputs.append(a)
            a = _forward(layer, a)
        yield inputs


def layer_slopes(model: Model, data, criterion: str) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    """For each batch of data, for every Linear layer: its input x (in, batch) and dy (out, batch).

    dy is the gradient of each sample's own loss with respect to the layer's output: the gradient of weight
    (i, j) in sample b is dy[i, b] * x[j, b].

    data  (X, y), or (X, y, loss) with the name of a loss; without one as train's loss="auto"
    """
    features, targets, loss = check_data(model, data, f"criterion {criterion!r}")
    layers = model.layers
    if loss.takes_logits and isinstance(layers[-1], Softmax):
        layers = layers[:-1]
    for start in range(0, len(features), _BATCH):
        part = slice(start, start + _BATCH)
        values = [np.ascontiguousarray(features[part].T)]
        for layer in layers:
            values.append(_forward(layer, values[-1]))
        _, slope = loss(values[-1].copy(), targets[part])
        slope = slope * np.float32(len(targets[part]))  # the loss is the mean over the samples
        pairs = []
        for layer, x, y in zip(reversed(layers), reversed(values[:-1]), reversed(values[1:]), strict=True):
            if isinstance(layer, Linear):
                pairs.append((x, slope))
                slope = _transposed(layer, slope)
            else:
                slope = layer.gradient(x, y, slope)
        yield pairs[::-1]


def at_weights(weight, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left (out, batch) @ right (in, batch).T where the weight is stored: (out, in) or (nnz,) float32."""
    return left @ right.T if isinstance(weight, np.ndarray) else ops.sddmm(weight, left, right)


def mean_at_weights(model: Model, data, criterion: str, function) -> list[np.ndarray]:
    """Mean over the samples of function(dy) * function(x) at each stored weight, float64."""
    sums = [0.0] * len(model.linear_layers)
    count = 0
    for pairs in layer_slopes(model, data, criterion):
        count += pairs[0][0].shape[1]
        for index, (layer, (x, dy)) in enumerate(zip(model.linear_layers, pairs, strict=True)):
            sums[index] = sums[index] + at_weights(layer.weight, function(dy), function(x)).astype(np.float64)
    return [total / count for total in sums]


def forward(model: Model, features: np.ndarray) -> np.ndarray:
    """features (n, inputs) float32 -> (n, outputs) float32, in parts that bound the memory."""
    parts = []
    for start in range(0, len(features), _BATCH):
        a = np.ascontiguousarray(features[start : start + _BATCH].T)
        for layer in model.layers:
            a = _forward(layer, a)
        parts.append(a.T)
    return np.concatenate(parts)


def check_data(model: Model, data, wanted_by: str):
    """-> features (n, inputs) float32, targets (n, ...) as the loss takes them, the loss.

    data       (X, y), or (X, y, loss) with the name of a loss; without one as train's loss="auto"
    wanted_by  for the error message
    """
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        got = f"{len(data)} values" if isinstance(data, (tuple, list)) else type(data).__name__
        raise ArgumentError(f"data must be (X, y) or (X, y, loss) for {wanted_by}, got {got}")
    X, y = data[:2]
    features = as_features(X, inputs=model.inputs)
    loss = choose_loss(
        data[2] if len(data) == 3 else "auto",
        y,
        outputs=model.outputs,
        ends_in_softmax=isinstance(model.layers[-1], Softmax),
    )
    targets = loss.targets(y, outputs=model.outputs)
    check_same_length(features, targets, ("X", "y"))
    return features, targets, loss


def _forward(layer, x: np.ndarray) -> np.ndarray:
    if not isinstance(layer, Linear):
        return layer.value(x)
    if layer.sparse:
        return ops.spmm(layer.weight, x, layer.bias)
    y = layer.weight @ x
    return y if layer.bias is None else y + layer.bias[:, np.newaxis]


def _transposed(layer: Linear, dy: np.ndarray) -> np.ndarray:
    return ops.spmm_transposed(layer.weight, dy) if layer.sparse else layer.weight.T @ dy
