"""The weight of a sparse layer: a dense weight to read, and an error for whoever would change it in vain."""

from __future__ import annotations

import torch

from ..errors import UnsupportedError

CHANGES = {
    *(
        "__iadd__",
        "__isub__",
        "__imul__",
        "__idiv__",
        "__itruediv__",
        "__ifloordiv__",
        "__imod__",
        "__ipow__",
    ),
    *("__iand__", "__ior__", "__ixor__", "__ilshift__", "__irshift__"),
    *("__setitem__", "__set__", "__delete__"),
    *("register_hook", "register_post_accumulate_grad_hook", "retain_grad"),
}


class DenseCopy(torch.Tensor):
    """A tensor whose results are plain tensors. UnsupportedError for its changes in place.

    Each call of a layer's weight makes another tensor, so these would be lost. Fused paths of torch leave
    classes like this one alone: a TransformerEncoderLayer calls its sparse layers.
    """

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if _changes(function, args, kwargs):
            raise UnsupportedError(  # a TypeError would make w *= 2 compute w * 2
                f"weight of a sparse layer is a copy, which {_name(function)} would change in vain: "
                "change data, or take weight.detach() for a tensor of your own"
            )
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **kwargs)


def _changes(function, args: tuple, kwargs: dict) -> bool:
    """Whether function writes to a DenseCopy, or hands out what is written to or filled later."""
    first = args[0] if args else None
    if not any(isinstance(x, DenseCopy) for x in (first if isinstance(first, (list, tuple)) else (first,))):
        return isinstance(kwargs.get("out"), DenseCopy)
    name = function.__name__
    if name == "__get__":
        return _name(function) in ("data", "grad")
    in_place = name.endswith("_") and not name.endswith("__")
    return in_place or name in CHANGES or bool(kwargs.get("inplace"))


def _name(function) -> str:
    """The name of a function, or of the attribute that it gets or sets."""
    owner = function.__self__ if function.__name__ in ("__get__", "__set__", "__delete__") else function
    return owner.__name__
