"""Removing hidden neurons round by round, with training in between, until a goal is reached."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from ..checks import check_integer, check_real
from ..errors import ArgumentError
from ..model import Model, require_chain
from ..training.train import train
from .amount import check_index, check_keep
from .criteria import find_criterion
from .evaluation import evaluate
from .neurons import drop_dead_neurons, mean_outputs, remove_neurons
from .readers import neurons_of
from .recorder import RecordRange
from .structures.neuron import neuron_scores

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
    """Prunes hidden neurons and trains, again and again -> the smaller model and a row a round.

    Goals, at least one of:
    threshold       until every hidden neuron's importance is at least this: the mean importance of its
                    incoming weights plus that of its outgoing ones
    width           until each hidden layer has at most so many neurons; a dict by the layer's index
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
    require_chain(model, "prune_neurons")
    if threshold is None and width is None and accuracy_floor is None:
        raise ArgumentError("one of threshold, width and accuracy_floor must be given, got none")
    if threshold is not None and width is not None:
        raise ArgumentError("threshold and width exclude each other, got both")
    hidden = _hidden_layers(model, keep)
    goals = None if width is None else _check_width(width, hidden, model)
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

    best, trace = model.copy() if criterion != "change" else model, []
    try:
        for number in range(1, max_steps + 1):
            start = time.perf_counter()
            importances = rank(best, data)
            scores = dict(zip(hidden, neuron_scores(best, importances, hidden), strict=True))
            removed = _to_width(scores, goals, step) if goals is not None else _weakest(scores, bound, step)
            if not removed:
                break
            current = remove_neurons(best, removed, mean_outputs(best, data))
            recorders = [RecordRange(current)] if criterion == "change" else []
            if epochs:
                train(
                    current, X, y, epochs=epochs, loss=loss, seed=seed + number,
                    callbacks=[*recorders, *callbacks], **training,
                )  # fmt: skip
            value, accuracy = evaluate(current, *judged, loss=loss)
            if floor is not None and accuracy < floor:
                break
            best = current
            widths = [layer.shape[0] for layer in best.linear_layers[:-1]]
            trace.append(
                {
                    "step": number, "neurons": sum(widths), "widths": widths, "loss": value,
                    "accuracy": accuracy, "seconds": time.perf_counter() - start,
                }
            )  # fmt: skip
    except KeyboardInterrupt:
        warnings.warn(f"interrupted: the model is that of round {len(trace)}", stacklevel=2)
    return drop_dead_neurons(best), trace


def _weakest(scores: dict, threshold: float | None, step: float) -> dict[int, np.ndarray]:
    """Masks of the least important share of all neurons, of those below threshold where one is given."""
    order = sorted((score, index, place) for index, row in scores.items() for place, score in enumerate(row))
    spare = {index: len(row) - 1 for index, row in scores.items()}
    removed = {index: np.zeros(len(row), bool) for index, row in scores.items()}
    most = max(1, round(step * len(order)))
    for score, index, place in order:
        if most == 0 or (threshold is not None and score >= threshold):
            break
        if spare[index]:
            removed[index][place] = True
            spare[index] -= 1
            most -= 1
    return {index: mask for index, mask in removed.items() if mask.any()}


def _to_width(scores: dict, goals: dict[int, int], step: float) -> dict[int, np.ndarray]:
    """Masks of the least important neurons of each layer that is wider than its goal."""
    removed = {}
    for index, row in scores.items():
        count = min(max(1, round(step * len(row))), len(row) - goals.get(index, len(row)))
        if count > 0:
            removed[index] = np.zeros(len(row), bool)
            removed[index][np.argsort(row, kind="stable")[:count]] = True
    return removed


def _hidden_layers(model: Model, keep) -> list[int]:
    count = len(model.linear_layers)
    protected = check_keep(count, keep) | {count - 1}
    hidden = [index for index in range(count) if index not in protected]
    if not hidden:
        raise ArgumentError("model must have a hidden layer that keep does not name, got none")
    for index, neurons in enumerate(neurons_of(model)):
        if index in hidden and neurons.obstacle is not None:
            raise ArgumentError(
                f"neurons {neurons.obstacle} cannot be removed: use keep={index} for that layer"
            )
    return hidden


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
