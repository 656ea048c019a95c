"""What the sparse layers share: a weight in CSR, its state_dict, the way to the kernels or around them."""

from __future__ import annotations

import numpy as np
import scipy
import torch
from torch import fx, nn

from ..errors import UnsupportedError
from ..ops import check_threads
from ..torch_modules.code import replaced
from ..torch_modules.hooks import copy_call_hooks
from ..weights import as_bias, as_csr
from . import plain
from .dense_copy import DenseCopy
from .loading import make_room
from .packing import Packing
from .product import Product
from .reading import is_trained


class SparseLayer(nn.Module):
    """A layer with a weight (out, in) in CSR, in the place of a layer of torch.

    A class of it says of which (dense_type), how the dense weight is shaped (_dense_shape), what the layer is
    in torch's operations (_plain), on the kernels (_multiply) and for torch.jit.script (_script).
    """

    dense_type: type[nn.Module]

    @staticmethod
    def names(dense: nn.Module) -> tuple[list[str], list[str]]:
        """Of the weights and of the biases of dense."""
        return ["weight"], ["bias"]

    def __init__(self, weight, bias, threads: int | None):
        super().__init__()
        if not scipy.sparse.issparse(weight):
            raise TypeError(f"weight must be a scipy sparse matrix, got {type(weight).__name__}")
        csr = as_csr(weight, "weight")
        self._shape = tuple(map(int, csr.shape))
        self.threads = check_threads(threads)
        self.data = nn.Parameter(torch.from_numpy(csr.data))
        self.register_buffer("indices", torch.from_numpy(csr.indices.astype(np.int32)))
        self.register_buffer("indptr", torch.from_numpy(csr.indptr.astype(np.int64)))
        values = None if bias is None else torch.from_numpy(as_bias(bias, outputs=self._shape[0]))
        self.register_parameter("bias", None if values is None else nn.Parameter(values))
        self._packing = Packing()

    @property
    def nnz(self) -> int:
        """Stored weights."""
        return self.data.numel()

    @property
    def sparsity(self) -> float:
        """1 - nnz / weights of the dense layer."""
        return 1.0 - self.nnz / (self._shape[0] * self._shape[1])

    @property
    def weight(self) -> torch.Tensor:
        """The dense weight, new at each call: its gradients reach data, it refuses changes."""
        return self._dense_weight().as_subclass(DenseCopy)

    def to_csr(self) -> scipy.sparse.csr_array:
        """A copy of the weight as a csr_array (out, in) float32."""
        parts = (part.detach().cpu().numpy().copy() for part in (self.data, self.indices, self.indptr))
        return scipy.sparse.csr_array(tuple(parts), shape=self._shape)

    def _as_trained_in(self, dense: nn.Module):
        """This layer, trained or frozen as dense is."""
        self.data.requires_grad_(is_trained(dense, "weight"))
        if self.bias is not None:
            self.bias.requires_grad_(is_trained(dense, "bias"))
        return self.train(dense.training)

    def _fill(self, dense: nn.Module) -> nn.Module:
        """dense with a copy of the weights, trained or frozen as they are here."""
        with torch.no_grad():
            dense.weight.copy_(self._dense_weight())
            dense.weight.requires_grad_(self.data.requires_grad)
            if self.bias is not None:
                dense.bias.copy_(self.bias)
                dense.bias.requires_grad_(self.bias.requires_grad)
        return dense.train(self.training)

    def _call(self, x: torch.Tensor) -> torch.Tensor:
        if torch.compiler.is_compiling() and not plain.is_exporting():
            return _outside_of_the_graph(self, x)
        if isinstance(x, fx.Proxy):
            return self._plain(x)
        return self._run(x)

    def _run(self, x: torch.Tensor) -> torch.Tensor:
        lower = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        if lower is not None and isinstance(x, torch.Tensor) and x.dtype in (torch.bfloat16, torch.float16):
            x = x.float()
        self._check(x)
        if plain.must_be_plain(x, self.data, self.bias, self.indices, self.indptr):
            return self._plain(x)
        y = self._multiply(x)
        return y if lower is None else y.to(lower)

    def _product(self, x: torch.Tensor, kind: type, *how) -> torch.Tensor:
        """x through the kernels that kind makes of the pattern, how: what else it is told."""
        product = self._packing.product(self.indptr, self.indices, kind, *how, self.threads)
        return Product.apply(x, self.data, self.bias, self.indices, self.indptr, product)

    def _dense_weight(self) -> torch.Tensor:
        return plain.dense_weight(self.data, self.indices, self.indptr, self._shape).view(self._dense_shape)

    def _check(self, x: torch.Tensor) -> None:
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"input must be a torch.Tensor, got {type(x).__name__}")
        if x.layout != torch.strided or x.is_nested:
            kind = "a nested one" if x.is_nested else f"one of layout {x.layout}"
            raise TypeError(f"input must be a dense tensor, got {kind}")
        if self.data.dtype != torch.float32 or self.data.device.type not in ("cpu", "meta"):
            raise TypeError(
                f"a {type(self).__name__} must stay float32 on the CPU, got {self.data.dtype} on "
                f"{self.data.device}"
            )
        if x.dtype != torch.float32 or x.device != self.data.device:
            where = "the CPU" if self.data.device.type == "cpu" else self.data.device
            raise TypeError(f"input must be float32 on {where}, got {x.dtype} on {x.device}")

    def __getstate__(self):
        return {**super().__getstate__(), "_packing": Packing()}

    def __prepare_scriptable__(self) -> nn.Module:
        script = self._script()  # torch.jit.script cannot read forward
        copy_call_hooks(self, script)
        return script

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        assign = local_metadata.get("assign_to_params_buffers", False)
        wrong = make_room(self, state_dict, prefix, self._shape, assign=assign)
        if wrong:
            error_msgs.extend(wrong)
            return
        lists = (missing_keys, unexpected_keys, error_msgs)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, *lists)


def check_dense(value, kind: type[nn.Module], name: str) -> None:
    """TypeError where value is no layer of that kind, UnsupportedError where its call is another."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a torch.nn.{kind.__name__}, got {type(value).__name__}")
    if method := replaced(value, kind):
        raise UnsupportedError(
            f"{name} must compute what torch.nn.{kind.__name__} does, got a {type(value).__name__} with a "
            f"{method} of its own"
        )


@torch._disable_dynamo  # imports what torch.compile needs when torch.compile has, not before
def _outside_of_the_graph(layer: SparseLayer, x: torch.Tensor) -> torch.Tensor:
    """What torch.compile calls between two graphs: it cannot look into the kernels."""
    return layer._run(x)
