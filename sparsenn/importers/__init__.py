"""Importers: a trained network of another framework as a Model, in one call.

    snn.from_sklearn(estimator)        snn.from_torch(module)       snn.from_keras(model)
    snn.from_onnx(path)                snn.from_safetensors(path, layers=[...])

A new format is a new file NAME.py here with one function, from_NAME; it is found by its name. Files that
start with an underscore are no importers. A framework is imported when its importer is called, and one that
is missing is named with the extra that installs it. Nothing here unpickles anything.

Weights are checked and copied, mostly-zero ones become CSR, normalisation is folded into linear layers:
chains are a list of steps, which _steps.py makes a Model of; graphs are wires between steps (_wires.py).

    source -> Data (_data.py) through _moves.py and _arithmetic.py -> _patterns.py -> _emit.py -> Model
    ONNX: _onnx_file -> _onnx_graph, which asks _onnx_inputs what is meant, folds constants (_onnx_fold) and
          calls _onnx_ops and _onnx_shapes
    torch: _torch_read -> _torch_trace, a torch.fx graph -> _torch_graph, which calls what _torch_modules and
           _torch_ops list, most of it from _torch_functions
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from ..errors import ArgumentError


def formats() -> list[str]:
    """The formats that can be imported, sorted; each has a function from_NAME."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def find_importer(name: str) -> Callable:
    """The from_NAME function of a format. ValueError for an unknown one."""
    if name not in formats():
        raise ArgumentError(f"name must be one of {', '.join(formats())}, got {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{name}"), f"from_{name}")


def __getattr__(name: str) -> Callable:
    if name.startswith("from_") and name[5:] in formats():
        return find_importer(name[5:])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *(f"from_{name}" for name in formats())])
