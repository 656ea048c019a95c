"""Pairs of a sparse layer and the dense one of the same weight, zeros filled in: what one does, both do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402

from sparsenn.torch import SparseConv2d, SparseLinear  # noqa: E402

EPS = float(torch.finfo(torch.float32).eps)


def pair(
    inputs: int, outputs: int, *, bias: bool = True, sparsity: float = 0.7
) -> tuple[SparseLinear, nn.Linear]:
    sparse = SparseLinear.from_dense(nn.Linear(inputs, outputs, bias=bias), sparsity=sparsity, threads=1)
    dense = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        dense.weight.copy_(torch.from_numpy(sparse.to_csr().toarray()))
        if bias:
            dense.bias.copy_(sparse.bias)
    return sparse, dense


def conv_pair(
    channels: int = 3, outputs: int = 7, kernel_size=2, *, bias: bool = True, sparsity: float = 0.7, **options
) -> tuple[SparseConv2d, nn.Conv2d]:
    conv = nn.Conv2d(channels, outputs, kernel_size, bias=bias, **options)
    sparse = SparseConv2d.from_dense(conv, sparsity=sparsity, threads=1)
    dense = nn.Conv2d(channels, outputs, kernel_size, bias=bias, **options)
    with torch.no_grad():
        dense.weight.copy_(torch.from_numpy(sparse.to_csr().toarray()).view_as(dense.weight))
        if bias:
            dense.bias.copy_(sparse.bias)
    return sparse, dense


@dataclass(frozen=True)
class Kind:
    """A sparse layer of 12 weights for each of 7 outputs and its dense one; x: an input of a batch."""

    pair: Callable[..., tuple[nn.Module, nn.Module]]
    x: Callable[[int], torch.Tensor]


KINDS = {
    "linear": Kind(lambda **options: pair(12, 7, **options), lambda batch: torch.randn(batch, 12)),
    "conv": Kind(conv_pair, lambda batch: torch.randn(batch, 3, 4, 5)),
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def at_pattern(sparse: nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """What a weight (..., out, in), or that of a convolution, holds where sparse stores one, (..., nnz)."""
    if isinstance(sparse, SparseConv2d):
        weight = weight.flatten(-3)
    rows = torch.repeat_interleave(torch.arange(len(sparse.indptr) - 1), sparse.indptr.diff())
    return weight[..., rows, sparse.indices.long()]


def gradients(layer: nn.Module, sparse: nn.Module) -> list[torch.Tensor]:
    """The gradients of the stored weights and of the bias."""
    own = isinstance(layer, (SparseLinear, SparseConv2d))
    weight = layer.data.grad if own else at_pattern(sparse, layer.weight.grad)
    return [weight] if layer.bias is None else [weight, layer.bias.grad]


@pytest.fixture
def same_weights_every_time():
    """Also one thread for torch: its own and the kernels' would wait for each other."""
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
