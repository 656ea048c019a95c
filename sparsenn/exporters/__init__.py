"""Exporters: a Model as a network of another framework, in one call.

    snn.to_onnx(model, path)    snn.to_torch(model)    snn.to_scipy(model)    snn.to_sklearn(model)

A new format is a new file NAME.py here with one function, to_NAME; it is found by its name. Files that start
with an underscore are no exporters. Weights keep their bits; the model is only read.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from ..errors import ArgumentError


def formats() -> list[str]:
    """The formats that can be exported to, sorted; each has a function to_NAME."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def find_exporter(name: str) -> Callable:
    """The to_NAME function of a format. ValueError for an unknown one."""
    if name not in formats():
        raise ArgumentError(f"name must be one of {', '.join(formats())}, got {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{name}"), f"to_{name}")


def __getattr__(name: str) -> Callable:
    if name.startswith("to_") and name[3:] in formats():
        return find_exporter(name[3:])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *(f"to_{name}" for name in formats())])
