"""Random recurrent layers with what they compute by definition, sample by sample and unit by unit in float64.

A network of a seed is the same everywhere: x, and what else its layer takes, -> y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse

import sparsenn as snn

FUNCTIONS = {
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "tanh": math.tanh,
    "relu": lambda v: max(v, 0.0),
    "hard_sigmoid": lambda v: min(max(0.2 * v + 0.5, 0.0), 1.0),
    "elu": lambda v: v if v > 0 else math.exp(v) - 1,
    "leaky_relu": lambda v: v if v > 0 else 0.01 * v,
    "softplus": lambda v: math.log1p(math.exp(v)),
    "linear": lambda v: v,
}
SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33)
KINDS = (snn.LSTM, snn.GRU, snn.RNN)


@dataclass
class RecurrentCase:
    """layer on z = W x + b_x (batch, steps, rows), or on an input z itself where projection is None."""

    model: snn.Model
    layer: object
    projection: tuple | None
    given: dict[str, np.ndarray]  # the inputs
    others: list[np.ndarray]  # operands behind z, (batch, size) each

    def exact(self) -> np.ndarray:
        z = self.given["x"].astype(np.float64)
        if self.projection is not None:
            weight, bias = self.projection
            z = z @ weight.astype(np.float64).T + bias
        return np.stack([by_definition(self.layer, z[b], [o[b] for o in self.others]) for b in range(len(z))])


def random_case(seed: int, *, batch: int = 5, hidden: int | None = None) -> RecurrentCase:
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % 3]
    hidden, steps = hidden or int(rng.choice(SIZES)), int(rng.integers(1, 10))
    rows = kind.gates * hidden
    options = {name: bool(rng.random() < 0.5) for name in ("reverse", "initial", "lengths", "states")}
    options["clip"] = 0.0 if rng.random() < 0.7 else 0.75
    if rng.random() < 0.4:
        # So that states stay small:
        first = ["sigmoid", "hard_sigmoid"] if kind.gates > 1 else list(FUNCTIONS)
        others = rng.choice(list(FUNCTIONS), len(kind.usual) - 1).tolist()
        options["activations"] = (str(rng.choice(first)), *others)
    if kind is snn.LSTM:
        options["peepholes"] = bool(rng.random() < 0.4)
    if kind is snn.GRU:
        options["reset_after"] = bool(rng.random() < 0.6)

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    def matrix(rows: int, columns: int):
        weight = normal(rows, columns, scale=columns**-0.5)
        weight[rng.random(weight.shape) < rng.choice((0, 0.5, 0.9, 0.98, 1))] = 0
        return weight

    weight = matrix(rows, hidden)
    layer = kind(
        scipy.sparse.csr_array(weight) if rng.random() < 0.7 else weight,
        normal(rows) if rng.random() < 0.7 else None,
        **options,
    )
    given, operands, others = {}, [], []
    projection = None
    if rng.random() < 0.6:
        columns = int(rng.choice(SIZES))
        projection = matrix(rows, columns), normal(rows)
        given["x"], x = normal(batch, steps, columns), snn.Input((steps, columns), name="x")
        z = snn.StepwiseLinear(*projection)(x)
    else:
        given["x"], z = normal(batch, steps, rows), snn.Input((steps, rows), name="x")
        x = z
    inputs = [x]

    def add(name: str, values: np.ndarray, constant: bool) -> None:
        others.append(np.repeat(values[:1], batch, axis=0) if constant else values)
        if constant:
            operands.append(values[0])
        else:
            inputs.append(snn.Input(values.shape[1:], name=name))
            operands.append(inputs[-1])
            given[name] = values

    constant = bool(rng.random() < 0.5)
    for i in range(kind.state_count if layer.initial else 0):
        add(f"state{i}", normal(batch, hidden), constant)
    if layer.lengths:
        add("lengths", rng.integers(0, steps + 2, (batch, 1)).astype(np.float32), bool(rng.random() < 0.3))
    if getattr(layer, "peepholes", False):
        add("peepholes", normal(batch, 3 * hidden), True)
    model = snn.Model(inputs=inputs, outputs={"y": layer(z, *operands)})
    return RecurrentCase(model, layer, projection, given, others)


def by_definition(layer, z: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """z (steps, rows) and the other operands of one sample -> (steps, hidden), by the formulas of ONNX."""
    hidden, others = layer.hidden, [o.astype(np.float64) for o in others]
    weight = (layer.weight.toarray() if layer.sparse else layer.weight).astype(np.float64)
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.astype(np.float64)
    states = [np.zeros(hidden) for _ in range(layer.state_count)]
    if layer.initial:
        states, others = others[: layer.state_count], others[layer.state_count :]
    length = int(min(others.pop(0)[0], len(z))) if layer.lengths else len(z)
    peepholes = np.split(others[0], 3) if others else [np.zeros(hidden)] * 3
    y = np.zeros((len(z), hidden))
    for at in range(length)[:: -1 if layer.reverse else 1]:
        states = _step(layer, z[at], states, weight, bias, peepholes)
        y[at] = states[0]
    return np.concatenate([y, states]) if layer.states else y


def _step(layer, x, states, weight, bias, peepholes) -> list[np.ndarray]:
    def act(index: int, values: np.ndarray) -> np.ndarray:
        values = np.clip(values, -layer.clip, layer.clip) if layer.clip else values
        return np.array([FUNCTIONS[layer.activations[index]](float(v)) for v in values])

    h = states[0]
    sums = np.split(weight @ h + bias, layer.gates)
    own = np.split(x, layer.gates)
    if isinstance(layer, snn.RNN):
        return [act(0, own[0] + sums[0])]
    if isinstance(layer, snn.GRU):
        update, reset = act(0, own[0] + sums[0]), act(0, own[1] + sums[1])
        part = slice(2 * layer.hidden, None)
        inner = reset * sums[2] if layer.reset_after else weight[part] @ (reset * h) + bias[part]
        return [(1 - update) * act(1, own[2] + inner) + update * h]
    c = states[1]
    i = act(0, own[0] + sums[0] + peepholes[0] * c)
    f = act(0, own[2] + sums[2] + peepholes[2] * c)
    made = f * c + i * act(1, own[3] + sums[3])
    o = act(0, own[1] + sums[1] + peepholes[1] * made)
    return [o * np.array([FUNCTIONS[layer.activations[2]](float(v)) for v in made]), made]


def sequence_model(kind, steps=None, hidden=12, *, outputs=2, scale=1.0, **options):
    """x (batch, steps, 3) -> two layers -> y (batch, outputs) of the last step; scale: of what is random."""
    rng = np.random.default_rng(1)
    rows = kind.gates * hidden
    x = snn.Input((steps, 3), name="x")
    h = x
    for columns in (3, hidden):
        z = snn.StepwiseLinear(
            scale * rng.standard_normal((rows, columns)) / 2, scale * rng.standard_normal(rows)
        )(h)
        h = kind(
            scale * rng.standard_normal((rows, hidden)) / 4, scale * rng.standard_normal(rows), **options
        )(z)
    last = snn.Reshape((hidden,))(snn.Slice(axis=1, start=-1, end=None)(h))
    return snn.Model(
        inputs=x, outputs={"y": snn.Linear(scale * rng.standard_normal((outputs, hidden)))(last)}
    )
