"""The kernels of a pattern, packed again where the pattern is no longer the one that they were packed for."""

from __future__ import annotations

import torch

MOST = 8  # kernels kept of one pattern: a convolution has others for images of another size


class Packing:
    """The packed kernels of one layer, made when they are first needed."""

    def __init__(self):
        self._made: tuple | None = None  # (of what pattern, its buffers, key -> kernels)

    def product(self, indptr: torch.Tensor, indices: torch.Tensor, kind: type, *how):
        """kind(indptr (out + 1,) int64, indices (nnz,) int32, *how), made once. CSRError for no pattern."""
        source, key = (_state(indptr), _state(indices)), (kind, *how)
        made = {} if self._made is None or self._made[0] != source else self._made[2]
        if key not in made:
            arrays = (part.detach().contiguous().numpy() for part in (indptr, indices))
            kept = list(made.items())[1 - MOST :]
            made = {**dict(kept), key: kind(*arrays, *how)}
            self._made = (source, (indptr, indices), made)  # so no other buffers take the addresses of these
        return made[key]


def _state(buffer: torch.Tensor) -> tuple:
    """What changes where buffer is replaced or written to; inference tensors do not count their writes."""
    version = buffer.numpy().tobytes() if buffer.is_inference() else buffer._version
    return id(buffer), buffer.data_ptr(), len(buffer), version
