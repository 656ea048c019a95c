"""Loss and score of a model on a data set, without training it."""

from __future__ import annotations

import numpy as np

from ..model import Model
from .forward import check_data, forward, without_softmax


def evaluate(model: Model, X, y, *, loss: str = "auto") -> tuple[float, float | None]:
    """-> mean loss, accuracy (None for a regression) on X (n, inputs), y as train takes it."""
    features, targets, loss_function = check_data(model, (X, y, loss), "evaluation")
    if loss_function.takes_logits:
        model = without_softmax(model)
    outputs = np.moveaxis(forward(model, features), 0, -1)
    value, _ = loss_function(outputs.copy(), targets)
    accurate = loss_function.correct(outputs, targets) / len(features) if loss_function.has_accuracy else None
    return value, accurate


def score(model: Model, X, y, *, loss: str = "auto") -> float:
    """Accuracy in [0, 1]; for a regression the coefficient of determination, averaged over the outputs."""
    _, accuracy = evaluate(model, X, y, loss=loss)
    if accuracy is not None:
        return accuracy
    features, targets, _ = check_data(model, (X, y, loss), "evaluation")
    squares = np.square(forward(model, features).astype(np.float64) - targets).sum(axis=0)
    spread = np.square(targets - targets.mean(axis=0, dtype=np.float64)).sum(axis=0)
    return float(np.mean(1 - squares / np.where(spread > 0, spread, np.inf)))
