"""Recurrent layers as they train: the steps forward and back are the core's (src_c/train/recurrent.c)."""

from __future__ import annotations

import numpy as np

from .. import _core
from ..layers import GRU, LSTM, Recurrent
from .operators import make_operator
from .places import Place
from .steps import OperatorStep
from .tiles import Buffer, Layout

_KEPT = {LSTM: 5, GRU: 4}  # numbers that the core keeps of a unit at a step, of snn_recurrence


class RecurrentStep(OperatorStep):
    """The steps of a sequence one by one, from z (steps, gates * hidden) rows to (steps, hidden).

    The gradient of the weight is one product over all steps. Constants, as first states may be, are not
    trained.
    """

    def __init__(
        self,
        index: int,
        layer: Recurrent,
        operands: list[Place | np.ndarray],
        result: Place,
        layout: Layout,
        truncate: int | None,
    ):
        """operands: a Place, or a constant (size, 1) float32; truncate: steps that gradients go back."""
        source, *others = operands
        steps, hidden = source.dims[0], layer.hidden
        self.operator = make_operator(layer, source.dims, layout.threads, layout.isa)
        super().__init__(index, layer, source, result, self.operator)
        self._steps = steps
        numbers, window = list(layer.integer_values.values()), 0 if truncate is None else truncate
        self._core = _core.Recurrence(self.operator, layer.op, numbers, layer.clip, steps, window)
        count = layer.state_count if layer.initial else 0
        self._initial = [_Given(operand, layout) for operand in others[:count]]
        self._lengths = _Given(others[count], layout) if layer.lengths else None
        looks = others[count + layer.lengths :]
        self._peepholes = np.ascontiguousarray(looks[0][:, 0]) if looks else None
        rows = steps * self.outputs
        kept = _KEPT.get(type(layer), 0)
        apart = isinstance(layer, GRU) and layer.reset_after
        self._h = Buffer((steps + 1) * hidden, layout)
        self._c = Buffer((steps + 1) * hidden, layout) if layer.state_count == 2 else None
        self._kept = Buffer(steps * kept * hidden, layout) if kept else None
        self._z = Buffer(rows, layout) if layer.slopes_need_sums else None
        self._dx, self._dsums = Buffer(rows, layout), Buffer(rows, layout) if apart else None
        self._found: dict[str, np.ndarray | None] = {}

    def forward(self) -> None:
        x = self.source.value
        size = len(x), x.shape[2]
        arrays = {
            name: None if buffer is None else buffer.take(*size)
            for name, buffer in (("h", self._h), ("c", self._c), ("kept", self._kept), ("z", self._z))
        }
        self._found = arrays
        initial = [given.tiles(*size) for given in self._initial]
        lengths = None if self._lengths is None else self._lengths.tiles(*size)
        y = self.result.new_value(*size)
        self._core.forward(self.bias, x, initial, lengths, self._peepholes, y, *arrays.values())

    def backward(self) -> None:
        source, size = self.source, (len(self.source.value), self.source.value.shape[2])
        dx, dsums = self._dx.take(*size), None if self._dsums is None else self._dsums.take(*size)
        firsts = [given.slopes(*size) for given in self._initial]
        self._core.backward(self.result.slope, dx, dsums, firsts)
        self._found["dsums"] = dx if dsums is None else dsums
        self._core.backward_weight(
            self._found["dsums"], self.weight_parameter.flat_gradient, self.bias_gradient
        )
        if source.wanted:
            source.add(dx, lent=True)
        for given, slopes in zip(self._initial, firsts, strict=True):
            if slopes is not None:
                given.place.add(slopes, lent=True)

    def dense_gradient(self, first: int, last: int) -> np.ndarray:
        total = np.zeros((last - first, self.inputs), np.float32)
        slopes, before = self._parts("dsums", self._steps, self.outputs), self._states()
        if isinstance(self.layer, GRU) and not self.layer.reset_after:
            split = np.clip(2 * self.inputs, first, last)
            reset = self._parts("kept", self._steps, 4 * self.inputs)[:, :, 3 * self.inputs :]
            _add_products(total[split - first :], slopes[:, :, split:last], reset)
        else:
            split = last
        _add_products(total[: split - first], slopes[:, :, first:split], before)
        return total

    def _parts(self, name: str, steps: int, features: int) -> np.ndarray:
        """(tiles, steps, features, samples)."""
        array = self._found[name]
        return array[:, : steps * features].reshape(len(array), steps, features, -1)

    def _states(self) -> np.ndarray:
        """Those before each step."""
        states = self._parts("h", self._steps + 1, self.inputs)
        return states[:, 1:] if self.layer.reverse else states[:, :-1]


def _add_products(total: np.ndarray, dy: np.ndarray, x: np.ndarray) -> None:
    """total (rows, in) += dy times x over all samples of all steps of all tiles."""
    if len(total):
        for slopes, states in zip(dy, x, strict=True):
            for at in range(len(slopes)):
                total += slopes[at] @ states[at].T


class _Given:
    """An operand behind the first: a Place, or a constant that is the same for every sample."""

    def __init__(self, operand: Place | np.ndarray, layout: Layout):
        self.place = operand if isinstance(operand, Place) else None
        self._constant = None if isinstance(operand, Place) else operand
        size = operand.features if isinstance(operand, Place) else len(operand)
        self._buffer = Buffer(size, layout)  # of what the constant is, or of the gradient

    def tiles(self, tiles: int, samples: int) -> np.ndarray:
        if self.place is not None:
            return self.place.value
        made = self._buffer.take(tiles, samples)
        made[:, : len(self._constant)] = self._constant
        return made

    def slopes(self, tiles: int, samples: int) -> np.ndarray | None:
        """Room for its gradient; None where none is wanted."""
        wanted = self.place is not None and self.place.wanted
        return self._buffer.take(tiles, samples) if wanted else None
