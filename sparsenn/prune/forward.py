"""A model run on data for pruning: data checked, and the forward pass in numpy, batch by batch.

Arrays are (dims of a sample ..., batch) float32: dense weights go through BLAS, sparse ones through the
sparse kernels, at their pattern only. The model may be any graph, with any number of inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from .. import ops
from ..checks import check_same_length
from ..errors import ArgumentError
from ..graph.node import Node
from ..graph.value import Dims, Value
from ..graph.walk import walk
from ..layers import Matrix
from ..model import Model
from ..training.stepwise import is_softmax, settle_loss
from .features import Features, as_model_features

_SAMPLES = 1024  # at a time, at most
_NUMBERS = 2**26  # that all values and what their windows hold may be in, at a time


def check_data(model: Model, data, wanted_by: str):
    """-> features, targets (n, ...) as the loss takes them, the loss.

    data       (X, y), or (X, y, loss) with the name of a loss; without one as train's loss="auto"
    wanted_by  for the error message
    """
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        got = f"{len(data)} values" if isinstance(data, (tuple, list)) else type(data).__name__
        raise ArgumentError(f"data must be (X, y) or (X, y, loss) for {wanted_by}, got {got}")
    X, y = data[:2]
    features = as_model_features(model, X)
    output = the_output(model)
    loss = settle_loss(data[2] if len(data) == 3 else "auto", output, y)
    targets = loss.targets(y, outputs=output.dims[-1])
    check_same_length(next(iter(features.arrays.values())), targets, ("X", "y"))
    return features, targets, loss


def the_output(model: Model) -> Value:
    """The one output, (batch, features) or (batch, steps, features). ArgumentError for any other."""
    values = model.output_values
    if len(values) != 1 or len(values[0].dims) not in (2, 3) or values[0].dims[-1] is None:
        held = ", ".join(f"{value.name!r} {value.dims}" for value in values)
        raise ArgumentError(
            f"model must have one output of (batch, features) or (batch, steps, features), got {held}"
        )
    return values[0]


def without_softmax(model: Model) -> Model:
    """The model up to a Softmax at its end, which gives logits; the model itself where there is none."""
    output = the_output(model)
    if not is_softmax(output):
        return model
    return Model(inputs=model.input_values, outputs=output.producer.inputs[0])


def forward(model: Model, features: Features) -> np.ndarray:
    """features -> (n, outputs) or (n, steps, outputs) float32, in parts that fit memory."""
    output = model.output_values[0]
    parts = [run_batch(model, features[part], run_node)[output] for part in batches(model, features)]
    return np.concatenate([np.moveaxis(part, -1, 0) for part in parts])


def batches(model: Model, features: Features) -> Iterator[slice]:
    """Parts of the samples, so large that all values of one fit into the memory that is allowed."""
    step = max(1, min(_SAMPLES, _NUMBERS // max(1, _numbers_of(model, features.dims))))
    for start in range(0, len(features), step):
        yield slice(start, start + step)


def _numbers_of(model: Model, dims: Sequence[Dims]) -> int:
    """Of one sample: in all values, and in the windows of each weight matrix."""
    sizes = dims_of_values(model, dims)
    return sum(math.prod(own[1:]) for own in sizes.values()) + sum(
        node.layer.shape[1] * math.prod(sizes[node.output][2:])
        for node in model.nodes
        if isinstance(node.layer, Matrix)
    )


def dims_of_values(model: Model, dims: Sequence[Dims]) -> dict[Value, Dims]:
    """The dims of every value, none unknown but the batch, where the inputs have dims, the batch first."""
    start: dict[Value, Dims] = dict(zip(model.input_values, dims, strict=True))
    return walk(
        model,
        start,
        lambda node, operands: node.layer.resolve(*operands).infer(*operands),
        constant=lambda constant: constant.dims,
        keep=True,
    )


def run_batch(model: Model, features: Features, step: Callable, *, keep: bool = False) -> dict:
    """The walk over model with the values of features."""
    start = {
        value: np.ascontiguousarray(np.moveaxis(features.arrays[value.name], 0, -1))
        for value in model.input_values
    }
    return walk(model, start, step, constant=as_column, keep=keep)


def as_column(constant) -> np.ndarray:
    return constant.column(np.float32)


def run_node(node: Node, operands: list[np.ndarray]) -> np.ndarray:
    layer = node.layer
    if not isinstance(layer, Matrix) or layer.recurrent:
        return layer.value(*operands)
    return multiply(layer, operands[0])


def multiply(layer: Matrix, x: np.ndarray) -> np.ndarray:
    """The value of a layer with a weight matrix, by BLAS or the sparse kernels."""
    columns, shape = layer.columns(x)
    if layer.sparse:
        y = ops.spmm(layer.weight, columns, layer.bias)
    else:
        y = layer.weight @ columns
        y = y if layer.bias is None else y + layer.bias[:, np.newaxis]
    return y.reshape(layer.shape[0], *shape)
