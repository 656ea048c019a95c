"""Choosing a sparsity by measurement: cross-validated score and compiled latency of each candidate.

folds, in parallel: train dense  ->  folds x candidates, in parallel: prune, fine-tune, score
->  compile one model a candidate and time them in turn, here  ->  choose  ->  train the choice on all data
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ..checks import check_flag, check_integer, check_real
from ..errors import ArgumentError
from ..model import Model
from ..prune.amount import check_sparsity
from ..prune.evaluation import score
from ..prune.forward import check_data
from ..prune.iterative import prune_iteratively
from ..prune.recorders import record_of, recorders_of
from ..require import require
from ..training.train import train
from .cross_validation import make_folds
from .latency import measure_latency
from .selection import Candidate, SparsitySelection, choose, reason_for


def select_sparsity(
    make_model: Callable[[], Model],
    X,
    y,
    *,
    candidates: Iterable[float] = (0.5, 0.8, 0.9, 0.95, 0.98),
    cv=5,
    max_drop: float = 0.005,
    max_latency_us: float | None = None,
    batch_size: int = 1,
    threads: int | None = None,
    fit: dict | None = None,
    prune: dict | None = None,
    loss: str = "auto",
    n_jobs: int | None = None,
    refit: bool = True,
    seed: int = 0,
) -> SparsitySelection:
    """The sparsest candidate whose score holds and whose compiled plan is fast enough, by measurement.

    make_model      a function that gives a new, untrained model; picklable for parallel runs
    X, y            as train takes them
    candidates      sparsities to try
    cv              number of folds, or pairs of index arrays (training, test)
    max_drop        how far the mean score may be below that of the dense network: accuracy in [0, 1], or R^2
                    for a regression
    max_latency_us  budget of one compiled call with batch_size samples, median in µs; None: none
    batch_size      samples of a timed call;  threads  of it, None for the default
    fit             options of train for the dense network: epochs, batch_size, learning_rate, ...
    prune           options of prune_iteratively: steps, epochs_per_step, criterion, structure, keep, ...
    n_jobs          of joblib: None takes what joblib.parallel_config says, else one process; -1 every core.
                    Every backend of joblib carries the folds and candidates. Latency is always timed in this
                    process, one model after the other.
    refit           trains on all samples and prunes to the choice. Where the result is over the latency
                    budget, the next candidate that meets both limits is tried.
    seed            of folds and training

    What something else held up while it was timed is timed again; a candidate that stays disturbed is chosen
    only if it keeps the budget even so.
    Where no candidate holds the score, the choice is the dense network (sparsity 0), if that is fast enough.
    Raises ArgumentError where nothing meets max_latency_us, or nothing both, with the figures; ValueError or
    TypeError for bad input.
    """
    if not callable(make_model):
        raise TypeError(f"make_model must be a function, got {type(make_model).__name__}")
    sparsities = sorted({check_sparsity(value, "candidates") for value in candidates} - {0.0})
    if not sparsities:
        raise ArgumentError("candidates must hold at least one sparsity above 0, got none")
    max_drop = check_real("max_drop", max_drop)
    if max_latency_us is not None:
        max_latency_us = check_real("max_latency_us", max_latency_us, open_minimum=True)
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    check_flag("refit", refit)
    seed = check_integer("seed", seed, minimum=0)
    fit, prune = dict(fit or {}), dict(prune or {})
    for reserved in ("sparsity", "loss", "seed"):
        if reserved in prune:
            raise ArgumentError(f"prune must not hold {reserved!r}, which select_sparsity sets")
    model = make_model()
    if not isinstance(model, Model):
        raise TypeError(f"make_model must return a Model, got {type(model).__name__}")
    features, targets, loss_function = check_data(model, (X, y, loss), "select_sparsity")
    features = features.only("select_sparsity")
    y = np.asarray(y)
    folds = make_folds(cv, targets, stratify=targets.ndim == 1, seed=seed)

    options = {"fit": fit, "prune": prune, "loss": loss, "seed": seed}
    scores, examples = _cross_validate(make_model, features, y, folds, sparsities, options, n_jobs)
    times = measure_latency(examples, features, batch_size=batch_size, threads=threads)
    rows = [
        Candidate(
            value, scores[value], times[value].median_us, times[value].minimum_us, times[value].disturbed
        )
        for value in [0.0, *sparsities]
    ]
    for row in rows:
        row.drop = rows[0].mean - row.mean
        row.meets_drop = row.drop <= max_drop
        row.meets_latency = max_latency_us is None or row.latency_us <= max_latency_us
    metric = "accuracy" if loss_function.has_accuracy else "R^2"
    choices = choose(rows, max_drop, max_latency_us, metric)
    selection = SparsitySelection(
        sparsity=choices[0].sparsity, reason=reason_for(choices[0], rows, max_drop, max_latency_us, metric),
        dense=rows[0], candidates=rows[1:], metric=metric, batch_size=batch_size,
        max_drop=max_drop, max_latency_us=max_latency_us,
    )  # fmt: skip
    return _refit(selection, choices, make_model, features, y, options, threads) if refit else selection


def _cross_validate(make_model, X, y, folds, sparsities, options, n_jobs) -> tuple[dict, dict]:
    """-> scores of each fold by sparsity (0: dense), and one model each, from the first fold, to be timed."""
    joblib = require("joblib", extra="search", caller="select_sparsity")
    Parallel, delayed = joblib.Parallel, joblib.delayed

    dense = Parallel(n_jobs=n_jobs)(
        delayed(_train_dense)(make_model, X[training], y[training], X[test], y[test], options)
        for training, test in folds
    )
    jobs = [(number, value) for number in range(len(folds)) for value in sparsities]
    pruned = Parallel(n_jobs=n_jobs)(
        delayed(_prune_and_score)(
            *dense[number][1:], X[folds[number][0]], y[folds[number][0]], X[folds[number][1]],
            y[folds[number][1]], value, number == 0, options,
        )
        for number, value in jobs
    )  # fmt: skip
    scores = {0.0: [fold[0] for fold in dense], **{value: [] for value in sparsities}}
    examples = {0.0: dense[0][1]}
    for (_, value), (found, model) in zip(jobs, pruned, strict=True):
        scores[value].append(found)
        if model is not None:
            examples[value] = model
    return scores, examples


def _train_dense(make_model, X, y, X_test, y_test, options) -> tuple[float, Model, list | None]:
    """-> score, model, and what was recorded of its weights where the criterion needs that."""
    model = make_model()
    recorders = recorders_of(options["prune"].get("criterion"), model)
    fit = dict(options["fit"])
    callbacks = [*fit.pop("callbacks", ()), *recorders]
    train(model, X, y, **{"seed": options["seed"], "loss": options["loss"], **fit}, callbacks=callbacks)
    found = score(model, X_test, y_test, loss=options["loss"])
    return found, model, record_of(recorders)


def _prune_and_score(
    model, record, X, y, X_test, y_test, sparsity, wanted, options
) -> tuple[float, Model | None]:
    """-> score, and the model where it is wanted."""
    # A model that comes from another process has lost its record.
    recorders_of(options["prune"].get("criterion"), model, record)
    pruned, _ = prune_iteratively(
        model, X, y, sparsity=sparsity, loss=options["loss"], seed=options["seed"], **options["prune"]
    )
    return score(pruned, X_test, y_test, loss=options["loss"]), pruned if wanted else None


def _refit(selection, choices, make_model, X, y, options, threads) -> SparsitySelection:
    """Trains on everything; the first of the choices whose own plan keeps the budget is the one."""
    _, dense, _ = _train_dense(make_model, X, y, X[:1], y[:1], options)
    first, failed = choices[0], "too slow"
    for choice in choices:
        model = dense
        if choice.sparsity:
            model, _ = prune_iteratively(
                dense, X, y, sparsity=choice.sparsity, loss=options["loss"], seed=options["seed"],
                **options["prune"],
            )  # fmt: skip
        times = measure_latency({"model": model}, X, batch_size=selection.batch_size, threads=threads)
        timed = times["model"]
        if selection.max_latency_us is None or timed.median_us <= selection.max_latency_us:
            selection.model, selection.sparsity = model, choice.sparsity
            selection.latency_us, selection.disturbed = timed.median_us, timed.disturbed
            if choice is not first:
                selection.reason += f"; trained on all data it was {failed}, so sparsity {choice.sparsity:g}"
            return selection
        if timed.disturbed:
            failed = "too slow, or not to be timed on a busy machine"
    takes = (
        "could not be timed, the machine was busy" if timed.disturbed else f"takes {timed.median_us:.1f} us"
    )
    raise ArgumentError(
        f"max_latency_us is met by no candidate once trained on all data: got {selection.max_latency_us:g}, "
        f"and sparsity {choice.sparsity:g} {takes}"
    )
