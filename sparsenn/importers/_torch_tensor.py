"""Tensors to arrays."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch


def to_array(tensor: torch.Tensor):
    """An ndarray, or a csr_array for a sparse tensor; float32, or float64 where the tensor is that."""
    tensor = tensor.detach()
    if tensor.layout != torch.strided:
        csr = (tensor if tensor.layout == torch.sparse_csr else tensor.to_sparse_csr()).cpu()
        parts = (csr.values(), csr.col_indices(), csr.crow_indices())
        return scipy.sparse.csr_array(tuple(to_array(part) for part in parts), shape=tuple(csr.shape))
    tensor = tensor.cpu()
    if tensor.dtype.is_floating_point and tensor.dtype != torch.float64:
        tensor = tensor.float()
    return np.array(tensor.numpy())
