"""What a layer of torch has beside its weights: what goes over to its sparse layer, and what forbids one."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ..torch_modules.hooks import copy_call_hooks

STATE_HOOKS = (  # they know the names of the parameters, which change
    *("_state_dict_hooks", "_state_dict_pre_hooks"),
    *("_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"),
)
PRUNED = {f"{name}_{part}" for name in ("weight", "bias") for part in ("orig", "mask")}

NEEDED = {
    *("data", "indices", "indptr", "threads", "_packing", "_shape", "_window", "_pads", "_pad_mode"),
    *("inputs", "cells"),
}


def obstacle(dense: nn.Module, kind: type, owners: dict[int, int]) -> str | None:
    """Why no other layer can take the place of dense, or None.

    kind    of the layer that would
    owners  by the id of a parameter, how many modules hold it
    """
    if parametrize.is_parametrized(dense):
        return "it has parametrizations"
    for hook in dense._forward_pre_hooks.values():
        if isinstance(hook, (WeightNorm, SpectralNorm)):
            return f"its {hook.name} is computed by {type(hook).__name__}"
    if any(getattr(dense, name) for name in STATE_HOOKS):
        return "it has state_dict hooks"
    tensors = (*dense._parameters, *dense._buffers, *dense._modules)
    weights, biases = kind.names(dense)
    for name in weights:
        if 0 in (weight := getattr(dense, name)).shape:
            return f"its {name} has shape {tuple(weight.shape)}"
    if getattr(dense, "proj_size", 0):
        return f"it has a projection of {dense.proj_size}"
    if parts := sorted({*tensors} - PRUNED - {*weights, *biases}):
        return f"it has parts of its own: {', '.join(parts)}"
    if any(owners[id(parameter)] > 1 for parameter in dense.parameters()):
        return "it shares a parameter with another module"
    if weight.dtype != torch.float32 or weight.device.type != "cpu":
        return f"it is {weight.dtype} on {weight.device}, not float32 on the CPU"
    own = _own_attributes(dense, kind)
    if taken := [n for n in own if n in NEEDED or hasattr(kind, n) or hasattr(kind.dense_type, n)]:
        return f"it has attributes of its own that a {kind.__name__} needs: {', '.join(taken)}"
    return None


def move(dense: nn.Module, layer: nn.Module) -> nn.Module:
    """layer with the hooks and attributes of dense; those of prune end with the masks."""
    copy_call_hooks(dense, layer)
    layer._forward_pre_hooks = _pre_hooks(dense, prune=False)
    layer.__dict__.update(_own_attributes(dense, type(layer)))
    return layer


@contextlib.contextmanager
def prune_hooks_alone(dense: nn.Module) -> Iterator[None]:
    """dense without the user's pre-hooks, which run when its sparse layer is called."""
    every = dense._forward_pre_hooks
    dense._forward_pre_hooks = _pre_hooks(dense, prune=True)
    try:
        yield
    finally:
        dense._forward_pre_hooks = every


def _pre_hooks(dense: nn.Module, *, prune: bool) -> OrderedDict:
    hooks = dense._forward_pre_hooks.items()
    return OrderedDict((key, hook) for key, hook in hooks if isinstance(hook, BasePruningMethod) == prune)


def _own_attributes(dense: nn.Module, kind: type) -> dict:
    sizes = (1,) * (3 if kind.dense_type is nn.Conv2d else 2)
    usual = {*kind.dense_type(*sizes, device="meta").__dict__, *PRUNED, "weight", "bias"}
    return {name: value for name, value in dense.__dict__.items() if name not in usual}
