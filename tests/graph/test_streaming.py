"""Streams: sequences that come bit by bit give the bits that they give in one pass."""

import numpy as np
import pytest
import scipy.sparse
from recurrent_networks import KINDS

import sparsenn as snn

OPTIONS = {"threads": 2, "tune": "off", "cache": False}


def network(*kinds, **last) -> snn.Model:
    """x (batch, steps, 3) -> a cell of each kind behind a stepwise layer -> h, and y (batch, steps, 4)."""
    rng = np.random.default_rng(len(kinds))
    h = x = snn.Input((None, 3), name="x")
    for index, kind in enumerate(kinds):
        rows = kind.gates * 12
        z = snn.StepwiseLinear(rng.standard_normal((rows, h.dims[2])) / 2, rng.standard_normal(rows))(h)
        weight = rng.standard_normal((rows, 12)) / 3
        weight[rng.random(weight.shape) < 0.8] = 0
        layer = kind(scipy.sparse.csr_array(weight), **(last if index + 1 == len(kinds) else {}))
        h = layer(z, *(np.linspace(-1, 1, 12),) * (kind.state_count if layer.initial else 0))
    y = snn.Tanh()(snn.StepwiseLinear(rng.standard_normal((4, 12)))(h))
    return snn.Model(inputs=x, outputs={"y": y, "h": h})


def steps_of(batch: int, steps: int = 13) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((batch, steps, 3)).astype(np.float32)


@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), (snn.LSTM, snn.GRU, snn.RNN)])
@pytest.mark.parametrize("initial", [False, True])
def test_parts_have_the_bits_of_the_whole(kinds, initial):
    plan, x = snn.compile(network(*kinds, initial=initial), **OPTIONS), steps_of(3)
    whole, stream = plan.run(x), plan.stream(batch=3)
    for _ in range(2):
        parts = [stream.feed(x[:, start:end]) for start, end in [(0, 1), (1, 2), (2, 7), (7, 13)]]
        for name, y in whole.items():
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts], axis=1), y)
        stream.reset()


def test_streams_are_apart_and_states_can_be_kept():
    model = network(snn.LSTM, snn.GRU)
    model = snn.Model(inputs=model.input_values, outputs=model.output_values[0])
    plan, x = snn.compile(model, **OPTIONS), steps_of(2)
    whole, first, second = plan.run(x), plan.stream(2), plan.stream(2)
    first.feed(x[:, :5])
    kept, copy = first.state, first.copy()
    np.testing.assert_array_equal(second.feed(x[:, :8]), whole[:, :8])
    np.testing.assert_array_equal(first.feed(x[:, 5:]), whole[:, 5:])
    np.testing.assert_array_equal(copy.feed(x[:, 5:]), whole[:, 5:])
    assert kept.shape == (2, 3 * 12) and kept.dtype == np.float32
    second.state = kept
    kept[:] = 9  # a copy
    np.testing.assert_array_equal(second.feed(x[:, 5:]), whole[:, 5:])
    for bad in (np.zeros((2, 12)), np.zeros((3, 36)), "state"):
        with pytest.raises((snn.SparsennError, TypeError), match="state"):
            second.state = bad
    with pytest.raises(snn.SparsennError, match="x must hold the stream's batch of 2, got 3"):
        first.feed(steps_of(3))
    with pytest.raises(snn.SparsennError, match="batch"):
        plan.stream(0)


def test_a_single_state():
    x, steps = snn.Input((None, 5), name="x"), np.random.default_rng(0).random((1, 6, 5), dtype=np.float32)
    plan = snn.compile(snn.Model(inputs=x, outputs=snn.RNN(np.eye(5) / 2)(x)), **OPTIONS)
    whole, stream = plan.run(steps), plan.stream()
    np.testing.assert_array_equal(stream.feed(steps[:, :2]), whole[:, :2])
    np.testing.assert_array_equal(stream.copy().feed(steps[:, 2:]), whole[:, 2:])
    np.testing.assert_array_equal(stream.state, whole[:, 1])


def test_what_cannot_come_bit_by_bit_says_why():
    x = snn.Input((None, 4), name="x")
    weight = np.eye(4)
    forward, backward = snn.RNN(weight), snn.RNN(weight, reverse=True)
    twice = snn.Reshape((4, 1, -1))(snn.Transpose((2, 1))(forward(x)))
    twice = snn.Conv2d(np.ones((4, 4, 1, 3)), padding=(0, 1))(twice)
    images = snn.Transpose((2, 1))(snn.Reshape((4, -1))(twice))
    lengths = snn.Input((1,), name="lengths")
    first = snn.Input((4,), name="first")
    for inputs, y, message in [
        (x, backward(x), "recurrent ones that go forward from constant states without lengths, got rnn"),
        (x, snn.ReLU()(x), "a recurrent layer, got a model without one"),
        (x, snn.Slice(axis=1, start=-1)(forward(x)), r'open number of steps, .* got "y" \(batch, 1, 4\)'),
        (x, images, "layers that keep steps apart, .* got conv2d"),
        (x, snn.AxisSoftmax(1)(forward(x)), "layers that keep steps apart, .* got softmax_axis"),
        ([x, lengths], snn.RNN(weight, lengths=True)(x, lengths), "open number of steps"),
        ([x, first], snn.RNN(weight, initial=True)(x, first), "open number of steps"),
        (x, snn.RNN(weight, states=True)(x), "without lengths, got rnn"),
    ]:
        plan = snn.compile(snn.Model(inputs=inputs, outputs={"y": y}), **OPTIONS)
        with pytest.raises(snn.UnsupportedError, match=message):
            plan.stream()
    fixed = snn.Input((5, 4), name="x")
    plan = snn.compile(snn.Model(inputs=fixed, outputs=forward(fixed)), **OPTIONS)
    with pytest.raises(snn.UnsupportedError, match=r'open number of steps, .* got "x" \(batch, 5, 4\)'):
        plan.stream()


@pytest.mark.parametrize("turned", [False, True])
def test_windows_of_single_steps(turned):
    """Images of a feature: steps are their height, or their width; padded and pooled along the other."""
    rng = np.random.default_rng(5)

    def of(*sides):
        return sides[::-1] if turned else sides

    x = snn.Input((None, 12), name="x")
    h = snn.Pad(axis=2, before=3, behind=2, mode="reflect")(x)
    h = snn.Transpose((2, 1))(h) if turned else h
    h = snn.Reshape((1, 17, -1) if turned else (1, -1, 17))(h)
    h = snn.Conv2d(
        rng.standard_normal((4, 1, *of(1, 5))), stride=of(1, 2), padding=(*of(0, 1), *of(0, 2)),
    )(h)  # fmt: skip
    h = snn.MaxPool2d(of(1, 3), stride=of(1, 2))(snn.ReLU()(h))
    h = snn.Conv2d(rng.standard_normal((4, 1, *of(1, 3))), groups=4)(h)
    h = snn.Transpose((3, 1, 2) if turned else (2, 1, 3))(h)
    h = snn.Reshape((-1, 4))(h)
    y = snn.LSTM(rng.standard_normal((16, 4)))(snn.StepwiseLinear(rng.standard_normal((16, 4)))(h))
    plan = snn.compile(snn.Model(inputs=x, outputs=y), **OPTIONS)
    steps = rng.standard_normal((3, 13, 12)).astype(np.float32)
    whole, stream = plan.run(steps), plan.stream(3)
    parts = [stream.feed(steps[:, start:end]) for start, end in [(0, 1), (1, 5), (5, 13)]]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize(
    "options", [{"padding": (1, 0, 0, 0)}, {"padding": (0, 0, 1, 0)}, {"kernel": 2}, {"stride": (2, 1)}]
)
def test_windows_of_several_steps_are_refused(options):
    """Whatever the number of steps that they give."""
    x = snn.Input((None, 12), name="x")
    kernel = options.pop("kernel", 1)
    window = snn.Conv2d(np.ones((1, 1, kernel, 3)), **{"padding": (0, 1), **options})
    mixed = window(snn.Reshape((1, -1, 12))(x))
    y = snn.RNN(np.eye(12))(snn.Reshape((-1, 12))(mixed))
    with pytest.raises(snn.UnsupportedError, match="layers that keep steps apart, .* got (conv2d|reshape)"):
        snn.compile(snn.Model(inputs=x, outputs=y), **OPTIONS).stream()
