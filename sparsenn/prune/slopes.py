"""What the criteria that look at data need: what each weight multiplies, and the gradient of what it makes.

Of a layer with a weight matrix these are columns: x (in, n), y (out, n), where n runs over the positions of a
convolution, and in each over the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .. import ops
from ..errors import ArgumentError
from ..graph.node import Node
from ..graph.walk import walk_back
from ..layers import Linear, Matrix
from ..model import Model
from .features import as_model_features
from .forward import (
    as_column,
    batches,
    check_data,
    run_batch,
    run_node,
    without_softmax,
)

Pairs = list[tuple[np.ndarray, np.ndarray]]


def layer_inputs(model: Model, data, criterion: str) -> Iterator[tuple[list[list[np.ndarray]], int]]:
    """For each batch of data, for every weight matrix its columns (in, n) at each of its nodes; the samples.

    data       X (n, ...), or a tuple that starts with it
    criterion  for the error message
    """
    X = data[0] if isinstance(data, (tuple, list)) and len(data) else data
    if X is None:
        raise ArgumentError(f"data must be X or (X, y) for criterion {criterion!r}, got None")
    features = as_model_features(model, X)
    for part in batches(model, features):
        columns: dict[int, list[np.ndarray]] = {id(layer): [] for layer in model.linear_layers}

        def step(node: Node, operands: list, columns=columns) -> np.ndarray:
            if isinstance(node.layer, Matrix):
                columns[id(node.layer)].append(node.layer.columns(*operands)[0])
            return run_node(node, operands)

        run_batch(model, features[part], step)
        yield list(columns.values()), len(features[part])


def mean_inputs(model: Model, data, criterion: str, function: Callable) -> list[np.ndarray]:
    """For every weight matrix the mean of function(x) over samples and positions, added up over its nodes.

    -> (in,) float64
    """
    sums = [np.zeros(layer.shape[1]) for layer in model.linear_layers]
    count = 0
    for batch, samples in layer_inputs(model, data, criterion):
        count += samples
        for total, nodes in zip(sums, batch, strict=True):
            for x in nodes:
                positions = x.shape[1] // samples
                total += function(x).sum(axis=1, dtype=np.float64) / positions
    return [total / count for total in sums]


def layer_slopes(model: Model, data, criterion: str) -> Iterator[tuple[list[Pairs], int]]:
    """For each batch of data, for every weight matrix: its x (in, n) and dy (out, n), by node; the samples.

    dy is the gradient of each sample's own loss with respect to what the layer makes: the gradient of weight
    (i, j) in sample b is dy[i, b] * x[j, b], added up over the nodes and over the positions of the sample.

    data  (X, y), or (X, y, loss) with the name of a loss; without one as train's loss="auto"
    """
    features, targets, loss = check_data(model, data, f"criterion {criterion!r}")
    if loss.takes_logits:
        model = without_softmax(model)
    for part in batches(model, features):
        values = run_batch(model, features[part], run_node, keep=True)
        output = model.output_values[0]
        _, slope = loss(values[output].copy(), targets[part])
        slope = slope * np.float32(len(targets[part]))  # the loss is the mean over the samples
        pairs: dict[int, Pairs] = {id(layer): [] for layer in model.linear_layers}

        def step(node: Node, dy: np.ndarray, values=values, pairs=pairs) -> tuple[np.ndarray, ...]:
            layer = node.layer
            z = [values[operand] if operand in values else as_column(operand) for operand in node.inputs]
            if isinstance(layer, Matrix):
                slopes = layer.product_gradient(*z, values[node.output], dy)
                pairs[id(layer)].append((layer.columns(*z)[0], slopes))
            if isinstance(layer, Linear) and layer.sparse:
                return (ops.spmm_transposed(layer.weight, dy),)
            slopes = layer.gradient(*z, values[node.output], dy)
            return slopes if isinstance(slopes, tuple) else (slopes,)

        walk_back(model, {output: slope}, step)
        yield list(pairs.values()), len(targets[part])


def at_weights(weight, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left (out, n) @ right (in, n).T where the weight is stored: (out, in) or (nnz,) float32."""
    return left @ right.T if isinstance(weight, np.ndarray) else ops.sddmm(weight, left, right)


def mean_at_weights(model: Model, data, criterion: str, function: Callable) -> list[np.ndarray]:
    """Mean over the samples of function(gradient of a sample) at each stored weight, float64.

    function  value by value, with function(a b) = function(a) function(b)
    """
    sums = [0.0] * len(model.linear_layers)
    count = 0
    for batch, samples in layer_slopes(model, data, criterion):
        count += samples
        for index, (layer, pairs) in enumerate(zip(model.linear_layers, batch, strict=True)):
            found = _sum_at_weights(layer.weight, pairs, samples, function)
            sums[index] = sums[index] + found.astype(np.float64)
    return [total / count for total in sums]


def _sum_at_weights(weight, pairs: Pairs, samples: int, function: Callable) -> np.ndarray:
    """Sum over the samples of function(gradient of a sample).

    At one node and one position the gradient is a product, so that sum is one matrix product; else it is a
    sum of products, which function may not be drawn into: sample by sample.
    """
    if len(pairs) == 1 and pairs[0][0].shape[1] == samples:
        ((x, dy),) = pairs
        return at_weights(weight, function(dy), function(x))
    total: np.ndarray | float = 0.0
    for sample in range(samples):
        own = slice(sample, None, samples)  # the batch is the last axis
        total = total + function(sum(at_weights(weight, dy[:, own], x[:, own]) for x, dy in pairs))
    return total
