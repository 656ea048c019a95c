"""A torch module as steps: torch.fx gives the graph, each of its nodes is one entry in the tables below."""

from __future__ import annotations

import operator
from collections.abc import Callable

import torch
import torch.nn.functional as functional
from torch import nn
from torch.nn.utils.prune import BasePruningMethod

from ..errors import ArgumentError, UnsupportedError
from ..layers import ELU, GELU, ClippedReLU, ReLU, Sigmoid, Softmax, Tanh
from ._named import batch_norm
from ._steps import Affine, Leaky
from ._torch_tensor import to_array

SUPPORTED = (
    "Linear, ReLU, ReLU6, LeakyReLU, Hardtanh, clamp, Tanh, Sigmoid, GELU, ELU, "
    "Softmax over the features, BatchNorm1d, Dropout, Identity, Flatten"
)


def trace_steps(module: nn.Module) -> list:
    """The steps of module in evaluation mode. UnsupportedError for what is no chain of known operations."""
    graph = _trace(module)
    steps: list = []
    chain = None
    shapes: set = set()  # nodes that hold sizes of the input, which flatten may use
    for node in graph.nodes:
        if node.op == "placeholder":
            if chain is not None:
                raise UnsupportedError(f"module must take one input, got {node.name} as well")
            chain = node
        elif node.op == "output":
            if node.args[0] is not chain:
                raise UnsupportedError("module must return the result of its last operation, one tensor")
        elif _is_size(node, shapes):
            shapes.add(node)
        elif node.op != "get_attr":
            rest = [n for n in node.all_input_nodes if n not in shapes and n.op != "get_attr"]
            if rest != [chain]:
                raise UnsupportedError(
                    f"{_describe(module, node)} must take the result of the operation before it alone: only "
                    "a chain can be imported"
                )
            steps.extend(_convert(module, node))
            chain = node
    return steps


def _trace(module: nn.Module) -> torch.fx.Graph:
    modes = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        if isinstance(module, LEAVES):
            module = nn.Sequential(module)
        return _Tracer().trace(module)
    except (torch.fx.proxy.TraceError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UnsupportedError(
            f"module {type(module).__name__} must be traceable by torch.fx (no branch on values): {error}"
        ) from error
    finally:
        for part, mode in modes:
            part.training = mode


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, LEAVES) or super().is_leaf_module(module, name)


def _is_size(node: torch.fx.Node, sizes: set) -> bool:
    """Whether a node holds a size of a tensor: x.shape, x.size(0), x.shape[0]."""
    if node.op == "call_method" and node.target == "size":
        return True
    if node.op == "call_function" and node.target is getattr:
        return node.args[1] == "shape"
    return node.op == "call_function" and node.target is operator.getitem and node.args[0] in sizes


def _convert(root: nn.Module, node: torch.fx.Node) -> list:
    where = _describe(root, node)
    if node.op == "call_module":
        return _convert_module(_submodule(root, node.target), where)
    table = FUNCTIONS if node.op == "call_function" else METHODS
    if node.target not in table:
        raise UnsupportedError(f"{where} is not supported; supported are {SUPPORTED}")
    if node.target is functional.linear:
        return [_linear_function(root, node, where)]
    fields = dict(zip(table[node.target][1], node.args[1:], strict=False))
    return table[node.target][0]({**fields, **node.kwargs}, where)


def _convert_module(module: nn.Module, where: str) -> list:
    for kind, convert in MODULES.items():
        if isinstance(module, kind):
            _check_hooks(module, where)
            return convert(module, where)
    raise UnsupportedError(f"{where} is not supported; supported are {SUPPORTED}")


def _check_hooks(module: nn.Module, where: str) -> None:
    """Hooks may change anything; only those of torch.nn.utils.prune are known."""
    known = all(isinstance(hook, BasePruningMethod) for hook in module._forward_pre_hooks.values())
    if module._forward_hooks or not known:
        raise UnsupportedError(
            f"{where} has forward hooks, whose effect cannot be imported: remove them first"
        )


def _linear(module: nn.Module, where: str) -> list:
    weight, bias = _parameter(module, "weight"), _parameter(module, "bias")
    return [Affine(to_array(weight), None if bias is None else to_array(bias), where)]


def _parameter(module: nn.Module, name: str) -> torch.Tensor | None:
    """A parameter as forward would use it: pruning recomputes it before each call, so here too."""
    original, mask = getattr(module, f"{name}_orig", None), getattr(module, f"{name}_mask", None)
    if original is None or mask is None:
        return getattr(module, name)
    return original.detach() * mask.to(original.dtype)


def _linear_function(root: nn.Module, node: torch.fx.Node, where: str) -> Affine:
    given = dict(zip(("input", "weight", "bias"), node.args, strict=False)) | node.kwargs
    arrays = []
    for name in ("weight", "bias"):
        part = given.get(name)
        if part is not None and (not isinstance(part, torch.fx.Node) or part.op != "get_attr"):
            raise UnsupportedError(f"{where} must have a parameter of the module as its {name}")
        arrays.append(None if part is None else to_array(_attribute(root, part.target)))
    return Affine(*arrays, where)


def _sparse_linear(module: nn.Module, where: str) -> list:
    return [Affine(module.to_csr(), None if module.bias is None else to_array(module.bias), where)]


def _batch_norm(module: nn.BatchNorm1d, where: str) -> list:
    if module.running_mean is None:
        raise UnsupportedError(f"{where} must track running statistics: it uses those of each batch")
    parts = (module.running_mean, module.running_var, module.weight, module.bias)
    arrays = [None if part is None else to_array(part) for part in parts]
    return [batch_norm(*arrays, epsilon=module.eps, name=where)]


def _softmax(fields: dict, where: str) -> list:
    if fields.get("dim") not in (None, 1, -1):
        raise UnsupportedError(f"{where} must be over the features (dim 1 or -1), got dim={fields['dim']}")
    return [Softmax()]


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


def _no_effect(fields: dict, where: str) -> list:
    if fields.get("training") is True:
        raise UnsupportedError(f"{where} must be off in evaluation: training=self.training")
    return []


def _submodule(root: nn.Module, target: str) -> nn.Module:
    # A leaf on its own was traced inside a Sequential.
    return root if isinstance(root, LEAVES) and target == "0" else root.get_submodule(target)


def _attribute(root: nn.Module, target: str):
    for name in target.split("."):
        root = getattr(root, name)
    return root


def _describe(root: nn.Module, node: torch.fx.Node) -> str:
    if node.op == "call_module":
        return f"{node.target} ({type(_submodule(root, node.target)).__name__})"
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", node.target)
    return f"{node.name} ({name})"


def _sparse_kind() -> type:
    from ..torch import SparseLinear  # here, since it imports this package

    return SparseLinear


MODULES: dict[type, Callable] = {
    nn.Linear: _linear,
    nn.ReLU6: lambda _m, _w: [ClippedReLU(low=0.0, high=6.0)],
    nn.Hardtanh: lambda m, w: clip_layers(m.min_val, m.max_val, w),
    nn.ReLU: lambda _m, _w: [ReLU()],
    nn.LeakyReLU: lambda m, w: [Leaky(m.negative_slope, w)],
    nn.Tanh: lambda _m, _w: [Tanh()],
    nn.Sigmoid: lambda _m, _w: [Sigmoid()],
    nn.GELU: lambda m, w: _gelu({"approximate": m.approximate}, w),
    nn.ELU: lambda m, w: _elu({"alpha": m.alpha}, w),
    nn.Softmax: lambda m, w: _softmax({"dim": m.dim}, w),
    nn.BatchNorm1d: _batch_norm,
    nn.modules.dropout._DropoutNd: lambda _m, _w: [],
    nn.Identity: lambda _m, _w: [],
    nn.Flatten: lambda m, w: _flatten({"start_dim": m.start_dim, "end_dim": m.end_dim}, w),
    _sparse_kind(): _sparse_linear,
}
LEAVES = tuple(MODULES)

_DROPOUT = (_no_effect, ("p", "training"))
_CLAMP = (_clip, ("low", "high"))
# What to call with the arguments after the first, and their names.
FUNCTIONS: dict[object, tuple] = {
    functional.linear: (None, ()),
    functional.relu: (_always(ReLU), ("inplace",)),
    torch.relu: (_always(ReLU), ()),
    functional.relu6: (lambda _f, _w: [ClippedReLU(low=0.0, high=6.0)], ("inplace",)),
    functional.leaky_relu: (
        lambda f, w: [Leaky(f.get("negative_slope", 0.01), w)],
        ("negative_slope", "inplace"),
    ),
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
    functional.gelu: (_gelu, ("approximate",)),
    functional.elu: (_elu, ("alpha", "inplace")),
    functional.softmax: (_softmax, ("dim", "_stacklevel", "dtype")),
    torch.softmax: (_softmax, ("dim", "dtype")),
    functional.dropout: _DROPOUT,
    torch.dropout: (lambda f, w: _no_effect({"training": f.get("train")}, w), ("p", "train")),
    torch.flatten: (_flatten, ("start_dim", "end_dim")),
}
METHODS: dict[object, tuple] = {
    "relu": (_always(ReLU), ()),
    "tanh": (_always(Tanh), ()),
    "sigmoid": (_always(Sigmoid), ()),
    "softmax": (_softmax, ("dim", "dtype")),
    "clamp": (lambda f, w: clip_layers(f.get("min"), f.get("max"), w), ("min", "max")),
    "clip": (lambda f, w: clip_layers(f.get("min"), f.get("max"), w), ("min", "max")),
    "contiguous": (_no_effect, ()),
    "flatten": (_flatten, ("start_dim", "end_dim")),
    "view": (_view, ("first", "second", "third")),
    "reshape": (_view, ("first", "second", "third")),
}
