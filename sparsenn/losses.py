"""Losses: value and derivative together, and what targets each takes.

Outputs are feature-major, (outputs, batch); targets keep samples first, as the caller gave them. A loss is
the mean over the batch, so its gradient already carries 1 / batch.
"""

from __future__ import annotations

import numpy as np

from .errors import ArgumentError
from .train_checks import as_numbers, check_finite


class CrossEntropy:
    """Softmax cross-entropy of logits, in nats: -log softmax(logits)[label], averaged over the batch."""

    name = "cross_entropy"
    takes_logits = True  # a Softmax at the end of the model is left out
    has_accuracy = True

    def targets(self, y, *, outputs: int, name: str = "y") -> np.ndarray:
        """Class numbers (n,) int64 from integer labels (n,) in [0, outputs) or one-hot rows (n, outputs)."""
        y = as_numbers(y, name)
        check_finite(y, name)
        if outputs < 2:
            raise ArgumentError(f"loss cross_entropy needs a model with at least 2 outputs, got {outputs}")
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

    def __call__(self, logits: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
        """logits (classes, batch), targets (batch,) int64 -> loss, gradient (classes, batch)."""
        batch = np.arange(targets.size)
        shifted = logits - logits.max(axis=0, keepdims=True)
        exponentials = np.exp(shifted)
        sums = exponentials.sum(axis=0)
        loss = float(np.mean(np.log(sums) - shifted[targets, batch], dtype=np.float64))
        gradient = exponentials / sums
        gradient[targets, batch] -= 1
        gradient /= targets.size
        return loss, gradient

    def correct(self, logits: np.ndarray, targets: np.ndarray) -> int:
        """How many samples have their largest logit at the target."""
        return int((logits.argmax(axis=0) == targets).sum())


class MeanSquaredError:
    """(output - target)^2, averaged over the batch and the outputs."""

    name = "mse"
    takes_logits = False
    has_accuracy = False

    def targets(self, y, *, outputs: int, name: str = "y") -> np.ndarray:
        """Targets (n, outputs) float32 from y (n, outputs), or (n,) where the model has one output."""
        y = as_numbers(y, name)
        check_finite(y, name)
        wanted = f"(n,) or (n, {outputs})" if outputs == 1 else f"(n, {outputs})"
        if y.ndim == 1 and outputs == 1:
            y = y[:, np.newaxis]
        if y.ndim != 2 or y.shape[1] != outputs:
            raise ArgumentError(f"{name} must have shape {wanted} for mse, got {y.shape}")
        with np.errstate(over="ignore"):
            targets = np.ascontiguousarray(y, np.float32)
        check_finite(targets, f"{name} as float32")
        return targets

    def __call__(self, outputs: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
        """outputs (outputs, batch), targets (batch, outputs) -> loss, gradient (outputs, batch)."""
        difference = outputs - targets.T
        loss = float(np.square(difference, dtype=np.float64).mean())
        difference *= 2 / difference.size
        return loss, difference


LOSSES = {"cross_entropy": CrossEntropy, "mse": MeanSquaredError}
Loss = CrossEntropy | MeanSquaredError


def check_loss(loss: str) -> None:
    """Raises unless loss is "auto" or a name in LOSSES."""
    if not isinstance(loss, str):
        raise TypeError(f"loss must be a name, got {type(loss).__name__}")
    if loss != "auto" and loss not in LOSSES:
        raise ArgumentError(f"loss must be one of auto, {', '.join(sorted(LOSSES))}, got {loss!r}")


def choose_loss(loss: str, y, *, outputs: int, ends_in_softmax: bool, name: str = "y") -> Loss:
    """The loss of that name; for "auto" the one that y and the model call for.

    auto is cross_entropy where the model has 2 outputs or more and y holds integers (n,), or y holds one-hot
    rows, or the model ends in Softmax; otherwise mse.
    """
    check_loss(loss)
    if loss != "auto":
        return LOSSES[loss]()
    y = as_numbers(y, name)
    labels = y.ndim == 1 and y.dtype.kind in "biu"
    classes = labels or ends_in_softmax or (y.ndim == 2 and is_one_hot(y))
    return CrossEntropy() if outputs >= 2 and classes else MeanSquaredError()


def is_one_hot(y: np.ndarray) -> bool:
    """True when every row of y (n, classes) is 0 but for a single 1."""
    return bool(((y == 0) | (y == 1)).all() and (y.astype(bool).sum(axis=1) == 1).all())
