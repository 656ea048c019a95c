"""The trainer: one update of a model from one batch. train.py loops over it.

Nearly all of the time is in backprop's forward and backward and in the optimizer's update.
"""

from __future__ import annotations

import numpy as np

from .backprop import Network
from .errors import SparsennError
from .losses import Loss, check_loss, choose_loss
from .ops import check_threads
from .optim import Optimizer, make_optimizer
from .penalties import L2
from .train_checks import as_features, check_real, check_same_length

_EVALUATION_BATCH = 1024  # samples: bounds the memory of an evaluation


class DivergedError(SparsennError, FloatingPointError):
    """Training left the finite numbers."""


class Trainer:
    """Updates a model, a batch at a time.

    The model's arrays change in place; the pattern of a sparse layer stays fixed, and its gradient and
    optimizer state have nnz elements. Do not give a layer another array while a Trainer is in use.

        trainer = Trainer(model, optimizer="adam", learning_rate=1e-3)
        loss = trainer.step(xb, yb)
    """

    def __init__(
        self,
        model,
        *,
        optimizer: str | Optimizer = "adam",
        learning_rate: float = 1e-3,
        loss: str = "auto",
        l2: float = 0.0,
        threads: int | None = None,
    ):
        """
        optimizer      "adam", "momentum", "sgd", or an optim.Optimizer for other constants
        learning_rate  may be set anew between steps, as the attribute of that name
        loss           "cross_entropy", "mse", or "auto": from the first y (losses.choose_loss)
        l2             adds l2 / 2 times the sum of squared weights (not biases) to what is minimised
        threads        of the sparse kernels, None for the default; dense layers follow BLAS's own setting
        """
        self.optimizer = make_optimizer(optimizer)
        self.learning_rate = learning_rate
        check_loss(loss)
        strength = check_real("l2", l2)
        self.penalties = [L2(strength)] if strength else []
        self.network = Network(model, threads=check_threads(threads))
        for parameter in self.network.parameters:
            parameter.state = self.optimizer.new_state(parameter.values)
        self.step_count = 0
        self._loss_name = loss
        self._loss: Loss | None = None

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = check_real("learning_rate", value, open_minimum=True)

    def step(self, xb, yb) -> float:
        """One update from one batch; returns the batch's loss before it (penalties not counted).

        xb  (batch, inputs) numbers, finite
        yb  cross_entropy: (batch,) integer labels or (batch, outputs) one-hot; mse: (batch, outputs), or
            (batch,) for one output
        Raises ValueError or TypeError for bad input and DivergedError when the loss is not finite; the
        model and the trainer are then as they were.
        """
        features, targets = self.prepare(xb, yb, ("xb", "yb"))
        return self.update(features, targets)[0]

    def evaluate(self, X, y) -> tuple[float, float | None]:
        """Mean loss and accuracy (None for a regression) on X (n, inputs), y as in step. Changes nothing."""
        return self.evaluate_prepared(*self.prepare(X, y, ("X", "y")))

    def prepare(self, X, y, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
        """Checked features (n, inputs) float32 and targets (n, ...), n >= 1. Settles an "auto" loss."""
        network = self.network
        features = as_features(X, inputs=network.inputs, name=names[0])
        loss = self._loss or choose_loss(
            self._loss_name,
            y,
            outputs=network.outputs,
            ends_in_softmax=network.ends_in_softmax,
            name=names[1],
        )
        targets = loss.targets(y, outputs=network.outputs, name=names[1])
        check_same_length(features, targets, names)
        self._loss = loss
        return features, targets

    def update(self, features: np.ndarray, targets: np.ndarray) -> tuple[float, int | None]:
        """One update from checked arrays -> loss, correct predictions, both before it."""
        self.network.check_unchanged()
        with np.errstate(over="ignore", invalid="ignore"):
            loss, correct, slope = self._forward(features, targets)
            if not np.isfinite(loss):
                raise DivergedError(
                    f"loss must be finite, got {loss} at step {self.step_count + 1}: "
                    f"try a learning_rate below {self.learning_rate:g}"
                )
            self.network.backward(slope, logits=self._loss.takes_logits)
            self.step_count += 1
            for parameter in self.network.parameters:
                self._move(parameter)
        return loss, correct

    def _move(self, parameter) -> None:
        if parameter.is_weight:
            for penalty in self.penalties:
                penalty.add_gradient(parameter.values, parameter.gradient)
        self.optimizer.update(
            parameter.values,
            parameter.gradient,
            parameter.state,
            learning_rate=self.learning_rate,
            step=self.step_count,
        )

    def _forward(self, features: np.ndarray, targets: np.ndarray) -> tuple[float, int | None, np.ndarray]:
        """-> loss, correct predictions (None for a regression), gradient of the outputs (outputs, batch)."""
        outputs = self.network.forward(np.ascontiguousarray(features.T), logits=self._loss.takes_logits)
        loss, slope = self._loss(outputs, targets)
        return loss, self._loss.correct(outputs, targets) if self._loss.has_accuracy else None, slope

    def evaluate_prepared(self, features: np.ndarray, targets: np.ndarray) -> tuple[float, float | None]:
        tally = Tally()
        for start in range(0, len(features), _EVALUATION_BATCH):
            part = slice(start, start + _EVALUATION_BATCH)
            with np.errstate(over="ignore", invalid="ignore"):
                loss, correct, _ = self._forward(features[part], targets[part])
            tally.add(loss, correct, len(features[part]))
        return tally.loss, tally.accuracy


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
