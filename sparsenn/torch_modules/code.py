"""Whether a module computes what its class of torch does."""

from __future__ import annotations

from torch import nn

ON_THE_WAY = ("__call__", "_wrapped_call_impl", "_call_impl", "_slow_forward", "forward", "_conv_forward")


def replaced(module: nn.Module, kind: type[nn.Module]) -> str | None:
    """The name of a method of module, which is a kind, that kind does not have so; None without one."""
    for name in ON_THE_WAY:
        if name in module.__dict__ or getattr(type(module), name, None) is not getattr(kind, name, None):
            return name
    return None
