"""Recurrent layers of Keras: LSTM, GRU, SimpleRNN, in both directions, and Dense at every step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers import GRU, LSTM, RNN, Recurrent
from ._arithmetic import added, multiplied, scaled
from ._data import At, Data
from ._keras_tensor import Tensor
from ._moves import joined, taken
from ._positions import at_positions
from ._recurrent import Direction, recurrent

RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "TimeDistributed")
# Gates as Keras has them, in our order.
_ORDERS = {LSTM: (0, 3, 1, 2), GRU: (0, 1, 2), RNN: (0,)}
_ACTIVATIONS = ("sigmoid", "tanh", "relu", "softplus", "linear")


def recurrent_layers(keras, check: Callable) -> dict[type, Callable]:
    """Functions (layer, tensor, arrays, at) -> a Tensor or several, by the class of a layer.

    check  (layer): raises for code of its own in a layer that another holds
    """
    layers = keras.layers

    def one(layer, tensor, arrays, at):
        y, last = _run(keras, layer, tensor.plain(at), arrays, at, back=layer.go_backwards)
        if layer.return_sequences and layer.go_backwards:  # step after step as they are made
            y = taken(y, range(y.sizes[0] - 1, -1, -1), 1, at)
        made = Tensor(y if layer.return_sequences else last[0])
        return [made, *map(Tensor, last)] if layer.return_state else made

    def both(layer, tensor, arrays, at):
        parts = layer.forward_layer, layer.backward_layer
        for part in parts:
            check(part)
            if type(part) not in kinds:
                raise at.fail(f"hold an LSTM, GRU or SimpleRNN, got a {type(part).__name__}")
        if layer.return_state:
            raise at.fail("have return_state=False")
        if [part.go_backwards for part in parts] != [False, True]:
            raise at.fail("hold a layer that goes forward and one that goes backwards")
        data = tensor.plain(at)
        made = [_run(keras, part, data, arrays, at, back=part.go_backwards) for part in parts]
        found = [y if layer.return_sequences else last[0] for y, last in made]
        return Tensor(_merged(layer.merge_mode, found, at))

    def every(layer, tensor, arrays, at):
        inner = layer.layer
        check(inner)
        if not isinstance(inner, layers.Dense):
            raise at.fail(f"hold a Dense, got a {type(inner).__name__}")
        return Tensor(dense(inner, tensor.plain(at), arrays, at))

    kinds = (layers.LSTM, layers.GRU, layers.SimpleRNN)
    return {**dict.fromkeys(kinds, one), layers.Bidirectional: both, layers.TimeDistributed: every}


def dense(layer, data: Data, arrays: Callable, at: At) -> Data:
    """A Dense, without its activation, of each position of data (batch, ..., in)."""
    bias = None if layer.bias is None else arrays(layer.bias)
    return at_positions(data, arrays(layer.kernel).T, bias, at)


def _run(keras, layer, data: Data, arrays: Callable, at: At, *, back: bool) -> tuple[Data, list[Data]]:
    """-> (batch, steps, units) in the order of the steps, and the last states (batch, units)."""
    if layer.stateful:
        raise at.fail("have stateful=False")
    kind, cell = {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": RNN}[type(layer).__name__], layer.cell
    options: dict = {"activations": _activations(keras, kind, cell, at)}
    bias = None if cell.bias is None else arrays(cell.bias)
    biases = (bias, None)
    if kind is GRU:
        options["reset_after"] = bool(cell.reset_after)
        biases = (None, None) if bias is None else tuple(bias) if cell.reset_after else biases
    parts = [arrays(cell.kernel).T, arrays(cell.recurrent_kernel).T, *biases]
    of_input, of_state, *offsets = (None if part is None else _rows(kind, part) for part in parts)
    return recurrent(data, kind, [Direction(of_input, of_state, *offsets, back)], at, **options)


def _rows(kind: type[Recurrent], rows: np.ndarray) -> np.ndarray:
    gates = np.split(rows, kind.gates)
    return np.concatenate([gates[gate] for gate in _ORDERS[kind]])


def _activations(keras, kind: type[Recurrent], cell, at: At) -> tuple[str, ...]:
    functions = {getattr(keras.activations, name): name for name in _ACTIVATIONS}
    given = [cell.activation] if kind is RNN else [cell.recurrent_activation, cell.activation]
    for function in given:
        if function not in functions:
            name = getattr(function, "__name__", function)
            raise at.fail(f"have activations of {', '.join(_ACTIVATIONS)}, got {name!r:.40}")
    names = [functions[function] for function in given]
    return (*names, names[1]) if kind is LSTM else tuple(names)


def _merged(mode: str | None, parts: list[Data], at: At) -> Data:
    one, other = parts
    if mode == "concat":
        return joined(parts, one.rank - 1, at)
    if mode == "mul":
        return multiplied(one, other, at)
    if mode not in ("sum", "ave"):
        raise at.fail(f"have the merge_mode concat, sum, ave or mul, got {mode!r}")
    total = added(one, other, at)
    return scaled(total, 0.5, at) if mode == "ave" else total
