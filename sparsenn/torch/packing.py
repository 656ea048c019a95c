"""The kernels of a pattern, packed again where the pattern is no longer the one that they were packed for."""

from __future__ import annotations

import torch

from .. import _core


class Packing:
    """The packed kernels of one layer, made when they are first needed."""

    def __init__(self):
        self._made: tuple | None = None  # (what they were made of, the kernels)

    def kernels(
        self, indptr: torch.Tensor, indices: torch.Tensor, shape: tuple[int, int], threads: int
    ) -> _core.Sparse:
        """indptr (out + 1,) int64, indices (nnz,) int32, shape (out, in). CSRError for no pattern."""
        source = (_state(indptr), _state(indices), shape, threads)
        made = self._made
        if made is None or made[0] != source:
            arrays = (part.detach().contiguous().numpy() for part in (indptr, indices))
            made = (source, _core.Sparse(*arrays, shape, threads=threads), indptr, indices)
            self._made = made  # it holds both buffers, so that no other takes their addresses
        return made[1]


def _state(buffer: torch.Tensor) -> tuple:
    """What changes where buffer is replaced or written to; inference tensors do not count their writes."""
    version = buffer.numpy().tobytes() if buffer.is_inference() else buffer._version
    return id(buffer), buffer.data_ptr(), len(buffer), version
