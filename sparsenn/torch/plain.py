"""A sparse layer in torch's own operations, on a dense weight that is made of the stored values.

The kernels see values alone. Where more is wanted (a graph, a derivative of a derivative, a tangent, a batch
of vmap, a shape without values), the layer goes this way: it costs what a dense layer costs.
"""

from __future__ import annotations

import torch
from torch.autograd import forward_ad


def must_be_plain(*tensors: torch.Tensor | None) -> bool:
    """Whether operations on these tensors are recorded or transformed, or the tensors have no values."""
    if torch.jit.is_tracing() or is_exporting() or torch._C._len_torch_dispatch_stack():
        return True
    return forward_ad._current_level >= 0 or not all(_has_values(x) for x in tensors if x is not None)


def dense_weight(
    data: torch.Tensor, indices: torch.Tensor, indptr: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    """The weight (out, in), zeros filled in; differentiable in data (nnz,)."""
    rows, columns = shape
    places = _places(indices, indptr, columns)
    return data.new_zeros(rows * columns).scatter(0, places, data).view(rows, columns)


def at_pattern(
    weight: torch.Tensor, indices: torch.Tensor, indptr: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    """What a dense weight holds where weights are stored, (nnz,)."""
    return weight.reshape(-1).gather(0, _places(indices, indptr, shape[1]))


def bias_gradient(gradient: torch.Tensor, axis: int) -> torch.Tensor:
    """gradient summed over all of its dimensions but axis, in which the outputs are."""
    return gradient.movedim(axis, -1).reshape(-1, gradient.shape[axis]).sum(0)


def _places(indices: torch.Tensor, indptr: torch.Tensor, columns: int) -> torch.Tensor:
    """Where the dense weight holds each stored one, (nnz,) int64; no shape on the way depends on values."""
    begun = torch.zeros(indices.shape[0] + 1, dtype=torch.int64, device=indices.device)
    begun = begun.scatter_add(0, indptr[1:-1], torch.ones_like(indptr[1:-1]))
    return begun.cumsum(0)[:-1] * columns + indices.long()


def _has_values(x: torch.Tensor) -> bool:
    """Whether x is a tensor of values in memory, not of a class of its own or within a transform."""
    plain = type(x) in (torch.Tensor, torch.nn.Parameter) and not x.is_meta
    functorch = torch._C._functorch
    return plain and not (functorch.is_functorch_wrapped_tensor(x) or functorch.is_legacy_batchedtensor(x))


def is_exporting() -> bool:
    """Whether torch.export reads the layer."""
    return getattr(torch.compiler, "is_exporting", lambda: False)()  # from torch 2.6 on
