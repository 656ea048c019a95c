"""A training run: what train goes through epoch by epoch, and what a checkpoint must hold of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import DivergedError
from . import checkpoint
from .history import History
from .rates import Schedule
from .regrow import Regrow, regrow_prepared
from .samples import Samples
from .saved import read_callbacks, read_progress, read_run
from .snapshot import Snapshot
from .tally import Tally
from .trainer import Trainer


@dataclass
class Run:
    """The state of a run. since_best: epochs in a row without a lower validation loss."""

    trainer: Trainer
    training: Samples
    validation: Samples | None
    batch_size: int
    generator: np.random.Generator
    shuffle: bool
    schedule: Schedule | None
    regrow: Regrow | None
    patience: int | None
    keepers: list = field(default_factory=list)  # callbacks with a state, as RecordMovement has it
    history: History = field(default_factory=History)
    epoch: int = 0
    best: Snapshot | None = None
    best_loss: float = np.inf
    since_best: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether early stopping has waited long enough."""
        return self.patience is not None and self.since_best >= self.patience

    def epoch_once(self, epochs: int) -> dict[str, float | None]:
        """One epoch of epochs: a pass over the samples, validation, regrowth -> its History entries."""
        start = time.perf_counter()
        trainer, tally = self.trainer, Tally()
        steps = -(-len(self.training) // self.batch_size)
        for step, batch in enumerate(self._batches()):
            if self.schedule:
                trainer.learning_rate = self.schedule(self.epoch + step / steps)
            tally.add(*trainer.update(batch), len(batch), batch.weights)
        if not all(np.isfinite(parameter.values).all() for parameter in trainer.network.parameters):
            raise DivergedError(
                f"weights must stay finite: try a learning_rate below {trainer.learning_rate:g}"
            )
        validated = self.validation is not None
        val_loss, val_accuracy = trainer.evaluate_prepared(self.validation) if validated else (None, None)
        self.epoch += 1
        if self.patience:
            self._compare(val_loss)
        fraction = self.regrow.fraction_at(self.epoch, epochs) if self.regrow else 0.0
        if fraction:
            count = min(self.regrow.samples, len(self.training))
            part = self.training.take(self.generator.choice(len(self.training), count, replace=False))
            if part.weights is None or part.weights.any():
                regrow_prepared(trainer, part, fraction)
        row = {
            "loss": tally.loss,
            "accuracy": tally.accuracy,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "learning_rate": trainer.learning_rate,
            "seconds": time.perf_counter() - start,
        }
        self.history.append(**row)
        return row

    def restore_best(self) -> None:
        """With early stopping, the model gets the weights of its best epoch."""
        if self.best is not None:
            self.best.restore(self.trainer)

    def _batches(self) -> Iterator[Samples]:
        """Every sample once; the last batch may be smaller."""
        count = len(self.training)
        order = self.generator.permutation(count) if self.shuffle else None
        for start in range(0, count, self.batch_size):
            end = start + self.batch_size
            yield self.training.take(slice(start, end) if order is None else order[start:end])

    def _compare(self, loss: float) -> None:
        self.since_best += 1
        if loss < self.best_loss:
            self.best, self.best_loss, self.since_best = Snapshot(self.trainer.model), loss, 0
            self.history.best_epoch = self.epoch - 1

    # ---- checkpoints ----

    def save(self, path: str | os.PathLike) -> None:
        """Everything that the rest of the run depends on, but for the samples and the arguments of train."""
        document, arrays = self.trainer.to_parts()
        document["run"] = {
            "epoch": self.epoch,
            "generator": self.generator.bit_generator.state,
            "history": self.history.to_dict(),
            "best_loss": None if self.best is None else self.best_loss,
            "since_best": self.since_best,
        }
        if self.best is not None:
            arrays.update(self.best.to_arrays("best"))
        for keeper in self.keepers:
            own = keeper.to_arrays()
            arrays.update({f"callback.{keeper.saved_as}.{name}": array for name, array in own.items()})
        checkpoint.write(path, document, arrays)

    def resume(self, path: str | os.PathLike) -> None:
        """Goes back to where save was called; the model gets the checkpoint's arrays.

        FormatError for a damaged file, ArgumentError for one of another model or optimizer; nothing has
        changed then.
        """
        parts = checkpoint.read(path)
        model = checkpoint.read_model(parts)
        checkpoint.check_same_layers(model, self.trainer.model)
        progress = read_progress(parts, model, self.trainer.optimizer)
        saved = read_run(parts, model)
        kept = read_callbacks(parts, model, self.keepers)
        parts.finish()
        # Nothing has changed until here, and nothing of the file can fail from here on.
        checkpoint.put_model(model, self.trainer.model)
        self.trainer.take_progress(progress)
        self.epoch, self.since_best = saved.epoch, saved.since_best
        self.best, self.best_loss, self.history = saved.best, saved.best_loss, saved.history
        self.generator.bit_generator.state = saved.generator
        for keeper, state in zip(self.keepers, kept, strict=True):
            keeper.restore(state)
