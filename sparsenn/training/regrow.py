"""Changing a sparse pattern while it is trained: the smallest weights go, the steepest missing ones come."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from ..checks import check_integer, check_real
from .samples import Samples
from .steps import OperatorStep

_BLOCK = 2**20  # elements of a dense gradient that exist at a time


@dataclass(frozen=True)
class Regrow:
    """When train regrows, and how much.

    fraction  of each sparse layer's weights that are replaced, falling to 0 along half a cosine
    every     epochs between two regrowths
    until     epoch of the last one; None: three quarters of the run
    samples   training samples whose gradient decides what grows
    """

    fraction: float = 0.3
    every: int = 1
    until: int | None = None
    samples: int = 1024

    def __post_init__(self):
        check_real("fraction", self.fraction, below=1.0)
        check_integer("every", self.every, minimum=1)
        check_integer("samples", self.samples, minimum=1)
        if self.until is not None:
            check_integer("until", self.until, minimum=1)

    def fraction_at(self, epoch: int, epochs: int) -> float:
        """The fraction after so many epochs of a run of epochs; 0: no regrowth then."""
        until = self.until or max(1, (3 * epochs) // 4)
        if epoch % self.every or epoch >= until:
            return 0.0
        return self.fraction * 0.5 * (1 + math.cos(math.pi * epoch / until))


def regrow(trainer, X, y, *, fraction: float = 0.3, sample_weight=None) -> int:
    """Replaces the smallest weights of every sparse layer of trainer.model by as many new ones.

    The fraction of stored weights with the smallest magnitude is removed, and as many missing ones with the
    largest gradient of the loss on X, y are stored, zero with zero optimizer state: nnz stays.
    sample_weight (n,) or None is as train takes it.
    A layer's dense gradient exists in blocks of rows only. Returns how many weights were replaced.
    Source: RigL, Evci et al. 2020, arXiv:1911.11134
    """
    fraction = check_real("fraction", fraction, below=1.0)
    return regrow_prepared(trainer, trainer.prepare(X, y, ("X", "y"), sample_weight), fraction)


def regrow_prepared(trainer, samples: Samples, fraction: float) -> int:
    """The same with samples that the trainer has prepared."""
    trainer.refresh()
    trainer.accumulate(samples)
    states = {p.name: p.state for p in trainer.network.parameters}
    replaced = 0
    for step in trainer.network.linear_steps:
        if not (isinstance(step, OperatorStep) and step.layer.sparse):
            continue
        weight, name = step.layer.weight, step.weight_parameter.name
        rows, columns = weight.shape
        count = min(int(fraction * weight.nnz), rows * columns - weight.nnz)
        if count == 0:
            continue
        old = _keys(weight)
        smallest = np.argpartition(np.abs(weight.data), count - 1)[:count]
        keep = np.ones(weight.nnz, bool)
        keep[smallest] = False
        new = np.concatenate([old[keep], _steepest(step, old, count)])
        order = np.argsort(new, kind="stable")
        keys, zeros = new[order], np.zeros(count, np.float32)
        data = np.concatenate([weight.data[keep], zeros])[order]
        indptr = np.searchsorted(keys, np.arange(rows + 1, dtype=np.int64) * columns)
        step.layer.weight = scipy.sparse.csr_array((data, keys % columns, indptr), shape=weight.shape)
        states[name] = {
            slot: np.concatenate([array[keep], zeros])[order] for slot, array in states[name].items()
        }
        replaced += count
    if replaced:
        trainer.rebuild(states)
    return replaced


def _keys(weight) -> np.ndarray:
    """row * columns + column of each stored weight, rising."""
    rows = np.repeat(np.arange(weight.shape[0], dtype=np.int64), np.diff(weight.indptr))
    return rows * weight.shape[1] + weight.indices


def _steepest(step: OperatorStep, stored: np.ndarray, count: int) -> np.ndarray:
    """The keys of the count missing weights with the largest |gradient|, ties to the lower key."""
    rows, columns = step.layer.shape
    best_keys, best_sizes = np.empty(0, np.int64), np.empty(0, np.float32)
    block = max(1, _BLOCK // columns)
    for first in range(0, rows, block):
        last = min(rows, first + block)
        flat = np.abs(step.dense_gradient(first, last)).reshape(-1)
        low, high = np.searchsorted(stored, [first * columns, last * columns])
        flat[stored[low:high] - first * columns] = -1
        chosen = np.argpartition(-flat, min(count, flat.size) - 1)[:count]
        chosen = chosen[flat[chosen] >= 0]
        best_keys = np.concatenate([best_keys, chosen + first * columns])
        best_sizes = np.concatenate([best_sizes, flat[chosen]])
        top = np.lexsort((best_keys, -best_sizes))[:count]
        best_keys, best_sizes = best_keys[top], best_sizes[top]
    return best_keys
