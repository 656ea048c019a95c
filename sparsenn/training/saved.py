"""What a checkpoint says of a trainer and of a run, read and checked before anything takes it over."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np

from ..checks import check_real
from ..errors import ArgumentError, FormatError
from ..layers import ArrayLayer, Matrix
from ..model import Model
from .checkpoint import Parts, generator_state, reading, whole
from .history import History
from .objective import from_plain, options_of
from .optim import Optimizer, make_optimizer
from .penalties import Penalties
from .rules import Rules
from .snapshot import Snapshot

_MOST_STEPS = 2**53  # whole numbers beyond are not exact as floats
_TRAINER = {
    *("optimizer", "learning_rate", "loss", "loss_options", "penalties", "rules", "step_count", "generator")
}
_RUN = {"epoch", "generator", "history", "best_loss", "since_best"}
_EACH_EPOCH = ("loss", "learning_rate", "seconds")


@dataclass(frozen=True)
class Progress:
    """How far a trainer has come; states holds the optimizer's arrays by parameter and slot."""

    step_count: int
    learning_rate: float
    generator: dict
    states: dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class RunProgress:
    """How far a run has come, as Run names it."""

    epoch: int
    since_best: int
    generator: dict
    history: History
    best_loss: float
    best: Snapshot | None


def read_options(parts: Parts) -> dict:
    """The keyword arguments of the Trainer that was saved, but for threads and seed."""
    with reading("trainer"):
        saved = parts.document["trainer"]
        constants = dict(saved["optimizer"])
        optimizer = make_optimizer(constants.pop("name"), **constants)
        loss = from_plain(saved["loss"], saved["loss_options"])
        penalties, rules = asdict(Penalties(**saved["penalties"])), Rules(**saved["rules"]).to_dict()
        rate = check_real("learning_rate", saved["learning_rate"], open_minimum=True)
        same = {
            **{"optimizer": optimizer.to_dict(), "loss_options": options_of(loss)},
            **{"penalties": penalties, "rules": rules},
        }
        batch_size = saved.get("batch_size")
        if "batch_size" in saved:
            whole("batch_size", batch_size, most=_MOST_STEPS)
        if saved.keys() - {"batch_size"} != _TRAINER or any(
            saved[name] != value for name, value in same.items()
        ):
            raise FormatError("checkpoint's trainer is incomplete or altered: it comes back as another")
    options = {"optimizer": optimizer, "loss": loss, "learning_rate": rate, "batch_size": batch_size}
    return {**options, **penalties, **rules}


def read_progress(parts: Parts, model: Model, optimizer: Optimizer) -> Progress:
    """The progress of a trainer of model, the checkpoint's own, with optimizer.

    ArgumentError where the checkpoint is one of another optimizer.
    """
    saved_options = read_options(parts)
    if saved_options["optimizer"].name != optimizer.name:
        raise ArgumentError(
            f"optimizer must be {saved_options['optimizer'].name!r}, the checkpoint's, got {optimizer.name!r}"
        )
    sizes = {}
    for index, layer in enumerate(model.layers):
        if isinstance(layer, Matrix):
            sizes[f"{index}.weight"] = layer.nnz
            if layer.bias is not None:
                sizes[f"{index}.bias"] = layer.shape[0]
        elif isinstance(layer, ArrayLayer):
            sizes |= {f"{index}.{name}": getattr(layer, name).size for name in layer.moved}
    states = {
        name: {
            slot: parts.take(f"state.{name}.{slot}", np.float32, shape=(size,)).copy()
            for slot in optimizer.slots
        }
        for name, size in sizes.items()
    }
    with reading("trainer"):
        saved = parts.document["trainer"]
        steps = whole("step_count", saved["step_count"], most=_MOST_STEPS)
        generator = generator_state(saved["generator"])
    return Progress(steps, saved_options["learning_rate"], generator, states)


def read_run(parts: Parts, model: Model) -> RunProgress:
    """The progress of a run of model, the checkpoint's own."""
    with reading("run"):
        saved = parts.document["run"]
        if saved.keys() != _RUN:
            raise FormatError(f"checkpoint's run must have {', '.join(sorted(_RUN))}")
        epoch = whole("epoch", saved["epoch"], most=_MOST_STEPS)
        since_best = whole("since_best", saved["since_best"], most=epoch)
        history = _read_history(saved["history"], epoch)
        best, best_loss = None, np.inf
        if (saved["best_loss"] is None) != (history.best_epoch is None):
            raise FormatError("checkpoint's run must have best_loss and best_epoch, or neither")
        if saved["best_loss"] is not None:
            best_loss = check_real("best_loss", saved["best_loss"])
            best = Snapshot.from_parts(model, parts, "best")
        generator = generator_state(saved["generator"])
    return RunProgress(epoch, since_best, generator, history, best_loss, best)


def read_callbacks(parts: Parts, model: Model, keepers: list) -> list:
    """The state of each of the callbacks that have one; model: the checkpoint's own.

    ArgumentError where the run that was saved had others.
    """
    names = [name.split(".") for name in parts.arrays]
    there = {name[1] for name in names if name[0] == "callback" and len(name) > 1}
    wanted = {keeper.saved_as for keeper in keepers}
    if there != wanted:
        raise ArgumentError(
            f"callbacks must be those of the checkpoint's run, which record {_listed(there)}, "
            f"got {_listed(wanted)}"
        )
    read = []
    for keeper in keepers:

        def take(name: str, *dtypes, shape, prefix=f"callback.{keeper.saved_as}.") -> np.ndarray:
            return parts.take(prefix + name, *dtypes, shape=shape)

        read.append(keeper.read(take, model))
    return read


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))[:80] or "nothing"


def _read_history(saved: dict, epochs: int) -> History:
    """One entry an epoch in each list, or none where nothing was measured."""
    if saved.keys() != {part.name for part in fields(History)}:
        raise FormatError(f"checkpoint's history must have {', '.join(p.name for p in fields(History))}")
    lists = {name: values for name, values in saved.items() if name != "best_epoch"}
    for name, values in lists.items():
        lengths = {epochs} if name in _EACH_EPOCH else {0, epochs}
        if type(values) is not list or len(values) not in lengths:
            raise FormatError(f"checkpoint's history must hold {epochs} entries of {name}")
        if not all(type(value) in (int, float) for value in values):
            raise FormatError(f"checkpoint's history must hold numbers as {name}")
    best = saved["best_epoch"]
    if best is not None:
        best = whole("best_epoch", best, most=epochs - 1)
    return History(
        **{name: [float(value) for value in values] for name, values in lists.items()}, best_epoch=best
    )
