"""The recurrent modules of torch: layers of one or two directions, one behind the other."""

from __future__ import annotations

import numpy as np
from torch import nn

from ..layers import GRU, LSTM, RNN
from ._data import Data
from ._moves import joined, permuted, reshaped, sliced, squeezed
from ._recurrent import Direction, recurrent
from ._torch_place import Place

KINDS = {"LSTM": LSTM, "GRU": GRU, "RNN_TANH": RNN, "RNN_RELU": RNN}
# Gates as torch has them, in our order.
ORDERS = {LSTM: (0, 3, 1, 2), GRU: (1, 0, 2), RNN: (0,)}


def run(at: Place, module: nn.RNNBase, input: Data, hx=None):
    """The result, with the batch where the input has it, and the last states, as torch gives them."""
    if module.mode not in KINDS or type(module).forward not in (
        nn.LSTM.forward,
        nn.GRU.forward,
        nn.RNN.forward,
    ):
        raise at.fail(f"be an LSTM, a GRU or an RNN, got mode {module.mode!r:.40}")
    if module.training and module.dropout:
        raise at.fail("leave its training mode where eval() is called")
    kind, axis = KINDS[module.mode], 0 if module.batch_first else 1
    if input.rank != 3 or input.axis != axis:
        wanted = "(batch, steps, features)" if module.batch_first else "(steps, batch, features)"
        raise at.fail(f"take {wanted}, as batch_first={bool(module.batch_first)} says, got {input}")
    if None in input.sizes:
        raise at.unknown(input)
    options = {"activations": ("relu",)} if module.mode == "RNN_RELU" else {}
    directions = 2 if module.bidirectional else 1
    firsts = _first_states(at, module, kind.state_count, hx)
    sizes = [module.proj_size or module.hidden_size, module.hidden_size]
    data, lasts = Data(input.wire, input.batch), [[] for _ in range(kind.state_count)]
    for layer in range(module.num_layers):
        own = firsts[layer * directions : (layer + 1) * directions]
        ways = [_direction(at, module, kind, layer, way, own[way]) for way in range(directions)]
        data, last = recurrent(data, kind, ways, at, **options)
        for found, part in zip(lasts, last, strict=True):
            found.append(part)
    count = module.num_layers * directions
    states = [
        reshaped(joined(found, 1, at), (input.batch, count, size), at)
        for found, size in zip(lasts, sizes, strict=False)
    ]
    states = [Data(part.wire, part.batch, 1) for part in states]
    made = Data(data.wire, data.batch, axis)
    return made, tuple(states) if kind is LSTM else states[0]


def _direction(at: Place, module: nn.RNNBase, kind, layer: int, way: int, first) -> Direction:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    parts = []
    for name in names[: 4 if module.bias else 2]:
        full = f"{name}_l{layer}{'_reverse' if way else ''}"
        array = at.array(getattr(module, full), full)
        if not isinstance(array, np.ndarray):
            raise at.fail(f"have a dense {full}")
        gates = np.split(array, kind.gates)
        parts.append(np.concatenate([gates[gate] for gate in ORDERS[kind]]))
    of_input, of_state, *biases = parts
    bias_input, bias_state = biases or (None, None)
    projection = None
    if module.proj_size:
        full = f"weight_hr_l{layer}{'_reverse' if way else ''}"
        projection = at.array(getattr(module, full), full)
    return Direction(of_input, of_state, bias_input, bias_state, bool(way), first, projection=projection)


def _first_states(at: Place, module: nn.RNNBase, count: int, hx) -> list[list]:
    """Of each direction of each layer its first states: Data (batch, hidden) or arrays (hidden,); or none."""
    directions = module.num_layers * (2 if module.bidirectional else 1)
    if hx is None:
        return [[]] * directions
    given = list(hx) if isinstance(hx, (tuple, list)) else [hx]
    if len(given) != count:
        raise at.bad(f"have {count} first states, got {len(given)}")
    sizes = [module.proj_size or module.hidden_size, module.hidden_size]
    parts = [_by_direction(at, value, directions, size) for value, size in zip(given, sizes, strict=False)]
    if not any(np.any(own) if isinstance(own, np.ndarray) else True for part in parts for own in part):
        return [[]] * directions
    return [list(own) for own in zip(*parts, strict=True)]


def _by_direction(at: Place, value, directions: int, hidden: int) -> list:
    """A state (directions, batch, hidden), whose batch is in front of none."""
    if not isinstance(value, Data):
        array = at.array(value, "first state")
        if not isinstance(array, np.ndarray) or array.ndim != 3 or array.shape[::2] != (directions, hidden):
            raise at.bad(f"have first states ({directions}, batch, {hidden})")
        if (array != array[:, :1]).any():
            raise at.fail("begin with the same state for every sample, where it is a constant")
        return list(array[:, 0])
    if value.axis != 1 or value.sizes != (directions, hidden):
        raise at.fail(f"have first states ({directions}, batch, {hidden}) of tensors, got {value}")
    turned = permuted(value, (1, 0, 2), at)
    return [squeezed(sliced(turned, 1, i, i + 1, 1, at), [1], at) for i in range(directions)]
