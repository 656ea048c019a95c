"""What an nn.Linear has beside its weights: what goes over to its sparse layer, and what forbids one."""

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
from .linear import SparseLinear

STATE_HOOKS = (  # they know the names of the parameters, which change
    *("_state_dict_hooks", "_state_dict_pre_hooks"),
    *("_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"),
)
PRUNED = {f"{name}_{part}" for name in ("weight", "bias") for part in ("orig", "mask")}


def obstacle(linear: nn.Linear, owners: dict[int, int]) -> str | None:
    """Why no other layer can take the place of linear, or None.

    owners  by the id of a parameter, how many modules hold it
    """
    if parametrize.is_parametrized(linear):
        return "it has parametrizations"
    for hook in linear._forward_pre_hooks.values():
        if isinstance(hook, (WeightNorm, SpectralNorm)):
            return f"its {hook.name} is computed by {type(hook).__name__}"
    if any(getattr(linear, name) for name in STATE_HOOKS):
        return "it has state_dict hooks"
    tensors = (*linear._parameters, *linear._buffers, *linear._modules)
    if 0 in linear.weight.shape:
        return f"its weight has shape {tuple(linear.weight.shape)}"
    if own := sorted({*tensors} - PRUNED - {"weight", "bias"}):
        return f"it has parts of its own: {', '.join(own)}"
    if any(owners[id(parameter)] > 1 for parameter in linear.parameters()):
        return "it shares a parameter with another module"
    if linear.weight.dtype != torch.float32 or linear.weight.device.type != "cpu":
        return f"it is {linear.weight.dtype} on {linear.weight.device}, not float32 on the CPU"
    if methods := [name for name in _own_attributes(linear) if hasattr(SparseLinear, name)]:
        return f"it has attributes of its own that a SparseLinear needs: {', '.join(methods)}"
    return None


def move(linear: nn.Linear, layer: SparseLinear) -> SparseLinear:
    """layer with the hooks and attributes of linear; those of prune end with the masks."""
    copy_call_hooks(linear, layer)
    layer._forward_pre_hooks = _pre_hooks(linear, prune=False)
    layer.__dict__.update(_own_attributes(linear))
    return layer


@contextlib.contextmanager
def prune_hooks_alone(linear: nn.Linear) -> Iterator[None]:
    """linear without the user's pre-hooks, which run when its sparse layer is called."""
    every = linear._forward_pre_hooks
    linear._forward_pre_hooks = _pre_hooks(linear, prune=True)
    try:
        yield
    finally:
        linear._forward_pre_hooks = every


def _pre_hooks(linear: nn.Linear, *, prune: bool) -> OrderedDict:
    hooks = linear._forward_pre_hooks.items()
    return OrderedDict((key, hook) for key, hook in hooks if isinstance(hook, BasePruningMethod) == prune)


def _own_attributes(linear: nn.Linear) -> dict:
    usual = {*nn.Linear(1, 1, device="meta").__dict__, *PRUNED, "weight", "bias"}
    return {name: value for name, value in linear.__dict__.items() if name not in usual}
