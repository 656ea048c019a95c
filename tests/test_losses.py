"""Losses against their float64 definitions; what each takes as targets and what it refuses."""

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn
from sparsenn.training.losses import BinaryCrossEntropy, CrossEntropy, Huber, MeanSquaredError, choose_loss

EPS = float(np.finfo(np.float32).eps)


def cross_entropy64(logits, labels):
    """logits (classes, batch) float64 -> mean of -log softmax at the label."""
    return float(np.mean(np.log(np.exp(logits).sum(axis=0)) - logits[labels, np.arange(len(labels))]))


@pytest.mark.parametrize(("classes", "batch"), [(2, 1), (3, 7), (10, 128), (1000, 5)])
def test_cross_entropy_and_its_gradient(rng, classes, batch):
    logits = rng.standard_normal((classes, batch), dtype=np.float32)
    labels = rng.integers(0, classes, batch)
    loss, gradient = CrossEntropy()(logits, labels)
    exact = logits.astype(np.float64)
    probabilities = np.exp(exact) / np.exp(exact).sum(axis=0)
    wanted = (probabilities - (np.arange(classes)[:, None] == labels)) / batch
    roundings = classes + 2 * np.abs(exact).max() + 16
    assert abs(loss - cross_entropy64(exact, labels)) <= roundings * EPS * (1 + np.abs(exact).max())
    assert gradient.dtype == np.float32
    assert np.all(np.abs(gradient - wanted) <= roundings * EPS / batch)


def test_cross_entropy_gradient_agrees_with_finite_differences(rng):
    logits, labels, h = rng.standard_normal((4, 3)), np.array([0, 3, 1]), 1e-5
    _, gradient = CrossEntropy()(logits, labels)
    for index in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[index] = h
        slope = (cross_entropy64(logits + step, labels) - cross_entropy64(logits - step, labels)) / (2 * h)
        assert gradient[index] == pytest.approx(slope, abs=1e-9)


def test_cross_entropy_of_large_logits():
    logits = np.array([[1e30, -1e4, 1e4], [0, 1e4, -1e4]], np.float32)
    loss, gradient = CrossEntropy()(logits, np.array([0, 1, 1]))
    assert loss == pytest.approx(2e4 / 3, rel=4 * EPS)
    np.testing.assert_allclose(gradient, np.array([[0, 0, 1], [0, 0, -1]]) / 3, rtol=EPS)


def test_correct_counts_the_largest_logits():
    assert CrossEntropy().correct(np.array([[1, 0, 2], [0, 3, 1.0]]), np.array([0, 1, 1])) == 2


@pytest.mark.parametrize(("outputs", "batch"), [(1, 1), (3, 7), (10, 128)])
def test_mean_squared_error_and_its_gradient(rng, outputs, batch):
    predicted = rng.standard_normal((outputs, batch), dtype=np.float32)
    targets = rng.standard_normal((batch, outputs), dtype=np.float32)
    loss, gradient = MeanSquaredError()(predicted, targets)
    difference = predicted.astype(np.float64) - targets.T
    assert loss == pytest.approx(np.mean(difference**2), rel=4 * EPS)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, 2 * difference / difference.size, rtol=4 * EPS)


def test_one_hot_rows_are_the_same_as_labels():
    labels = np.array([2, 0, 1, 2])
    for rows in (np.eye(3)[labels], np.eye(3, dtype=int)[labels], np.eye(3, dtype=bool)[labels]):
        targets = CrossEntropy().targets(rows, outputs=3)
        assert targets.dtype == np.int64
        np.testing.assert_array_equal(targets, labels)


@pytest.mark.parametrize(
    ("y", "outputs", "softmax", "name"),
    [
        (np.array([0, 1, 2]), 3, False, "cross_entropy"),
        (np.array([0, 1, 2], np.uint8), 3, False, "cross_entropy"),
        (np.array([True, False]), 2, False, "cross_entropy"),
        (np.eye(3), 3, False, "cross_entropy"),
        (np.array([0.0, 1.0]), 2, True, "cross_entropy"),
        (np.array([0, 1, 2]), 1, False, "mse"),
        (np.array([0.5, 1.5]), 1, False, "mse"),
        (np.array([[0.5, 1.5]]), 2, False, "mse"),
        (np.array([[3, 4], [0, 1]]), 2, False, "mse"),
    ],
)
def test_auto_chooses_by_targets_and_outputs(y, outputs, softmax, name):
    assert choose_loss("auto", y, outputs=outputs, ends_in_softmax=softmax).name == name


@pytest.mark.parametrize(
    ("loss", "y", "error", "message"),
    [
        ("cross_entropy", [0, 1, 3], ValueError, r"y must hold labels in \[0, 3\), got 3"),
        ("cross_entropy", [0, -1], ValueError, r"y must hold labels in \[0, 3\), got -1"),
        ("cross_entropy", [0.0, np.nan], ValueError, r"y must be finite, got nan at \[1\]"),
        ("cross_entropy", [0.0, np.inf], ValueError, r"y must be finite, got inf at \[1\]"),
        ("cross_entropy", [0.0, 1.5], ValueError, "y must hold integer labels for cross_entropy, got 1.5"),
        ("cross_entropy", [[0.2, 0.3, 0.5]], ValueError, "rows that are not one-hot"),
        ("cross_entropy", [[1, 1, 0]], ValueError, "rows that are not one-hot"),
        (
            "cross_entropy",
            [[1, 0]],
            ValueError,
            r"one-hot rows \(n, 3\) for cross_entropy, got shape \(1, 2\)",
        ),
        ("cross_entropy", [[[1]]], ValueError, r"y must have shape \(n,\) or \(n, 3\), got \(1, 1, 1\)"),
        ("cross_entropy", ["a", "b"], TypeError, "y must be an array of real numbers, got dtype"),
        ("cross_entropy", [1j], TypeError, "y must be an array of real numbers, got dtype complex128"),
        ("cross_entropy", None, TypeError, "y must be an array of real numbers, got dtype object"),
        ("cross_entropy", [[1, 0], [1]], ValueError, "y must be an array of numbers, got rows of different"),
        (
            "cross_entropy",
            scipy.sparse.eye_array(3),
            TypeError,
            "y must be a dense array, got a scipy sparse",
        ),
        ("mse", [0.5, 1.5], ValueError, r"y must have shape \(n, 3\) for mse, got \(2,\)"),
        ("mse", [[0.5, 1.5]], ValueError, r"y must have shape \(n, 3\) for mse, got \(1, 2\)"),
        ("mse", [[0, 0, np.nan]], ValueError, r"y must be finite, got nan at \[0, 2\]"),
        ("mse", [[0, 1e300, 0]], ValueError, r"y as float32 must be finite, got inf at \[0, 1\]"),
        (
            "hinge",
            [0],
            ValueError,
            "loss must be one of auto, binary_cross_entropy, cross_entropy, huber, mse, got",
        ),
        (None, [0], TypeError, "loss must be a name, got NoneType"),
    ],
)
def test_bad_targets_and_names(loss, y, error, message):
    with pytest.raises(error, match=message):
        choose_loss(loss, y, outputs=3, ends_in_softmax=False).targets(y, outputs=3)


def test_cross_entropy_needs_two_outputs():
    with pytest.raises(ValueError, match="needs a model with at least 2 outputs, got 1"):
        CrossEntropy().targets([0, 0], outputs=1)


REAL_LOSSES = [
    (MeanSquaredError(), lambda z, t: (z - t) ** 2),
    (Huber(), lambda z, t: np.where(abs(z - t) <= 1, (z - t) ** 2 / 2, abs(z - t) - 0.5)),
    (Huber(delta=0.3), lambda z, t: np.where(abs(z - t) <= 0.3, (z - t) ** 2 / 2, 0.3 * (abs(z - t) - 0.15))),
    (BinaryCrossEntropy(), lambda z, t: np.log(1 + np.exp(z)) - t * z),
]


@pytest.mark.parametrize(("loss", "definition"), REAL_LOSSES)
def test_losses_on_real_targets_agree_with_their_definition_and_its_slope(rng, loss, definition):
    z, targets, h = 2 * rng.standard_normal((5, 40)), rng.random((40, 5)), 1e-5
    value, gradient = loss(z, targets)
    assert value == pytest.approx(definition(z, targets.T).mean(), rel=1e-12)
    slope = (definition(z + h, targets.T) - definition(z - h, targets.T)) / (2 * h) / z.size
    # next to Huber's corners the second derivative jumps: the difference is off by at most h / 2
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=(1e-6 + h / 2) / z.size)
    assert loss(z.astype(np.float32), targets.astype(np.float32))[1].dtype == np.float32


def test_binary_cross_entropy_of_large_logits_and_its_accuracy():
    loss, gradient = BinaryCrossEntropy()(
        np.array([[1e4, -1e4, 1e4]], np.float32), np.array([[1], [0], [0]], np.float32)
    )
    assert loss == pytest.approx(1e4 / 3)
    np.testing.assert_allclose(gradient, [[0, 0, 1 / 3]], rtol=EPS)
    logits = np.array([[1.0, -1.0, 2.0], [1.0, -2.0, -3.0]])
    assert BinaryCrossEntropy().correct(logits, np.array([[1, 1], [0, 1], [1, 0]])) == 2


def test_class_weights_weigh_samples(rng):
    logits, labels, weights = rng.standard_normal((3, 8)), np.arange(8) % 3, np.array([1.0, 2.0, 5.0])
    loss, gradient = CrossEntropy(class_weights=weights)(logits, labels)
    repeated = np.repeat(np.arange(8), weights[labels].astype(int))  # a weight is a number of copies
    wanted, slope = CrossEntropy()(logits[:, repeated], labels[repeated])
    assert loss == pytest.approx(wanted, rel=1e-12)
    for sample in range(8):
        np.testing.assert_allclose(gradient[:, sample], slope[:, repeated == sample].sum(axis=1), rtol=1e-12)
    with pytest.raises(ValueError, match="class_weights must hold 2 numbers, one an output, got 3"):
        CrossEntropy(class_weights=weights).targets([0, 1], outputs=2)
    with pytest.raises(ValueError, match="class_weights must be positive numbers"):
        CrossEntropy(class_weights=[1, 0])


def test_binary_targets_and_models_are_checked(rng):
    with pytest.raises(ValueError, match=r"y must be in \[0, 1\] for binary_cross_entropy, got 2"):
        BinaryCrossEntropy().targets([0, 2], outputs=1)
    model = snn.mlp([3, 1], output="sigmoid")
    with pytest.raises(ValueError, match="must not end in Sigmoid"):
        snn.train(model, np.ones((2, 3)), [0, 1], loss="binary_cross_entropy")
    X = rng.standard_normal((64, 3))
    model = snn.mlp([3, 1], seed=1)
    history = snn.train(model, X, X[:, 0] > 0, loss="binary_cross_entropy", epochs=40, learning_rate=0.1)
    assert history.accuracy[-1] > 0.95
