"""Training a model on a data set: epochs, shuffling, validation and early stopping around Trainer.

train  ->  run.Run: for each epoch, for each batch: Trainer.update  ->  backprop.Network, losses, optim
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import numpy as np

from ..checks import check_flag, check_integer, check_real
from ..errors import ArgumentError, DivergedError
from ..file_replace import check_replaceable
from ..model import Model
from ..paths import as_path
from ..progress import bar
from .history import History
from .losses import Loss
from .optim import Optimizer
from .rates import Schedule
from .regrow import Regrow
from .run import Run
from .samples import Samples, at_sizes
from .snapshot import Snapshot
from .trainer import Trainer

Callback = Callable[[Trainer, dict], object]


def train(
    model,
    X,
    y,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    optimizer: str | Optimizer = "adam",
    learning_rate: float | Schedule = 1e-3,
    loss: str | Loss | dict[str, str | Loss] = "auto",
    validation_split: float = 0.0,
    validation_data: tuple | None = None,
    early_stopping: int | None = None,
    regrow: Regrow | None = None,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    sample_weight=None,
    seed: int = 0,
    shuffle: bool = True,
    threads: int | None = None,
    progress: bool = False,
    callbacks: Iterable[Callback] = (),
    **options,
) -> History:
    """Trains model in place and returns what was recorded. Dense and sparse (CSR) layers alike.

    X                 (n, inputs) numbers, taken as float32; (n, ...) as the model's input has dims, of open
                      ones any size
    y                 classes: (n,) integer labels or (n, outputs) one-hot; others: (n, outputs), or (n,)
                      where the output has one feature; of an output with steps (n, steps) and
                      (n, steps, outputs)
                      X of several inputs, y of several outputs: a dict of name to array
    optimizer, loss, threads   as Trainer takes them
    learning_rate     a number, or a Constant, StepDecay or Cosine, asked before each step
    validation_split  share in [0, 1) of the samples, drawn with seed, held out for validation
    validation_data   (X, y) for validation instead
    early_stopping    patience: stop after this many epochs in a row without a lower validation loss. The
                      weights of the best epoch are restored, also where the run was not cut short.
    regrow            changes the patterns of sparse layers between epochs, nnz stays
    checkpoint        a file that is written after each epoch, atomically
    resume            True: go on from checkpoint, if it is there, as if the run had not been interrupted.
                      The other arguments must be those of that run; epochs counts from its beginning.
    sample_weight     (n,) from 0 up: in the losses each sample counts so often as its weight says, that is
                      sum(weight * loss) / sum(weight) a batch; None: all alike
    seed              of the split, the shuffling and weight_drop: the same seed gives the same bits, for
                      sparse models on any number of threads
    shuffle           False: batches in the order of X, the same each epoch
    progress          a bar on stderr, silent where that is no terminal
    callbacks         each called after every epoch as callback(trainer, row), row a dict of "epoch" and the
                      epoch's History entries; one that returns True ends the training. Its method
                      gradients(trainer), where it has one, is called in each step, before weights move, its
                      method moved(trainer) after
    options           more of Trainer: penalties (l2, l1, mcp, group_lasso ...), clips, weight_drop,
                      weight_range, limits

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
    if checkpoint is not None:
        checkpoint = as_path(checkpoint, "checkpoint")
        check_replaceable(checkpoint, name="checkpoint")
    if check_flag("resume", resume) and checkpoint is None:
        raise ArgumentError("resume needs checkpoint, the file to go on from")
    if regrow is not None and not isinstance(regrow, Regrow):
        raise TypeError(f"regrow must be a Regrow, got {type(regrow).__name__}")

    schedule = learning_rate if isinstance(learning_rate, Schedule) else None
    if isinstance(model, Model):
        model = at_sizes(model, X)
    trainer = Trainer(
        model,
        optimizer=optimizer,
        learning_rate=schedule(0.0) if schedule else learning_rate,
        loss=loss,
        threads=threads,
        seed=seed,
        batch_size=batch_size,
        **options,
    )
    trainer.watchers = [callback for callback in callbacks if hasattr(callback, "gradients")]
    trainer.followers = [callback for callback in callbacks if hasattr(callback, "moved")]
    training = trainer.prepare(X, y, ("X", "y"), sample_weight)
    validation = None
    if split:
        training, validation = _split(training, split, generator)
    elif validation_data is not None:
        validation = trainer.prepare(
            *_check_pair(validation_data), ("validation_data[0]", "validation_data[1]")
        )
    keepers = [callback for callback in callbacks if hasattr(callback, "saved_as")]
    run = Run(
        trainer, training, validation, batch_size, generator, shuffle, schedule, regrow, patience, keepers
    )
    before = Snapshot(model)
    if resume and os.path.exists(checkpoint):
        run.resume(checkpoint)
    try:
        numbers = range(run.epoch, epochs)
        for epoch in bar(numbers, progress, caller="train", unit="epoch", done=run.epoch):
            row = run.epoch_once(epochs)
            if checkpoint is not None:
                run.save(checkpoint)
            stop = [callback(trainer, {"epoch": epoch, **row}) is True for callback in callbacks]
            if callbacks:
                trainer.refresh()  # for those that changed the model
            if any(stop) or run.exhausted:
                break
    except DivergedError:
        run.best = None
        before.restore(trainer)
        raise
    finally:
        run.restore_best()
    return run.history


def _split(samples: Samples, share: float, generator: np.random.Generator) -> tuple[Samples, Samples]:
    """-> training, validation, disjoint; the validation gets share of the samples, rounded."""
    total = len(samples)
    count = round(share * total)
    if not 1 <= count < total:
        raise ArgumentError(
            f"validation_split must leave samples on both sides, got {share:g} of {total} samples"
        )
    order = generator.permutation(total)
    training, validation = samples.take(order[count:]), samples.take(order[:count])
    for name, part in (("training", training), ("validation", validation)):
        if part.weights is not None and not part.weights.any():
            raise ArgumentError(
                f"sample_weight must be positive for some sample of the {name}, got 0 for all"
            )
    return training, validation


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
