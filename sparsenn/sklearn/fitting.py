"""How the scikit-learn estimators train: dense until it converges, then pruned and fine-tuned in stages."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..checks import check_real
from ..errors import ArgumentError
from ..model import Model
from ..prune import prune
from ..prune.schedules import find_schedule
from ..training.optim import Adam, Momentum, Nesterov, Optimizer
from ..training.train import train
from ..training.trainer import Trainer

STAGES = 5  # prunings of a gradual schedule


def stage_sparsities(schedule: str, sparsity: float) -> list[float]:
    """The sparsity to prune to at each stage, rising to the one asked for; none for sparsity 0."""
    grow = find_schedule(schedule)
    if check_real("sparsity", sparsity, below=1.0) == 0:
        return []
    stages = 1 if schedule == "one-shot" else STAGES
    return [grow((stage + 1) / stages, 0.0, sparsity) for stage in range(stages)]


@dataclass
class Record:
    """What a fit recorded: the loss of every epoch, and whether the dense training converged."""

    losses: list[float] = field(default_factory=list)
    converged: bool = False


@dataclass(frozen=True)
class Settings:
    """A training run, in the words of MLPClassifier where it has one."""

    max_iter: int
    batch_size: int
    optimizer: Optimizer
    learning_rate: str
    learning_rate_init: float
    power_t: float
    shuffle: bool
    tol: float
    n_iter_no_change: int
    early_stopping: bool
    validation_fraction: float
    l2: float
    loss: str
    seed: int
    threads: int | None


def make_optimizer(
    solver: str, *, momentum: float, nesterov: bool, beta_1: float, beta_2: float, epsilon: float
) -> Optimizer:
    """The optimizer of a solver's name. ArgumentError for an unknown one."""
    if solver == "adam":
        return Adam(beta1=beta_1, beta2=beta_2, epsilon=epsilon)
    if solver == "sgd":
        return (Nesterov if nesterov else Momentum)(momentum=momentum)
    raise ArgumentError(f"solver must be 'adam' or 'sgd', got {solver!r}")


def fit_dense(model: Model, X, y, settings: Settings, record: Record, weights=None) -> None:
    """Trains model in place for max_iter epochs, or until the loss stops improving."""
    record.converged = _train(model, X, y, settings, record, weights)


def fit_sparse(
    model: Model,
    X,
    y,
    settings: Settings,
    record: Record,
    weights=None,
    *,
    sparsities: list[float],
    criterion,
) -> Model:
    """model pruned stage by stage, each followed by fine-tuning as long as the dense training may take.

    Every layer gets the stage's sparsity, so that none is emptied. A criterion that looks at data sees the
    samples of positive weight, all alike.
    """
    seen = slice(None) if weights is None else weights > 0
    for sparsity in sparsities:
        model = prune(model, sparsity=sparsity, criterion=criterion, scope="layer", data=(X[seen], y[seen]))
        _train(model, X, y, settings, record, weights)
    return model


def make_trainer(model: Model, settings: Settings) -> Trainer:
    """A Trainer of model, for train_once."""
    return Trainer(
        model,
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate_init,
        loss=settings.loss,
        l2=settings.l2,
        threads=settings.threads,
    )


def train_once(trainer: Trainer, X, y, weights, *, batch_size: int) -> float:
    """One pass over the samples in their order -> the mean of the batches' losses.

    A batch without any weight is left out.
    """
    losses = []
    for start in range(0, len(X), batch_size):
        part = slice(start, start + batch_size)
        given = None if weights is None else weights[part]
        if given is None or given.any():
            losses.append(trainer.step(X[part], y[part], given))
    return float(np.mean(losses))


def _train(model: Model, X, y, settings: Settings, record: Record, weights) -> bool:
    """-> whether the run ended because the loss stopped improving."""
    epochs = settings.max_iter
    stop = _Stopping(settings, max(1, -(-len(X) // settings.batch_size)))
    held_out = settings.validation_fraction if settings.early_stopping else 0.0
    history = train(
        model,
        X,
        y,
        epochs=epochs,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate_init,
        loss=settings.loss,
        validation_split=held_out,
        early_stopping=settings.n_iter_no_change if held_out else None,
        seed=settings.seed,
        shuffle=settings.shuffle,
        l2=settings.l2,
        threads=settings.threads,
        callbacks=[stop],
        sample_weight=weights,
    )
    record.losses.extend(history.loss)
    return len(history.loss) < epochs


class _Stopping:
    """A callback: ends a run whose training loss has not improved by tol for n_iter_no_change epochs.

    With learning_rate "adaptive" the rate is divided by 5 first, until it falls to 1e-6; with "invscaling"
    it is learning_rate_init / steps ** power_t.
    """

    def __init__(self, settings: Settings, steps_an_epoch: int):
        self.settings, self.steps_an_epoch = settings, steps_an_epoch
        self.best, self.waited, self.steps = np.inf, 0, 0

    def __call__(self, trainer, row: dict) -> bool:
        settings = self.settings
        self.steps += self.steps_an_epoch
        if settings.learning_rate == "invscaling":
            trainer.learning_rate = settings.learning_rate_init / (self.steps + 1) ** settings.power_t
        self.waited = self.waited + 1 if row["loss"] > self.best - settings.tol else 0
        self.best = min(self.best, row["loss"])
        if settings.early_stopping or self.waited <= settings.n_iter_no_change:
            return False
        if settings.learning_rate == "adaptive" and trainer.learning_rate > 1e-6:
            trainer.learning_rate /= 5
            self.waited = 0
            return False
        return True
