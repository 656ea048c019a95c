"""sparsify: a module in which the layers that get faster by it are sparse."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..checks import check_flag, check_integer, check_real
from ..ops import check_threads
from . import timing
from .conv import SparseConv2d
from .keeping import move, obstacle, prune_hooks_alone
from .linear import SparseLinear
from .recurrent import SparseGRU, SparseLSTM, SparseRecurrent
from .sizes import read_sizes

KINDS: tuple[type[nn.Module], ...] = (SparseLinear, SparseConv2d, SparseLSTM, SparseGRU)


def sparsify(
    module: nn.Module,
    *,
    sparsity: float | None = None,
    batch_size: int = 64,
    threads: int | None = None,
    backward: bool = False,
    example: torch.Tensor | Sequence[torch.Tensor] | None = None,
) -> nn.Module:
    """A copy of module in which each nn.Linear, nn.Conv2d, nn.LSTM and nn.GRU that gets faster is sparse.

    sparsity    as SparseLinear.from_dense takes it, layer by layer
    batch_size  rows of x, images or sequences that both are timed with: the forward pass, or with backward a
                training step's forward and gradients
    example     an input of module, or a sequence of its inputs: a copy of module is run on it, in evaluation
                mode, to see the size of the images, and the steps of the sequences, that each nn.Conv2d,
                nn.LSTM and nn.GRU is timed with. Without it they stay dense, with a warning

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
    sizes = {} if example is None else read_sizes(copy.deepcopy(module, _masked_weights(module)), example)
    for name, part in list(module.named_modules()):
        if (kind := _kind(part)) is None:
            continue
        reason = obstacle(part, kind, owners)
        if reason is None and kind is not SparseLinear and name not in sizes:
            what = "the size of its images is" if kind is SparseConv2d else "the length of its sequences is"
            reason = f"{what} not known: give an example of the input"
        if reason:
            label = f"{name or 'module'} ({kind.dense_type.__name__})"
            warnings.warn(f"{label} stays dense: {reason}", stacklevel=2)
            continue
        with prune_hooks_alone(part):
            sparse = kind.from_dense(part, sparsity=sparsity, threads=threads)
        size = (batch_size, *((part.in_features,) if kind is SparseLinear else sizes[name]))
        if issubclass(kind, SparseRecurrent) and not part.batch_first:
            size = (size[1], batch_size, size[2])
        if timing.is_faster(sparse, sparse.to_dense(), size=size, backward=backward):
            made[id(part)] = move(part, sparse)
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):  # named_children leaves out repeated ones
            if id(child) in made:
                parent._modules[name] = made[id(child)]
    return made.get(id(module), module)


def _kind(part: nn.Module) -> type[nn.Module] | None:
    """Which sparse layer could take the place of part; parametrizations make classes of their own."""
    for kind in KINDS:
        dense = kind.dense_type
        if type(part) is dense or (isinstance(part, dense) and parametrize.is_parametrized(part)):
            return kind
    return None


def _masked_weights(module: nn.Module) -> dict[int, torch.Tensor]:
    """Copies, by id, of the tensors that torch.nn.utils.prune computes: deepcopy takes leaves alone."""
    values = (value for part in module.modules() for value in vars(part).values())
    return {id(x): x.detach().clone() for x in values if isinstance(x, torch.Tensor) and not x.is_leaf}
