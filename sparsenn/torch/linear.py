"""SparseLinear: nn.Linear with its weight in CSR."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from torch import nn
from torch.nn import functional

from ..checks import check_real
from ..errors import ArgumentError
from ..ops import check_threads
from ..torch_modules.hooks import current_parameter
from ..torch_modules.tensor import to_array
from ..weights import as_bias, as_csr
from . import plain
from .loading import make_room
from .packing import Packing
from .product import Product


class SparseLinear(nn.Module):
    """y = W x + b with W (out, in) in CSR; forward and gradients cost what the stored weights cost.

    data     (nnz,) float32 parameter: the stored weights; gradients are (nnz,) as well
    indices  (nnz,) int32 buffer, indptr (out + 1,) int64 buffer: the pattern, which is fixed
    bias     (out,) float32 parameter, or None

    x is (..., in) float32 on the CPU, or of lower precision under autocast. A SparseLinear takes the place of
    an nn.Linear: autograd, hooks, copies and pickles work alike. A state_dict holds all four; loading one may
    bring another pattern, in the same Parameter data. torch.compile runs it between two graphs. What records
    or transforms operations (torch.jit, torch.export, ONNX, torch.func) and second derivatives use the dense
    weight. Made from a scipy matrix, or by from_dense.
    """

    def __init__(self, weight, bias=None, *, threads: int | None = None):
        """weight: (out, in) scipy sparse matrix; bias: (out,) array or None. Both are copied.

        CSRError when weight is no valid CSR matrix.
        """
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
        self._packing = Packing()

    @classmethod
    def from_dense(
        cls, linear: nn.Linear, *, sparsity: float | None = None, threads: int | None = None
    ) -> SparseLinear:
        """A SparseLinear with a copy of the weights of linear, trained or frozen as they are there.

        sparsity  None keeps the weights that are not zero; a number in [0, 1) keeps the largest in
                  magnitude, to within one weight (Han et al. 2015, arXiv:1506.02626)
        """
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear must be a torch.nn.Linear, got {type(linear).__name__}")
        weight = to_array(current_parameter(linear, "weight"))
        weight = weight.toarray() if scipy.sparse.issparse(weight) else weight
        if sparsity is not None:
            weight = _keep_largest(weight, check_real("sparsity", sparsity, below=1.0))
        bias = current_parameter(linear, "bias")
        layer = cls(scipy.sparse.csr_array(weight), None if bias is None else to_array(bias), threads=threads)
        layer.data.requires_grad_(_is_trained(linear, "weight"))
        if bias is not None:
            layer.bias.requires_grad_(_is_trained(linear, "bias"))
        return layer.train(linear.training)

    @property
    def nnz(self) -> int:
        """Stored weights."""
        return self.data.numel()

    @property
    def sparsity(self) -> float:
        """1 - nnz / (out * in)."""
        return 1.0 - self.nnz / (self.out_features * self.in_features)

    @property
    def weight(self) -> torch.Tensor:
        """The dense weight (out, in), made at each call: its gradients reach data, changes of it do not."""
        return plain.dense_weight(self.data, self.indices, self.indptr, self._shape)

    def to_csr(self) -> scipy.sparse.csr_array:
        """A copy of the weight as a csr_array (out, in) float32."""
        parts = (part.detach().cpu().numpy().copy() for part in (self.data, self.indices, self.indptr))
        return scipy.sparse.csr_array(tuple(parts), shape=self._shape)

    def to_dense(self) -> nn.Linear:
        """An nn.Linear with a copy of the weights, trained or frozen as they are here."""
        kind = {"dtype": self.data.dtype, "device": self.data.device}
        options = {"bias": self.bias is not None, **kind}
        linear = nn.utils.skip_init(nn.Linear, self.in_features, self.out_features, **options)
        with torch.no_grad():
            linear.weight.copy_(self.weight)
            linear.weight.requires_grad_(self.data.requires_grad)
            if self.bias is not None:
                linear.bias.copy_(self.bias)
                linear.bias.requires_grad_(self.bias.requires_grad)
        return linear.train(self.training)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., in) float32 -> (..., out) float32; under autocast from and to its type."""
        if torch.compiler.is_compiling() and not plain.is_exporting():
            return _outside_of_the_graph(self, x)
        return self._run(x)

    def _run(self, x: torch.Tensor) -> torch.Tensor:
        lower = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        if lower is not None and isinstance(x, torch.Tensor) and x.dtype in (torch.bfloat16, torch.float16):
            x = x.float()
        self._check(x)
        if plain.must_be_plain(x, self.data, self.bias, self.indices, self.indptr):
            return functional.linear(x, self.weight, self.bias)
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise ArgumentError(f"x must have shape (..., {self.in_features}), got {tuple(x.shape)}")
        kernels = self._packing.kernels(self.indptr, self.indices, self._shape, self.threads)
        y = Product.apply(x, self.data, self.bias, self.indices, self.indptr, self._shape, kernels)
        return y if lower is None else y.to(lower)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, sparsity={self.sparsity:.4f}"
        )

    @property
    def _shape(self) -> tuple[int, int]:
        return self.out_features, self.in_features

    def _check(self, x: torch.Tensor) -> None:
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"x must be a torch.Tensor, got {type(x).__name__}")
        if x.layout != torch.strided or x.is_nested:
            raise TypeError(f"x must be a dense tensor, got one of layout {x.layout}")
        if self.data.dtype != torch.float32 or self.data.device.type not in ("cpu", "meta"):
            raise TypeError(
                f"a SparseLinear must stay float32 on the CPU, got {self.data.dtype} on {self.data.device}"
            )
        if x.dtype != torch.float32 or x.device != self.data.device:
            where = "the CPU" if self.data.device.type == "cpu" else self.data.device
            raise TypeError(f"x must be float32 on {where}, got {x.dtype} on {x.device}")

    def __getstate__(self):
        return {**super().__getstate__(), "_packing": Packing()}

    def __prepare_scriptable__(self) -> nn.Linear:
        return self.to_dense()  # torch.jit.script cannot read forward

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        assign = local_metadata.get("assign_to_params_buffers", False)
        wrong = make_room(self, state_dict, prefix, assign=assign)
        if wrong:
            error_msgs.extend(wrong)
            return
        lists = (missing_keys, unexpected_keys, error_msgs)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, *lists)


@torch._disable_dynamo  # imports what torch.compile needs when torch.compile has, not before
def _outside_of_the_graph(layer: SparseLinear, x: torch.Tensor) -> torch.Tensor:
    """What torch.compile calls between two graphs: it cannot look into the kernels."""
    return layer._run(x)


def _is_trained(linear: nn.Linear, name: str) -> bool:
    """Whether the parameter of that name, or any that it is computed from, is trained."""
    return any(
        parameter.requires_grad
        for path, parameter in linear.named_parameters()
        if any(part == name or part.startswith(f"{name}_") for part in path.split("."))
    )


def _keep_largest(weight: np.ndarray, sparsity: float) -> np.ndarray:
    """weight (out, in) with the smallest in magnitude set to zero; ties go in order of position."""
    order = np.argsort(np.abs(weight), axis=None, kind="stable")
    kept = weight.copy()
    kept.reshape(-1)[order[: round(sparsity * weight.size)]] = 0
    return kept
