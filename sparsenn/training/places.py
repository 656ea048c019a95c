"""Where the values of a graph lie during a training step, and what comes back to them."""

from __future__ import annotations

import math

import numpy as np

from .. import _core
from ..layers import Activation
from .tiles import Buffer, Layout


class Place:
    """One value: its tiles of the present batch, and the gradient of the loss with respect to it.

    dims      of a sample; features is their product, the rows of a tile
    channels_last   whether the first of the dims lies last: an image, which has three of them, lies position
              after position, (channels, height, width) as (height, width, channels), and so may others
    wanted    whether a parameter lies behind it, so that its gradient is needed
    readers   how many nodes read it, and outputs that it is
    value, slope   arrays of tiles (tiles, features + scratch, samples); slope None: nothing has come back yet

    The gradient is added up as the readers hand it back, in an array of its own or one that a reader lends,
    which other places may hold too and none of them writes. A maker that ends in an activation which the
    kernels can go back through puts it here (fused, with z, its argument, where its slope needs that): the
    only reader of the value, where it is a kernel, then multiplies by its slope in the same pass (sloped).
    """

    __slots__ = (
        *("dims", "channels_last", "features", "wanted", "readers", "value", "slope"),
        *("fused", "z", "sloped", "_lent", "_layout", "_values", "_slopes", "_others"),
    )

    def __init__(
        self, dims: tuple[int, ...], readers: int, layout: Layout, *, channels_last: bool | None = None
    ):
        """channels_last None: of an image."""
        self.channels_last = len(dims) == 3 if channels_last is None else channels_last
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
        if not self.channels_last:
            return rows.reshape(*self.dims, rows.shape[1])
        return np.moveaxis(rows.reshape(*self._stored, rows.shape[1]), -2, 0)

    def load(self, given: np.ndarray, layout: Layout) -> None:
        """Fills the value from given (batch, dims of a sample ...)."""
        batch = len(given)
        given = given.transpose(0, 2, 3, 1) if len(self.dims) == 3 else given
        rows = np.ascontiguousarray(given.reshape(batch, -1))
        layout.load(rows, self.new_value(*layout.shape(batch)))

    def columns(self, batch: int) -> np.ndarray:
        """The value (features, batch), in the order of the dims."""
        columns = self._layout.take_out(self.value, self.features, batch)
        if not self.channels_last:
            return columns
        return np.moveaxis(columns.reshape(*self._stored, batch), -2, 0).reshape(self.features, batch)

    def hand_back(self, slope: np.ndarray) -> None:
        """Takes the gradient (features, batch), as columns has it."""
        if self.channels_last:
            slope = np.moveaxis(slope.reshape(*self.dims, -1), 0, -2).reshape(self.features, -1)
        self.add(self._layout.put(slope, self.begin()))

    @property
    def _stored(self) -> tuple[int, ...]:
        """The dims as they lie, where the first of them lies last."""
        return (*self.dims[1:], self.dims[0])

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
