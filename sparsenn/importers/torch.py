"""PyTorch: modules, traced with torch.fx, and state_dicts with a list of their layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model import Model
from ..require import require
from ._named import from_tensors


def from_torch(module, *, layers: Iterable | None = None) -> Model:
    """The network of a torch module, as it works in evaluation mode.

    module  an nn.Module whose forward is a chain of Linear, ReLU, ReLU6, LeakyReLU, Hardtanh, Tanh, Sigmoid,
            GELU, ELU, Softmax over the features, BatchNorm1d (folded), Dropout and Identity (dropped),
            Flatten, as modules, functions or methods; or a state_dict
    layers  for a state_dict, which says nothing of the order: see from_safetensors

    Weights may be on any device, of any float dtype, parametrized, sparse (any 2-D layout), or pruned by
    torch.nn.utils.prune (the mask is baked in); those with 60 % zeros or more become CSR. Softmax at the end
    is kept. What counts is what the module computes: a forward of its own is traced, and UnsupportedError
    names the first operation that is not supported, forward hooks, and quantisation. At last the module is
    run and compared with the result. It is left as it was.
    """
    torch = require("torch", extra="torch", caller="from_torch")
    if isinstance(module, torch.nn.Module):
        if layers is not None:
            raise TypeError("layers must be given with a state_dict alone: a module knows its own order")
        from ._torch_trace import read_module  # it imports torch

        return read_module(module)
    if not isinstance(module, Mapping):
        raise TypeError(f"module must be a torch.nn.Module or a state_dict, got {type(module).__name__}")
    if layers is None:
        raise TypeError(
            "layers must be given with a state_dict: the names of its layers and activations in order"
        )
    from ..torch_modules.tensor import to_array

    names = [name for name, value in module.items() if isinstance(value, torch.Tensor)]
    return from_tensors(names, lambda name: to_array(module[name], name), layers)
