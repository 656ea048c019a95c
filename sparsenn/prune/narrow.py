"""Taking units out of a model: every layer, constant and weight around them shrinks."""

from __future__ import annotations

import numpy as np

from ..graph.coupling import slim
from ..graph.node import Node
from ..graph.value import Constant, Input, Value
from ..graph.walk import walk
from ..layers import Matrix
from ..model import Model
from .csr import stored_positions
from .movement import carry_movement
from .recorder import carry_range
from .units import Units

Masks = tuple[np.ndarray, ...]  # of the places that are left, one for each axis of a sample


def remove_units(model: Model, units: Units, gone: np.ndarray, given: list[np.ndarray]) -> Model:
    """A new Model without those groups of units; dense layers stay dense, sparse ones sparse.

    gone   mask (groups + 1,), at least one group of each value left
    given  for each of model.linear_layers what its columns (in,) are taken to hold; the bias takes what goes
    """
    kept = {value: _axis_masks(gone, groups) for value, groups in units.values.items()}
    matrices = {
        id(layer): _shrink(layer, ~gone[units.rows[i]], ~gone[units.column_groups(i, layer)], given[i])
        for i, layer in enumerate(model.linear_layers)
    }

    def step(node: Node, operands: list) -> Value:
        masks = [kept.get(operand, ()) for operand in node.inputs]
        after = kept[node.output]
        operands = [
            _cut(operand, after) if isinstance(operand, Constant) else operand for operand in operands
        ]
        layer = matrices.get(id(node.layer)) or node.layer.shrunk(masks, after)
        return layer(*operands)

    start = {value: Input(value.dims[1:], name=value.name) for value in model.input_values}
    made = walk(model, start, step, constant=lambda same: same)
    return Model(
        inputs=list(start.values()), outputs={value.name: made[value] for value in model.output_values}
    )


def _axis_masks(gone: np.ndarray, groups: np.ndarray) -> Masks:
    """What is left of a value of those groups, whole slices along one axis, axis by axis."""
    left = ~gone[slim(groups)]
    axes = range(left.ndim)
    return tuple(
        np.broadcast_to(left.any(axis=tuple(other for other in axes if other != axis)), size)
        for axis, size in zip(axes[:-1], groups.shape, strict=False)
    )


def _cut(constant: Constant, after: Masks) -> Constant:
    """What is left of a constant beside a value of which that is left."""
    array = constant.array
    for axis, mask in zip(range(-1, -array.ndim - 1, -1), reversed(after), strict=False):
        if array.shape[axis] > 1 and not mask.all():
            array = np.compress(mask, array, axis=axis)
    if array is constant.array:
        return constant
    array.flags.writeable = False
    return Constant(None, array)


def _shrink(layer: Matrix, rows: np.ndarray, columns: np.ndarray, given: np.ndarray) -> Matrix:
    """The layer with these rows and columns (masks) alone; given (in,) is what the other columns gave."""
    bias = layer.bias
    if not columns.all():
        effect = layer.weight.astype(np.float64) @ np.where(columns, 0.0, given)
        if bias is not None or effect.any():
            bias = effect + (0.0 if bias is None else bias)
    after = layer.with_weight(layer.weight[rows][:, columns], None if bias is None else bias[rows])
    kept = np.ix_(rows, columns)
    if layer.sparse:
        at_row, at_column = stored_positions(layer.weight)
        kept = rows[at_row] & columns[at_column]
    carry_range(layer, after, kept)
    carry_movement(layer, after, kept)
    return after
