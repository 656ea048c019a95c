"""Times the dense and all sparse networks, interleaved, each checked against float64 first."""

from collections.abc import Callable

import numpy as np

from ..bench.baselines import LIBRARY
from ..bench.runner import Workers
from ..bench.timing import Times
from .networks import Network
from .pipeline import Stage

BATCHES = (1, 16, 64, 256)


def measure(
    network: Network,
    stages: list[Stage],
    images: np.ndarray,
    *,
    threads: int,
    rounds: int,
    on_batch: Callable[[int], None] = lambda batch: None,
) -> dict[int, dict[str, Times]]:
    """-> by batch the times of "plan " + each stage's name, and of the dense network with each peer.

    images  (n, ...) float32 as the network reads them, repeated or cut to the batch
    RuntimeError when a runner fails or computes something else than float64 numpy.
    """
    models = {f"plan {stage.name}": stage.model for stage in stages}
    runners = dict.fromkeys(models, LIBRARY)
    for name, runner in network.peers().items():
        models[f"{name} dense"], runners[f"{name} dense"] = stages[0].model, runner
    results = {}
    with Workers(runners, threads) as workers:
        for batch in BATCHES:
            x = np.resize(images, (batch, *network.shape))
            made = {id(model): network.job(model, x) for model in models.values()}
            jobs = {label: made[id(model)] for label, model in models.items()}
            times, failures = workers.measure(jobs, rounds=rounds, keep=tuple(jobs))
            problems = {**workers.missing, **failures}
            if problems:
                raise RuntimeError("; ".join(f"{label}: {reason}" for label, reason in problems.items()))
            results[batch] = times
            on_batch(batch)
    return results
