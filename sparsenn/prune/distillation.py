"""Knowledge distillation: a pruned network learns from the labels and from the dense network's outputs."""

from __future__ import annotations

import numpy as np
import scipy

from ..checks import check_real
from ..errors import UnsupportedError
from ..model import Model
from ..training.losses import CrossEntropy, Loss, shares_of
from ..training.stepwise import Stepwise
from .features import Features
from .forward import forward, without_softmax


class Distillation(CrossEntropy):
    """(1 - weight) CE(labels) + weight T^2 CE(softmax(teacher / T), softmax(student / T)), CE in nats.

    Targets are rows [label, teacher's logits ...], made by distilled; labels alone, for a validation, count
    without the teacher.
    Source: Hinton et al. 2015, arXiv:1503.02531
    """

    name = "distillation"

    def __init__(self, *, weight: float, temperature: float, hard: CrossEntropy):
        super().__init__(hard.class_weights)
        self.weight, self.temperature, self.hard = weight, temperature, hard

    def options(self) -> dict:
        """What the constructor takes beside the hard loss, as plain data."""
        return {"weight": self.weight, "temperature": self.temperature}

    def targets(self, y, *, outputs: int, name: str = "y") -> np.ndarray:
        """Rows (n, 1 + outputs) as they are; labels as (n, 1)."""
        if np.shape(y)[1:] == (1 + outputs,):
            return y
        return self.hard.targets(y, outputs=outputs, name=name)[:, np.newaxis]

    def __call__(self, logits: np.ndarray, targets: np.ndarray, weights=None) -> tuple[float, np.ndarray]:
        """logits (classes, batch), targets (batch, 1 + classes or 1) -> loss, gradient (classes, batch)."""
        batch = logits.shape[1]
        loss, slope = self.hard(logits, targets[:, 0].astype(np.int64), weights)
        if targets.shape[1] == 1:
            return loss, slope
        T = self.temperature
        teacher = np.exp(log_softmax(targets[:, 1:].T / T))
        student = log_softmax(logits / T)
        # d/dz of T^2 CE(p, softmax(z / T)) is T (softmax(z / T) - p).
        pull = np.exp(student) - teacher
        if weights is None:
            soft = -float((teacher * student).sum(dtype=np.float64)) / batch
            pull = self.weight * T / batch * pull
        else:
            shares = shares_of(weights)
            soft = -float((teacher * student).sum(axis=0, dtype=np.float64) @ shares)
            pull = self.weight * T * shares * pull
        slope = (1 - self.weight) * slope + pull
        return (1 - self.weight) * loss + self.weight * T * T * soft, slope.astype(logits.dtype)

    def correct(self, logits: np.ndarray, targets: np.ndarray) -> int:
        """How many samples have their largest logit at the label."""
        return self.hard.correct(logits, targets[:, 0].astype(np.int64))


def log_softmax(z: np.ndarray) -> np.ndarray:
    """Logarithm of softmax over the first axis."""
    shifted = z - z.max(axis=0, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))


def distilled(
    teacher: Model, X: Features, targets: np.ndarray, loss: Loss, *, weight: float, temperature: float
) -> tuple[Loss, np.ndarray]:
    """The loss and the targets with which train distils teacher.

    targets as loss takes them. For other losses than cross-entropy the targets are
    mixed with what the teacher gives: for squared errors the same as mixing the two errors.
    """
    weight = check_real("distill_weight", weight, below=np.nextafter(1.0, 2.0))  # 1 is allowed
    temperature = check_real("distill_temperature", temperature, open_minimum=True)
    if isinstance(loss, Stepwise):
        raise UnsupportedError("distill takes models with an output of (batch, features), got one with steps")
    if not isinstance(loss, CrossEntropy):
        given = forward(teacher, X)
        if loss.name == "binary_cross_entropy":
            given = scipy.special.expit(given)
        return loss, (1 - weight) * targets + weight * given
    soft = np.column_stack([targets, forward(without_softmax(teacher), X)]).astype(np.float32)
    return Distillation(weight=weight, temperature=temperature, hard=loss), soft
