"""The units of a model, its neurons and channels: which go together, who reads them, what is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph.coupling import Coupling, shape_of, slim
from ..graph.node import Node
from ..graph.value import Constant, Value
from ..graph.walk import walk
from ..layers import Matrix
from ..model import Model
from .csr import stored_positions, stored_values

LARGEST = float(np.finfo(np.float32).max)  # what is folded must be a number in the model, too
Carried = tuple[np.ndarray | None, np.ndarray]


@dataclass(frozen=True)
class Units:
    """Groups are numbered from 1; a group goes as a whole. 0 stands for what stays.

    count      of the groups
    rows       for each of model.linear_layers the group of each row (out,)
    columns    for each of them the group of each feature or channel that it reads (in,)
    known      what each of these gives whatever the model is given, (in,) float64; NaN where nobody knows,
               or where it is not the same at all positions of a window
    obstacles  for each of them why none of its rows can go; None where some can
    values     the group at each place of each value, (dims of a sample ..., 1), broadcast where they can
    """

    count: int
    rows: list[np.ndarray]
    columns: list[np.ndarray]
    known: list[np.ndarray]
    obstacles: list[str | None]
    values: dict[Value, np.ndarray]

    def column_groups(self, index: int, layer: Matrix) -> np.ndarray:
        """The group of each column (in,) of a layer's weight."""
        return np.repeat(self.columns[index], layer.columns_per_unit)

    def together(self) -> list[np.ndarray]:
        """The groups of each value of which one must stay, one array for values that are alike."""
        found = {np.unique(slim(groups)).tobytes(): None for groups in self.values.values()}
        arrays = [np.frombuffer(groups, np.int64) for groups in found]
        return [groups for groups in arrays if groups[0]]

    def leave_one(self, gone: np.ndarray, score: np.ndarray) -> None:
        """Takes out of gone (groups + 1,), a mask, the best group of each value that would lose all."""
        for groups in self.together():
            if gone[groups].all():
                gone[groups[np.argmax(score[groups])]] = False


def units_of(model: Model) -> Units:
    """Follows the units from the rows of each weight matrix through the graph to those that read them."""
    coupling, linears = Coupling(), model.linear_layers
    known: dict[int, np.ndarray] = {}
    start = {
        value: (np.broadcast_to(np.int64(0), shape), np.broadcast_to(np.nan, shape))
        for value in model.input_values
        for shape in [shape_of(value.dims)]
    }

    def step(node: Node, operands: list[Carried]) -> Carried:
        layer = node.layer
        labels, values = [pair[0] for pair in operands], [pair[1] for pair in operands]
        if isinstance(layer, Matrix):
            own = layer.known_inputs(values[0])
            own = np.where(np.abs(own) <= LARGEST, own, np.nan)
            before = known.setdefault(id(layer), own)
            known[id(layer)] = np.where(own == before, own, np.nan)  # at each of its nodes
        return layer.follow(coupling, node, *labels), layer.constant(node, *values)

    with np.errstate(all="ignore"):
        carried = walk(model, start, step, constant=_constant, keep=True)
    labels = {value: pair[0] for value, pair in carried.items()}
    for value in model.output_values:
        coupling.pin(labels[value], "of an output")
    coupling.settle([own for own in labels.values() if own.ndim > 2])
    groups, reasons = coupling.groups()
    rows = [groups[coupling.rows_of(layer)] for layer in linears]
    return Units(
        int(groups.max()),
        rows,
        [groups[coupling.columns[id(layer)]] for layer in linears],
        [known[id(layer)] for layer in linears],
        [
            None if own.any() else reasons[int(coupling.rows_of(layer)[0])]
            for own, layer in zip(rows, linears, strict=True)
        ],
        {value: np.broadcast_to(groups[slim(own)], own.shape) for value, own in labels.items()},
    )


def _constant(constant: Constant) -> Carried:
    return None, constant.column(np.float64)


def known_columns(model: Model, units: Units) -> list[np.ndarray]:
    """For each of model.linear_layers what is known to be in each column, (in,) float64; 0 elsewhere."""
    return [
        np.repeat(np.nan_to_num(own, nan=0.0), layer.columns_per_unit)
        for own, layer in zip(units.known, model.linear_layers, strict=True)
    ]


def without_effect(model: Model, units: Units) -> np.ndarray:
    """Mask (groups + 1,) of the groups that nothing reads, or that are constant for whoever does."""
    needed = np.zeros(units.count + 1, bool)
    needed[0] = True
    for index, layer in enumerate(model.linear_layers):
        used = nonzero_counts(layer.weight, axis=1).reshape(-1, layer.columns_per_unit).any(axis=1)
        needed[units.columns[index][used & np.isnan(units.known[index])]] = True
    return ~needed


def nonzero_counts(weight, *, axis: int) -> np.ndarray:
    """Weights other than zero in each row (axis 0) or column (axis 1)."""
    if isinstance(weight, np.ndarray):
        return np.count_nonzero(weight, axis=1 - axis)
    present = stored_values(weight) != 0
    return np.bincount(stored_positions(weight)[axis], present, minlength=weight.shape[axis])
