"""The operations of torch that can be imported: how each of them is a step, or is left out."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as functional
from torch import nn

from ..errors import ArgumentError, UnsupportedError
from ..layers import ELU, GELU, ClippedReLU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh
from ..torch import SparseLinear
from ..torch_modules.tensor import to_array
from ._named import batch_norm
from ._steps import Affine

SUPPORTED = (
    "Linear, ReLU, ReLU6, LeakyReLU, Hardtanh, clamp, Tanh, Sigmoid, GELU, SiLU, ELU, "
    "Softmax over the features, BatchNorm1d, Dropout, Identity, Flatten"
)


def _linear(module: nn.Module, where: str) -> list:
    return [
        Affine(to_array(module.weight, f"{where}: the weight"), _array(module.bias, "bias", where), where)
    ]


def _sparse_linear(module: nn.Module, where: str) -> list:
    return [Affine(module.to_csr(), _array(module.bias, "bias", where), where)]


def _array(tensor: torch.Tensor | None, name: str, where: str):
    return None if tensor is None else to_array(tensor, f"{where}: the {name}")


def _batch_norm(module: nn.BatchNorm1d, where: str) -> list:
    if module.running_mean is None:
        raise UnsupportedError(f"{where} must track running statistics: it uses those of each batch")
    _check_evaluation(module, where)
    names = ("running_mean", "running_var", "weight", "bias")
    arrays = [_array(getattr(module, name), name, where) for name in names]
    return [batch_norm(*arrays, epsilon=module.eps, name=where)]


def _dropout_module(module: nn.Module, where: str) -> list:
    _check_evaluation(module, where)
    return []


def _check_evaluation(module: nn.Module, where: str) -> None:
    if module.training:
        raise UnsupportedError(f"{where} must leave its training mode where eval() is called")


def _softmax(fields: dict, where: str) -> list:
    if fields.get("dim") not in (None, 1, -1):
        raise UnsupportedError(f"{where} must be over the features (dim 1 or -1), got dim={fields['dim']}")
    if fields.get("dtype") not in (None, torch.float32, torch.float64):
        raise UnsupportedError(f"{where} must have dtype float32 or float64, got {fields['dtype']}")
    return [Softmax()]


def _leaky(fields: dict, where: str) -> list:
    slope = fields.get("negative_slope", 0.01)
    if not isinstance(slope, (int, float)) or not math.isfinite(slope):
        raise UnsupportedError(f"{where} must have a constant, finite negative_slope, got {slope}")
    return [LeakyReLU(float(slope))]


def _gelu(fields: dict, where: str) -> list:
    if fields.get("approximate", "none") != "none":
        raise UnsupportedError(f"{where} must be the exact form, got approximate={fields['approximate']!r}")
    return [GELU()]


def _elu(fields: dict, where: str) -> list:
    alpha = fields.get("alpha", 1.0)
    if not isinstance(alpha, (int, float)):
        raise UnsupportedError(f"{where} must have a constant alpha")
    if not 0 < alpha < float("inf"):
        raise UnsupportedError(f"{where} must have a finite alpha above 0, got {alpha:g}")
    return [ELU(alpha=float(alpha))]


def _clip(fields: dict, where: str) -> list:
    limits = [fields.get(name) for name in ("low", "high")]
    return clip_layers(*limits, where)


def _flatten(fields: dict, where: str) -> list:
    if fields.get("start_dim", 0) != 1 or fields.get("end_dim", -1) != -1:
        raise UnsupportedError(f"{where} must keep the batch and flatten the rest (start_dim=1, end_dim=-1)")
    return []


def _view(fields: dict, where: str) -> list:
    first, second = fields.get("first"), fields.get("second")
    if isinstance(first, (tuple, list)) and len(first) == 2:
        first, second = first
    keeps = first == -1 or isinstance(first, torch.fx.Node)
    if not keeps or not isinstance(second, (int, torch.fx.Node)) or "third" in fields:
        raise UnsupportedError(f"{where} must give (batch, features), got {(first, second)}")
    return []


def clip_layers(low: float | None, high: float | None, where: str) -> list:
    """min(max(x, low), high), either of them None for no limit."""
    if not all(limit is None or isinstance(limit, (int, float)) for limit in (low, high)):
        raise UnsupportedError(f"{where} must have constant limits")
    largest = float(torch.finfo(torch.float32).max)
    low = -largest if low is None else max(float(low), -largest)
    high = largest if high is None else min(float(high), largest)
    if not low < high:
        raise ArgumentError(f"{where} must have low below high, got {low} and {high}")
    return [ReLU()] if (low, high) == (0.0, largest) else [ClippedReLU(low=low, high=high)]


def _always(*layers: Callable) -> Callable:
    return lambda _fields, _where: [layer() for layer in layers]


def _dropout(name: str, default: bool | None) -> Callable:
    """Dropout as a function, whose argument of that name says whether it is active."""

    def convert(fields: dict, where: str) -> list:
        if fields.get(name, default) is not False and fields.get("p", 0.5) != 0:
            raise UnsupportedError(f"{where} must be off in evaluation: {name}=self.training")
        return []

    return convert


# What to call for a module whose forward is one of these: (module, description). ReLU6 has that of Hardtanh.
FORWARDS: dict[Callable, Callable] = {
    nn.Linear.forward: _linear,
    nn.Hardtanh.forward: lambda m, w: clip_layers(m.min_val, m.max_val, w),
    nn.ReLU.forward: lambda _m, _w: [ReLU()],
    nn.LeakyReLU.forward: lambda m, w: _leaky({"negative_slope": m.negative_slope}, w),
    nn.Tanh.forward: lambda _m, _w: [Tanh()],
    nn.Sigmoid.forward: lambda _m, _w: [Sigmoid()],
    nn.SiLU.forward: lambda _m, _w: [SiLU()],
    nn.GELU.forward: lambda m, w: _gelu({"approximate": m.approximate}, w),
    nn.ELU.forward: lambda m, w: _elu({"alpha": m.alpha}, w),
    nn.Softmax.forward: lambda m, w: _softmax({"dim": m.dim}, w),
    nn.BatchNorm1d.forward: _batch_norm,
    nn.Identity.forward: lambda _m, _w: [],
    nn.Flatten.forward: lambda m, w: _flatten({"start_dim": m.start_dim, "end_dim": m.end_dim}, w),
    **{
        kind.forward: _dropout_module
        for kind in (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
    },
    nn.FeatureAlphaDropout.forward: _dropout_module,
    SparseLinear.forward: _sparse_linear,
}

# What to call with the arguments after the first, and their names.
FUNCTIONS: dict[object, tuple] = {
    functional.linear: (None, ("weight", "bias")),
    functional.relu: (_always(ReLU), ("inplace",)),
    torch.relu: (_always(ReLU), ()),
    functional.relu6: (lambda _f, _w: [ClippedReLU(low=0.0, high=6.0)], ("inplace",)),
    functional.leaky_relu: (_leaky, ("negative_slope", "inplace")),
    functional.hardtanh: (
        lambda f, w: clip_layers(f.get("min_val", -1.0), f.get("max_val", 1.0), w),
        ("min_val", "max_val", "inplace"),
    ),
    torch.clamp: (lambda f, w: clip_layers(f.get("min"), f.get("max"), w), ("min", "max")),
    torch.clip: (lambda f, w: clip_layers(f.get("min"), f.get("max"), w), ("min", "max")),
    torch.tanh: (_always(Tanh), ()),
    functional.tanh: (_always(Tanh), ()),
    torch.sigmoid: (_always(Sigmoid), ()),
    functional.sigmoid: (_always(Sigmoid), ()),
    functional.silu: (_always(SiLU), ("inplace",)),
    functional.gelu: (_gelu, ("approximate",)),
    functional.elu: (_elu, ("alpha", "inplace")),
    functional.softmax: (_softmax, ("dim", "_stacklevel", "dtype")),
    torch.softmax: (_softmax, ("dim", "dtype")),
    functional.dropout: (_dropout("training", True), ("p", "training", "inplace")),
    torch.dropout: (_dropout("train", None), ("p", "train")),
    torch.flatten: (_flatten, ("start_dim", "end_dim")),
}
METHODS: dict[object, tuple] = {
    "relu": (_always(ReLU), ()),
    "tanh": (_always(Tanh), ()),
    "sigmoid": (_always(Sigmoid), ()),
    "softmax": (_softmax, ("dim", "dtype")),
    "clamp": (lambda f, w: clip_layers(f.get("min"), f.get("max"), w), ("min", "max")),
    "clip": (lambda f, w: clip_layers(f.get("min"), f.get("max"), w), ("min", "max")),
    "contiguous": (_always(), ()),
    "flatten": (_flatten, ("start_dim", "end_dim")),
    "view": (_view, ("first", "second", "third")),
    "reshape": (_view, ("first", "second", "third")),
}
