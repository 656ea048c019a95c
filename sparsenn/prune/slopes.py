"""What the criteria that look at data need: each Linear layer's inputs and its output gradients.

Walks forward and backward through the model, all in feature-major arrays (features, batch) float32: dense
layers by BLAS, sparse ones by the sparse kernels, at their pattern only. The model needs one input and one
output, (batch, features) both; what lies between may be any graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .. import ops
from ..checks import as_features, check_same_length
from ..errors import ArgumentError, UnsupportedError
from ..graph.node import Node
from ..graph.walk import walk, walk_back
from ..layers import Linear, Softmax
from ..model import Model
from ..training.losses import choose_loss

_BATCH = 1024  # samples at a time: bounds the memory
Pairs = list[tuple[np.ndarray, np.ndarray]]


def _check_layers(model: Model, criterion: str) -> None:
    for layer in model.linear_layers:
        if not isinstance(layer, Linear):
            raise UnsupportedError(
                f"criterion {criterion!r} looks at the data of Linear layers, got {layer!r}"
            )


def layer_inputs(model: Model, data, criterion: str) -> Iterator[list[list[np.ndarray]]]:
    """For each batch of data, for every Linear layer: its input (in, batch) at each of its nodes.

    data       X (n, inputs), or a tuple that starts with it
    criterion  for the error message
    """
    X = data[0] if isinstance(data, (tuple, list)) and len(data) else data
    if X is None:
        raise ArgumentError(f"data must be X or (X, y) for criterion {criterion!r}, got None")
    features = as_features(X, inputs=model.inputs)
    _check_layers(model, criterion)
    for start in range(0, len(features), _BATCH):
        inputs: dict[int, list[np.ndarray]] = {id(layer): [] for layer in model.linear_layers}

        def step(node: Node, operands: list, inputs=inputs) -> np.ndarray:
            if isinstance(node.layer, Linear):
                inputs[id(node.layer)].append(operands[0])
            return _forward(node, operands)

        _walk(model, features[start : start + _BATCH], step)
        yield list(inputs.values())


def mean_inputs(model: Model, data, criterion: str, function: Callable) -> list[np.ndarray]:
    """For every Linear layer the mean over the samples of function(input), added up over its nodes.

    -> (in,) float64
    """
    sums = [np.zeros(layer.shape[1]) for layer in model.linear_layers]
    count = 0
    for batch in layer_inputs(model, data, criterion):
        count += batch[0][0].shape[1]
        for total, inputs in zip(sums, batch, strict=True):
            for a in inputs:
                total += function(a).sum(axis=1, dtype=np.float64)
    return [total / count for total in sums]


def layer_slopes(model: Model, data, criterion: str) -> Iterator[list[Pairs]]:
    """For each batch of data, for every Linear layer: its inputs x (in, batch) and dy (out, batch), by node.

    dy is the gradient of each sample's own loss with respect to the layer's output: the gradient of weight
    (i, j) in sample b is dy[i, b] * x[j, b], added up over the nodes.

    data  (X, y), or (X, y, loss) with the name of a loss; without one as train's loss="auto"
    """
    features, targets, loss = check_data(model, data, f"criterion {criterion!r}")
    _check_layers(model, criterion)
    if loss.takes_logits:
        model = without_softmax(model)
    for start in range(0, len(features), _BATCH):
        part = slice(start, start + _BATCH)
        values = _walk(model, features[part], _forward, keep=True)
        output = model.output_values[0]
        _, slope = loss(values[output].copy(), targets[part])
        slope = slope * np.float32(len(targets[part]))  # the loss is the mean over the samples
        pairs: dict[int, Pairs] = {id(layer): [] for layer in model.linear_layers}

        def step(node: Node, dy: np.ndarray, values=values, pairs=pairs) -> tuple[np.ndarray, ...]:
            z = [values[operand] if operand in values else _column(operand) for operand in node.inputs]
            if isinstance(node.layer, Linear):
                pairs[id(node.layer)].append((z[0], dy))
                return (_transposed(node.layer, dy),)
            slopes = node.layer.gradient(*z, values[node.output], dy)
            return slopes if isinstance(slopes, tuple) else (slopes,)

        walk_back(model, {output: slope}, step)
        yield list(pairs.values())


def without_softmax(model: Model) -> Model:
    """The model up to a Softmax at its end, which gives logits; the model itself where there is none."""
    if not isinstance(model.last_layer, Softmax):
        return model
    return Model(inputs=model.input_values, outputs=model.output_values[0].producer.inputs[0])


def at_weights(weight, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left (out, batch) @ right (in, batch).T where the weight is stored: (out, in) or (nnz,) float32."""
    return left @ right.T if isinstance(weight, np.ndarray) else ops.sddmm(weight, left, right)


def mean_at_weights(model: Model, data, criterion: str, function: Callable) -> list[np.ndarray]:
    """Mean over the samples of function(gradient of a sample) at each stored weight, float64.

    function  value by value, with function(a b) = function(a) function(b)
    """
    sums = [0.0] * len(model.linear_layers)
    count = 0
    for batch in layer_slopes(model, data, criterion):
        count += batch[0][0][0].shape[1]
        for index, (layer, pairs) in enumerate(zip(model.linear_layers, batch, strict=True)):
            sums[index] = sums[index] + _sum_at_weights(layer.weight, pairs, function).astype(np.float64)
    return [total / count for total in sums]


def _sum_at_weights(weight, pairs: Pairs, function: Callable) -> np.ndarray:
    """Sum over the samples of function(gradient of a sample).

    At one node the gradient is a product, so that sum is one matrix product; at several it is a sum of
    products, which function may not be drawn into: sample by sample.
    """
    if len(pairs) == 1:
        ((x, dy),) = pairs
        return at_weights(weight, function(dy), function(x))
    total: np.ndarray | float = 0.0
    for sample in range(pairs[0][0].shape[1]):
        part = slice(sample, sample + 1)
        total = total + function(sum(at_weights(weight, dy[:, part], x[:, part]) for x, dy in pairs))
    return total


def forward(model: Model, features: np.ndarray) -> np.ndarray:
    """features (n, inputs) float32 -> (n, outputs) float32, in parts that bound the memory."""
    parts = []
    for start in range(0, len(features), _BATCH):
        carried = _walk(model, features[start : start + _BATCH], _forward)
        parts.append(carried[model.output_values[0]].T)
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
        ends_in_softmax=isinstance(model.last_layer, Softmax),
    )
    targets = loss.targets(y, outputs=model.outputs)
    check_same_length(features, targets, ("X", "y"))
    return features, targets, loss


def _walk(model: Model, features: np.ndarray, step: Callable, *, keep: bool = False) -> dict:
    start = {model.input_values[0]: np.ascontiguousarray(features.T)}
    return walk(model, start, step, constant=_column, keep=keep)


def _column(constant) -> np.ndarray:
    return constant.column(np.float32)


def _forward(node: Node, operands: list[np.ndarray]) -> np.ndarray:
    layer = node.layer
    if not isinstance(layer, Linear):
        return layer.value(*operands)
    (x,) = operands
    if layer.sparse:
        return ops.spmm(layer.weight, x, layer.bias)
    y = layer.weight @ x
    return y if layer.bias is None else y + layer.bias[:, np.newaxis]


def _transposed(layer: Linear, dy: np.ndarray) -> np.ndarray:
    return ops.spmm_transposed(layer.weight, dy) if layer.sparse else layer.weight.T @ dy
