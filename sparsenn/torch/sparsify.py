"""sparsify: a module in which the linear layers that get faster by it are sparse."""

from __future__ import annotations

import copy
import warnings
from collections import Counter

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..checks import check_flag, check_integer, check_real
from ..ops import check_threads
from . import timing
from .keeping import move, obstacle, prune_hooks_alone
from .linear import SparseLinear


def sparsify(
    module: nn.Module,
    *,
    sparsity: float | None = None,
    batch_size: int = 64,
    threads: int | None = None,
    backward: bool = False,
) -> nn.Module:
    """A copy of module in which each nn.Linear that gets faster by it is a SparseLinear.

    sparsity    as SparseLinear.from_dense takes it, layer by layer
    batch_size  rows of x that both are timed with: the forward pass, or with backward a training step's
                forward and gradients
    A layer is replaced where the measured sparse time is lower; any other is copied as it is, not pruned.
    Mode, frozen parameters, forward and backward hooks and attributes go over. A layer with what cannot
    (parametrizations, weight_norm, spectral_norm, state_dict hooks, parts of its own, a shared parameter,
    another type or device, no weights) is copied as it is, with a warning that names it. Gradients and hooks
    of parameters stay behind, as they do where copy.deepcopy copies.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    if sparsity is not None:
        check_real("sparsity", sparsity, below=1.0)
    check_threads(threads)
    check_flag("backward", backward)
    module = copy.deepcopy(module, _masked_weights(module))
    owners = Counter(id(p) for part in module.modules() for p in part._parameters.values() if p is not None)
    made: dict[int, nn.Module] = {}  # a layer used twice stays one layer
    for name, part in list(module.named_modules()):
        if type(part) is nn.Linear or (isinstance(part, nn.Linear) and parametrize.is_parametrized(part)):
            if reason := obstacle(part, owners):
                warnings.warn(f"{name or 'module'} (Linear) stays dense: {reason}", stacklevel=2)
                continue
            with prune_hooks_alone(part):
                sparse = SparseLinear.from_dense(part, sparsity=sparsity, threads=threads)
            sizes = {"inputs": part.in_features, "batch_size": batch_size}
            if timing.is_faster(sparse, sparse.to_dense(), **sizes, backward=backward):
                made[id(part)] = move(part, sparse)
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):  # named_children leaves out repeated ones
            if id(child) in made:
                parent._modules[name] = made[id(child)]
    return made.get(id(module), module)


def _masked_weights(module: nn.Module) -> dict[int, torch.Tensor]:
    """Copies, by id, of the tensors that torch.nn.utils.prune computes: deepcopy takes leaves alone."""
    values = (value for part in module.modules() for value in vars(part).values())
    return {id(x): x.detach().clone() for x in values if isinstance(x, torch.Tensor) and not x.is_leaf}
