"""Pruning step by step, with fine-tuning in between on the sparse kernels."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from ..checks import check_flag, check_integer
from ..errors import ArgumentError
from ..model import Model
from ..progress import bar
from ..training.train import train
from . import prune
from .amount import check_amount, check_keep
from .csr import stored_positions, stored_values, weight_count
from .distillation import distilled
from .evaluation import evaluate
from .forward import check_data
from .movement import has_movement
from .neurons import drop_dead_neurons
from .recorders import recorders_of
from .schedules import find_schedule
from .structures import find_structure
from .unit_scores import free_units
from .units import units_of

__all__ = ["prune_iteratively"]


def prune_iteratively(
    model: Model,
    X,
    y,
    *,
    sparsity: float | Mapping[int, float] | None = None,
    steps: int = 5,
    schedule: str = "cubic",
    epochs_per_step: int = 3,
    criterion="magnitude",
    scope: str = "global",
    normalize: str | None = None,
    structure: str = "weight",
    block: tuple[int, int] = (16, 1),
    nm: tuple[int, int] = (2, 4),
    keep: int | Iterable[int] = (),
    data=None,
    rewind: Model | None = None,
    distill: bool | Model = False,
    distill_weight: float = 0.5,
    distill_temperature: float = 2.0,
    drop_dead: bool = True,
    validation_data: tuple | None = None,
    loss: str = "auto",
    seed: int = 0,
    progress: bool = False,
    callbacks: Iterable = (),
    **training,
) -> tuple[Model, list[dict]]:
    """Prunes and fine-tunes in steps -> the pruned model and a row a step; model is left as it is.

    X, y                as train takes them
    sparsity, criterion, scope, normalize, structure, block, nm, keep   as prune takes them
    steps, schedule     a name from schedules(): "cubic" (Zhu and Gupta 2017), "linear", "exponential" or
                        "one-shot", from the model's present sparsity to the one asked for
    epochs_per_step     of fine-tuning after each step; with the criterion movement, of which there is no
                        record yet, also before the first one
    data                for the criterion; None: (X, y, loss)
    rewind              a model of the same shape, for example the dense one before its training: after each
                        step what is left starts again from that model's values (the lottery ticket of
                        Frankle and Carbin 2019)
    distill             True: fine-tuning also learns from the outputs of model itself, or of the model given
    distill_weight, distill_temperature   share of the teacher in the loss and what softens its outputs
                        (Hinton et al. 2015)
    drop_dead           hidden neurons that are left without inputs or outputs go at the end, so layers may
                        come out smaller than they were; the outputs stay the same
    validation_data     (X, y) on which the trace's loss and accuracy are measured, given to train as well;
                        None: X, y
    training            other options of train: batch_size, optimizer, learning_rate, l2, threads, ...

    Each row of the trace holds step (from 1), sparsity (of the layers being pruned, before dead neurons go;
    with the structure "neuron" the share of hidden neurons that went), loss, accuracy (None for a
    regression), nnz, and seconds. Interrupted (Ctrl-C), it returns the model of the last whole step, or a
    copy of model before the first, with a warning. Raises ValueError or TypeError for bad input.
    """
    _check_model("model", model)
    steps = check_integer("steps", steps, minimum=1)
    epochs = check_integer("epochs_per_step", epochs_per_step, minimum=0)
    seed = check_integer("seed", seed, minimum=0)
    check_flag("drop_dead", drop_dead), check_flag("progress", progress)
    if "epochs" in training:
        raise TypeError("epochs must be given as epochs_per_step")
    features, targets, loss_function = check_data(model, (X, y, loss), "prune_iteratively")
    judged = (X, y) if validation_data is None else validation_data
    if validation_data is not None:
        training["validation_data"] = validation_data
    evaluate(model, *judged, loss=loss)
    plan = _Steps(model, sparsity, steps=steps, schedule=schedule, structure=structure, keep=keep)
    if rewind is not None:
        _check_rewind(rewind, model, structure)
    teacher = model if distill is True else distill or None
    if teacher is not None:
        _check_model("distill", teacher)

    options = {
        "criterion": criterion, "scope": scope, "normalize": normalize, "structure": structure,
        "block": block, "nm": nm, "keep": keep, "data": (X, y, loss) if data is None else data,
    }  # fmt: skip
    fitted_loss, fitted_y = loss, y
    if teacher is not None:
        fitted_loss, fitted_y = distilled(
            teacher, features, targets, loss_function, weight=distill_weight, temperature=distill_temperature
        )
    best, trace = model, []
    try:
        if criterion == "movement" and epochs and not has_movement(model):
            best = model.copy()
            train(
                best, features.plain, fitted_y, epochs=epochs, loss=fitted_loss, seed=seed,
                callbacks=[*recorders_of(criterion, best), *callbacks], **training,
            )  # fmt: skip
        for step in bar(range(1, steps + 1), progress, caller="prune_iteratively", unit="step"):
            start = time.perf_counter()
            current = prune(best, sparsity=plan.amount(step, best), **options)
            if rewind is not None:
                _rewind(current, rewind)
            recorders = recorders_of(criterion, current)
            if epochs:
                train(
                    current, features.plain, fitted_y, epochs=epochs, loss=fitted_loss, seed=seed + step,
                    callbacks=[*recorders, *callbacks], **training,
                )  # fmt: skip
            value, accuracy = evaluate(current, *judged, loss=loss)
            best = current
            trace.append(
                {
                    "step": step,
                    "sparsity": plan.reached(current),
                    "loss": value,
                    "accuracy": accuracy,
                    "nnz": current.nnz,
                    "seconds": time.perf_counter() - start,
                }
            )
    except KeyboardInterrupt:
        warnings.warn(f"interrupted: the model is that of step {len(trace)} of {steps}", stacklevel=2)
    if best is model:
        return model.copy(), trace
    return drop_dead_neurons(best) if drop_dead else best, trace


class _Steps:
    """How much each step prunes, and how far a model has come."""

    def __init__(self, model: Model, sparsity, *, steps: int, schedule: str, structure: str, keep):
        form = find_structure(structure)
        self._schedule, self._steps = find_schedule(schedule), steps
        self._follows = getattr(form, "FIXES_SPARSITY", False)
        self._neurons = getattr(form, "COUNTS_NEURONS", False)
        count = len(model.linear_layers)
        amount = check_amount(
            sparsity, None, None, layers=count, follows=structure if self._follows else None
        )
        protected = check_keep(count, keep)
        self._amount, self._keep = amount, protected
        self._layers = sorted(amount.per_layer or {index for index in range(count) if index not in protected})
        self._whole = self._size(model)
        self._final = amount.per_layer if amount.per_layer is not None else amount.sparsity
        self._start = model

    def amount(self, step: int, current: Model) -> float | dict[int, float] | None:
        """The sparsity argument of prune in that step; None where the structure fixes it."""
        if self._follows:
            return None
        if isinstance(self._final, dict):
            return {index: self._at(step, current, {index}, final) for index, final in self._final.items()}
        return self._at(step, current, set(self._whole), self._final)

    def reached(self, model: Model) -> float:
        """Share of what the layers being pruned had that is gone."""
        return 1 - sum(self._left(model).values()) / sum(self._whole.values())

    def _at(self, step: int, current: Model, layers: set[int], final: float) -> float:
        layers &= set(self._whole)  # what is left goes by a layer before it
        if not layers:
            return final
        whole = sum(self._whole[index] for index in layers)
        first, present = (
            sum(left for index, left in self._left(model).items() if index in layers)
            for model in (self._start, current)
        )
        start = max(0.0, 1 - first / whole)
        wanted = final if start >= final else self._schedule(step / self._steps, start, final)
        if not self._neurons:
            return min(max(wanted, 0.0), final)
        return max(0.0, 1 - whole * (1 - wanted) / present)  # of these prune removes a share

    def _left(self, model: Model) -> dict[int, int]:
        """Weights other than zero of the layers being pruned, or groups of neurons that may go."""
        if self._neurons:
            return self._size(model)
        layers = ((index, model.linear_layers[index]) for index in self._layers)
        return {
            index: layer.nnz if layer.sparse else np.count_nonzero(layer.weight) for index, layer in layers
        }

    def _size(self, model: Model) -> dict[int, int]:
        if not self._neurons:
            return {index: weight_count(model.linear_layers[index].weight) for index in self._layers}
        free = free_units(units_of(model), self._layers, self._amount, self._keep)
        return {index: groups.size for index, groups in free.items()}


def _rewind(current: Model, first: Model) -> None:
    """Gives what is left of current the values it has in first."""
    for layer, source in zip(current.linear_layers, first.linear_layers, strict=True):
        values = stored_values(layer.weight)
        whole = source.weight.toarray() if source.sparse else source.weight
        values[...] = whole[stored_positions(layer.weight)].reshape(values.shape)
        if layer.bias is not None and source.bias is not None:
            layer.bias[...] = source.bias
    for layer, source in zip(current.array_layers, first.array_layers, strict=True):
        layer.arrays = source.copy().arrays


def _check_rewind(rewind: Model, model: Model, structure: str) -> None:
    _check_model("rewind", rewind)
    wanted = [layer.shape for layer in model.linear_layers]
    got = [layer.shape for layer in rewind.linear_layers]
    if got != wanted:
        raise ArgumentError(f"rewind must have weights of the shapes {wanted}, got {got}")
    if getattr(find_structure(structure), "COUNTS_NEURONS", False):
        raise ArgumentError(f"rewind cannot be combined with structure {structure!r}, whose layers shrink")


def _check_model(name: str, model) -> None:
    if not isinstance(model, Model):
        raise TypeError(f"{name} must be a Model, got {type(model).__name__}")
