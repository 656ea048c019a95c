"""A torch module as a Model, compared with the module at the end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree

from ..errors import UnsupportedError
from ..graph.value import Dims
from ..model import Model
from ..torch_modules import hooks
from ..torch_modules.state import unchanged
from ..torch_modules.tensor import to_array
from ._agreement import EPS, agrees, disagreement, samples
from ._emit import emit
from ._open_sizes import with_open_sizes
from ._torch_example import Inputs, inputs_of, inputs_of_shapes
from ._torch_graph import HINT, Graph
from ._torch_trace import ROOT, Tracer, kind_of
from ._wires import Sizes, in_order


def read_module(
    module: nn.Module, example=None, *, shapes: Mapping | None = None, keep_batch_norm: bool = False
) -> Model:
    """The Model of module in evaluation mode, which is left as it was.

    shapes  (batch, ...) by name, instead of an example; a size of None stays open
    UnsupportedError for what is not known, and where module gives other outputs.
    """
    _check_readable(module)
    with unchanged(module):
        hooks.check(module, ROOT)
        inputs = inputs_of(module, example) if shapes is None else inputs_of_shapes(module, shapes)
        tracer = Tracer()
        recorded = tracer.graph_of(module, list(inputs.positional), list(inputs.keyword))

        used: list[str] = []
        axes: list[int] = []

        def build(dims: Mapping[str, Dims]) -> Model:
            graph = Graph(tracer, recorded, _samples_of(dims))
            model, used[:] = _emitted(graph, keep_batch_norm=keep_batch_norm)
            sizes.update(graph.sizes)
            axes[:] = graph.axes
            return model

        sizes = dict(inputs.sizes)
        dims = {name: (None, *given) for name, given in sizes.items()}
        if shapes is None or not any(None in given for given in sizes.values()):
            model = build(dims)
        else:
            model, made_for = with_open_sizes(
                build, dims, probe=lambda given: Graph(tracer, recorded, _samples_of(given)).wires()
            )
            sizes.update((name, given[1:]) for name, given in made_for.items())
        if not _agrees(module, model, inputs, sizes=sizes, used=used, axes=axes):
            raise disagreement(f"{ROOT} ({kind_of(module)})")
    return model


def _samples_of(dims: Mapping[str, Dims]) -> dict[str, Sizes]:
    return {name: given[1:] for name, given in dims.items()}


def _emitted(graph: Graph, *, keep_batch_norm: bool) -> tuple[Model, list[str]]:
    """The Model, and the names of the inputs that it has."""
    starts, outputs = graph.wires()
    needed = set(in_order(wire for _, wire in outputs))
    for name, wire in starts:
        if wire in needed and None in wire.sizes:
            raise UnsupportedError(f"module must know the features of its input {name!r}: {HINT}")
    model = emit(starts, outputs, hint=HINT, keep_batch_norm=keep_batch_norm)
    return model, [name for name, wire in starts if wire in needed]


def _agrees(
    module: nn.Module,
    model: Model,
    inputs: Inputs,
    *,
    sizes: dict[str, Sizes],
    used: list[str],
    axes: list[int],
) -> bool:
    """Whether module gives what model does, in its own precision or else in float64.

    True where it cannot be run on such inputs. sizes: of all inputs; used: those that the model has; axes: of
    the batch in the module's outputs.
    """
    shapes = [tuple(1 if size is None else size for size in sizes[name]) for name in inputs.sizes]
    floats = dict(zip(inputs.sizes, samples(*shapes), strict=True))
    whole = {name: (array >= 0).astype(np.float32) for name, array in floats.items()}  # rows of any table
    if inputs.whole is not None:
        arrays = {**floats, **{name: whole[name] for name in inputs.whole}}
        return _agrees_on(module, model, inputs, arrays, used, axes) is not False
    for names, arrays in ((frozenset(), floats), (frozenset(inputs.sizes), whole)):
        found = _agrees_on(module, model, replace(inputs, whole=names), arrays, used, axes)
        if found is not None:
            return found
    return True


def _agrees_on(
    module: nn.Module,
    model: Model,
    inputs: Inputs,
    arrays: dict[str, np.ndarray],
    used: list[str],
    axes: list[int],
) -> bool | None:
    """None where it cannot be run on such inputs, of which inputs.whole are integers."""
    x = [arrays[name] for name in used]
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))

    def run(dtype: torch.dtype) -> list[np.ndarray]:
        kinds = {name: torch.int64 if name in inputs.whole else dtype for name in arrays}
        tensors = {
            name: torch.from_numpy(array).to(first.device, kinds[name]) for name, array in arrays.items()
        }
        made = module(
            *(tensors[name] for name in inputs.positional), **{n: tensors[n] for n in inputs.keyword}
        )
        parts = made.values() if isinstance(made, dict) else _pytree.tree_leaves(made)
        return [np.moveaxis(to_array(part), axis, 0) for part, axis in zip(parts, axes, strict=True)]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the module, about such inputs
            got = run(first.dtype)
        if agrees(model, x, got, eps=max(torch.finfo(first.dtype).eps, EPS)):
            return True
    except Exception:  # it wants another shape, or has no kernel for its type
        return None
    try:
        module.double()
        return agrees(model, x, run(torch.float64))
    except Exception:
        return False


def _check_readable(module: nn.Module) -> None:
    for name, part in module.named_modules():
        where = f"{name or ROOT} ({kind_of(part)})"
        if isinstance(part, torch.jit.ScriptModule):
            raise UnsupportedError(f"{where} must be a module in Python, not TorchScript")
        tensors = (*part.parameters(recurse=False), *part.buffers(recurse=False))
        if any(nn.parameter.is_lazy(tensor) for tensor in tensors):
            raise UnsupportedError(f"{where} must know its size: call it once before the import")
