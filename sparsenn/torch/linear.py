"""SparseLinear: nn.Linear with its weight in CSR."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from torch import fx, nn
from torch.nn import functional

from ..errors import ArgumentError
from ..ops import check_threads
from ..torch_modules.hooks import copy_call_hooks
from ..weights import as_bias, as_csr
from . import plain
from .dense_copy import DenseCopy
from .loading import make_room
from .packing import Packing
from .product import Product
from .reading import is_trained, read_bias, read_weight


class SparseLinear(nn.Module):
    """y = W x + b with W (out, in) in CSR; forward and gradients cost what the stored weights cost.

    data     (nnz,) float32 parameter: the stored weights; gradients are (nnz,) as well
    indices  (nnz,) int32 buffer, indptr (out + 1,) int64 buffer: the pattern, which is fixed
    bias     (out,) float32 parameter, or None

    The input is (..., in) float32 on the CPU, or of lower precision under autocast. A SparseLinear takes the
    place of an nn.Linear: autograd, hooks, copies and pickles work alike. A state_dict holds all four; one of
    another pattern is loaded into the same Parameter data. torch.compile runs the layer between two graphs.
    What records or transforms operations (torch.jit, torch.export, torch.fx, ONNX, torch.func) and second
    derivatives use the dense weight. Made from a scipy matrix, or by from_dense.
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

        Hooks stay behind; sparsify takes them along. UnsupportedError where one may compute the weight.
        """
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear must be a torch.nn.Linear, got {type(linear).__name__}")
        layer = cls(read_weight(linear, sparsity), read_bias(linear), threads=threads)
        layer.data.requires_grad_(is_trained(linear, "weight"))
        if layer.bias is not None:
            layer.bias.requires_grad_(is_trained(linear, "bias"))
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
        """The dense weight (out, in), new at each call: its gradients reach data, it refuses changes."""
        return self._dense_weight().as_subclass(DenseCopy)

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
            linear.weight.copy_(self._dense_weight())
            linear.weight.requires_grad_(self.data.requires_grad)
            if self.bias is not None:
                linear.bias.copy_(self.bias)
                linear.bias.requires_grad_(self.bias.requires_grad)
        return linear.train(self.training)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """input (..., in) float32 -> (..., out) float32, contiguous; under autocast from and to its type.

        TypeError for another type, device or layout, ValueError for another shape.
        """
        if torch.compiler.is_compiling() and not plain.is_exporting():
            return _outside_of_the_graph(self, input)
        if isinstance(input, fx.Proxy):
            return functional.linear(input, self._dense_weight(), self.bias)
        return self._run(input)

    def _run(self, x: torch.Tensor) -> torch.Tensor:
        lower = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        if lower is not None and isinstance(x, torch.Tensor) and x.dtype in (torch.bfloat16, torch.float16):
            x = x.float()
        self._check(x)
        if plain.must_be_plain(x, self.data, self.bias, self.indices, self.indptr):
            return functional.linear(x, self._dense_weight(), self.bias)
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise ArgumentError(f"input must have shape (..., {self.in_features}), got {tuple(x.shape)}")
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

    def _dense_weight(self) -> torch.Tensor:
        return plain.dense_weight(self.data, self.indices, self.indptr, self._shape)

    def _check(self, x: torch.Tensor) -> None:
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"input must be a torch.Tensor, got {type(x).__name__}")
        if x.layout != torch.strided or x.is_nested:
            kind = "a nested one" if x.is_nested else f"one of layout {x.layout}"
            raise TypeError(f"input must be a dense tensor, got {kind}")
        if self.data.dtype != torch.float32 or self.data.device.type not in ("cpu", "meta"):
            raise TypeError(
                f"a SparseLinear must stay float32 on the CPU, got {self.data.dtype} on {self.data.device}"
            )
        if x.dtype != torch.float32 or x.device != self.data.device:
            where = "the CPU" if self.data.device.type == "cpu" else self.data.device
            raise TypeError(f"input must be float32 on {where}, got {x.dtype} on {x.device}")

    def __getstate__(self):
        return {**super().__getstate__(), "_packing": Packing()}

    def __prepare_scriptable__(self) -> nn.Linear:
        script = plain.Scriptable(self)  # torch.jit.script cannot read forward
        copy_call_hooks(self, script)
        return script

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
