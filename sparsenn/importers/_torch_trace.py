"""A torch module as a Model: each node of its torch.fx graph is an entry in the tables of _torch_ops.

What counts is what is computed. A module is taken by its class only where its call is that of the class (a
"plain" one); other code is traced, operation by operation. Code of torch itself that is not in the tables,
such as a quantisation-aware Linear, and hooks are refused by name.
"""

from __future__ import annotations

import operator
import warnings

import torch
import torch.nn.functional as functional
from torch import nn

from ..errors import UnsupportedError
from ..model import Model
from ..torch_modules import hooks
from ..torch_modules.state import unchanged
from ..torch_modules.tensor import to_array
from ._agreement import EPS, agrees, disagreement, samples
from ._steps import Affine, build_model
from ._torch_ops import FORWARDS, FUNCTIONS, METHODS, SUPPORTED

ROOT = "module"


def read_module(module: nn.Module) -> Model:
    """The Model of module in evaluation mode, which is left as it was.

    UnsupportedError for what is no chain of known operations, and where module gives other outputs.
    """
    _check_readable(module)
    with unchanged(module):
        hooks.check(module, ROOT)
        model = build_model(_steps(module))
        if not _agrees(module, model):
            raise disagreement(f"{ROOT} ({_kind(module)})")
    return model


def _check_readable(module: nn.Module) -> None:
    for name, part in module.named_modules():
        where = f"{name or ROOT} ({_kind(part)})"
        if isinstance(part, torch.jit.ScriptModule):
            raise UnsupportedError(f"{where} must be a module in Python, not TorchScript")
        tensors = (*part.parameters(recurse=False), *part.buffers(recurse=False))
        if any(nn.parameter.is_lazy(tensor) for tensor in tensors):
            raise UnsupportedError(f"{where} must know its size: call it once before the import")


def _steps(module: nn.Module) -> list:
    tracer = _Tracer()
    graph = tracer.graph_of(module)
    steps: list = []
    chain = None
    shapes: set = set()  # nodes that hold sizes of the input, which flatten may use
    for node in graph.nodes:
        if node.op == "placeholder":
            chain = node
        elif node.op == "output":
            if node.args[0] is not chain:
                raise UnsupportedError("module must return the result of its last operation, one tensor")
        elif _is_size(node, shapes):
            shapes.add(node)
        elif node.op != "get_attr":
            where = tracer.describe(node)
            rest = [n for n in node.all_input_nodes if n not in shapes and n.op != "get_attr"]
            if rest != [chain]:
                raise UnsupportedError(
                    f"{where} must take the result of the operation before it alone: only a chain can be "
                    "imported"
                )
            steps.extend(_convert(tracer, node, chain, where))
            chain = node
    return steps


class _Holder(nn.Module):
    """Calls a module as a user does, hooks and replaced methods included."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)


class _Tracer(torch.fx.Tracer):
    """Records plain modules and functions of data. What needs no data, such as a mask, is computed."""

    def __init__(self):
        super().__init__()
        self.leaves: dict[str, nn.Module] = {}
        self.constants: dict[str, torch.Tensor] = {}
        self.names: dict[int, str] = {}  # of constants, by identity

    def graph_of(self, module: nn.Module) -> torch.fx.Graph:
        try:
            return self.trace(_Holder(module))
        except UnsupportedError:
            raise
        except Exception as error:  # a forward may raise anything when it is given no tensor
            raise UnsupportedError(
                f"module {type(module).__name__} must be traceable by torch.fx (one input, no branch on "
                f"values): {error}"
            ) from error

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        if is_plain(module):
            return True
        if "forward" in module.__dict__:
            return False
        owner = _owner(module, "forward")
        return owner.__module__.startswith(("torch.nn", "torch.ao.nn")) and owner is not nn.Sequential

    def getattr(self, attr: str, attr_val, parameter_proxy_cache: dict):
        return attr_val  # the tensor itself, so that what is made of parameters alone is computed

    def call_module(self, m: nn.Module, forward, args: tuple, kwargs: dict):
        if not any(isinstance(value, torch.fx.Proxy) for value in (*args, *kwargs.values())):
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def path_of_module(self, mod: nn.Module) -> str:
        try:
            name = super().path_of_module(mod).removeprefix(f"{ROOT}.")
        except NameError:  # kept in a list, or made on the way
            name = type(mod).__name__
        while self.leaves.setdefault(name, mod) is not mod:
            name += "_"
        return name

    def create_arg(self, a):
        """Tensors by identity, in one step each and without a trace of it in the module."""
        if not isinstance(a, torch.Tensor):
            return super().create_arg(a)
        name = self.names.setdefault(id(a), f"constant_{len(self.names)}")
        self.constants[name] = a
        return self.create_node("get_attr", name, (), {})

    def describe(self, node: torch.fx.Node) -> str:
        if node.op == "call_module":
            return f"{node.target} ({_kind(self.leaves[node.target])})"
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", node.target)
        return f"{node.name} ({name})"


def is_plain(module: nn.Module) -> bool:
    """Whether a call of module does what its class in the tables does: nothing on the way is replaced."""
    kind, names = type(module), ("_call_impl", "_wrapped_call_impl", "_slow_forward")
    if not module.__dict__.keys().isdisjoint({"forward", *names}):
        return False
    inherited = all(getattr(kind, name) is getattr(nn.Module, name) for name in names)
    return inherited and any(kind.forward is forward for forward in FORWARDS)


def _owner(module: nn.Module, name: str) -> type:
    return next(kind for kind in type(module).__mro__ if name in kind.__dict__)


def _kind(module: nn.Module) -> str:
    """The class of module, with where it is from where torch has several of that name."""
    kind = type(module)
    return f"{kind.__module__}.{kind.__name__}" if kind.__module__.startswith("torch.ao") else kind.__name__


def _is_size(node: torch.fx.Node, sizes: set) -> bool:
    """Whether a node holds a size of a tensor: x.shape, x.size(0), x.shape[0]."""
    if node.op == "call_method" and node.target == "size":
        return True
    if node.op == "call_function" and node.target is getattr:
        return node.args[1] == "shape"
    return node.op == "call_function" and node.target is operator.getitem and node.args[0] in sizes


def _convert(tracer: _Tracer, node: torch.fx.Node, chain: torch.fx.Node, where: str) -> list:
    if node.op == "call_module":
        return _convert_module(tracer.leaves[node.target], where)
    table = FUNCTIONS if node.op == "call_function" else METHODS
    if node.target not in table:
        raise UnsupportedError(f"{where} is not supported; supported are {SUPPORTED}")
    convert, names = table[node.target]
    if len(node.args) > len(names) + 1 or not node.kwargs.keys() <= {"input", *names}:
        raise UnsupportedError(f"{where} must have the arguments input, {', '.join(names)}, got others")
    fields = dict(zip(("input", *names), node.args, strict=False)) | node.kwargs
    if fields.pop("input", None) is not chain:
        raise UnsupportedError(f"{where} must take the result of the operation before it as its input")
    if node.target is functional.linear:
        return [_linear_function(tracer, fields, where)]
    return convert(fields, where)


def _convert_module(module: nn.Module, where: str) -> list:
    if not is_plain(module):
        raise UnsupportedError(f"{where} is not supported; supported are {SUPPORTED}")
    hooks.run(module)
    return FORWARDS[type(module).forward](module, where)


def _linear_function(tracer: _Tracer, fields: dict, where: str) -> Affine:
    arrays = []
    for name in ("weight", "bias"):
        part = fields.get(name)
        if part is not None and (not isinstance(part, torch.fx.Node) or part.op != "get_attr"):
            raise UnsupportedError(f"{where} must have a parameter of the module as its {name}")
        arrays.append(
            None if part is None else to_array(tracer.constants[part.target], f"{where}: the {name}")
        )
    return Affine(*arrays, where)


def _agrees(module: nn.Module, model: Model) -> bool:
    """Whether module gives what model does, in its own precision or else in float64.

    True where it cannot be run on (batch, features).
    """
    x = samples(model.inputs)
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the module, about such inputs
            got = module(torch.from_numpy(x).to(first.dtype).to(first.device))
        if agrees(model, x, to_array(got), eps=max(torch.finfo(first.dtype).eps, EPS)):
            return True
    except Exception:  # it wants another shape, or has no kernel for its type
        return True
    try:
        got = module.double()(torch.from_numpy(x).double().to(first.device))
        return agrees(model, x, to_array(got))
    except Exception:
        return False
