"""Tensors to arrays."""

from __future__ import annotations

import numpy as np
import scipy
import torch

from ..errors import ArgumentError, UnsupportedError

COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)


def to_array(tensor: torch.Tensor, name: str = "tensor"):
    """An ndarray, or a csr_array for a sparse tensor; float32, or float64 where the tensor is that.

    UnsupportedError, with the name, for a tensor whose values are not there (meta device), are more than real
    numbers (complex), or mean something else than they say (quantised, of a class of its own); and for one
    that is sparse, but no matrix.
    """
    tensor = tensor.detach()
    _check_kind(tensor, name)
    if tensor.layout != torch.strided:
        return _to_csr(tensor, name)
    tensor = tensor.cpu().resolve_neg()
    if tensor.dtype.is_floating_point and tensor.dtype != torch.float64:
        tensor = tensor.float()
    return np.array(tensor.numpy())


def _check_kind(tensor: torch.Tensor, name: str) -> None:
    if type(tensor) is not torch.Tensor:
        kind = f"{type(tensor).__module__}.{type(tensor).__qualname__}"
        raise UnsupportedError(f"{name} must be a plain tensor, got a {kind}")
    if tensor.is_meta:
        raise UnsupportedError(f"{name} must have values, got a tensor on the meta device")
    if tensor.is_quantized or tensor.is_complex():
        raise UnsupportedError(f"{name} must hold real numbers, got {tensor.dtype}")


def _to_csr(tensor: torch.Tensor, name: str) -> scipy.sparse.csr_array:
    if tensor.dim() != 2:
        raise UnsupportedError(
            f"{name} must be dense, or a matrix where it is sparse, got {tensor.layout} of shape "
            f"{tuple(tensor.shape)}: to_dense() makes it dense"
        )
    try:
        _check_indices(tensor)
        if tensor.layout in (torch.sparse_bsr, torch.sparse_bsc):
            tensor = tensor.to_sparse_coo()
        csr = (tensor if tensor.layout == torch.sparse_csr else tensor.to_sparse_csr()).cpu()
    except RuntimeError as error:
        raise ArgumentError(f"{name} must be a valid {tensor.layout} matrix: {error}") from None
    parts = (csr.values(), csr.col_indices(), csr.crow_indices())
    return scipy.sparse.csr_array(tuple(to_array(part, name) for part in parts), shape=tuple(csr.shape))


def _check_indices(tensor: torch.Tensor) -> None:
    """RuntimeError where an index points out of the matrix: torch does not look before it converts."""
    if tensor.layout in COMPRESSED:
        rows = tensor.layout in (torch.sparse_csr, torch.sparse_bsr)
        indices = (
            (tensor.crow_indices(), tensor.col_indices())
            if rows
            else (tensor.ccol_indices(), tensor.row_indices())
        )
        torch._validate_sparse_compressed_tensor_args(*indices, tensor.values(), tensor.shape, tensor.layout)
    elif tensor.layout == torch.sparse_coo:
        torch._validate_sparse_coo_tensor_args(tensor._indices(), tensor._values(), tensor.shape)
