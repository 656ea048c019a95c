"""Where the values of a graph lie during a training step, and what comes back to them."""

from __future__ import annotations

import math

import numpy as np

from .. import _core
from ..layers import Activation
from .tiles import Buffer, Layout


def usual_order(dims: tuple[int, ...]) -> tuple[int, ...]:
    """How the dims of a value lie where nothing else is said: those of an image position after position."""
    return (1, 2, 0) if len(dims) == 3 else tuple(range(len(dims)))


def lies_alike(dims: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether dims lie the same in both orders: where a dim of 1 stands makes no difference."""
    return [axis for axis in a if dims[axis] > 1] == [axis for axis in b if dims[axis] > 1]


class Place:
    """One value: its tiles of the present batch, and the gradient of the loss with respect to it.

    dims      of a sample; features is their product, the rows of a tile
    order     of the dims as they lie: an image, which has three of them, lies position after position,
              (channels, height, width) as (height, width, channels), and so may others
    wanted    whether a parameter lies behind it, so that its gradient is needed
    readers   how many nodes read it, and outputs that it is
    value, slope   arrays of tiles (tiles, features + scratch, samples); slope None: nothing has come back yet

    The gradient is added up as the readers hand it back, in an array of its own or one that a reader lends,
    which other places may hold too and none of them writes. A maker that ends in an activation which the
    kernels can go back through puts it here (fused, with z, its argument, where its slope needs that): the
    only reader of the value, where it is a kernel, then multiplies by its slope in the same pass (sloped).
    """

    __slots__ = (
        *("dims", "order", "features", "wanted", "readers", "value", "slope"),
        *("fused", "z", "sloped", "_lent", "_layout", "_values", "_slopes", "_others"),
    )

    def __init__(
        self, dims: tuple[int, ...], readers: int, layout: Layout, *, order: tuple[int, ...] | None = None
    ):
        """order None: that of an image, or of the dims."""
        self.order = usual_order(dims) if order is None else order
        self.dims, self.features, self.readers, self.wanted = dims, math.prod(dims), readers, False
        self.value = self.slope = self.fused = self.z = None
        self.sloped = self._lent = False
        self._layout = layout
        self._values, self._slopes = Buffer(self.features, layout), Buffer(self.features, layout)
        self._others = Buffer(self.features, layout)

    def new_value(self, tiles: int, samples: int) -> np.ndarray:
        """The array for the value of a batch, to be filled."""
        self.value = self._values.take(tiles, samples)
        return self.value

    @property
    def rows(self) -> np.ndarray:
        """The value without the scratch rows, a view."""
        return self.value[:, : self.features]

    def sample(self, tiles: np.ndarray, tile: int) -> np.ndarray:
        """One tile of an array of this place as layers take it: a view (dims of a sample ..., samples)."""
        rows = tiles[tile, : self.features]
        return self._in_order(rows.reshape(*self._stored, rows.shape[1]))

    def load(self, given: np.ndarray, layout: Layout) -> None:
        """Fills the value from given (batch, dims of a sample ...); the last one fills up its tile.

        So what is computed of the samples that fill up is as finite as the others.
        """
        batch = len(given)
        given = given.transpose(0, *(axis + 1 for axis in self.order))
        rows = np.ascontiguousarray(given.reshape(batch, -1))
        tiles = layout.load(rows, self.new_value(*layout.shape(batch)))
        used = batch - (len(tiles) - 1) * tiles.shape[2]
        tiles[-1, : self.features, used:] = tiles[-1, : self.features, used - 1 : used]

    def columns(self, batch: int) -> np.ndarray:
        """The value (features, batch), in the order of the dims."""
        columns = self._layout.take_out(self.value, self.features, batch)
        return self._in_order(columns.reshape(*self._stored, batch)).reshape(self.features, batch)

    def hand_back(self, slope: np.ndarray) -> None:
        """Takes the gradient (features, batch), as columns has it."""
        slope = (
            slope.reshape(*self.dims, -1).transpose(*self.order, len(self.dims)).reshape(self.features, -1)
        )
        self.add(self._layout.put(slope, self.begin()))

    @property
    def _stored(self) -> tuple[int, ...]:
        """The dims as they lie."""
        return tuple(self.dims[axis] for axis in self.order)

    def _in_order(self, array: np.ndarray) -> np.ndarray:
        """An array (stored ..., samples) as (dims ..., samples), a view."""
        return array.transpose(*np.argsort(self.order), len(self.order))

    def rows_apart(self) -> list[int]:
        """Rows from one place along each of the dims to the next."""
        return [
            math.prod(self.dims[other] for other in self.order[self.order.index(axis) + 1 :])
            for axis in range(len(self.dims))
        ]

    def forget(self) -> None:
        """Before a batch goes back: nothing has come yet."""
        self.slope, self.sloped = None, False

    def begin(self) -> np.ndarray:
        """An array to fill with a gradient, that add then takes; of the shape of the value."""
        tiles, _, samples = self.value.shape
        return (self._slopes if self.slope is None else self._others).take(tiles, samples)

    def slope_back(self, activation: Activation) -> None:
        """The slope times that of the activation which gave the value."""
        n, y, layout = self.features, self.value, self._layout
        if self._lent:
            own = self._slopes.take(len(y), y.shape[2])
            own[:, :n] = self.slope[:, :n]
            self.slope, self._lent = own, False
        dy = self.slope
        if layout.samples and not activation.mixes_features:
            core = _core.Activation(activation.op, *activation.attribute_values)
            _core.tiles_slope(n, core, self.z, y, dy, threads=layout.threads, isa=layout.isa)
        else:
            z = y if self.z is None else self.z
            dy[:, :n] = activation.gradient(z[:, :n], y[:, :n], dy[:, :n])

    def add(self, slope: np.ndarray, *, lent: bool = False) -> None:
        """Takes the array that begin gave, filled; or one that is lent, which stays as it is."""
        if self.slope is None:
            self.slope, self._lent = slope, lent
            return
        tiles, _, samples = slope.shape
        total = self._slopes.take(tiles, samples) if self._lent else self.slope
        self._layout.add(self.features, self.slope, slope, total)
        self.slope, self._lent = total, False
