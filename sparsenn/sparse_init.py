"""Random sparse layers, for networks that are sparse from the start. Memory is that of the stored weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

from .errors import ArgumentError

PATTERNS = ("erdos_renyi", "random")


def stored_counts(shapes: Sequence[tuple[int, int]], sparsity: float, pattern: str) -> list[int]:
    """How many weights each layer (out, in) stores, so that sparsity is met over all of them.

    random       every layer at the same sparsity
    erdos_renyi  density of a layer proportional to (in + out) / (in * out), at most 1: small layers keep more
                 (Mocanu et al. 2018, doi:10.1038/s41467-018-04316-3)
    """
    if pattern not in PATTERNS:
        raise ArgumentError(f"pattern must be one of {', '.join(PATTERNS)}, got {pattern!r}")
    sizes = np.array([rows * columns for rows, columns in shapes], np.float64)
    total = round((1 - sparsity) * sizes.sum())
    if pattern == "random":
        wanted = (1 - sparsity) * sizes
    else:
        shares = np.array([rows + columns for rows, columns in shapes], np.float64)
        full = np.zeros(len(sizes), bool)
        while True:  # layers that would be more than full are full, and the others share the rest
            left = total - sizes[full].sum()
            wanted = np.where(full, sizes, 0.0)
            if full.all():
                break
            wanted[~full] = left * shares[~full] / shares[~full].sum()
            if not (wanted > sizes).any():
                break
            full |= wanted > sizes
    counts = np.floor(wanted).astype(np.int64)
    order = np.argsort(counts - wanted, kind="stable")  # the largest remainders are rounded up
    for index in order[: total - counts.sum()]:
        counts[index] += counts[index] < sizes[index]
    return [int(count) for count in counts]


def random_layer(
    shape: tuple[int, int], count: int, generator: np.random.Generator, *, rectified: bool
) -> scipy.sparse.csr_array:
    """(out, in) CSR float32 with count weights at places drawn uniformly.

    A neuron's weights are normal with variance gain / fan-in, its own number of stored weights: gain 2 before
    a rectifier (He et al. 2015), else 1 (Evci et al. 2022, arXiv:2010.03533).
    """
    rows, columns = shape
    keys = _sample(rows * columns, count, generator)
    indptr = np.searchsorted(keys, np.arange(rows + 1, dtype=np.int64) * columns)
    scale = np.sqrt((2.0 if rectified else 1.0) / np.maximum(np.diff(indptr), 1))
    data = generator.standard_normal(count, dtype=np.float32)
    data *= np.repeat(scale, np.diff(indptr)).astype(np.float32)
    return scipy.sparse.csr_array((data, (keys % columns).astype(np.int32), indptr), shape=shape)


def _sample(population: int, count: int, generator: np.random.Generator) -> np.ndarray:
    """count different numbers of range(population), rising; memory grows with count, not with population."""
    if 2 * count > population:
        left_out = _sample(population, population - count, generator)
        return np.delete(np.arange(population), left_out)
    keys = np.empty(0, np.int64)
    while len(keys) < count:
        drawn = generator.integers(0, population, count - len(keys) + 16)
        keys = np.union1d(keys, drawn)
    if len(keys) > count:
        keys = np.delete(keys, generator.choice(len(keys), len(keys) - count, replace=False))
    return keys
