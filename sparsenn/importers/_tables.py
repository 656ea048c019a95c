"""Constants that are cut to an open size, as those of positions: their first places for every size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import SparsennError
from ..graph.node import Node
from ..graph.value import Constant, Dims, Value
from ..layers import Layer, Prefix
from ..model import Model

MOST_PLACES = 4096  # of a table that is computed and has no end of its own
Sizes = dict[str, Dims]


@dataclass
class _Table:
    """A constant of which other sizes have more or fewer places along an axis, all else being the same.

    sources  (operand, axis) of the node's values that have as many
    """

    node: int
    operand: int
    array: np.ndarray
    axis: int = 0  # counts the batch, which the constant has not, as 0; 0: it was the same so far
    sources: list[tuple[int, int]] = field(default_factory=list)


class Tables:
    """The constants of a model, compared with those of the same model for other sizes."""

    def __init__(self, model: Model):
        self.model = model
        self.tables = [
            _Table(index, place, operand.array)
            for index, node in enumerate(model.nodes)
            for place, operand in enumerate(node.inputs)
            if isinstance(operand, Constant)
        ]

    @property
    def cut(self) -> list[_Table]:
        return [table for table in self.tables if table.axis]

    def fit(self, other: Model) -> bool:
        """Whether the constants of both are the same, or the first places of the same."""
        return all(self._fits(table, other.nodes[table.node]) for table in self.tables)

    def _fits(self, table: _Table, twin: Node) -> bool:
        array = twin.inputs[table.operand].array
        if array.shape == table.array.shape:
            return np.array_equal(array, table.array)
        if array.ndim != table.array.ndim:
            return False
        axes = [
            i
            for i, (one, other) in enumerate(zip(table.array.shape, array.shape, strict=True))
            if one != other
        ]
        if len(axes) != 1 or table.axis not in (0, axes[0] + 1):
            return False
        common = tuple(slice(min(own)) for own in zip(table.array.shape, array.shape, strict=True))
        if not np.array_equal(table.array[common], array[common]):
            return False
        table.axis = axes[0] + 1
        known = table.sources or _with_size(self.model.nodes[table.node], table.array.shape[axes[0]])
        table.sources = [own for own in _with_size(twin, array.shape[axes[0]]) if own in known]
        return bool(table.sources)

    def take(self, longest: Model) -> bool:
        """Takes the tables of the model for the largest sizes; False where they are others."""
        fits = self.fit(longest)
        for table in self.cut if fits else ():
            table.array = longest.nodes[table.node].inputs[table.operand].array
        return fits

    def with_prefixes(self, index: int, layer: Layer) -> Callable[..., Value]:
        """What puts a layer at a node: on the first places of its tables."""
        own = [table for table in self.cut if table.node == index]

        def call(*operands: Value | Constant) -> Value:
            given = list(operands)
            for table in own:
                source, axis = table.sources[0]
                whole = Constant(None, table.array)
                cuts = isinstance(layer, Prefix)  # on its own
                given[table.operand] = whole if cuts else Prefix(table.axis, axis)(whole, operands[source])
            return layer(*given)

        return call if own else layer


def _with_size(node: Node, size: int) -> list[tuple[int, int]]:
    """The operands of a node, and their axes, of that size."""
    return [
        (place, axis)
        for place, operand in enumerate(node.inputs)
        for axis, own in enumerate(operand.dims)
        if isinstance(operand, Value) and axis and own == size
    ]


def longest(
    probe: Callable[[Sizes], object], sizes: Sizes, labels: Mapping[tuple[str, int], object], label: object
) -> Sizes:
    """The sizes with the largest number for those of one label that the source can take."""

    def sized(number: int) -> Sizes:
        return {
            name: tuple(number if labels.get((name, axis)) == label else own for axis, own in enumerate(dims))
            for name, dims in sizes.items()
        }

    def fits(number: int) -> bool:
        try:
            probe(sized(number))
        except SparsennError:
            return False
        return True

    low = next(
        own for name, dims in sizes.items() for i, own in enumerate(dims) if labels.get((name, i)) == label
    )
    high = low
    while high < MOST_PLACES and fits(min(2 * high, MOST_PLACES)):
        low = high = min(2 * high, MOST_PLACES)
    high = min(2 * low, MOST_PLACES)
    while low + 1 < high:  # low fits, high does not
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return sized(low)
