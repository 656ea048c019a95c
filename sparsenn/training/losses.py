"""Losses: value and derivative together, and what targets each takes.

Outputs are feature-major, (outputs, batch); targets keep samples first, as the caller gave them. A loss is
the mean over the batch, so its gradient already carries 1 / batch. With weights (batch,) each sample counts
as often as its weight says: sum(weight * loss) / sum(weight), 0 where all are 0.
"""

from __future__ import annotations

import numpy as np
import scipy

from ..checks import as_numbers, check_finite, check_real
from ..errors import ArgumentError


class CrossEntropy:
    """Softmax cross-entropy of logits, in nats: -log softmax(logits)[label], averaged over the batch.

    class_weights  (classes,) positive: each sample counts as much as its class; None: all alike
    """

    name = "cross_entropy"
    takes_logits = True  # a Softmax at the end of the model is left out
    has_accuracy = True

    def __init__(self, class_weights=None):
        self.class_weights = None
        if class_weights is not None:
            weights = as_numbers(class_weights, "class_weights").astype(np.float64)
            if weights.ndim != 1 or not (np.isfinite(weights).all() and (weights > 0).all()):
                raise ArgumentError(f"class_weights must be positive numbers (classes,), got {weights}")
            self.class_weights = weights

    def options(self) -> dict:
        """What the constructor takes, as plain data."""
        return {} if self.class_weights is None else {"class_weights": self.class_weights.tolist()}

    def targets(self, y, *, outputs: int, name: str = "y") -> np.ndarray:
        """Class numbers (n,) int64 from integer labels (n,) in [0, outputs) or one-hot rows (n, outputs)."""
        y = as_numbers(y, name)
        check_finite(y, name)
        if outputs < 2:
            raise ArgumentError(f"loss cross_entropy needs a model with at least 2 outputs, got {outputs}")
        if self.class_weights is not None and len(self.class_weights) != outputs:
            raise ArgumentError(
                f"class_weights must hold {outputs} numbers, one an output, got {len(self.class_weights)}"
            )
        if y.ndim == 2:
            if y.shape[1] != outputs or not is_one_hot(y):
                fault = "" if y.shape[1] != outputs else " with rows that are not one-hot"
                raise ArgumentError(
                    f"{name} must hold integer labels (n,) or one-hot rows (n, {outputs}) for cross_entropy, "
                    f"got shape {y.shape}{fault}"
                )
            return y.argmax(axis=1).astype(np.int64)
        if y.ndim != 1:
            raise ArgumentError(f"{name} must have shape (n,) or (n, {outputs}), got {y.shape}")
        fractions = y[y != np.floor(y)] if y.dtype.kind == "f" else y[:0]
        if fractions.size:
            raise ArgumentError(f"{name} must hold integer labels for cross_entropy, got {fractions[0]}")
        outside = (y < 0) | (y >= outputs)
        if outside.any():
            raise ArgumentError(f"{name} must hold labels in [0, {outputs}), got {y[outside][0]}")
        return y.astype(np.int64)

    def __call__(self, logits: np.ndarray, targets: np.ndarray, weights=None) -> tuple[float, np.ndarray]:
        """logits (classes, batch), targets (batch,) int64 -> loss, gradient (classes, batch)."""
        batch = np.arange(targets.size)
        shifted = logits - logits.max(axis=0, keepdims=True)
        exponentials = np.exp(shifted)
        sums = exponentials.sum(axis=0)
        losses = np.log(sums) - shifted[targets, batch]
        gradient = exponentials / sums
        gradient[targets, batch] -= 1
        if self.class_weights is None and weights is None:
            gradient /= targets.size
            return float(np.mean(losses, dtype=np.float64)), gradient
        counts = 1.0 if self.class_weights is None else self.class_weights[targets]
        shares = shares_of(counts if weights is None else counts * weights)
        gradient *= shares.astype(gradient.dtype)
        return float(losses.astype(np.float64) @ shares), gradient

    def correct(self, logits: np.ndarray, targets: np.ndarray) -> int:
        """How many samples have their largest logit at the target."""
        return int((logits.argmax(axis=0) == targets).sum())


class Regression:
    """What losses on real targets share."""

    name = ""
    takes_logits = False
    has_accuracy = False

    def options(self) -> dict:
        """What the constructor takes, as plain data."""
        return {}

    def targets(self, y, *, outputs: int, name: str = "y") -> np.ndarray:
        """Targets (n, outputs) float32 from y (n, outputs), or (n,) where the model has one output."""
        y = as_numbers(y, name)
        check_finite(y, name)
        wanted = f"(n,) or (n, {outputs})" if outputs == 1 else f"(n, {outputs})"
        if y.ndim == 1 and outputs == 1:
            y = y[:, np.newaxis]
        if y.ndim != 2 or y.shape[1] != outputs:
            raise ArgumentError(f"{name} must have shape {wanted} for {self.name}, got {y.shape}")
        with np.errstate(over="ignore"):
            targets = np.ascontiguousarray(y, np.float32)
        check_finite(targets, f"{name} as float32")
        return targets


class MeanSquaredError(Regression):
    """(output - target)^2, averaged over the batch and the outputs."""

    name = "mse"

    def __call__(self, outputs: np.ndarray, targets: np.ndarray, weights=None) -> tuple[float, np.ndarray]:
        """outputs (outputs, batch), targets (batch, outputs) -> loss, gradient (outputs, batch)."""
        difference = outputs - targets.T
        losses = np.square(difference, dtype=np.float64)
        if weights is not None:
            return _weighted(losses, 2 * difference, weights)
        difference *= 2 / difference.size
        return float(losses.mean()), difference


class Huber(Regression):
    """d^2 / 2 up to |d| = delta, delta (|d| - delta / 2) beyond, d = output - target; averaged.

    Source: Huber 1964, doi:10.1214/aoms/1177703732
    """

    name = "huber"

    def __init__(self, delta: float = 1.0):
        self.delta = check_real("delta", delta, open_minimum=True)

    def options(self) -> dict:
        return {"delta": self.delta}

    def __call__(self, outputs: np.ndarray, targets: np.ndarray, weights=None) -> tuple[float, np.ndarray]:
        """outputs (outputs, batch), targets (batch, outputs) -> loss, gradient (outputs, batch)."""
        difference = outputs - targets.T
        inner = np.clip(difference, -self.delta, self.delta)
        exact = inner.astype(np.float64)
        losses = exact * (difference - 0.5 * exact)
        if weights is not None:
            return _weighted(losses, inner, weights)
        inner /= inner.size
        return float(losses.mean()), inner


class BinaryCrossEntropy(Regression):
    """Cross-entropy of each output's sigmoid with a target in [0, 1], in nats, averaged over all of them.

    The model gives logits: it must not end in Sigmoid or Softmax. A sample is right when every output is on
    its target's side of 1/2.
    """

    name = "binary_cross_entropy"
    has_accuracy = True

    def targets(self, y, *, outputs: int, name: str = "y") -> np.ndarray:
        """Targets (n, outputs) float32 in [0, 1], from y as other losses on real targets take it."""
        targets = super().targets(y, outputs=outputs, name=name)
        outside = (targets < 0) | (targets > 1)
        if outside.any():
            raise ArgumentError(f"{name} must be in [0, 1] for {self.name}, got {targets[outside][0]:g}")
        return targets

    def __call__(self, logits: np.ndarray, targets: np.ndarray, weights=None) -> tuple[float, np.ndarray]:
        """logits (outputs, batch), targets (batch, outputs) -> loss, gradient (outputs, batch)."""
        wanted = targets.T
        losses = np.logaddexp(0, logits) - wanted * logits  # log(1 + e^z) - t z
        if weights is not None:
            return _weighted(losses, scipy.special.expit(logits) - wanted, weights)
        gradient = (scipy.special.expit(logits) - wanted) / np.asarray(logits.size, logits.dtype)
        return float(losses.mean(dtype=np.float64)), gradient

    def correct(self, logits: np.ndarray, targets: np.ndarray) -> int:
        return int(((logits > 0) == (targets.T > 0.5)).all(axis=0).sum())


def shares_of(weights: np.ndarray) -> np.ndarray:
    """weights (batch,) as float64 that add up to 1, or all 0."""
    total = weights.sum(dtype=np.float64)
    return weights / total if total > 0 else np.zeros(len(weights))


def _weighted(losses: np.ndarray, slopes: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """losses and their slopes (outputs, batch) -> weighted mean, its gradient (outputs, batch)."""
    shares = shares_of(weights) / len(losses)
    return float((losses @ shares).sum()), (slopes * shares).astype(slopes.dtype)


LOSSES = {kind.name: kind for kind in (BinaryCrossEntropy, CrossEntropy, Huber, MeanSquaredError)}
Loss = CrossEntropy | Regression


def check_loss(loss: str | Loss) -> None:
    """Raises unless loss is "auto", a name in LOSSES, or a loss itself."""
    if isinstance(loss, Loss):
        return
    if not isinstance(loss, str):
        raise TypeError(f"loss must be a name, got {type(loss).__name__}")
    if loss != "auto" and loss not in LOSSES:
        raise ArgumentError(f"loss must be one of auto, {', '.join(sorted(LOSSES))}, got {loss!r}")


def choose_loss(loss: str | Loss, y, *, outputs: int, ends_in_softmax: bool, name: str = "y") -> Loss:
    """The loss of that name; for "auto" the one that y and the model call for.

    auto is cross_entropy where the model has 2 outputs or more and y holds integers (n,), or y holds one-hot
    rows, or the model ends in Softmax; otherwise mse.
    """
    check_loss(loss)
    if isinstance(loss, Loss):
        return loss
    if loss != "auto":
        return LOSSES[loss]()
    y = as_numbers(y, name)
    labels = y.ndim == 1 and y.dtype.kind in "biu"
    classes = labels or ends_in_softmax or (y.ndim == 2 and is_one_hot(y))
    return CrossEntropy() if outputs >= 2 and classes else MeanSquaredError()


def is_one_hot(y: np.ndarray) -> bool:
    """True when every row of y (n, classes) is 0 but for a single 1."""
    return bool(((y == 0) | (y == 1)).all() and (y.astype(bool).sum(axis=1) == 1).all())
