"""PyTorch: a Model as nn.Sequential."""

from __future__ import annotations

from ..layers import Linear
from ..model import Model
from ..require import require
from ._check import check_model, dense_weight


def to_torch(model: Model, *, sparse: bool = False):
    """The model as an nn.Sequential in evaluation mode, with weights of its own.

    sparse  False: every layer an nn.Linear, zeros filled in; True: a CSR layer is a
            sparsenn.torch.SparseLinear, which runs and trains on this library's kernels
    """
    torch = require("torch", extra="torch", caller="to_torch")
    return torch.nn.Sequential(*(_module(torch, layer, sparse) for layer in check_model(model).layers)).eval()


def _module(torch, layer, sparse: bool):
    if isinstance(layer, Linear):
        return _sparse_linear(layer) if sparse and layer.sparse else _linear(torch, layer)
    return layer.to_torch(torch.nn)


def _linear(torch, layer: Linear):
    outputs, inputs = layer.shape
    linear = torch.nn.Linear(inputs, outputs, bias=layer.bias is not None)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(dense_weight(layer)))
        if layer.bias is not None:
            linear.bias.copy_(torch.from_numpy(layer.bias))
    return linear


def _sparse_linear(layer: Linear):
    from ..torch import SparseLinear

    return SparseLinear(layer.weight, layer.bias)
