"""Removing hidden neurons and channels round by round, with training in between, until a goal is reached."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from ..checks import check_integer, check_real
from ..errors import ArgumentError
from ..model import Model
from ..training.train import train
from .amount import Amount, check_index, check_keep
from .criteria import find_criterion
from .evaluation import evaluate
from .narrow import remove_units
from .neurons import drop_dead_neurons, mean_columns
from .recorders import needs_record, recorders_of
from .unit_scores import free_units, unit_scores
from .units import Units, units_of

__all__ = ["prune_neurons"]


def prune_neurons(
    model: Model,
    X,
    y,
    *,
    threshold: float | None = None,
    width: int | Mapping[int, int] | None = None,
    accuracy_floor: float | None = None,
    step: float = 0.1,
    epochs_per_step: int = 3,
    criterion="magnitude",
    keep: int | Iterable[int] = (),
    data=None,
    validation_data: tuple | None = None,
    loss: str = "auto",
    seed: int = 0,
    max_steps: int = 1000,
    callbacks: Iterable = (),
    **training,
) -> tuple[Model, list[dict]]:
    """Prunes hidden neurons and channels and trains, again and again -> the smaller model and a row a round.

    Goals, at least one of:
    threshold       until every hidden neuron's importance is at least this: the mean importance of its
                    incoming weights plus that of its outgoing ones; those that can only go together have one
    width           until each hidden layer has at most so many neurons or channels; a dict by its index
    accuracy_floor  a round after which the accuracy is below this is undone, and the last. Alone it goes on
                    as far as it can; with another goal it may stop before that is reached.

    step            share of a layer's neurons, or with threshold and accuracy_floor of all, that a round
                    removes at most; never the last neuron of a layer
    criterion, keep, data           as prune takes them; data None: (X, y, loss)
    epochs_per_step, training       epochs after each round; other options of train
    validation_data                 (X, y) for the trace's loss and accuracy; None: X, y

    What a removed neuron gave on average is folded into the next bias. Rows hold step, neurons (hidden ones
    left), widths, loss, accuracy and seconds. Interrupted (Ctrl-C), it returns the model of the last
    whole round, with a warning. model is left as it is. Raises ValueError or TypeError for bad input.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, got {type(model).__name__}")
    if threshold is None and width is None and accuracy_floor is None:
        raise ArgumentError("one of threshold, width and accuracy_floor must be given, got none")
    if threshold is not None and width is not None:
        raise ArgumentError("threshold and width exclude each other, got both")
    free = _Free(model, keep)
    goals = None if width is None else _check_width(width, free.layers, model)
    bound = None if threshold is None else check_real("threshold", threshold, minimum=-np.inf)
    floor = None if accuracy_floor is None else check_real("accuracy_floor", accuracy_floor)
    step = check_real("step", step, below=1.0, open_minimum=True)
    epochs = check_integer("epochs_per_step", epochs_per_step, minimum=0)
    seed = check_integer("seed", seed, minimum=0)
    max_steps = check_integer("max_steps", max_steps, minimum=1)
    judged = (X, y) if validation_data is None else validation_data
    _, first = evaluate(model, *judged, loss=loss)
    if floor is not None and first is None:
        raise ArgumentError("accuracy_floor needs a classification, got a loss without accuracy")
    rank = criterion if callable(criterion) else find_criterion(criterion)
    data = (X, y, loss) if data is None else data

    best, trace = model if needs_record(criterion) else model.copy(), []
    try:
        for number in range(1, max_steps + 1):
            start = time.perf_counter()
            importances = rank(best, data)
            units = units_of(best)
            groups, score = free.groups(units), unit_scores(best, units, importances)
            if goals is not None:
                gone = _to_width(units, groups, score, goals, step)
            else:
                gone = _weakest(units, groups, score, bound, step)
            if not gone.any():
                break
            current = remove_units(best, units, gone, mean_columns(best, data))
            recorders = recorders_of(criterion, current)
            if epochs:
                train(
                    current, X, y, epochs=epochs, loss=loss, seed=seed + number,
                    callbacks=[*recorders, *callbacks], **training,
                )  # fmt: skip
            value, accuracy = evaluate(current, *judged, loss=loss)
            if floor is not None and accuracy < floor:
                break
            best = current
            widths = [best.linear_layers[index].shape[0] for index in free.hidden]
            trace.append(
                {
                    "step": number, "neurons": sum(widths), "widths": widths, "loss": value,
                    "accuracy": accuracy, "seconds": time.perf_counter() - start,
                }
            )  # fmt: skip
    except KeyboardInterrupt:
        warnings.warn(f"interrupted: the model is that of round {len(trace)}", stacklevel=2)
    return drop_dead_neurons(best), trace


class _Free:
    """What keep leaves to remove.

    hidden  layers whose neurons or channels are not all outputs or inputs;  layers  those that keep leaves
    """

    def __init__(self, model: Model, keep):
        units, self._keep = units_of(model), check_keep(len(model.linear_layers), keep)
        self.hidden = [index for index, rows in enumerate(units.rows) if rows.any()]
        self.layers = [index for index in range(len(units.rows)) if index not in self._keep]
        self.groups(units)
        self.layers = [index for index in self.hidden if index not in self._keep]

    def groups(self, units: Units) -> np.ndarray:
        """That may go, in the order of their layers. ArgumentError where there are none."""
        return np.concatenate(list(free_units(units, self.layers, Amount()).values()))


def _weakest(
    units: Units, groups: np.ndarray, score: np.ndarray, threshold: float | None, step: float
) -> np.ndarray:
    """Mask (groups + 1,) of the least important share of groups, below threshold where one is given."""
    gone = np.zeros(units.count + 1, bool)
    values: list[list[int]] = [[] for _ in gone]  # of each group, by their numbers
    left = []
    for number, own in enumerate(units.together()):
        left.append(own.size)
        for group in own.tolist():
            values[group].append(number)
    most = max(1, round(step * groups.size))
    for group in groups[np.argsort(score[groups], kind="stable")].tolist():
        if most == 0 or (threshold is not None and score[group] >= threshold):
            break
        if all(left[number] > 1 for number in values[group]):
            gone[group] = True
            most -= 1
            for number in values[group]:
                left[number] -= 1
    return gone


def _to_width(
    units: Units, groups: np.ndarray, score: np.ndarray, goals: dict[int, int], step: float
) -> np.ndarray:
    """Mask (groups + 1,) of the least important groups of each layer that is wider than its goal."""
    gone = np.zeros(units.count + 1, bool)
    for index, goal in goals.items():
        rows = units.rows[index]
        own = np.intersect1d(groups, rows)
        sizes = np.bincount(rows, minlength=gone.size)[own]
        excess = np.count_nonzero(~gone[rows]) - goal
        order = np.argsort(score[own], kind="stable")
        order = order[~gone[own[order]]]
        before = np.cumsum(sizes[order]) - sizes[order]  # rows that go before each group
        order = order[(before < excess)][: max(1, round(step * own.size))]
        gone[own[order]] = True
    units.leave_one(gone, score)
    return gone


def _check_width(width, hidden: list[int], model: Model) -> dict[int, int]:
    """The widest that each hidden layer may stay, by index."""
    if not isinstance(width, Mapping):
        return dict.fromkeys(hidden, check_integer("width", width, minimum=1))
    goals = {}
    for index, value in width.items():
        position = check_index("width", index, len(model.linear_layers))
        if position not in hidden:
            raise ArgumentError(f"width must name hidden layers that keep does not, got {index}")
        goals[position] = check_integer(f"width[{index}]", value, minimum=1)
    return goals
