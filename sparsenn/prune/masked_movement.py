"""Masked movement: what lost by movement is hidden, not gone, and comes back where gradients want it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ..checks import check_integer, check_real
from ..errors import ArgumentError
from ..model import Model
from .amount import Amount, check_keep
from .movement import RecordMovement
from .schedules import find_schedule
from .selection import select_kept


class MaskedMovement(RecordMovement):
    """A callback of train that records the movement and hides the weights with the least while it trains.

        masked = snn.MaskedMovement(model, sparsity=0.9, updates=1000)
        snn.train(model, X, y, epochs=20, callbacks=[masked])
        sparse = snn.prune(model, sparsity=0.9, criterion="movement")

    After each update the weights with the lowest movement are 0 in the model, as many as the schedule says.
    What they were is kept here, and their movement goes on with the gradients that they would have
    (straight-through), so that a weight comes back with its value when others have moved less. Layers must
    be dense, for all weights need a gradient. What prune removes at the end are the weights that are hidden
    then; the rest of the fine-tuning may follow on the sparse kernels.

    Source: Sanh, Wolf and Rush 2020, arXiv:2005.07683, section 4
    """

    saved_as = "masked_movement"

    def __init__(
        self,
        model: Model,
        *,
        sparsity: float = 0.9,
        updates: int,
        warmup: int = 1,
        schedule: str = "cubic",
        scope: str = "global",
        keep: int | Iterable[int] = (),
    ):
        """
        sparsity   in [0, 1), of the layers being hidden, reached after so many updates of weights
        warmup     updates from 1 up in which nothing is hidden, the first of updates: movements begin at 0
        schedule, scope, keep   as prune_iteratively and prune take them
        """
        super().__init__(model)
        self._sparsity = check_real("sparsity", sparsity, below=1.0)
        self._warmup = check_integer("warmup", warmup, minimum=1)
        self._updates = check_integer("updates", updates, minimum=self._warmup + 1)
        self._schedule = find_schedule(schedule)
        if scope not in ("global", "layer"):
            raise ArgumentError(f"scope must be 'global' or 'layer', got {scope!r}")
        self._scope, self._done = scope, 0
        protected = check_keep(len(self._layers), keep)
        self._masked = [index for index in range(len(self._layers)) if index not in protected]
        if not self._masked:
            raise ArgumentError("keep must leave a layer whose weights are hidden, got all of them")
        for index in self._masked:
            if self._layers[index].sparse:
                raise ArgumentError(
                    "MaskedMovement needs dense layers, for hidden weights have a gradient, got the sparse "
                    f"layer {index}"
                )
        self._hidden = [np.zeros(self._layers[index].weight.size, np.float32) for index in self._masked]
        self._seen = [np.ones(values.size, bool) for values in self._hidden]

    @property
    def sparsity(self) -> float:
        """What is hidden at present."""
        done = (self._done - self._warmup) / (self._updates - self._warmup)
        return 0.0 if done <= 0 else float(self._schedule(min(done, 1.0), 0.0, self._sparsity))

    def gradients(self, trainer) -> None:
        """Takes the gradients of a step, of hidden weights as well, before weights move."""
        super().gradients(trainer)
        scores = self._scores()
        parameters = self._parameters(trainer)
        for place, index in enumerate(self._masked):
            gradient = parameters[index].flat_gradient
            scores[index].reshape(-1)[...] -= self._hidden[place] * gradient
            gradient[~self._seen[place]] = 0

    def moved(self, trainer) -> None:
        """Hides what is to be hidden now, after weights have moved."""
        of_layers = self._parameters(trainer)
        parameters = [of_layers[index] for index in self._masked]
        # What an optimizer with a memory moved of hidden weights does not count.
        whole = [
            np.where(seen, parameter.flat, hidden)
            for parameter, hidden, seen in zip(parameters, self._hidden, self._seen, strict=True)
        ]
        self._done += 1
        self._choose()
        for place, parameter in enumerate(parameters):
            seen = self._seen[place]
            self._hidden[place] = np.where(seen, np.float32(0), whole[place])
            parameter.flat[...] = np.where(seen, whole[place], np.float32(0))
            parameter.refresh()

    def _choose(self) -> None:
        scores = self._scores()
        if not self.sparsity:
            self._seen = [np.ones(values.size, bool) for values in self._hidden]
            return
        self._seen = select_kept(
            [scores[index].reshape(-1) for index in self._masked],
            [values.size for values in self._hidden],
            layers=self._masked,
            amount=Amount(self.sparsity),
            scope=self._scope,
        )

    # ---- checkpoints of train ----

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The movements, what is hidden, and how many updates there have been."""
        hidden = {f"hidden.{index}": own for index, own in zip(self._masked, self._hidden, strict=True)}
        return {**super().to_arrays(), **hidden, "updates": np.array([self._done], np.int64)}

    def read(self, take: Callable[..., np.ndarray], model: Model) -> tuple:
        """What to_arrays gave, out of a checkpoint; model: the checkpoint's own."""
        scores = super().read(take, model)
        hidden = [
            take(f"hidden.{index}", np.float32, shape=(model.linear_layers[index].weight.size,))
            for index in self._masked
        ]
        return scores, hidden, int(take("updates", np.int64, shape=(1,))[0])

    def restore(self, saved: tuple) -> None:
        """Goes on from what read gave."""
        scores, hidden, self._done = saved
        super().restore(scores)
        self._hidden = [own.copy() for own in hidden]
        self._choose()
