"""Pairs of a SparseLinear and the nn.Linear of the same weight, zeros filled in: what one does, both do."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402

from sparsenn.torch import SparseLinear  # noqa: E402

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


def at_pattern(sparse: SparseLinear, weight: torch.Tensor) -> torch.Tensor:
    """What weight (..., out, in) holds where sparse stores a weight, (..., nnz)."""
    rows = torch.repeat_interleave(torch.arange(sparse.out_features), sparse.indptr.diff())
    return weight[..., rows, sparse.indices.long()]


def gradients(layer: nn.Module, sparse: SparseLinear) -> list[torch.Tensor]:
    """The gradients of the stored weights and of the bias."""
    weight = layer.data.grad if isinstance(layer, SparseLinear) else at_pattern(sparse, layer.weight.grad)
    return [weight] if layer.bias is None else [weight, layer.bias.grad]


@pytest.fixture
def same_weights_every_time():
    """Also one thread for torch: its own and the kernels' would wait for each other."""
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
