"""The state_dict of a sparse layer: it may bring another pattern, and with it another number of weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .. import _core
from ..errors import CSRError
from .stale_state import watch

PARTS = ("data", "indices", "indptr")


def make_room(
    layer: nn.Module, state_dict, prefix: str, shape: tuple[int, int], *, assign: bool
) -> list[str]:
    """Gives the parameters of layer the sizes that state_dict brings, after the checks of a new pattern.

    shape is that of the weight, (out, in). Returns what is wrong in the words of nn.Module; then, and
    where CSRError is raised, layer is as it was.
    data stays the same Parameter, which an optimizer may hold; with assign it is replaced, as nn.Module does.
    """
    found = {name: state_dict[prefix + name] for name in PARTS if prefix + name in state_dict}
    if not all(isinstance(part, torch.Tensor) for part in found.values()) or "data" not in layer._parameters:
        return []  # nn.Module says so, or a parametrization takes data
    values = {name: state_dict.get(prefix + name) for name in ("data", "bias")}
    if wrong := [
        f"{prefix}{name} must hold real numbers, got {x.dtype}"
        for name, x in values.items()
        if _is_complex(x)
    ]:
        return wrong  # torch would drop the imaginary part
    if found.keys() & {"indices", "indptr"} and len(found) < len(PARTS):
        return [f"{prefix}data, {prefix}indices and {prefix}indptr must come together, got {list(found)}"]
    if len(found) == len(PARTS) and not any(part.is_meta for part in found.values()):
        if found["indptr"].shape != layer.indptr.shape:
            return [
                f"size mismatch for {prefix}indptr: copying a param with shape {found['indptr'].shape} from "
                f"checkpoint, the shape in current model is {layer.indptr.shape}."
            ]
        _check(found, shape)
        if len(found["indices"]) != len(layer.indices):
            _resize(layer, len(found["indices"]), assign)
    return []


def _check(found: dict[str, torch.Tensor], shape: tuple[int, int]) -> None:
    data = found["data"]
    indices, indptr = (found[name].detach().cpu().contiguous().numpy() for name in ("indices", "indptr"))
    if data.dim() != 1 or indices.ndim != 1 or indices.dtype != np.int32 or indptr.dtype != np.int64:
        raise CSRError("state_dict must hold data (nnz,), indices (nnz,) int32 and indptr (out + 1,) int64")
    if len(data) != len(indices):
        raise CSRError(f"data must be as long as indices ({len(indices)}), got {len(data)}")
    _core.csr_check(*shape, indptr, indices)


def _is_complex(x) -> bool:
    return isinstance(x, torch.Tensor) and x.is_complex()


def _resize(layer: nn.Module, nnz: int, assign: bool) -> None:
    data, indices = layer.data, layer.indices
    with torch.inference_mode(data.is_inference()):  # what can be trained stays so
        values, columns = data.detach().new_empty(nnz), indices.new_empty(nnz)
    if assign:
        layer.data = nn.Parameter(values, requires_grad=data.requires_grad)
        layer.indices = columns
        return
    data.grad = None
    data.data = values.double()  # a change of type makes autograd forget the old length
    data.data = values
    indices.data = columns
    watch(layer)
