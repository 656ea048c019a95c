"""PyTorch: a linear layer that runs, forward and backward, on this library's sparse kernels.

from sparsenn.torch import SparseLinear, sparsify
layer = SparseLinear.from_dense(nn.Linear(2048, 2048), sparsity=0.95)
module = sparsify(module, sparsity=0.95)     # every nn.Linear that gets faster by it
"""

from __future__ import annotations

import copy
import math
import time

import numpy as np
import scipy.sparse

from . import _core
from .checks import check_integer, check_real
from .errors import ArgumentError, CSRError
from .importers._require import require
from .ops import check_threads

require("torch", extra="torch", caller="sparsenn.torch")

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.autograd.function import once_differentiable  # noqa: E402

__all__ = ["SparseLinear", "sparsify"]


class SparseLinear(nn.Module):
    """y = W x + b with W (out, in) in CSR; forward and gradients cost what the stored weights cost.

    data     (nnz,) float32 parameter: the stored weights; gradients are (nnz,) as well
    indices  (nnz,) int32 buffer, indptr (out + 1,) int64 buffer: the pattern, which is fixed
    bias     (out,) float32 parameter, or None

    x is (..., in) float32 on the CPU. A state_dict holds all four; loading one may bring another pattern.
    Made from a scipy matrix, or by from_dense. There is no second derivative.
    """

    def __init__(self, weight, bias=None, *, threads: int | None = None):
        """weight: (out, in) scipy sparse matrix; bias: (out,) array or None. Both are copied.

        CSRError when weight is no valid CSR matrix.
        """
        from .weights import as_bias, as_csr

        super().__init__()
        if not scipy.sparse.issparse(weight):
            raise TypeError(f"weight must be a scipy sparse matrix, got {type(weight).__name__}")
        csr = as_csr(weight, "weight")
        self.out_features, self.in_features = csr.shape
        self.threads = check_threads(threads)
        self.data = nn.Parameter(torch.from_numpy(csr.data))
        self.register_buffer("indices", torch.from_numpy(csr.indices.astype(np.int32)))
        self.register_buffer("indptr", torch.from_numpy(csr.indptr.astype(np.int64)))
        values = None if bias is None else torch.from_numpy(as_bias(bias, outputs=self.out_features))
        self.register_parameter("bias", None if values is None else nn.Parameter(values))
        self._kernels = None

    @classmethod
    def from_dense(
        cls, linear: nn.Linear, *, sparsity: float | None = None, threads: int | None = None
    ) -> SparseLinear:
        """A SparseLinear with a copy of the weights of linear.

        sparsity  None keeps the weights that are not zero; a number in [0, 1) keeps the largest in
                  magnitude, to within one weight (Han et al. 2015, arXiv:1506.02626)
        """
        from .importers._torch_hooks import current_parameter
        from .importers._torch_tensor import to_array

        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear must be a torch.nn.Linear, got {type(linear).__name__}")
        weight = to_array(current_parameter(linear, "weight"))
        weight = weight.toarray() if scipy.sparse.issparse(weight) else weight
        if sparsity is not None:
            weight = _keep_largest(weight, check_real("sparsity", sparsity, below=1.0))
        bias = current_parameter(linear, "bias")
        layer = cls(scipy.sparse.csr_array(weight), None if bias is None else to_array(bias), threads=threads)
        return layer.train(linear.training)

    @property
    def nnz(self) -> int:
        """Stored weights."""
        return self.data.numel()

    @property
    def sparsity(self) -> float:
        """1 - nnz / (out * in)."""
        return 1.0 - self.nnz / (self.out_features * self.in_features)

    def to_csr(self) -> scipy.sparse.csr_array:
        """A copy of the weight as a csr_array (out, in) float32."""
        parts = (part.detach().cpu().numpy().copy() for part in (self.data, self.indices, self.indptr))
        return scipy.sparse.csr_array(tuple(parts), shape=(self.out_features, self.in_features))

    def to_dense(self) -> nn.Linear:
        """An nn.Linear with the same weights."""
        linear = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(self.to_csr().toarray()))
            if self.bias is not None:
                linear.bias.copy_(self.bias)
        return linear.train(self.training)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., in) float32 -> (..., out) float32."""
        if x.dtype != torch.float32 or x.device.type != "cpu":
            raise TypeError(f"x must be float32 on the CPU, got {x.dtype} on {x.device}")
        if self.data.dtype != torch.float32 or self.data.device.type != "cpu":
            raise TypeError(
                f"a SparseLinear must stay float32 on the CPU, got {self.data.dtype} on {self.data.device}"
            )
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise ArgumentError(f"x must have shape (..., {self.in_features}), got {tuple(x.shape)}")
        flat = x.reshape(-1, self.in_features)
        y = _Product.apply(flat, self.data, self.bias, self._operator())
        return y.reshape(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, sparsity={self.sparsity:.4f}"
        )

    def __getstate__(self):
        return {**self.__dict__, "_kernels": None}

    def _operator(self) -> _core.Sparse:
        if self._kernels is None:
            shape = (self.out_features, self.in_features)
            self._kernels = _core.Sparse(
                self.indptr.numpy(), self.indices.numpy(), shape, threads=self.threads
            )
        return self._kernels

    def _load_from_state_dict(self, state_dict, prefix, *args):
        """Takes over the pattern of state_dict, after the checks of a new one."""
        parts = {name: state_dict.get(prefix + name) for name in ("data", "indices", "indptr")}
        if all(isinstance(part, torch.Tensor) for part in parts.values()):
            self._take_pattern(parts)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _take_pattern(self, parts: dict[str, torch.Tensor]) -> None:
        indices, indptr = (parts[name].detach().cpu().numpy() for name in ("indices", "indptr"))
        if parts["data"].dim() != 1 or indices.dtype != np.int32 or indptr.dtype != np.int64:
            raise CSRError("state_dict must hold data (nnz,), indices int32 and indptr int64")
        if parts["data"].numel() != len(indices):
            raise CSRError(f"data must be as long as indices ({len(indices)}), got {parts['data'].numel()}")
        _core.csr_check(self.out_features, self.in_features, indptr.copy(), indices.copy())
        if self.data.numel() != len(indices):
            self.data = nn.Parameter(torch.empty(len(indices)), requires_grad=self.data.requires_grad)
            self.indices = torch.empty(len(indices), dtype=torch.int32)
        self._kernels = None


class _Product(torch.autograd.Function):
    """y = x W^T + b. The kernels take features as rows: (features, batch)."""

    @staticmethod
    def forward(context, x, data, bias, kernels):
        columns = _features_first(x)  # (in, batch)
        values = data.detach().numpy()
        offset = None if bias is None else bias.detach().contiguous().numpy()
        y = kernels.forward(np.ascontiguousarray(values), offset, columns)
        context.kernels, context.columns = kernels, columns
        context.save_for_backward(data)
        return torch.from_numpy(y).t()

    @staticmethod
    @once_differentiable
    def backward(context, gradient):
        (data,) = context.saved_tensors
        slope = _features_first(gradient)  # (out, batch)
        needs_x, needs_data, needs_bias, _ = context.needs_input_grad
        dx = ddata = dbias = None
        if needs_x:
            values = np.ascontiguousarray(data.detach().numpy())
            dx = torch.from_numpy(context.kernels.backward_input(values, slope)).t()
        if needs_data or needs_bias:
            ddata, dbias = map(torch.from_numpy, context.kernels.backward_weight(slope, context.columns))
        return dx, ddata if needs_data else None, dbias if needs_bias else None, None


def sparsify(
    module: nn.Module,
    *,
    sparsity: float | None = None,
    batch_size: int = 64,
    threads: int | None = None,
    backward: bool = False,
) -> nn.Module:
    """A copy of module in which each nn.Linear that gets faster by it is a SparseLinear.

    sparsity    as SparseLinear.from_dense takes it, layer by layer
    batch_size  rows of x that both are timed with: the forward pass, or with backward a training step's
                forward and gradients
    A layer is replaced where the measured sparse time is lower; any other is copied as it is, not pruned.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    if sparsity is not None:
        check_real("sparsity", sparsity, below=1.0)
    module = copy.deepcopy(module, _masked_weights(module))
    made: dict[int, nn.Module] = {}
    if type(module) is nn.Linear:
        return _faster(module, sparsity, batch_size, threads, backward)
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):  # named_children leaves out repeated ones
            if type(child) is nn.Linear and not child._forward_hooks:
                if id(child) not in made:  # a layer used twice stays one layer
                    made[id(child)] = _faster(child, sparsity, batch_size, threads, backward)
                setattr(parent, name, made[id(child)])
    return module


def _masked_weights(module: nn.Module) -> dict[int, torch.Tensor]:
    """Copies, by id, of the tensors that torch.nn.utils.prune computes: deepcopy takes leaves alone."""
    values = (value for part in module.modules() for value in vars(part).values())
    return {id(x): x.detach().clone() for x in values if isinstance(x, torch.Tensor) and not x.is_leaf}


def _faster(linear: nn.Linear, sparsity, batch_size: int, threads, backward: bool) -> nn.Module:
    if linear.weight.dtype != torch.float32 or linear.weight.device.type != "cpu":
        return linear
    sparse = SparseLinear.from_dense(linear, sparsity=sparsity, threads=threads)
    x = torch.randn(batch_size, linear.in_features, generator=torch.Generator().manual_seed(0))
    best = dict.fromkeys((linear, sparse), math.inf)
    for _ in range(7):  # interleaved: a disturbance hits both
        for layer in best:
            best[layer] = min(best[layer], _seconds(layer, x, backward))
    return sparse if best[sparse] < best[linear] else linear


def _seconds(layer: nn.Module, x: torch.Tensor, backward: bool) -> float:
    """The wall time of one pass; leaves no gradients behind."""
    if not backward:
        with torch.inference_mode():
            start = time.perf_counter()
            layer(x)
            return time.perf_counter() - start
    x = x.clone().requires_grad_()
    start = time.perf_counter()
    wanted = [x, *(p for p in layer.parameters() if p.requires_grad)]
    torch.autograd.grad(layer(x).sum(), wanted)
    return time.perf_counter() - start


def _keep_largest(weight: np.ndarray, sparsity: float) -> np.ndarray:
    """weight (out, in) with the smallest in magnitude set to zero; ties go in order of position."""
    order = np.argsort(np.abs(weight), axis=None, kind="stable")
    kept = weight.copy()
    kept.reshape(-1)[order[: round(sparsity * weight.size)]] = 0
    return kept


def _features_first(rows: torch.Tensor) -> np.ndarray:
    """rows (batch, features) as a C-contiguous array (features, batch): a transposed copy, or none where
    it is stored that way."""
    return rows.detach().t().contiguous().numpy()
