"""What a torch module computes, recorded by torch.fx.

What counts is what is computed. A module is taken by its class only where its call is that of the class (a
"plain" one); other code is traced, operation by operation. Code of torch itself that is not in the tables of
_torch_ops.py, such as a quantisation-aware Linear, and hooks are refused by name.
"""

from __future__ import annotations

import torch
from torch import nn

from ..errors import UnsupportedError
from ._torch_modules import FORWARDS

ROOT = "module"


class _Holder(nn.Module):
    """Calls a module as a user does, hooks and replaced methods included."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self):
        raise NotImplementedError


class Tracer(torch.fx.Tracer):
    """Records plain modules and functions of data. What needs no data, such as a mask, is computed.

    leaves  the modules that nodes name;  constants  the tensors that nodes name
    """

    def __init__(self):
        super().__init__()
        self.leaves: dict[str, nn.Module] = {}
        self.constants: dict[str, torch.Tensor] = {}
        self.names: dict[int, str] = {}  # of constants, by identity

    def graph_of(self, module: nn.Module, inputs: list[str], keywords: list[str]) -> torch.fx.Graph:
        """Of a call with those inputs by position, and those by name."""
        self.inputs, self.keywords = inputs, keywords
        try:
            return self.trace(_Holder(module))
        except UnsupportedError:
            raise
        except Exception as error:  # a forward may raise anything when it is given no tensor
            raise UnsupportedError(
                f"module {type(module).__name__} must be traceable by torch.fx (no branch on values): {error}"
            ) from error

    def create_args_for_root(self, root_fn, is_module: bool, concrete_args=None) -> tuple:
        values = [self.create_proxy("placeholder", name, (), {}) for name in (*self.inputs, *self.keywords)]

        def call(root: _Holder):
            count = len(self.inputs)
            return root.module(*values[:count], **dict(zip(self.keywords, values[count:], strict=True)))

        return call, [self.root]

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        if is_plain(module):
            return True
        if "forward" in module.__dict__:
            return False
        owner = next(kind for kind in type(module).__mro__ if "forward" in kind.__dict__)
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
            return f"{node.target} ({kind_of(self.leaves[node.target])})"
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", node.target)
        return f"{node.name} ({name})"


def is_plain(module: nn.Module) -> bool:
    """Whether a call of module does what its class in the tables does: nothing on the way is replaced."""
    kind, names = type(module), ("_call_impl", "_wrapped_call_impl", "_slow_forward")
    if not module.__dict__.keys().isdisjoint({"forward", *names}):
        return False
    inherited = all(getattr(kind, name) is getattr(nn.Module, name) for name in names)
    return inherited and any(kind.forward is forward for forward in FORWARDS)


def kind_of(module: nn.Module) -> str:
    """The class of module, with where it is from where torch has several of that name."""
    kind = type(module)
    return f"{kind.__module__}.{kind.__name__}" if kind.__module__.startswith("torch.ao") else kind.__name__
