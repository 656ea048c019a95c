"""SparseLinear: nn.Linear with its weight in CSR."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ..errors import ArgumentError
from .layer import SparseLayer, check_dense
from .linear_product import LinearProduct
from .reading import read_bias, read_weight
from .script import ScriptLinear


class SparseLinear(SparseLayer):
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

    dense_type = nn.Linear

    def __init__(self, weight, bias=None, *, threads: int | None = None):
        """weight: (out, in) scipy sparse matrix; bias: (out,) array or None. Both are copied.

        CSRError when weight is no valid CSR matrix.
        """
        super().__init__(weight, bias, threads)
        self.out_features, self.in_features = self._shape

    @classmethod
    def from_dense(
        cls, linear: nn.Linear, *, sparsity: float | None = None, threads: int | None = None
    ) -> SparseLinear:
        """A SparseLinear with a copy of the weights of linear, trained or frozen as they are there.

        sparsity  None keeps the weights that are not zero; a number in [0, 1) keeps the largest in
                  magnitude, to within one weight (Han et al. 2015, arXiv:1506.02626)

        Hooks stay behind; sparsify takes them along. UnsupportedError where one may compute the weight, and
        where linear has a forward or a call of its own.
        """
        check_dense(linear, nn.Linear, "linear")
        layer = cls(read_weight(linear, sparsity), read_bias(linear), threads=threads)
        return layer._as_trained_in(linear)

    def to_dense(self) -> nn.Linear:
        """An nn.Linear with a copy of the weights, trained or frozen as they are here."""
        kind = {"dtype": self.data.dtype, "device": self.data.device}
        options = {"bias": self.bias is not None, **kind}
        return self._fill(nn.utils.skip_init(nn.Linear, self.in_features, self.out_features, **options))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """input (..., in) float32 -> (..., out) float32, contiguous; under autocast from and to its type.

        TypeError for another type, device or layout, ValueError for another shape.
        """
        return self._call(input)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, sparsity={self.sparsity:.4f}"
        )

    @property
    def _dense_shape(self) -> tuple[int, int]:
        return self._shape

    def _plain(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self._dense_weight(), self.bias)

    def _multiply(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise ArgumentError(f"input must have shape (..., {self.in_features}), got {tuple(x.shape)}")
        return self._product(x, LinearProduct, self._shape)

    def _script(self) -> nn.Module:
        return ScriptLinear(self)
