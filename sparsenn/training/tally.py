"""Running means over batches."""

from __future__ import annotations

import numpy as np


class Tally:
    """Running mean of loss and accuracy over batches of different sizes."""

    def __init__(self):
        self._loss, self._correct, self._count, self._weight = 0.0, None, 0, 0.0

    def add(self, loss: float, correct: float | None, count: int, weights: np.ndarray | None = None) -> None:
        """A batch of count samples; its loss is the mean by their weights, where there are any."""
        weight = count if weights is None else float(weights.sum(dtype=np.float64))
        self._loss += loss * weight
        self._weight += weight
        self._count += count
        if correct is not None:
            self._correct = (self._correct or 0) + correct

    @property
    def loss(self) -> float:
        return self._loss / self._weight

    @property
    def accuracy(self) -> float | None:
        return None if self._correct is None else self._correct / self._count
