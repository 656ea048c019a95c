"""Recurrent networks with random weights: sequence classifiers, forecasters and taggers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from .checks import check_flag, check_integer, check_real
from .errors import ArgumentError
from .graph.value import Input, Value
from .layers import (
    GRU,
    LSTM,
    RNN,
    Concat,
    Div,
    Linear,
    Max,
    Recurrent,
    ReduceMean,
    ReduceSum,
    Reshape,
    Slice,
    StepwiseLinear,
)
from .model import Model
from .sparse_init import random_layer, stored_counts

OUTPUTS = ("last", "mean", "every")


def lstm(
    sizes: Iterable[int],
    *,
    output: str = "last",
    bidirectional: bool = False,
    lengths: bool = False,
    steps: int | None = None,
    sparsity: float = 0.0,
    pattern: str = "erdos_renyi",
    seed: int = 0,
) -> Model:
    """A network of LSTM layers with random weights, dense or sparse from the start: x (batch, steps, in).

    sizes          features of a step, units of each layer, and outputs, for example [12, 64, 64, 9]
    output         of the last layer: "last", its state behind the last step; "mean", over all steps; "every":
                   an output a step. A linear layer makes of it (batch, out), or (batch, steps, out)
    bidirectional  each layer also goes backwards, with as many units; the next one reads both
    lengths        a second input "lengths" (batch, 1): so many steps of each sample count, from 1 on.
                   Not for "every"
    steps          None: any number
    sparsity, pattern   as mlp takes them, over both matrices of every layer and the last linear one
    seed           of the random weights; the same seed gives the same model

    Weights of inputs are normal with variance 2 / (in + out) of a gate (Glorot and Bengio 2010), those of
    states orthogonal, gate by gate (Saxe et al. 2014, arXiv:1312.6120); biases are zero, of forget gates one
    (Jozefowicz et al. 2015). Sparse ones: sparse_init.random_layer.

    >>> import sparsenn as snn
    >>> snn.lstm([12, 64, 9]).output_values[0].dims
    (None, 9)
    """
    return _Builder(LSTM, sizes, sparsity, pattern, seed).model(output, bidirectional, lengths, steps)


def gru(
    sizes: Iterable[int],
    *,
    output: str = "last",
    bidirectional: bool = False,
    lengths: bool = False,
    steps: int | None = None,
    sparsity: float = 0.0,
    pattern: str = "erdos_renyi",
    seed: int = 0,
) -> Model:
    """The same of GRU layers, whose reset gate comes after the product; see lstm."""
    return _Builder(GRU, sizes, sparsity, pattern, seed).model(output, bidirectional, lengths, steps)


def rnn(
    sizes: Iterable[int],
    *,
    output: str = "last",
    bidirectional: bool = False,
    lengths: bool = False,
    steps: int | None = None,
    sparsity: float = 0.0,
    pattern: str = "erdos_renyi",
    seed: int = 0,
) -> Model:
    """The same of simple recurrent layers with tanh; see lstm."""
    return _Builder(RNN, sizes, sparsity, pattern, seed).model(output, bidirectional, lengths, steps)


class _Builder:
    def __init__(self, kind: type[Recurrent], sizes, sparsity, pattern: str, seed):
        self.kind = kind
        self.sizes = [check_integer(f"sizes[{i}]", size, minimum=1) for i, size in enumerate(sizes)]
        if len(self.sizes) < 3:
            raise ArgumentError(
                f"sizes must name features, units of each layer and outputs, got {len(self.sizes)} numbers"
            )
        self.sparsity, self.pattern = check_real("sparsity", sparsity, below=1.0), pattern
        self.generator = np.random.default_rng(check_integer("seed", seed, minimum=0))
        self.counts: list[int] = []

    def model(self, output: str, bidirectional, lengths, steps) -> Model:
        if output not in OUTPUTS:
            raise ArgumentError(f"output must be one of {', '.join(OUTPUTS)}, got {output!r}")
        ways = (False, True) if check_flag("bidirectional", bidirectional) else (False,)
        if check_flag("lengths", lengths) and output == "every":
            raise ArgumentError("lengths must be False where every step has an output")
        steps = None if steps is None else check_integer("steps", steps, minimum=1)
        *layers, outputs = self.sizes
        shapes = [shape for shape in self._shapes(len(ways)) for _ in ways]
        last = (outputs, layers[-1] * len(ways))
        every = [shape for pair in shapes for shape in pair] + [last]
        self.counts = stored_counts(every, self.sparsity, self.pattern)
        x = Input((steps, layers[0]), name="x")
        counted = Input((1,), name="lengths") if lengths else None
        h, lasts = x, []
        for units in layers[1:]:
            made = [self._cell(h, units, reverse, counted) for reverse in ways]
            h, lasts = _joined([y for y, _ in made], 2), [state for _, state in made]
        weight, bias = self._matrix(*last, 1, self._glorot), np.zeros(outputs, np.float32)
        if output == "every":
            y = StepwiseLinear(weight, bias)(h)
        else:
            whole = _joined(lasts, 2) if output == "last" else _mean(h, counted)
            y = Linear(weight, bias)(Reshape((last[1],))(whole))
        return Model(inputs=[x] if counted is None else [x, counted], outputs={"y": y})

    def _shapes(self, ways: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Of both matrices of each layer."""
        features, *layers = self.sizes[:-1]
        made = []
        for units in layers:
            made.append(((self.kind.gates * units, features), (self.kind.gates * units, units)))
            features = units * ways
        return made

    def _cell(self, h: Value, units: int, reverse: bool, counted: Value | None) -> tuple[Value, Value]:
        """-> (batch, steps, units), and the last state (batch, 1, units)."""
        gates, kind = self.kind.gates, self.kind
        of_input = self._matrix(gates * units, h.dims[2], gates, self._glorot)
        of_state = self._matrix(gates * units, units, gates, self._orthogonal)
        bias = np.zeros(gates * units, np.float32)
        if kind is LSTM:
            bias[2 * units : 3 * units] = 1
        own = np.zeros(gates * units, np.float32) if kind is GRU else None
        states = counted is not None and not reverse
        cell = kind(of_state, own, reverse=reverse, lengths=counted is not None, states=states)
        z = StepwiseLinear(of_input, bias)(h)
        y = cell(z) if counted is None else cell(z, counted)
        if not states:
            return y, Slice(axis=1, start=0, end=1)(y) if reverse else Slice(axis=1, start=-1)(y)
        count = kind.state_count
        last = Slice(axis=1, start=0, end=1)(Slice(axis=1, start=-count)(y))
        return Slice(axis=1, end=-count)(y), last

    def _matrix(self, rows: int, columns: int, gates: int, draw: Callable):
        count = self.counts.pop(0)
        if count < rows * columns:
            return random_layer((rows, columns), count, self.generator, rectified=False)
        return np.concatenate([draw(rows // gates, columns) for _ in range(gates)]).astype(np.float32)

    def _glorot(self, rows: int, columns: int) -> np.ndarray:
        return self.generator.standard_normal((rows, columns)) * math.sqrt(2.0 / (rows + columns))

    def _orthogonal(self, rows: int, columns: int) -> np.ndarray:
        q, r = np.linalg.qr(self.generator.standard_normal((rows, columns)))
        return q * np.sign(np.diag(r))


def _joined(values: list[Value], axis: int) -> Value:
    return values[0] if len(values) == 1 else Concat(axis=axis)(*values)


def _mean(h: Value, counted: Value | None) -> Value:
    """Of the steps that count."""
    if counted is None:
        return ReduceMean(1)(h)
    total = Reshape((h.dims[2],))(ReduceSum(1)(h))
    return Div()(total, Max()(counted, np.ones(1)))
