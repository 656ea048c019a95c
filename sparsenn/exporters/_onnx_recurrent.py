"""Recurrent layers as the operators of ONNX, which have the batch in dimension 1."""

from __future__ import annotations

import numpy as np

from ..layers import GRU, LSTM, RNN
from ._check import dense_weight
from ._onnx_graph import Graph
from ._recurrent import Whole

_NAMES = {LSTM: "LSTM", GRU: "GRU", RNN: "RNN"}
# By our names: ONNX's, and the numbers that ours have.
_ACTIVATIONS = {
    "sigmoid": ("Sigmoid", ()),
    "tanh": ("Tanh", ()),
    "relu": ("Relu", ()),
    "hard_sigmoid": ("HardSigmoid", (0.2, 0.5)),
    "elu": ("Elu", (1.0,)),
    "leaky_relu": ("LeakyRelu", (0.01,)),
    "softplus": ("Softplus", ()),
    "linear": ("Affine", (1.0, 0.0)),
}


def write_recurrent(graph: Graph, whole: Whole, x: str, others: list[str]) -> str:
    """Writes a recurrent layer of x (batch, steps, in) and its other operands -> the name of its value."""
    layer, hidden = whole.layer, whole.layer.hidden
    operands = list(others)
    initial = [_state(graph, operands.pop(0), x, hidden) for _ in range(layer.initial * layer.state_count)]
    lengths = _lengths(graph, operands.pop(0), x) if layer.lengths else ""
    looks = [_in_front(graph, operands.pop(0))] if operands else []
    turned = graph.node("Transpose", x, perm=[1, 0, 2])
    of_input, of_state = (
        graph.constant(name, weight[np.newaxis])
        for name, weight in (("W", whole.of_input), ("R", dense_weight(layer)))
    )
    inputs = [turned, of_input, of_state, _bias(graph, whole), lengths]
    inputs += initial or [""] * layer.state_count if looks else initial
    names = graph.several(
        _NAMES[type(layer)], [*inputs, *looks], 1 + layer.state_count, hidden_size=hidden, **_options(layer)
    )
    way = graph.integers("way", [1])
    y = graph.node("Transpose", graph.node("Squeeze", names[0], way), perm=[1, 0, 2])
    if not layer.states:
        return y
    last = [graph.node("Transpose", name, perm=[1, 0, 2]) for name in names[1:]]
    return graph.node("Concat", y, *last, axis=1)


def _options(layer) -> dict:
    options: dict = {"direction": "reverse"} if layer.reverse else {}
    if layer.clip:
        options["clip"] = layer.clip
    if isinstance(layer, GRU):
        options["linear_before_reset"] = int(layer.reset_after)
    if layer.activations != layer.usual:
        entries = [_ACTIVATIONS[name] for name in layer.activations]
        options["activations"] = [name for name, _ in entries]
        for place, part in enumerate(("activation_alpha", "activation_beta")):
            numbers = [own[place] for _, own in entries if len(own) > place]
            if numbers:
                options[part] = numbers
    return options


def _bias(graph: Graph, whole: Whole) -> str:
    if all(bias is None for bias in whole.biases):
        return ""
    rows = whole.layer.shape[0]
    parts = [np.zeros(rows, np.float32) if bias is None else bias for bias in whole.biases]
    return graph.constant("B", np.concatenate(parts)[np.newaxis])


def _in_front(graph: Graph, name: str) -> str:
    return graph.node("Unsqueeze", name, graph.integers("front", [0]))


def _batch(graph: Graph, x: str) -> str:
    """How many samples x has, a list of one."""
    return graph.node(
        "Slice", graph.node("Shape", x), graph.integers("zero", [0]), graph.integers("one", [1])
    )


def _state(graph: Graph, name: str, x: str, hidden: int) -> str:
    """(batch, hidden), or a constant (hidden,), as (1, batch, hidden)."""
    sizes = graph.joined(_batch(graph, x), graph.integers("hidden", [hidden]))
    return _in_front(graph, graph.node("Expand", name, sizes))


def _lengths(graph: Graph, name: str, x: str) -> str:
    """(batch, 1), or a constant (1,), as (batch,) int32 of 0 to the number of steps."""
    sizes = graph.joined(_batch(graph, x), graph.integers("once", [1]))
    shape = graph.node("Shape", x)
    steps = graph.node("Slice", shape, graph.integers("first", [1]), graph.integers("second", [2]))
    most = graph.node("Cast", steps, to=graph.onnx.TensorProto.FLOAT)
    counts = graph.node("Min", graph.node("Max", name, graph.constant("least", [0.0])), most)
    column = graph.node("Squeeze", graph.node("Expand", counts, sizes), graph.integers("last", [1]))
    return graph.node("Cast", column, to=graph.onnx.TensorProto.INT32)
