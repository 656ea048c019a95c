"""What a step minimises: the loss of the output, or the sum of the losses of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..checks import check_same_length
from ..errors import ArgumentError
from ..graph.value import Value
from ..layers import Sigmoid
from .losses import LOSSES, Loss, check_loss
from .samples import by_name
from .stepwise import Stepwise, is_softmax, settle_loss


class Objective:
    """The losses of a model's outputs. Those that are "auto" are settled by the first targets that are read.

    logits  for each output, whether its loss takes it without the Softmax that gives it; once settled
    """

    def __init__(self, outputs: Sequence[Value], loss):
        """loss: a name or a Loss for all outputs, or a dict of output name to either."""
        self._outputs = tuple(outputs)
        names = [value.name for value in self._outputs]
        if isinstance(loss, Mapping):
            if set(loss) != set(names):
                raise ArgumentError(
                    f"loss must name each of the outputs {names}, got {sorted(map(str, loss))}"
                )
            given = [loss[name] for name in names]
        else:
            given = [loss] * len(names)
        for one in given:
            check_loss(one)
        self._losses: tuple[str | Loss, ...] = tuple(given)
        self.logits: tuple[bool, ...] = ()

    @property
    def steps(self) -> int | None:
        """Of an output where there is one alone, that has steps."""
        dims = self._outputs[0].dims if len(self._outputs) == 1 else ()
        return dims[1] if len(dims) == 3 else None

    def read(
        self, y, name: str, *, beside: tuple[str, np.ndarray]
    ) -> tuple[tuple[Loss, ...], tuple[np.ndarray, ...]]:
        """-> the losses, which settle takes, and the targets of each output.

        beside  the features, with their name, of which there are to be as many
        """
        if len(self._outputs) == 1:  # what every small step goes through
            loss, target = self._read_one(0, y, name, beside)
            return self._losses if loss is self._losses[0] else (loss,), (target,)
        pairs = by_name(self._outputs, y, name, "outputs")
        read = [self._read_one(number, given, own, beside) for number, (own, given) in enumerate(pairs)]
        losses, targets = zip(*read, strict=True)
        return losses, targets

    def _read_one(self, number: int, y, name: str, beside: tuple[str, np.ndarray]) -> tuple[Loss, np.ndarray]:
        loss, output = self._losses[number], self._outputs[number]
        if isinstance(loss, str) or (len(output.dims) == 3 and not isinstance(loss, Stepwise)):
            loss = settle_loss(loss, output, y, name)
        last = type(output.producer.layer)
        if loss.name == "binary_cross_entropy" and (last is Sigmoid or is_softmax(output)):
            raise ArgumentError(
                f"loss binary_cross_entropy takes logits: the model must not end in {last.__name__}"
            )
        targets = loss.targets(y, outputs=output.dims[-1], name=name)
        if targets.shape[1:2] != output.dims[1:2] and isinstance(loss, Stepwise):
            raise ArgumentError(f"{name} must hold {output.dims[1]} steps, got shape {np.shape(y)}")
        check_same_length(beside[1], targets, (beside[0], name))
        return loss, targets

    def settle(self, losses: tuple[Loss, ...]) -> None:
        if losses is not self._losses or not self.logits:
            self._losses = losses
            self.logits = tuple(loss.takes_logits for loss in losses)

    def __call__(
        self, outputs: Sequence[np.ndarray], targets: Sequence[np.ndarray], weights: np.ndarray | None
    ) -> tuple[float, float | None, list[np.ndarray]]:
        """outputs (features, batch) each, targets (batch, ...) each -> loss, correct predictions, slopes.

        The correct ones are None for regressions, and the mean over the outputs that have an accuracy. The
        slopes (features, batch) each.
        """
        total, correct, slopes = 0.0, [], []
        for loss, output, target in zip(self._losses, outputs, targets, strict=True):
            if loss.has_accuracy:
                correct.append(loss.correct(output, target))
            value, slope = loss(output, target, weights)
            total += value
            slopes.append(slope)
        return total, sum(correct) / len(correct) if correct else None, slopes

    # ---- as plain data ----

    def to_plain(self) -> tuple:
        """-> the losses' names, their options: of one output, or each a dict of output name to that."""
        names = [loss if isinstance(loss, str) else loss.name for loss in self._losses]
        options = [{} if isinstance(loss, str) else loss.options() for loss in self._losses]
        if len(self._outputs) == 1:
            return names[0], options[0]
        keys = [value.name for value in self._outputs]
        return dict(zip(keys, names, strict=True)), dict(zip(keys, options, strict=True))


def from_plain(names, options):
    """A Trainer's loss, of what to_plain gave; KeyError, TypeError or ValueError for anything else."""
    if isinstance(names, dict):
        if names.keys() != options.keys():
            raise ValueError(f"losses {sorted(names)} must each have options, got {sorted(options)}")
        return {name: from_plain(names[name], options[name]) for name in names}
    loss = LOSSES[names](**options) if options else names
    check_loss(loss)
    return loss


def options_of(loss):
    """The options of what from_plain gave, as to_plain has them."""
    if isinstance(loss, dict):
        return {name: options_of(one) for name, one in loss.items()}
    return {} if isinstance(loss, str) else loss.options()
