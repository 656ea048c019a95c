"""What the recurrent layers share: LSTM, GRU and RNN are the part of their networks that goes step by step.

The part of the input, a product at every step, is a layer of its own before (StepwiseLinear). Arrays are
(steps, units or rows, batch), states (hidden, batch).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from ..checks import check_float32
from ..errors import ArgumentError
from ..graph.coupling import Coupling, shape_of
from ..graph.node import Node
from ..graph.value import Dims
from .elu import ELU
from .hard_sigmoid import HardSigmoid
from .layer import EPS, TINY
from .leaky_relu import LeakyReLU
from .matrix import Matrix
from .relu import ReLU
from .sigmoid import Sigmoid
from .softplus import Softplus
from .tanh import Tanh

# In the order of the core, with the numbers that ONNX gives them where none are said.
ACTIVATIONS = {
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "relu": ReLU(),
    "hard_sigmoid": HardSigmoid(0.2, 0.5),
    "elu": ELU(1.0),
    "leaky_relu": LeakyReLU(0.01),
    "softplus": Softplus(),
    "linear": None,
}

Arrays = tuple[np.ndarray, ...]


class Recurrent(Matrix):
    """What goes from step to step: gates add up the operand z (batch, steps, gates * hidden) and W h + b.

    weight, bias  W (gates * hidden, hidden) and b, gate after gate
    reverse       from the last step to the first
    initial       the first state is given: operands behind z, (batch, hidden) each, or constants (hidden,)
    lengths       the number of steps of each sample that count is given: an operand (batch, 1) behind those,
                  cut to a whole number of 0 to steps. Steps behind it give 0 and leave the state as it is
    states        the result is (batch, steps + states, hidden): behind the steps come the last states
    clip          what the activations of gates are given is within [-clip, clip]; 0: anything
    activations   names of ACTIVATIONS, as ONNX orders them

    Definitions are those of ONNX. ValueError, TypeError and CSRError as Linear raises them.
    """

    attributes = ("clip",)
    takes_constants = True
    recurrent = True
    gates: ClassVar[int]
    state_count: ClassVar[int]
    usual: ClassVar[tuple[str, ...]]  # activations

    def __init__(
        self,
        weight,
        bias=None,
        *,
        reverse: bool = False,
        initial: bool = False,
        lengths: bool = False,
        states: bool = False,
        clip: float = 0.0,
        activations: tuple[str, ...] | None = None,
    ):
        super().__init__(weight, bias)
        name, (rows, hidden) = type(self).__name__, self.shape
        if rows != self.gates * hidden:
            raise ArgumentError(
                f"weight of {name} must have shape ({self.gates} * hidden, hidden), got {self.shape}"
            )
        self.activations = self.usual if activations is None else tuple(activations)
        if len(self.activations) != len(self.usual) or not set(self.activations) <= set(ACTIVATIONS):
            raise ArgumentError(
                f"activations of {name} must be {len(self.usual)} of {', '.join(ACTIVATIONS)}, "
                f"got {activations}"
            )
        self.reverse, self.initial, self.lengths, self.states = map(bool, (reverse, initial, lengths, states))
        self.clip = check_float32("clip", clip)

    @property
    def hidden(self) -> int:
        return self.shape[1]

    @property
    def options(self) -> dict:
        """What the constructor takes beside weight and bias."""
        return {
            **{name: getattr(self, name) for name in ("reverse", "initial", "lengths", "states")},
            **{"clip": self.clip, "activations": self.activations},
        }

    @property
    def slopes_need_sums(self) -> bool:
        """Whether what activations are given says more of their slopes than what they give."""
        chosen = [ACTIVATIONS[name] for name in self.activations]
        return self.clip > 0 or any(layer is not None and layer.reads_input for layer in chosen)

    def with_weight(self, weight, bias) -> Recurrent:
        return type(self)(weight, bias, **self.options)

    @property
    def integer_values(self) -> dict[str, int]:
        numbers = dict(zip("fgh", (list(ACTIVATIONS).index(name) for name in self.activations), strict=False))
        return {name: numbers.get(name, int(getattr(self, name, 0))) for name in self.integers}

    @classmethod
    def of_numbers(cls, weight, bias, integers: dict[str, int], clip: float) -> Recurrent:
        """The layer with these integer_values."""
        numbers = dict(integers)
        chosen = [list(ACTIVATIONS)[numbers.pop(name)] for name in "fgh" if name in numbers]
        return cls(weight, bias, clip=clip, activations=tuple(chosen), **numbers)

    # ---- dims ----

    def infer(self, dims: Dims, *others: Dims) -> Dims:
        name, (rows, hidden) = type(self).__name__, self.shape
        if len(dims) != 3 or dims[0] is not None or dims[2] != rows:
            raise ArgumentError(
                f"operand of {name} must be a Value of dims (None, steps, {rows}), as many as its weight has "
                f"rows, got {dims}"
            )
        wanted = [("the initial state", hidden)] * (self.initial * self.state_count)
        wanted += [("lengths", 1)] * self.lengths + self._constant_operands()
        if len(others) != len(wanted):
            raise ArgumentError(
                f"{name} must be called on {1 + len(wanted)} operands as it was made, got {1 + len(others)}"
            )
        for own, (what, size) in zip(others, wanted, strict=True):
            if own[1:] != (size,):
                raise ArgumentError(f"{what} of {name} must have dims (None, {size}), got {own}")
        more = self.state_count if self.states else 0
        return None, None if dims[1] is None else dims[1] + more, hidden

    def _constant_operands(self) -> list[tuple[str, int]]:
        """Names and sizes of constants behind the other operands."""
        return []

    # ---- the pass ----

    def _parts(self, z: np.ndarray, others: Arrays) -> tuple[Arrays, np.ndarray | None, Arrays]:
        """The first states, lengths, and what is left of the operands behind z."""
        count, batch = self.state_count if self.initial else 0, z.shape[-1]
        given = others[:count] or (np.zeros((self.hidden, 1), z.dtype),) * self.state_count
        states = tuple(np.broadcast_to(own, (self.hidden, batch)).astype(z.dtype) for own in given)
        lengths = np.broadcast_to(others[count][0], batch) if self.lengths else None
        return states, lengths, others[count + self.lengths :]

    def _order(self, steps: int, batch: int, lengths: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The place (steps, batch) of each step in turn, and whether it counts."""
        turn = np.arange(steps)[:, np.newaxis]
        ends = np.full(batch, steps) if lengths is None else _whole(lengths, steps)
        counts = turn < ends
        return np.where(counts, ends - 1 - turn if self.reverse else turn, turn), counts

    def _walk(self, z: np.ndarray, others: Arrays):
        """The result; and of each step its place, whether it counts, the states before it, what step kept."""
        states, lengths, rest = self._parts(z, others)
        steps, batch = z.shape[0], z.shape[-1]
        order, counts = self._order(steps, batch, lengths)
        y, trail, samples = np.zeros((steps, self.hidden, batch), z.dtype), [], np.arange(batch)
        for at, valid in zip(order, counts, strict=True):
            made, kept = self._step(z[at, :, samples].T, states, rest)
            trail.append((at, valid, states, kept))
            states = tuple(np.where(valid, new, old) for new, old in zip(made, states, strict=True))
            y[at, :, samples] = np.where(valid, states[0], 0).T
        y = np.concatenate([y, *(own[np.newaxis] for own in states)]) if self.states else y
        if lengths is not None:
            y[:, :, np.isnan(lengths)] = np.nan
        return y, trail, rest

    def value(self, z: np.ndarray, *others: np.ndarray) -> np.ndarray:
        """z (steps, rows, batch) -> (steps, hidden, batch)."""
        return self._walk(z, others)[0]

    def bound(self, *arguments: np.ndarray) -> np.ndarray:
        """Step by step: of what enters, of the product, of the activations by their steepest slope nearby."""
        given = (len(arguments) - 1) // 2
        (z, *others), (z_bound, *bounds) = arguments[:given], arguments[given + 1 :]
        states, lengths, rest = self._parts(z, tuple(others))
        own, _, rest_bounds = self._parts(z, tuple(bounds))
        order, counts = self._order(z.shape[0], z.shape[-1], lengths)
        y, samples = np.zeros((z.shape[0], self.hidden, z.shape[-1])), np.arange(z.shape[-1])
        for at, valid in zip(order, counts, strict=True):
            pairs = [*zip(states, own, strict=True)]
            made = self._step_bound(
                (z[at, :, samples].T, z_bound[at, :, samples].T),
                pairs,
                [*zip(rest, rest_bounds, strict=True)],
            )
            states = tuple(np.where(valid, new[0], old) for new, old in zip(made, states, strict=True))
            own = tuple(np.where(valid, new[1], old) for new, old in zip(made, own, strict=True))
            y[at, :, samples] = np.where(valid, own[0], 0).T
        return np.concatenate([y, *(part[np.newaxis] for part in own)]) if self.states else y

    def _back(self, arguments: Arrays) -> tuple[Arrays, np.ndarray]:
        """The gradients of the operands, and that of the products W h + b, (rows, steps * batch)."""
        *operands, _, da = arguments
        z, others = operands[0], tuple(operands[1:])
        _, trail, rest = self._walk(z, others)
        steps, samples = z.shape[0], np.arange(z.shape[-1])
        last = da[steps:] if self.states else np.zeros((self.state_count, *da.shape[1:]), da.dtype)
        dstates, dz, slopes = tuple(last), np.zeros_like(da, shape=z.shape), []
        drest: Arrays = (0.0,) * len(rest)
        for at, valid, before, kept in reversed(trail):
            given = (dstates[0] + da[at, :, samples].T, *dstates[1:])
            given = tuple(np.where(valid, own, 0) for own in given)
            dx, dsums, back, drest_step = self._step_back(given, before, kept, rest)
            dz[at, :, samples] += dx.T
            slopes.append(dsums)
            dstates = tuple(np.where(valid, new, old) for new, old in zip(back, dstates, strict=True))
            drest = tuple(one + more for one, more in zip(drest, drest_step, strict=True))
        firsts = dstates if self.initial else ()
        lengths = tuple(np.zeros_like(own) for own in others[len(firsts) : len(firsts) + self.lengths])
        found = zip((*firsts, *lengths, *drest), others, strict=True)
        parts = tuple(own.sum(axis=-1, keepdims=True) if z.shape[-1] == 1 else own for own, z in found)
        return (dz, *parts), np.stack(slopes[::-1], axis=1).reshape(self.shape[0], -1)

    def gradient(self, *arguments: np.ndarray) -> tuple[np.ndarray, ...]:
        """Back through the steps."""
        return self._back(arguments)[0]

    def product_gradient(self, *arguments: np.ndarray) -> np.ndarray:
        return self._back(arguments)[1]

    def columns(self, z: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        """The states before each step, step after step."""
        trail = self._walk(z, others)[1]
        states = np.stack([before[0] for *_, before, _ in trail], axis=1)
        return states.reshape(self.hidden, -1), states.shape[1:]

    def depends(self, mask: np.ndarray, *others: np.ndarray) -> np.ndarray:
        """What a unit's gates see of its own operand and of other units; all of it where lengths change."""
        given, lengths, _ = self._parts(mask, others)
        states, y = list(given), np.zeros((mask.shape[0], *given[0].shape), bool)
        for at in range(len(mask))[:: -1 if self.reverse else 1]:
            states = self._step_mask(mask[at], states)
            y[at] = states[0]
        y = np.concatenate([y, *(own[np.newaxis] for own in states)]) if self.states else y
        return y if lengths is None else y | lengths

    def _seen(self, mask: np.ndarray) -> np.ndarray:
        """Which rows (rows, batch) have a weight other than zero for one of those units."""
        return np.stack([self._rows_that_use(column) for column in mask.T], axis=1)

    # ---- what each of them is ----

    @abstractmethod
    def _step(self, x: np.ndarray, states: Arrays, rest: Arrays) -> tuple[Arrays, Arrays]:
        """x (rows, batch) and the states -> the next states, and what _step_back needs."""

    @abstractmethod
    def _step_bound(self, x: Arrays, states: list[Arrays], rest: list[Arrays]) -> list[Arrays]:
        """The same of pairs of a value and its bound."""

    @abstractmethod
    def _step_back(self, given: Arrays, states: Arrays, kept: Arrays, rest: Arrays) -> tuple:
        """The gradient of the next states -> those of x, of W h + b, of the states, of rest."""

    @abstractmethod
    def _step_mask(self, x: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        """Which units of the next states depend on what those of x and the states do."""

    def _gates(self, rows: np.ndarray) -> list[np.ndarray]:
        """(gates * hidden, ...) -> one array (hidden, ...) a gate."""
        return np.split(rows, self.gates)

    def _clipped(self, z: np.ndarray) -> np.ndarray:
        return np.clip(z, -self.clip, self.clip) if self.clip else z

    def _act(self, index: int, z: np.ndarray) -> np.ndarray:
        """The activation of the sum of a gate, clipped."""
        return self._free(index, self._clipped(z))

    def _free(self, index: int, z: np.ndarray) -> np.ndarray:
        """The activation without a clip."""
        layer = ACTIVATIONS[self.activations[index]]
        return z if layer is None else layer.value(z)

    def _act_back(self, index: int, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        slope = self._free_back(index, self._clipped(z), a, da)
        return np.where(abs(z) <= self.clip, slope, 0) if self.clip else slope

    def _free_back(self, index: int, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        layer = ACTIVATIONS[self.activations[index]]
        return da if layer is None else layer.gradient(z, a, da)

    def _act_bound(self, index: int, pair: Arrays) -> Arrays:
        return self._free_bound(index, (self._clipped(pair[0]), pair[1]))

    def _free_bound(self, index: int, pair: Arrays) -> Arrays:
        """Sigmoid and tanh are steepest at the value nearest to 0; their values differ by 1 and 2 at most."""
        name = self.activations[index]
        layer, (z, bound) = ACTIVATIONS[name], pair
        a = self._free(index, z)
        if layer is None:
            return a, bound
        if name in ("sigmoid", "tanh"):
            near = np.maximum(abs(z) - bound, 0)
            top = layer.value(near)
            slope = top * (1 - top) if name == "sigmoid" else 1 - top * top
            return a, np.minimum(slope * bound, 1 if name == "sigmoid" else 2) + 8 * EPS * abs(a) + TINY
        return a, layer.bound(z, a, bound)

    def follow(self, coupling: Coupling, node: Node, *labels: np.ndarray | None) -> np.ndarray:
        """Units stay: each is read by the gates of all."""
        for own in labels:
            coupling.pin(own, f"before a {type(self).__name__}")
        coupling.pin(coupling.rows_of(self), f"of a {type(self).__name__}")
        coupling.read(self, np.zeros(self.hidden, np.int64))
        return np.broadcast_to(np.int64(0), shape_of(node.output.dims))

    def known_inputs(self, z: np.ndarray) -> np.ndarray:
        return np.full(self.hidden, np.nan)

    def constant(self, node: Node, *z: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.nan, shape_of(node.output.dims))

    def __repr__(self) -> str:
        direction = ", reverse" if self.reverse else ""
        return f"{type(self).__name__}({self.hidden}, {self._kind()}{direction})"


def _whole(lengths: np.ndarray, steps: int) -> np.ndarray:
    """As whole numbers of 0 to steps; NaN as 0."""
    return np.clip(np.nan_to_num(lengths, nan=0.0, posinf=steps), 0, steps).astype(np.int64)


def total(*pairs: Arrays) -> Arrays:
    """The sum of values with bounds, rounded once a sum."""
    z, size = sum(value for value, _ in pairs), sum(abs(value) + bound for value, bound in pairs)
    return z, sum(bound for _, bound in pairs) + len(pairs) * EPS * size + TINY


def product(a: Arrays, b: Arrays) -> Arrays:
    """The product of values with bounds, rounded."""
    z = a[0] * b[0]
    moved = abs(a[0]) * b[1] + abs(b[0]) * a[1] + a[1] * b[1]
    return z, moved + 2 * EPS * (abs(z) + moved) + TINY
