"""Losses of outputs that have steps: each step of a sample counts as a sample of its own."""

from __future__ import annotations

import numpy as np

from ..checks import as_numbers
from ..errors import ArgumentError
from ..graph.value import Value
from ..layers import AxisSoftmax, Softmax
from .losses import Loss, choose_loss


class Stepwise:
    """A loss of (batch, steps, outputs): the mean over all steps of all samples.

    Outputs are (steps, outputs, batch), or (steps * outputs, batch); targets (n, steps) or (n, steps, ...) as
    the loss takes them of a step.
    """

    def __init__(self, loss: Loss, outputs: int):
        self.loss, self._outputs = loss, outputs
        self.name, self.takes_logits, self.has_accuracy = loss.name, loss.takes_logits, loss.has_accuracy

    def options(self) -> dict:
        return self.loss.options()

    def targets(self, y, *, outputs: int, name: str = "y") -> np.ndarray:
        array = _with_steps(y, name, outputs)
        flat = array.reshape(-1, *array.shape[2:])
        made = self.loss.targets(flat, outputs=outputs, name=name)
        return made.reshape(*array.shape[:2], *made.shape[1:])

    def __call__(self, outputs: np.ndarray, targets: np.ndarray, weights=None) -> tuple[float, np.ndarray]:
        """-> loss, gradient of the shape of outputs; weights (batch,) or (batch, steps)."""
        flat, steps = self._flat(outputs), targets.shape[1]
        if weights is not None:
            weights = weights.reshape(-1) if weights.ndim == 2 else np.repeat(weights, steps)
        value, slope = self.loss(flat, targets.reshape(-1, *targets.shape[2:]), weights)
        slope = slope.reshape(self._outputs, -1, steps).transpose(2, 0, 1)
        return value, np.ascontiguousarray(slope).reshape(outputs.shape)

    def correct(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Samples, of each the share of its steps that are right."""
        flat = targets.reshape(-1, *targets.shape[2:])
        return self.loss.correct(self._flat(outputs), flat) / targets.shape[1]

    def _flat(self, outputs: np.ndarray) -> np.ndarray:
        """(outputs, batch * steps), the steps of a sample one after the other."""
        parts = outputs.reshape(-1, self._outputs, outputs.shape[-1])
        return np.ascontiguousarray(parts.transpose(1, 2, 0)).reshape(self._outputs, -1)


def is_softmax(output: Value) -> bool:
    """Whether an output is a softmax over its features."""
    layer = output.producer.layer
    last = isinstance(layer, AxisSoftmax) and layer.axis == len(output.dims) - 1
    return last or isinstance(layer, Softmax)


def settle_loss(loss: str | Loss | Stepwise, output: Value, y, name: str = "y") -> Loss | Stepwise:
    """The loss of that name of an output, for "auto" what y calls for; Stepwise where it has steps."""
    if isinstance(loss, Stepwise):
        return loss
    width, steps = output.dims[-1], len(output.dims) == 3
    given = y
    if steps and isinstance(loss, str):
        given = _with_steps(y, name, width)
        given = given.reshape(-1, *given.shape[2:])
    chosen = choose_loss(loss, given, outputs=width, ends_in_softmax=is_softmax(output), name=name)
    return Stepwise(chosen, width) if steps else chosen


def _with_steps(y, name: str, outputs: int) -> np.ndarray:
    array = as_numbers(y, name)
    if array.ndim not in (2, 3):
        raise ArgumentError(
            f"{name} must have shape (n, steps) or (n, steps, {outputs}) for an output that has steps, "
            f"got {array.shape}"
        )
    return array
