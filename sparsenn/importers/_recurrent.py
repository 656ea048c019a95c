"""Recurrent layers of a source: for each direction the product of the input at all steps, and a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from ..errors import ArgumentError
from ..graph.value import Value
from ..layers import GRU, LSTM, Recurrent, Slice
from ._arithmetic import product
from ._data import At, Data
from ._moves import joined, sliced, squeezed
from ._positions import at_positions
from ._steps import BREAK_EVEN, as_constant, check_floats
from ._wires import Wire, in_order, rewrite


@dataclass(frozen=True)
class Cell:
    """A recurrent layer with its constants: a step of z, of first states and lengths that are none."""

    kind: type[Recurrent]
    weight: np.ndarray  # (rows, hidden)
    bias: np.ndarray | None
    options: tuple[tuple[str, object], ...]  # of the layer
    first: np.ndarray | None  # (states, hidden), of all samples
    length: float | None  # of all samples
    counted: bool  # the last operand is the length of each sample
    peepholes: np.ndarray | None  # (3 hidden,)
    name: str

    @property
    def states(self) -> bool:
        return dict(self.options)["states"]

    def layer(self) -> Recurrent:
        """With its own float32 arrays: CSR where most of the weight is zero."""
        check_floats(self.weight, self.bias, self.name)
        weight = np.asarray(self.weight, np.float32)
        sparse = np.count_nonzero(weight) <= (1 - BREAK_EVEN) * weight.size
        return self.kind(
            scipy.sparse.csr_array(weight) if sparse else weight,
            self.bias,
            lengths=self.counted or self.length is not None,
            **({"peepholes": self.peepholes is not None} if self.kind is LSTM else {}),
            **dict(self.options),
        )

    def __call__(self, z: Value, *others: Value) -> Value:
        layer, count = self.layer(), len(others) - self.counted
        given: list = list(others[:count]) if self.first is None else list(as_constant(self.first, self.name))
        given += others[count:]
        if self.length is not None:
            given.append(np.float32([self.length]))
        if self.peepholes is not None:
            given.append(as_constant(self.peepholes, self.name))
        return layer(z, *given)


@dataclass(frozen=True)
class Direction:
    """One direction of a layer; arrays of any float, gates in the order of our layers.

    of_input, of_state   (rows, in) and (rows, hidden)
    bias_input, bias_state   (rows,) or None
    first     of each state its first value, Data (batch, hidden) or an array (hidden,); or none
    projection  (units, hidden): what each h is given back as, and what of_state (rows, units) multiplies
    """

    of_input: np.ndarray
    of_state: np.ndarray
    bias_input: np.ndarray | None
    bias_state: np.ndarray | None
    reverse: bool
    first: Sequence[Data | np.ndarray] = ()
    peepholes: np.ndarray | None = None
    projection: np.ndarray | None = None

    def unprojected(self, at: At) -> Direction:
        """The same with the states before the projection: W_h of what it makes of them is W_h projection.

        A first h is one of those that the projection makes it of.
        """
        if self.projection is None:
            return self
        projection = self.projection.astype(np.float64)
        of_state = self.of_state.astype(np.float64) @ projection
        first = list(self.first)
        if first:
            inverse = np.linalg.pinv(projection)
            h = first[0]
            first[0] = inverse @ h if isinstance(h, np.ndarray) else product(h, inverse, None, at)
        return replace(self, of_state=of_state, first=first, projection=None)


def recurrent(
    data: Data,
    kind: type[Recurrent],
    directions: Sequence[Direction],
    at: At,
    *,
    length: float | Data | None = None,
    **options,
) -> tuple[Data, list[Data]]:
    """data (batch, steps, in) -> (batch, steps, directions * hidden), and of each state the last.

    These are (batch, directions * hidden).

    length   the number of steps that count, of all samples or of each, (batch, 1); None: all
    options  of the layers
    """
    if data.rank != 3 or data.axis != 0:
        raise at.fail(f"take (batch, steps, features), got {data}")
    made = [
        _projected(_direction(data, kind, one.unprojected(at), at, length, options), one.projection, at)
        for one in directions
    ]
    whole = joined([y for y, _ in made], 2, at)
    return whole, [joined(list(parts), 1, at) for parts in zip(*(last for _, last in made), strict=True)]


def _projected(made: tuple[Data, list[Data]], projection: np.ndarray | None, at: At):
    """What a direction gives, each h as its projection makes it."""
    if projection is None:
        return made
    y, (h, *others) = made
    return at_positions(y, projection, None, at), [product(h, projection, None, at), *others]


def _direction(
    data: Data, kind: type[Recurrent], one: Direction, at: At, length: float | Data | None, options: dict
) -> tuple[Data, list[Data]]:
    rows, hidden = one.of_state.shape
    if rows != kind.gates * hidden or one.of_input.shape != (rows, data.sizes[1]):
        raise at.bad(
            f"have weights ({kind.gates} hidden, {data.sizes[1]}) and ({kind.gates} hidden, hidden), got "
            f"{one.of_input.shape} and {one.of_state.shape}"
        )
    apart = kind is GRU and options.get("reset_after", True)
    before = one.bias_input if apart else _total(one.bias_input, one.bias_state)
    z = at_positions(data, one.of_input, before, at)
    constant = all(isinstance(first, np.ndarray) for first in one.first)
    cell = Cell(
        kind,
        one.of_state,
        one.bias_state if apart else None,
        (("reverse", one.reverse), ("initial", bool(one.first)), ("states", True), *options.items()),
        np.stack(one.first) if one.first and constant else None,
        None if isinstance(length, Data) else length,
        isinstance(length, Data),
        one.peepholes,
        at.name,
    )
    if not constant and any(isinstance(first, np.ndarray) for first in one.first):
        raise at.fail("have constant first states, or none that is one")
    operands = (z.wire, *(() if constant else (first.wire for first in one.first)))
    operands += (length.wire,) if isinstance(length, Data) else ()
    steps, count = data.sizes[0], kind.state_count
    whole = Data(Wire(cell, operands, (steps + count, hidden)), data.batch)
    y = sliced(whole, 1, 0, steps, 1, at)
    # The last h is a step as well, which may be had without the states.
    place = steps if length is not None else 0 if one.reverse else steps - 1
    last = [sliced(whole, 1, i, i + 1, 1, at) for i in (place, *range(steps + 1, steps + count))]
    return y, [squeezed(part, [1], at) for part in last]


def _total(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None:
        return other if one is None else one
    if one.shape != other.shape:
        raise ArgumentError(f"biases must have one shape, got {one.shape} and {other.shape}")
    return one.astype(np.float64) + other.astype(np.float64)


def trimmed(wires: list[Wire]) -> list[Wire]:
    """The wires, without last states that nothing reads."""
    order = in_order(wires)
    read = {operand for wire in order for operand in wire.operands if not _is_part(wire, operand)}
    read |= set(wires)
    cells = [wire for wire in order if isinstance(wire.step, Cell) and wire.step.states]
    spare = {id(wire.step) for wire in cells if wire not in read}
    bare: dict[Wire, Wire] = {}

    def rule(wire: Wire) -> Wire:
        if not isinstance(wire.step, Slice) or id(wire.operands[0].step) not in spare:
            return wire
        (operand,) = wire.operands
        if operand not in bare:
            bare[operand] = _without_states(operand)
        cell = bare[operand]
        return cell if wire.sizes == cell.sizes else Wire(wire.step, (cell,), wire.sizes)

    return rewrite(wires, rule) if spare else wires


def _without_states(cell: Wire) -> Wire:
    steps = cell.sizes[0] - cell.step.kind.state_count
    options = tuple((name, False if name == "states" else value) for name, value in cell.step.options)
    return Wire(replace(cell.step, options=options), cell.operands, (steps, cell.sizes[1]))


def _is_part(wire: Wire, operand: Wire) -> bool:
    """Whether a wire takes steps of a cell alone, not its last states."""
    step = wire.step
    if not isinstance(operand.step, Cell) or not isinstance(step, Slice):
        return False
    return (
        step.axis == 1
        and step.end is not None
        and step.end <= operand.sizes[0] - operand.step.kind.state_count
    )
