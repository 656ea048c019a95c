"""Times the dense and all sparse networks, interleaved, each checked against float64 first."""

from collections.abc import Callable

import numpy as np

from ..bench.baselines import LIBRARY
from ..bench.jobs import LayersJob
from ..bench.masks import layers_of
from ..bench.runner import Workers
from ..bench.timing import Times
from .pipeline import Stage

BATCHES = (1, 16, 64, 256)
BASELINES = ("numpy dense", "plan dense")  # what the speed-up is counted against: the faster of the two


def measure(
    stages: list[Stage],
    images: np.ndarray,
    *,
    threads: int,
    rounds: int,
    on_batch: Callable[[int], None] = lambda batch: None,
) -> dict[int, dict[str, Times]]:
    """-> by batch the times of "numpy dense" and of "plan " + each stage's name.

    images  (n, inputs) float32, repeated or cut to the batch
    RuntimeError when a runner fails or computes something else than float64 numpy.
    """
    layers = {f"plan {stage.name}": layers_of(stage.model) for stage in stages}
    layers["numpy dense"] = layers["plan dense"]
    runners = {label: LIBRARY if label.startswith("plan ") else "numpy" for label in layers}
    results = {}
    with Workers(runners, threads) as workers:
        for batch in BATCHES:
            x = np.resize(images, (batch, images.shape[1]))
            made = {id(of_label): LayersJob(of_label, x) for of_label in layers.values()}
            jobs = {label: made[id(of_label)] for label, of_label in layers.items()}
            times, failures = workers.measure(jobs, rounds=rounds, keep=tuple(jobs))
            problems = {**workers.missing, **failures}
            if problems:
                raise RuntimeError("; ".join(f"{label}: {reason}" for label, reason in problems.items()))
            results[batch] = times
            on_batch(batch)
    return results
