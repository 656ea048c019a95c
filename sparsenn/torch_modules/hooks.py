"""Forward hooks of torch modules: those that compute a parameter are known, any other may change anything."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules import module as torch_module
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ..errors import UnsupportedError
from .state import unchanged

KNOWN = (BasePruningMethod, WeightNorm, SpectralNorm)
CALL_HOOKS = (  # they see a module, its input and its output
    *("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs"),
    *("_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called"),
    *("_backward_pre_hooks", "_backward_hooks", "_is_full_backward_hook"),
)


def check(module: nn.Module, name: str) -> None:
    """UnsupportedError where module, a part of it, or every module has a hook that is not known."""
    if torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks:
        raise UnsupportedError(
            "there are forward hooks on all modules, whose effect cannot be imported: remove them first"
        )
    for path, part in module.named_modules():
        if part._forward_hooks or not all(_is_known(hook) for hook in part._forward_pre_hooks.values()):
            raise UnsupportedError(
                f"{path or name} ({type(part).__name__}) has forward hooks, whose effect cannot be imported: "
                "remove them first"
            )


def run(module: nn.Module) -> None:
    """Compute the parameters that the known hooks of module compute before each of its calls."""
    for hook in module._forward_pre_hooks.values():
        if not _is_known(hook):
            raise UnsupportedError(f"{type(module).__name__} has forward hooks: remove them first")
        hook(module, ())


def current_parameter(module: nn.Module, name: str) -> torch.Tensor | None:
    """A parameter as the next call of module in evaluation mode would use it."""
    with unchanged(module):
        run(module)
        return getattr(module, name)


def copy_call_hooks(module: nn.Module, other: nn.Module) -> None:
    """Gives other the hooks on calls of module, in place of its own."""
    for name in CALL_HOOKS:
        setattr(other, name, copy.copy(getattr(module, name)))


def _is_known(hook) -> bool:
    return isinstance(hook, KNOWN) and any(type(hook).__call__ is kind.__call__ for kind in KNOWN)
