"""Optimizers whose state is of another size than the parameter of a layer that was resized.

Some of torch's fused steps do not compare the two and would write past the end of the smaller one.
"""

from __future__ import annotations

import weakref

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from ..errors import ArgumentError

_resized: weakref.WeakSet[nn.Module] = weakref.WeakSet()
_handles: list = []


def watch(layer: nn.Module) -> None:
    """From now on an optimizer's step refuses state that is not of the size of layer.data (nnz,)."""
    _resized.add(layer)
    if not _handles:
        _handles.append(register_optimizer_step_pre_hook(_check))


def _check(optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict) -> None:
    for data in (layer.data for layer in _resized if "data" in layer._parameters):
        state = optimizer.state.get(data, {})
        for name, value in state.items():
            vector = isinstance(value, torch.Tensor) and value.dim() == 1 and name != "step"
            if vector and len(value) != len(data):
                raise ArgumentError(
                    f"the state {name} of {type(optimizer).__name__} must be as long as the data that was "
                    f"loaded ({len(data)}), got {len(value)}: load its state_dict too, or make a new one"
                )
