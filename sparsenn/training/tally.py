"""Running means over batches."""

from __future__ import annotations


class Tally:
    """Running mean of loss and accuracy over batches of different sizes."""

    def __init__(self):
        self._loss, self._correct, self._count = 0.0, None, 0

    def add(self, loss: float, correct: int | None, count: int) -> None:
        self._loss += loss * count
        self._count += count
        if correct is not None:
            self._correct = (self._correct or 0) + correct

    @property
    def loss(self) -> float:
        return self._loss / self._count

    @property
    def accuracy(self) -> float | None:
        return None if self._correct is None else self._correct / self._count
