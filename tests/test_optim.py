"""Optimizers against their textbook recurrences in float64."""

import math

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.training.optim import SGD, Adam, AdamW, Momentum, make_optimizer

EPS = float(np.finfo(np.float32).eps)
RATE, STEPS = 0.01, 20


def textbook(name, start, gradients):
    """float64 values after all gradients."""
    values = start.astype(np.float64)
    first = second = np.zeros_like(values)
    for step, gradient in enumerate(gradients.astype(np.float64), start=1):
        if name == "sgd":
            values = values - RATE * gradient
        elif name in ("momentum", "nesterov"):
            first = 0.9 * first + gradient
            values = values - RATE * (first if name == "momentum" else gradient + 0.9 * first)
        elif name == "rmsprop":
            first = 0.99 * first + 0.01 * gradient**2
            values = values - RATE * gradient / (np.sqrt(first) + 1e-8)
        else:
            values = values * (1 - RATE * (0.01 if name == "adamw" else 0))
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            mean, square = first / (1 - 0.9**step), second / (1 - 0.999**step)
            values = values - RATE * mean / (np.sqrt(square) + 1e-8)
    return values


def random_gradients(rng, shape):
    """Gradients of magnitude 0.5 to 1, so that Adam divides by nothing small."""
    return (rng.uniform(0.5, 1, (STEPS, *shape)) * rng.choice([-1, 1], (STEPS, *shape))).astype(np.float32)


def run(optimizer, start, gradients):
    values = start.copy()
    state = optimizer.new_state(values)
    for step, gradient in enumerate(gradients, start=1):
        optimizer.update(values, gradient, state, learning_rate=RATE, step=step)
    return values, state


@pytest.mark.parametrize("shape", [(0,), (1,), (8191,), (8192,), (8193,), (3, 0), (37, 613)])
@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_agrees_with_the_textbook(rng, name, shape):
    start = rng.uniform(-1, 1, shape).astype(np.float32)
    gradients = random_gradients(rng, shape)
    optimizer = make_optimizer(name)
    values, state = run(optimizer, start, gradients)
    # In each step: one rounding of the values (|w| <= 1 + all moves), and at most 2 t + 10 roundings in a
    # move no longer than 20 learning rates (momentum's limit is 10, Nesterov's 11, RMSProp's first move 20;
    # Adam's ratio is under 2 for these gradients).
    moves = 20 * RATE
    bound = sum(EPS * (1 + moves * STEPS) + moves * (2 * step + 10) * EPS for step in range(1, STEPS + 1))
    assert values.dtype == np.float32
    assert np.all(np.abs(values - textbook(name, start, gradients)) <= bound)
    assert set(state) == set(optimizer.slots)
    assert all(array.size == values.size and array.dtype == np.float32 for array in state.values())


def test_adams_first_step_is_the_learning_rate_whatever_the_gradient():
    for gradient in (1e-3, 1.0, 1e6):
        values = np.zeros(1, np.float32)
        optimizer = Adam()
        optimizer.update(
            values, np.array([gradient], np.float32), optimizer.new_state(values), learning_rate=0.5, step=1
        )
        # epsilon shortens it by the relative amount 1e-8 / gradient
        assert values[0] == pytest.approx(-0.5, rel=1e-8 / gradient + 8 * EPS)


def test_zero_gradients_move_nothing():
    for name in ("sgd", "momentum", "nesterov", "rmsprop", "adam"):
        values = np.array([1.0, -2.0], np.float32)
        after, _ = run(make_optimizer(name), values, np.zeros((STEPS, 2), np.float32))
        np.testing.assert_array_equal(after, values)


def test_constants_are_obeyed(rng):
    start, gradients = np.zeros(5, np.float32), random_gradients(rng, (5,))
    plain, _ = run(SGD(), start, gradients)
    without_memory, _ = run(Momentum(momentum=0.0), start, gradients)
    np.testing.assert_array_equal(plain, without_memory)
    signs, _ = run(Adam(beta1=0.0, beta2=0.0), start, gradients)
    np.testing.assert_allclose(
        signs, -RATE * np.sign(gradients).sum(axis=0), atol=STEPS * 10 * RATE * EPS + 1e-7 * RATE
    )


def test_an_optimizer_is_taken_as_it_is():
    optimizer = Adam(beta1=0.5)
    assert make_optimizer(optimizer) is optimizer


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: make_optimizer("adamw2"),
            ValueError,
            "optimizer must be one of adam, adamw, momentum, nesterov, rmsprop, sgd, got 'adamw2'",
        ),
        (lambda: make_optimizer(None), TypeError, "optimizer must be a name or an Optimizer, got NoneType"),
        (lambda: Momentum(momentum=1.0), ValueError, r"momentum must be in \[0, 1\), got 1.0"),
        (lambda: Adam(beta1=-0.1), ValueError, r"beta1 must be in \[0, 1\), got -0.1"),
        (lambda: Adam(beta2=math.nan), ValueError, r"beta2 must be in \[0, 1\), got nan"),
        (lambda: Adam(epsilon=0.0), ValueError, "epsilon must be positive and finite, got 0.0"),
    ],
)
def test_bad_constants(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_strided_values_are_refused_and_kept():
    values = np.ones((4, 4), np.float32)[:, ::2]
    with pytest.raises(ValueError, match="values must be C-contiguous"):
        SGD().update(values, np.ones_like(values), {}, learning_rate=1.0, step=1)
    np.testing.assert_array_equal(values, np.ones((4, 2)))


def test_adamw_shrinks_weights_but_not_biases():
    model = snn.Model([snn.Linear(np.ones((2, 2)), [1.0, 1.0])])
    trainer = snn.Trainer(model, optimizer=AdamW(decay=0.5), learning_rate=0.1, loss="mse")
    trainer.step(np.zeros((1, 2)), np.ones((1, 2)))  # the outputs are right: every gradient is zero
    np.testing.assert_allclose(model.layers[0].weight, np.full((2, 2), 0.95), rtol=EPS)
    np.testing.assert_array_equal(model.layers[0].bias, [1, 1])


def test_an_optimizer_comes_back_from_its_dictionary():
    for optimizer in (Adam(beta1=0.5), AdamW(decay=0.2), Momentum(momentum=0.1), SGD()):
        constants = optimizer.to_dict()
        assert make_optimizer(constants.pop("name"), **constants) == optimizer
