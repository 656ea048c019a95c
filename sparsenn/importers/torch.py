"""PyTorch: modules, traced with torch.fx, and state_dicts with a list of their layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..checks import check_flag
from ..model import Model
from ..require import require
from ._named import from_tensors


def from_torch(
    module,
    example=None,
    *,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    layers: Iterable | None = None,
    keep_batch_norm: bool = False,
) -> Model:
    """The network of a torch module, as it works in evaluation mode.

    module   an nn.Module, or a state_dict
    example  an input (batch, ...), a sequence of inputs, or a dict of them by the names of forward's
             parameters: tensors or arrays of floats; their shapes count. Needed where the weights do not tell
             the shapes; without it, an input is (batch, features)
    input_shapes   instead of an example: shapes (batch, ...) by the names of forward's parameters; a size of
             None stays open, and plans take any that fits: {"x": (None, 3, None, None)}
    layers   for a state_dict, which says nothing of the order: see from_safetensors
    keep_batch_norm  False: BatchNorm is folded into the layers beside it; True: it becomes a BatchNorm
             layer, to train on, which plans fold. Of modules alone

    Supported, as modules, functions, methods and operators: Linear and matmul with a parameter, ReLU, ReLU6,
    LeakyReLU, Hardtanh, clamp, Tanh, Sigmoid, GELU (exact), SiLU, ELU, Softmax over the features, LSTM, GRU
    and RNN, BatchNorm1d (folded), Dropout and Identity (dropped); add, sub, mul of tensors, div by a
    constant; cat, stack, chunk, split, indexing; view, reshape, flatten, permute, transpose, squeeze,
    unsqueeze that keep samples apart.
    A chain of layers takes (batch, features); any other graph takes and gives what the module does, its
    inputs named as forward's parameters, its outputs y, or y0, y1, ..., or as the keys of a returned dict.

    Weights may be on any device, of any float dtype, parametrized, sparse (any 2-D layout), or pruned by
    torch.nn.utils.prune (the mask is baked in); those with 60 % zeros or more become CSR. Softmax at the end
    is kept. What counts is what the module computes: a forward of its own is traced, and UnsupportedError
    names the first operation that is not supported, forward hooks, and quantisation. At last the module is
    run and compared with the result. It is left as it was.
    """
    torch = require("torch", extra="torch", caller="from_torch")
    keep = check_flag("keep_batch_norm", keep_batch_norm)
    if isinstance(module, torch.nn.Module):
        if layers is not None:
            raise TypeError("layers must be given with a state_dict alone: a module knows its own order")
        from ._torch_read import read_module  # it imports torch

        if example is not None and input_shapes is not None:
            raise TypeError("example or input_shapes must be given, got both")
        return read_module(module, example, shapes=input_shapes, keep_batch_norm=keep)
    if not isinstance(module, Mapping):
        raise TypeError(f"module must be a torch.nn.Module or a state_dict, got {type(module).__name__}")
    if input_shapes is not None:
        raise TypeError("input_shapes must be given with a module alone: a state_dict is a list of layers")
    if example is not None:
        raise TypeError("example must be given with a module alone: a state_dict is a list of layers")
    if keep:
        raise TypeError("keep_batch_norm must be given with a module alone: a state_dict is a list of layers")
    if layers is None:
        raise TypeError(
            "layers must be given with a state_dict: the names of its layers and activations in order"
        )
    from ..torch_modules.tensor import to_array

    names = [name for name, value in module.items() if isinstance(value, torch.Tensor)]
    return from_tensors(names, lambda name: to_array(module[name], name), layers)
