"""The recurrent operators of ONNX. Without layout=1 the batch is in dimension 1, as states have it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..layers import GRU, LSTM, RNN, Recurrent
from ._data import Data
from ._moves import batched, reshaped, sliced, squeezed
from ._onnx_values import Node
from ._recurrent import Direction, recurrent

# By ONNX's names: ours, and the numbers that an activation must have where any are given.
ACTIVATIONS = {
    "Sigmoid": ("sigmoid", ()),
    "Tanh": ("tanh", ()),
    "Relu": ("relu", ()),
    "HardSigmoid": ("hard_sigmoid", (0.2, 0.5)),
    "Elu": ("elu", (1.0,)),
    "LeakyRelu": ("leaky_relu", (0.01,)),
    "Softplus": ("softplus", ()),
    "Affine": ("linear", (1.0, 0.0)),
}
SYMMETRIC = ("sigmoid", "hard_sigmoid")  # 1 less the value is that of the other sign
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


def _activations(node: Node, kind: type[Recurrent], directions: int) -> tuple[str, ...]:
    """Those of each direction, which must be the same, with the numbers that ours have."""
    names = node.attributes.strings("activations")
    count = len(kind.usual)
    if not names:
        return kind.usual
    if len(names) != count * directions:
        raise node.bad(f"have {count * directions} activations, got {len(names)}")
    known = {name.lower(): entry for name, entry in ACTIVATIONS.items()}
    if any(name.lower() not in known for name in names) or names[:count] != names[-count:]:
        raise node.fail(f"have activations of {', '.join(ACTIVATIONS)}, the same each way, got {names[:8]}")
    entries = [known[name.lower()] for name in names]
    # Each of the two lists has the numbers of those activations alone that take one.
    for place, part in enumerate(("activation_alpha", "activation_beta")):
        given = node.attributes.numbers(part) if part in node.attributes else []
        wanted = [np.float32(numbers[place]) for _, numbers in entries if len(numbers) > place]
        if not given and "linear" in (name for name, _ in entries):
            raise node.fail(f"have the {part} of Affine, whose usual numbers nobody says")
        if given and [np.float32(number) for number in given] != wanted:
            raise node.fail(f"have the usual {part}, {[float(n) for n in wanted[:8]]}, got {given[:8]}")
    return tuple(name for name, _ in entries[:count])


def _first_states(node: Node, index: int, directions: int, hidden: int, layout: int) -> list | None:
    """What each direction begins with, Data (batch, hidden) or an array (hidden,); None for zeros."""
    value = node.input(index)
    if value is None:
        return None
    if isinstance(value, Data):
        value = batched(value, 1 - layout, node)
        if value.axis != 1 - layout or value.sizes != (directions, hidden):
            raise node.fail_batch(f"have first states of {directions} directions, got {value}")
        value = Data(value.wire, value.batch)
        parts = (sliced(value, 1, i, i + 1, 1, node) for i in range(directions))
        return [squeezed(part, [1], node) for part in parts]
    array = node.constant(index)
    if array.ndim != 3 or array.shape[layout] != directions or array.shape[2] != hidden:
        raise node.bad(f"have first states of {directions} directions and {hidden} units, got {array.shape}")
    samples = array if layout else array.transpose(1, 0, 2)
    if (samples != samples[:1]).any():
        raise node.fail("begin with the same state for every sample, where it is a constant")
    return list(samples[0]) if samples.any() else None


def _length(node: Node, steps: int) -> float | Data | None:
    """The number of steps that count, of all samples or of each; None for all."""
    if node.input(4) is None:
        return None
    if isinstance(node.input(4), Data):
        if node.input(4).axis != 0 or node.input(4).sizes != (1,):
            raise node.fail("have the input 4 as an input of the file, or a constant")
        return node.input(4)
    lengths = node.constant(4)
    if lengths.dtype.kind not in "iu" or lengths.ndim != 1 or not lengths.size:
        raise node.bad(f"have integers as input 4, got {lengths.dtype} {lengths.shape}")
    if (lengths != lengths[0]).any():
        raise node.fail("have the same number of steps for every sample, where it is a constant")
    return float(lengths[0]) if lengths[0] < steps else None


def _weight(node: Node, index: int, directions: int) -> np.ndarray:
    weight = node.constant(index)
    if weight.ndim != 3 or len(weight) != directions or 0 in weight.shape:
        raise node.bad(f"have a weight of {directions} directions as input {index}, got shape {weight.shape}")
    return weight


def _run(
    node: Node,
    kind: type[Recurrent],
    *,
    states: int,
    peepholes: int | None = None,
    coupled: bool = False,
    **options,
) -> list:
    """states: the place of the first operand that is one; coupled: the forget gate is of the input gate."""
    layout = node.attributes.get("layout", 0)
    axis = 1 - layout
    data = batched(node.data(0), axis, node)
    if data.rank != 3 or data.axis != axis:
        wanted = "(batch, steps, features)" if layout else "(steps, batch, features)"
        raise node.fail_batch(f"take {wanted}, got {data}")
    if None in data.sizes:
        raise node.unknown(data)
    direction = node.attributes.get("direction", "forward")
    if direction not in DIRECTIONS:
        raise node.bad(f"have direction forward, reverse or bidirectional, got {direction!r:.40}")
    ways = DIRECTIONS[direction]
    count = len(ways)
    of_input, of_state = _weight(node, 1, count), _weight(node, 2, count)
    rows, hidden = of_state.shape[1:]
    if node.attributes.get("hidden_size", hidden) != hidden:
        raise node.bad(
            f"have hidden_size {hidden} like its weight, got {node.attributes.get('hidden_size', 0)}"
        )
    bias = node.constant(3, optional=True)
    if bias is not None and bias.shape != (count, 2 * rows):
        raise node.bad(f"have biases ({count}, {2 * rows}), got shape {bias.shape}")
    firsts = [_first_states(node, states + i, count, hidden, layout) for i in range(kind.state_count)]
    looks = None if peepholes is None else node.constant(peepholes, optional=True)
    if looks is not None and looks.shape != (count, 3 * hidden):
        raise node.bad(f"have peepholes ({count}, {3 * hidden}), got shape {looks.shape}")
    parts = [
        Direction(
            of_input[i],
            of_state[i],
            None if bias is None else bias[i, :rows],
            None if bias is None else bias[i, rows:],
            reverse,
            [] if not any(firsts) else [np.zeros(hidden) if own is None else own[i] for own in firsts],
            None if looks is None or not looks[i].any() else looks[i],
        )
        for i, reverse in enumerate(ways)
    ]
    clip = node.attributes.get("clip", 0.0)
    if not 0 <= clip < np.inf:
        raise node.bad(f"have a clip of at least 0, got {clip}")
    activations = _activations(node, kind, count)
    if coupled:
        if activations[0] not in SYMMETRIC:
            raise node.fail(f"have a gate of {', '.join(SYMMETRIC)} with input_forget, got {activations[0]}")
        parts = [_coupled(part) for part in parts]
    sequence, last = recurrent(
        Data(data.wire, data.batch),
        kind,
        parts,
        node,
        length=_length(node, data.sizes[0]),
        clip=clip,
        activations=activations,
        **options,
    )
    steps = data.sizes[0]
    sequence = reshaped(sequence, (data.batch, steps, count, hidden), node)
    last = [reshaped(part, (data.batch, count, hidden), node) for part in last]
    if layout:
        return [sequence, *last]
    return [Data(sequence.wire, data.batch, 2), *(Data(part.wire, data.batch, 1) for part in last)]


def lstm(node: Node) -> list:
    return _run(node, LSTM, states=5, peepholes=7, coupled=bool(node.attributes.get("input_forget", 0)))


def _coupled(part: Direction) -> Direction:
    """With a forget gate that is 1 less the input gate: that of the same sum with another sign."""

    def turned(rows: np.ndarray | None, gates: int) -> np.ndarray | None:
        if rows is None:
            return None
        made = np.split(rows, gates)
        made[2] = -made[0]
        return np.concatenate(made)

    names = ("of_input", "of_state", "bias_input", "bias_state")
    return replace(
        part,
        **{name: turned(getattr(part, name), LSTM.gates) for name in names},
        peepholes=turned(part.peepholes, 3),
    )


def gru(node: Node) -> list:
    return _run(node, GRU, states=5, reset_after=bool(node.attributes.get("linear_before_reset", 0)))


def rnn(node: Node) -> list:
    return _run(node, RNN, states=5)


def first_states(nodes: list) -> set[str]:
    """The names of values that become first states, as they are or in parts: (directions, batch, hidden)."""
    found: set[str] = set()
    for node in reversed(nodes):
        layout = sum(attribute.i for attribute in node.attribute if attribute.name == "layout")
        if node.op_type in RECURRENT_OPS and not layout:
            found.update(name for name in node.input[5:7] if name)
        elif node.op_type in PARTS and found.intersection(node.output):
            found.add(node.input[0])
    return found


def lengths(nodes: list, inputs: list) -> set[str]:
    """The names of inputs (batch,) that recurrent operators alone read, as numbers of steps."""
    found = {value.name for value in inputs if len(value.type.tensor_type.shape.dim) == 1}
    for node in nodes:
        counts = node.op_type in RECURRENT_OPS
        found.difference_update(name for i, name in enumerate(node.input) if not (counts and i == 4))
    return found


# What takes parts of a state, or puts its dimensions right.
PARTS = frozenset({"Slice", "Gather", "Split", "Squeeze", "Unsqueeze", "Identity"})
RECURRENT_OPS = {"LSTM": lstm, "GRU": gru, "RNN": rnn}
