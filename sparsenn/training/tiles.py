"""How activations lie in memory during a training step: tiles of samples, in arrays that are used again.

An array of tiles is (tiles, features + scratch, samples) float32, the layout of the sparse kernels, so that
nothing is copied between layers. A network without sparse layers has one tile of the whole batch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from .. import _core


@dataclass(frozen=True)
class Layout:
    """samples a tile (0: the whole batch), scratch rows behind the features, threads and kernel set."""

    samples: int
    scratch: int
    threads: int
    isa: bytes

    def shape(self, batch: int) -> tuple[int, int]:
        """(tiles, samples) for a batch."""
        return (1, batch) if self.samples == 0 else (-(-batch // self.samples), self.samples)

    def load(self, rows: np.ndarray, tiles: np.ndarray) -> np.ndarray:
        """rows (batch, features) -> tiles, which are filled."""
        if self.samples:
            _core.tiles_load(rows, tiles, self.threads, self.isa)
        else:
            tiles[0, : rows.shape[1]] = rows.T
        return tiles

    def put(self, columns: np.ndarray, tiles: np.ndarray) -> np.ndarray:
        """columns (features, batch) -> tiles, with zeros for the samples that fill up the last one."""
        features, (count, _, samples) = len(columns), tiles.shape
        for index in range(count):
            part = columns[:, index * samples : (index + 1) * samples]
            tiles[index, :features, : part.shape[1]] = part
            tiles[index, :features, part.shape[1] :] = 0
        return tiles

    def add(self, features: int, a: np.ndarray, b: np.ndarray, y: np.ndarray) -> None:
        """y = a + b, tiles of so many features; y may be a or b."""
        if self.samples:
            _core.tiles_add(features, a, b, y, threads=self.threads, isa=self.isa)
        else:
            np.add(a[:, :features], b[:, :features], out=y[:, :features])

    def take_out(self, tiles: np.ndarray, features: int, batch: int) -> np.ndarray:
        """tiles -> (features, batch)."""
        return tiles[:, :features].transpose(1, 0, 2).reshape(features, -1)[:, :batch]


def choose_isa(batch: int | None) -> bytes:
    """The kernel set to train with: the best one, or one of narrower tiles that such a batch fills better.

    batch None: any. Tiles are filled up with samples that cost as much as others.
    """
    cpu = _core.cpu_info()
    best = cpu["isa"].encode()
    if batch is None or os.environ.get("SPARSENN_ISA"):
        return best
    others = [name.encode() for name in cpu["isas_usable"] if name not in ("scalar", cpu["isa"])]
    filled = {isa: -(-batch // size) * size for isa in (best, *others) for size in [_core.tile_samples(isa)]}
    narrow = min(others, key=filled.__getitem__, default=best)
    return narrow if filled[best] > 1.5 * filled[narrow] else best


class Buffer:
    """An array of tiles that grows with the batch and is then used again."""

    def __init__(self, features: int, layout: Layout):
        self._rows = features + layout.scratch
        self._array = np.zeros((0, self._rows, 0), np.float32)

    def take(self, tiles: int, samples: int) -> np.ndarray:
        """(tiles, features + scratch, samples); whatever was in it."""
        if len(self._array) < tiles or self._array.shape[2] != samples:
            self._array = np.zeros((tiles, self._rows, samples), np.float32)
        return self._array[:tiles]
