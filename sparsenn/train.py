"""Training a model on a data set: epochs, shuffling, validation and early stopping around Trainer.

train  ->  for each epoch, for each batch: Trainer.update  ->  backprop.Network, losses, penalties, optim
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from .backprop import Network
from .errors import ArgumentError
from .history import History
from .optim import Optimizer
from .train_checks import check_flag, check_integer, check_real
from .trainer import DivergedError, Tally, Trainer

__all__ = ["DivergedError", "History", "Trainer", "train"]

Callback = Callable[[Trainer, dict], object]
Samples = tuple[np.ndarray, np.ndarray]  # features (n, inputs) float32, targets (n, ...) as the loss takes


def train(
    model,
    X,
    y,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    optimizer: str | Optimizer = "adam",
    learning_rate: float = 1e-3,
    loss: str = "auto",
    validation_split: float = 0.0,
    validation_data: tuple | None = None,
    early_stopping: int | None = None,
    seed: int = 0,
    shuffle: bool = True,
    l2: float = 0.0,
    threads: int | None = None,
    progress: bool = False,
    callbacks: Iterable[Callback] = (),
) -> History:
    """Trains model in place and returns what was recorded. Dense and sparse (CSR) layers alike.

    X                 (n, inputs) numbers, taken as float32
    y                 classes: (n,) integer labels or (n, outputs) one-hot; regression: (n, outputs), or (n,)
                      where the model has one output
    optimizer, learning_rate, loss, l2, threads   as Trainer takes them
    validation_split  share in [0, 1) of the samples, drawn with seed, held out for validation
    validation_data   (X, y) for validation instead
    early_stopping    patience: stop after this many epochs in a row without a lower validation loss. The
                      weights of the best epoch are restored, also where the run was not cut short.
    seed              of the split and the shuffling: the same seed and threads give the same bits
    shuffle           False: batches in the order of X, the same each epoch
    progress          a bar on stderr, silent where that is no terminal
    callbacks         each called after every epoch as callback(trainer, row), row a dict of "epoch" and the
                      epoch's History entries; one that returns True ends the training

    Raises ValueError or TypeError for bad input and DivergedError when loss or weights are not finite; the
    model is then as it was. Interrupted (Ctrl-C), it keeps the weights reached, or with early_stopping the
    best ones.
    """
    epochs = check_integer("epochs", epochs, minimum=0)
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    generator = np.random.default_rng(check_integer("seed", seed, minimum=0))
    shuffle, progress = check_flag("shuffle", shuffle), check_flag("progress", progress)
    callbacks = _check_callbacks(callbacks)
    split = check_real("validation_split", validation_split, below=1.0)
    patience = None if early_stopping is None else check_integer("early_stopping", early_stopping, minimum=1)
    if split and validation_data is not None:
        raise ArgumentError("validation_split and validation_data must not both be given")
    if patience and not split and validation_data is None:
        raise ArgumentError("early_stopping needs validation_split or validation_data, got neither")

    trainer = Trainer(
        model, optimizer=optimizer, learning_rate=learning_rate, loss=loss, l2=l2, threads=threads
    )
    training = trainer.prepare(X, y, ("X", "y"))
    validation = None
    if split:
        training, validation = _split(training, split, generator)
    elif validation_data is not None:
        validation = trainer.prepare(
            *_check_pair(validation_data), ("validation_data[0]", "validation_data[1]")
        )

    history = History()
    best = _BestWeights(trainer.network)
    since_best = 0
    try:
        for epoch in _epochs(epochs, progress):
            row = _run_epoch(trainer, training, validation, batch_size, generator if shuffle else None)
            history.append(**row)
            if patience:
                since_best = 0 if best.offer(row["val_loss"], epoch) else since_best + 1
            stop = [callback(trainer, {"epoch": epoch, **row}) is True for callback in callbacks]
            if any(stop) or (patience and since_best >= patience):
                break
    except DivergedError:
        best.restore_first()
        raise
    finally:
        if patience and best.epoch is not None:
            history.best_epoch = best.epoch
            best.restore()
    return history


def _run_epoch(
    trainer: Trainer, training: Samples, validation: Samples | None, batch_size: int, generator
) -> dict[str, float | None]:
    """One pass over the training samples, then the validation -> the epoch's History entries."""
    start = time.perf_counter()
    tally = Tally()
    for features, targets in _batches(training, batch_size, generator):
        tally.add(*trainer.update(features, targets), len(features))
    if not all(np.isfinite(parameter.values).all() for parameter in trainer.network.parameters):
        raise DivergedError(f"weights must stay finite: try a learning_rate below {trainer.learning_rate:g}")
    val_loss, val_accuracy = trainer.evaluate_prepared(*validation) if validation else (None, None)
    return {
        "loss": tally.loss,
        "accuracy": tally.accuracy,
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
        "learning_rate": trainer.learning_rate,
        "seconds": time.perf_counter() - start,
    }


def _batches(samples: Samples, batch_size: int, generator: np.random.Generator | None) -> Iterator[Samples]:
    """Every sample once, shuffled where a generator is given; the last batch may be smaller."""
    features, targets = samples
    order = None if generator is None else generator.permutation(len(features))
    for start in range(0, len(features), batch_size):
        part = slice(start, start + batch_size) if order is None else order[start : start + batch_size]
        yield features[part], targets[part]


def _split(samples: Samples, share: float, generator: np.random.Generator) -> tuple[Samples, Samples]:
    """-> training, validation, disjoint; the validation gets share of the samples, rounded."""
    features, targets = samples
    count = round(share * len(features))
    if not 1 <= count < len(features):
        raise ArgumentError(
            f"validation_split must leave samples on both sides, got {share:g} of {len(features)} samples"
        )
    order = generator.permutation(len(features))
    held_out, kept = order[:count], order[count:]
    return (features[kept], targets[kept]), (features[held_out], targets[held_out])


def _epochs(count: int, progress: bool) -> Iterable[int]:
    if not progress:
        return range(count)
    from tqdm import tqdm  # imported where it is asked for: training itself does not need it

    return tqdm(range(count), desc="train", unit="epoch", disable=None)


def _check_pair(validation_data) -> tuple:
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
        raise TypeError(f"validation_data must be a pair (X, y), got {type(validation_data).__name__}")
    return tuple(validation_data)


def _check_callbacks(callbacks) -> tuple[Callback, ...]:
    try:
        callbacks = tuple(callbacks)
    except TypeError as error:
        raise TypeError(f"callbacks must be functions, got {type(callbacks).__name__}") from error
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks must be functions, got {type(callback).__name__}")
    return callbacks


class _BestWeights:
    """Copies of a network's values: those it started with, and those of the lowest validation loss."""

    def __init__(self, network: Network):
        self._network = network
        self._first = self._best = self._copies()
        self.loss, self.epoch = np.inf, None

    def offer(self, loss: float, epoch: int) -> bool:
        """Keeps the present values when loss is the lowest so far, and says so."""
        if not loss < self.loss:
            return False
        self.loss, self.epoch, self._best = loss, epoch, self._copies()
        return True

    def restore(self) -> None:
        self._put(self._best)

    def restore_first(self) -> None:
        self.epoch, self._best = None, self._first
        self.restore()

    def _copies(self) -> list[np.ndarray]:
        return [parameter.values.copy() for parameter in self._network.parameters]

    def _put(self, copies: list[np.ndarray]) -> None:
        for parameter, copy in zip(self._network.parameters, copies, strict=True):
            parameter.values[...] = copy
