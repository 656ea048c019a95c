"""Recurrent layers as the modules of torch: an nn.LSTM, nn.GRU or nn.RNN for each, or for two directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from ..errors import UnsupportedError
from ..graph.node import Node
from ..layers import GRU, LSTM, RNN, Recurrent
from ._recurrent import Whole

# In torch's order the places of our gates.
_ORDERS = {LSTM: (0, 2, 3, 1), GRU: (1, 0, 2), RNN: (0,)}
_ACTIVATIONS = {LSTM: [LSTM.usual], GRU: [GRU.usual], RNN: [("tanh",), ("relu",)]}


@dataclass(frozen=True)
class Part:
    """A node's place in a module: the directions that it holds, and which of them the node is."""

    ways: tuple[Node, ...]
    way: int


def parts(found: dict[Node, Whole]) -> dict[Node, Part]:
    """The module of each recurrent node: with another that reads the same backwards where there is one.

    UnsupportedError for what no module of torch does.
    """
    made: dict[Node, Part] = {}
    for node, whole in found.items():
        _check(whole.layer)
        if node in made:
            continue
        other = next((own for own in found if own not in made and _is_pair(found, node, own)), None)
        ways = (node,) if other is None else tuple(sorted((node, other), key=lambda n: n.layer.reverse))
        made.update({own: Part(ways, way) for way, own in enumerate(ways)})
    return made


def _is_pair(found: dict[Node, Whole], one: Node, other: Node) -> bool:
    a, b = found[one], found[other]
    alike = type(a.layer) is type(b.layer) and a.layer.hidden == b.layer.hidden and a.x is b.x
    plain = not (a.layer.initial or b.layer.initial) and a.layer.activations == b.layer.activations
    return alike and plain and a.layer.reverse != b.layer.reverse


def _check(layer: Recurrent) -> None:
    name = type(layer).__name__
    faults = {
        "lengths": layer.lengths,
        f"clip={layer.clip:g}": layer.clip,
        "peepholes": getattr(layer, "peepholes", False),
        "reset_after=False": not getattr(layer, "reset_after", True),
        f"activations {', '.join(layer.activations)}": layer.activations not in _ACTIVATIONS[type(layer)],
    }
    for fault, has in faults.items():
        if has:
            raise UnsupportedError(f"to_torch takes a {name} as torch.nn.{name} computes it, got {fault}")


def module_of(torch, wholes: list[Whole], *, sparse: bool):
    """The module of one or two directions, batch first; sparse: on this library's kernels where CSR is."""
    layer, kind = wholes[0].layer, type(wholes[0].layer)
    biases = [[_biases(whole, i) for i in range(2)] for whole in wholes]
    has_bias = any(bias is not None for pair in biases for bias in pair)
    zeros = np.zeros(layer.shape[0], np.float32)
    biases = [[zeros if bias is None else bias for bias in pair] for pair in biases]
    weights = [[_rows(kind, own) for own in _matrices(whole)] for whole in wholes]
    if sparse and kind is not RNN and all(whole.layer.sparse for whole in wholes):
        from ..torch import SparseGRU, SparseLSTM

        own = SparseLSTM if kind is LSTM else SparseGRU
        csr = [[scipy.sparse.csr_array(weight) for weight in pair] for pair in weights]
        return own(csr, biases if has_bias else None, bidirectional=len(wholes) == 2, batch_first=True)
    options = {"nonlinearity": layer.activations[0]} if kind is RNN else {}
    inputs = weights[0][0].shape[1]
    module = getattr(torch.nn, kind.__name__)(
        inputs, layer.hidden, bias=has_bias, bidirectional=len(wholes) == 2, batch_first=True, **options
    )
    with torch.no_grad():
        for names, pair, offsets in zip(module._all_weights, weights, biases, strict=True):
            for name, own in zip(names, (*pair, *offsets), strict=False):
                own = own.toarray() if scipy.sparse.issparse(own) else own
                getattr(module, name).copy_(torch.from_numpy(np.ascontiguousarray(own)))
    return module


def _matrices(whole: Whole) -> tuple:
    of_input = whole.of_input if whole.product is None else whole.product.weight
    return of_input, whole.layer.weight


def _biases(whole: Whole, which: int) -> np.ndarray | None:
    bias = whole.biases[which]
    return None if bias is None else _rows(type(whole.layer), bias)


def _rows(kind: type[Recurrent], rows):
    gates = np.split(np.arange(rows.shape[0]), kind.gates)
    return rows[np.concatenate([gates[gate] for gate in _ORDERS[kind]])]


def call(torch, module, whole: Whole, x, states: list):
    """What module, a call that gives what torch's does, makes of x and the first states, all of it proxies.

    -> (batch, steps, directions * hidden), and of each state the last, (directions, batch, hidden)
    """
    layer = whole.layer
    hx = [state.reshape(1, -1, layer.hidden).expand(1, x.shape[0], layer.hidden) for state in states]
    made = module(x, *([tuple(hx)] if isinstance(layer, LSTM) else hx) if hx else ())
    last = [made[1][0], made[1][1]] if isinstance(layer, LSTM) else [made[1]]
    return made[0], last


def value_of(torch, part: Part, node: Node, made):
    """The value of node out of what call gave for its module."""
    y, last = made
    hidden, way = node.layer.hidden, part.way
    if len(part.ways) == 2:
        y = y[:, :, way * hidden : (way + 1) * hidden]
    if not node.layer.states:
        return y
    return torch.cat([y, *(state[way : way + 1].transpose(0, 1) for state in last)], 1)
