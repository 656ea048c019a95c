"""Sparsity by layer that meets a latency budget with the least loss, from measured times of each layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from ..bench.timing import Times
from ..checks import check_real
from ..errors import ArgumentError
from ..graph.value import Input
from ..layers import Layer
from ..model import Model
from ..prune import prune
from ..prune.forward import dims_of_values
from .latency import measure_latency
from .sensitivity import Sensitivity, sensitivity

__all__ = ["Allocation", "allocate"]

_ATTEMPTS = 8  # plans that are compiled and timed as a whole


@dataclass
class Allocation:
    """What allocate found.

    sparsity      by the index of the Linear layer, as prune takes it; layers that stay as they are left out
    latency_us    measured median of the whole model's plan, pruned like this
    loss_added    sum over the layers of what pruning each alone adds to the loss
    options       rows of layer, sparsity, loss_added, latency_us and disturbed: what was chosen from
    disturbed     something else held up every measurement of latency_us: it is at most an upper limit
    """

    sparsity: dict[int, float]
    latency_us: float
    loss_added: float
    options: list[dict]
    disturbed: bool = False

    def to_dict(self) -> dict:
        """Plain data, fit for json.dumps; layers as text."""
        return asdict(self) | {"sparsity": {str(layer): value for layer, value in self.sparsity.items()}}


def allocate(
    model: Model,
    X,
    y,
    *,
    max_latency_us: float,
    batch_size: int = 1,
    threads: int | None = None,
    sparsities: Iterable[float] = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98),
    keep: int | Iterable[int] = (),
    loss: str = "auto",
    data=None,
    measured: Sensitivity | None = None,
    **options,
) -> Allocation:
    """Chooses a sparsity for each layer: the least loss within the budget. model is left as it is.

    Each layer at each sparsity is compiled and timed alone, and its effect on the loss taken from the
    sensitivity. Both are taken to add up; the best sum within the budget is found exactly. The whole model is
    then pruned, compiled and timed, and the budget of the sum corrected until the plan itself just keeps it.

    max_latency_us  of one call with batch_size samples, median in µs;  threads  of it
    measured        a result of sensitivity with the same arguments, so that it is not taken again
    sparsities, keep, loss, data, options   as sensitivity takes them
    ArgumentError where no combination meets the budget, with the fastest; ValueError or TypeError for bad
    input.
    """
    budget = check_real("max_latency_us", max_latency_us, open_minimum=True)
    data = (X, y, loss) if data is None else data
    if measured is None:
        measured = sensitivity(model, X, y, sparsities=sparsities, keep=keep, loss=loss, data=data, **options)
    choices = _price(model, X, measured, data, options, batch_size, threads)
    whole = likely_us(measure_latency({"dense": model}, X, batch_size=batch_size, threads=threads)["dense"])
    alone = sum(rows[0]["latency_us"] for rows in choices.values())
    scale = whole / alone  # a layer timed alone pays the cost of a call
    best, fastest, untimed = None, np.inf, False
    bound, low, high = budget, None, None  # what the sum of the layers may take; too little, too much of it
    tried: dict[tuple, Times] = {}
    for _ in range(_ATTEMPTS):
        picked = cheapest(list(choices.values()), bound / scale)
        sparsity = {row["layer"]: row["sparsity"] for row in picked if row["sparsity"] > 0}
        key = tuple(sparsity.items())
        if key not in tried:
            pruned = prune(model, sparsity=sparsity, data=data, **options) if sparsity else model
            timed = measure_latency({"pruned": pruned}, X, batch_size=batch_size, threads=threads)
            tried[key] = timed["pruned"]
        latency, disturbed = tried[key].median_us, tried[key].disturbed
        untimed = untimed or (disturbed and latency > budget)
        fastest = min(fastest, latency)
        if latency <= budget:
            added = sum(row["loss_added"] for row in picked)
            if best is None or added < best.loss_added:
                rows = [row for layer in choices.values() for row in layer]
                best = Allocation(sparsity, latency, added, rows, disturbed)
            low = bound
        else:
            high = bound
        if low is None or high is None:
            bound *= 0.95 * budget / latency if low is None else 1.05 * budget / latency
        else:
            bound = (low + high) / 2
    if best is None:
        raise ArgumentError(
            f"max_latency_us is met by no combination of sparsities: got {budget:g}, and the "
            + ("machine was too busy to time some" if untimed else f"fastest takes {fastest:.1f} us")
        )
    return best


def likely_us(times: Times) -> float:
    """The median, or of disturbed times the fastest call, which was held up least."""
    return times.minimum_us if times.disturbed else times.median_us


def cheapest(choices: list[list[dict]], budget: float) -> list[dict]:
    """One row of each list: the least sum of loss_added whose latency_us add up to at most budget.

    The fastest rows where nothing is within it. Exact: keeps every combination that no other one beats in
    both sums.
    """
    front: list[tuple[float, float, list[dict]]] = [(0.0, 0.0, [])]  # time, loss, rows
    for rows in choices:
        grown = [
            (time + row["latency_us"], added + row["loss_added"], [*picked, row])
            for time, added, picked in front
            for row in rows
        ]
        grown.sort(key=lambda entry: entry[:2])
        front = []
        for entry in grown:
            if not front or entry[1] < front[-1][1]:
                front.append(entry)
    within = [entry for entry in front if entry[0] <= budget]
    return (within[-1] if within else front[0])[2]


def _price(model, X, measured: Sensitivity, data, options, batch_size, threads) -> dict[int, list[dict]]:
    """For each Linear layer the rows to choose from: as it is, and pruned; with loss_added and latency_us."""
    rng = np.random.default_rng(0)
    rows_of: dict[int, list[dict]] = {}
    sizes = dims_of_values(model, [(None, *np.shape(X)[1:])])
    dims_of = {id(node.layer): sizes.get(node.inputs[0]) for node in reversed(model.nodes)}
    for index, layer in enumerate(model.linear_layers):
        dims = dims_of[id(layer)][1:]
        inputs = rng.standard_normal((batch_size, *dims), dtype=np.float32)
        models, rows = {"0": _alone(layer, dims)}, [{"layer": index, "sparsity": 0.0, "loss_added": 0.0}]
        for row in measured.of_layer(index):
            pruned = prune(model, sparsity={index: row["sparsity"]}, data=data, **options)
            models[str(len(rows))] = _alone(pruned.linear_layers[index], dims)
            added = max(0.0, row["loss"] - measured.loss)
            rows.append({"layer": index, "sparsity": row["sparsity"], "loss_added": added})
        times = measure_latency(models, inputs, batch_size=batch_size, threads=threads)
        for name, row in zip(models, rows, strict=True):
            row["latency_us"], row["disturbed"] = likely_us(times[name]), times[name].disturbed
        rows_of[index] = rows
    return rows_of


def _alone(layer: Layer, dims: tuple[int, ...]) -> Model:
    """A model of the layer, which is given dims."""
    x = Input(dims)
    return Model(inputs=x, outputs=layer(x))
