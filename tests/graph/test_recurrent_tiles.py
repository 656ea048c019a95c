"""Recurrent plans whose samples are the lanes of tiles: the bits of single samples, in every kernel set."""

import numpy as np
import pytest
import scipy.sparse
from recurrent_networks import KINDS

import sparsenn as snn

ISAS = snn.cpu_info()["isas_usable"]
OPTIONS = {"tune": "off", "cache": False}
pytestmark = pytest.mark.filterwarnings("ignore:below break-even", "ignore:pruned too far")


def pruned(rng, rows: int, cols: int):
    weight = rng.standard_normal((rows, cols)) / np.sqrt(cols)
    weight[1:][rng.random((rows - 1, cols)) < 0.75] = 0  # a row of all: no depthwise convolution
    return scipy.sparse.csr_array(weight)


def network(seed: int) -> snn.Model:
    """One to three layers of any options, some of both directions, and what stands between and behind."""
    rng = np.random.default_rng(seed)
    kind, hidden, inputs = KINDS[seed % 3], int(rng.integers(1, 40)), int(rng.integers(1, 30))
    h = x = snn.Input((None if rng.random() < 0.5 else int(rng.integers(1, 9)), inputs), name="x")

    def cell(h, *, reverse: bool):
        rows, options = kind.gates * hidden, {"reverse": reverse}
        if kind is snn.GRU:
            options["reset_after"] = bool(rng.random() < 0.5)
        z = snn.StepwiseLinear(pruned(rng, rows, h.dims[2]), rng.standard_normal(rows))(h)
        first = [np.float32(rng.standard_normal(hidden)) for _ in range(kind.state_count * rng.integers(2))]
        options |= {"initial": bool(first), "clip": float(rng.choice([0, 1.5]))}
        return kind(pruned(rng, rows, hidden), rng.standard_normal(rows), **options)(z, *first)

    for _ in range(rng.integers(1, 4)):
        both = rng.random() < 0.4
        parts = [cell(h, reverse=False)] if both or rng.random() < 0.7 else []
        parts += [cell(h, reverse=True)] if both or not parts else []
        h = snn.Concat(axis=2)(*parts) if both else parts[0]
        h = snn.ReLU()(h) if rng.random() < 0.3 else h
    outputs = {"y": snn.Tanh()(snn.StepwiseLinear(pruned(rng, 3, h.dims[2]))(h))}
    if rng.random() < 0.5:
        outputs["h"] = h
    last = snn.Reshape((h.dims[2],))(snn.Slice(axis=1, start=-1)(h))
    outputs["last"] = snn.Linear(rng.standard_normal((5, h.dims[2])))(last)
    return snn.Model(inputs=x, outputs=outputs)


def samples_of(model: snn.Model, batch: int) -> np.ndarray:
    steps, inputs = model.input_values[0].dims[1:]
    return np.random.default_rng(batch).standard_normal((batch, steps or 7, inputs)).astype(np.float32)


def layouts_of(plan) -> set:
    return {choice["layout"] for layer in plan.report()["layers"] for choice in layer.get("choices", [])}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("seed", range(12))
def test_tiles_have_the_bits_of_single_samples(seed, isa):
    model = network(seed)
    alone = snn.compile(model, threads=1, batch_sizes=(1,), isa=isa, **OPTIONS)
    for threads in (1, 2, 3):
        plan = snn.compile(model, threads=threads, isa=isa, **OPTIONS)
        for batch in (1, 7, 16, 17, 50):
            x = samples_of(model, batch)
            y = plan.run(x)
            for i in range(0, batch, 1 if batch < 17 else 7):
                for name, right in alone.run(x[i : i + 1]).items():
                    np.testing.assert_array_equal(y[name][i : i + 1], right)
        assert "tile" in layouts_of(plan)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_streams_of_many_sequences(kind, threads):
    rng = np.random.default_rng(1)
    h = x = snn.Input((None, 5), name="x")
    for _ in range(2):
        z = snn.StepwiseLinear(pruned(rng, kind.gates * 19, h.dims[2]))(h)
        first = [np.float32(rng.standard_normal(19)) for _ in range(kind.state_count)]
        h = kind(pruned(rng, kind.gates * 19, 19), initial=True)(z, *first)
    plan = snn.compile(snn.Model(inputs=x, outputs=h), threads=threads, **OPTIONS)
    steps = rng.standard_normal((37, 9, 5)).astype(np.float32)
    whole, stream = plan.run(steps), plan.stream(37)
    parts = [stream.feed(steps[:, start:end]) for start, end in [(0, 2), (2, 3), (3, 9)]]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    one, state = plan.stream(1), stream.state
    one.feed(steps[20:21])
    np.testing.assert_array_equal(one.state, state[20:21])


def test_a_nan_stays_in_its_sample():
    model = network(3)
    plan, x = snn.compile(model, threads=2, **OPTIONS), samples_of(network(3), 40)
    right = plan.run(x)
    x[21, 0, 0], x[22, 0, 0] = np.nan, np.inf
    for name, y in plan.run(x).items():
        rest = [i for i in range(40) if i not in (21, 22)]
        np.testing.assert_array_equal(y[rest], right[name][rest])
        for i in (21, 22):
            alone = snn.compile(model, threads=1, batch_sizes=(1,), **OPTIONS).run(x[i : i + 1])[name]
            np.testing.assert_array_equal(y[i : i + 1], alone)


def test_lengths_and_peepholes_go_sample_by_sample():
    x, lengths = snn.Input((6, 4), name="x"), snn.Input((1,), name="lengths")
    rng = np.random.default_rng(0)
    z = snn.StepwiseLinear(pruned(rng, 20, 4))(x)
    y = snn.LSTM(pruned(rng, 20, 5), lengths=True, peepholes=True)(z, lengths, np.ones(15))
    plan = snn.compile(snn.Model(inputs=[x, lengths], outputs=y), threads=2, **OPTIONS)
    given = {"x": samples_of(snn.Model(inputs=x, outputs=z), 20), "lengths": np.arange(20)[:, None] % 7}
    whole = plan.run(given)
    for i in range(20):
        one = {name: array[i : i + 1] for name, array in given.items()}
        np.testing.assert_array_equal(plan.run(one), whole[i : i + 1])
