"""sparsenn: the open sparse inference engine for CPUs.

    data -> train -> dense Model -> prune -> CSR Model -> compile -> Plan -> run
              ^                                 |            |
              +---------- train again ----------+            +-> bench, explain
                       Model <-> one .safetensors file <-> C library

Data goes one way: prune and compile return something new, train alone updates the model it is given.

    layers/           Linear (dense or CSR), activations, Add, Concat and so on, one a file
    graph/            Input, values and nodes, the one walk over them
    model.py mlp.py   Model: a graph of layers, or a chain; mlp
    training/         train, Trainer, regrow: dense and sparse alike; optim, losses, penalties, rules, rates
    prune/            prune, prune_iteratively, prune_neurons; one criterion, structure or schedule a file
    search/           select_sparsity, allocate, sensitivity: how sparse, by measured score and latency
    compile.py        compile, Plan: packed and tuned for this processor; run, explain
    io.py             save, load: the model file, which the C library reads too
    ops.py            spmm, spmm_transposed, sddmm on scipy CSR matrices
    reference.py      the plain forward pass that everything fast is tested against
    datasets/         the embedded real data
    importers/        from_sklearn, from_torch, from_keras, from_onnx, from_safetensors; one format a file
    exporters/        to_onnx, to_torch, to_sklearn, to_scipy
    sklearn/          SparseMLPClassifier, SparseMLPRegressor (imported on its own)
    torch/            SparseLinear, SparseConv2d, SparseLSTM, SparseGRU, sparsify (imported on its own)
    cli/              the sparsenn command; one sub-command a file
    _core.pyx         the binding of the C core in src_c/

    import sparsenn as snn
    model = snn.mlp([64, 1024, 1024, 10])
    snn.train(model, X, y, epochs=20)
    sparse = snn.prune(model, sparsity=0.95)
    plan = snn.compile(sparse)
    y = plan.run(x)
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _core, layers, ops
from .compile import compile
from .encoders import encoder
from .errors import (
    ArgumentError,
    CSRError,
    DivergedError,
    FormatError,
    ISAError,
    MissingPackageError,
    SparsennError,
    UnsupportedError,
    VersionError,
)
from .graph.value import Input
from .io import load, save
from .layers import *  # noqa: F403
from .limits import Limits
from .mlp import mlp
from .model import Model
from .plan import Plan
from .prune import (
    MaskedMovement,
    RecordMovement,
    RecordRange,
    criteria,
    drop_dead_neurons,
    prune,
    structures,
)
from .prune.schedules import schedules
from .reference import reference
from .sequences import gru, lstm, rnn

if TYPE_CHECKING:
    from . import datasets
    from .exporters.onnx import to_onnx
    from .exporters.scipy import to_scipy
    from .exporters.sklearn import to_sklearn
    from .exporters.torch import to_torch
    from .importers.keras import from_keras
    from .importers.onnx import from_onnx
    from .importers.safetensors import from_safetensors
    from .importers.sklearn import from_sklearn
    from .importers.torch import from_torch
    from .prune.iterative import prune_iteratively
    from .prune.neuron_loop import prune_neurons
    from .search.allocation import Allocation, allocate
    from .search.display import SparsityDisplay
    from .search.select import select_sparsity
    from .search.selection import SparsitySelection
    from .search.sensitivity import Sensitivity, sensitivity
    from .training import losses, optim
    from .training.history import History
    from .training.rates import Constant, Cosine, StepDecay
    from .training.regrow import Regrow, regrow
    from .training.train import train
    from .training.trainer import Trainer

__version__ = _core.version()

# What running a model does not need is imported when it is first asked for: the names of each module.
_LATER = {
    "": ("datasets", "exporters", "importers", "require", "search", "training"),
    "exporters.onnx": ("to_onnx",),
    "exporters.scipy": ("to_scipy",),
    "exporters.sklearn": ("to_sklearn",),
    "exporters.torch": ("to_torch",),
    "importers.keras": ("from_keras",),
    "importers.onnx": ("from_onnx",),
    "importers.safetensors": ("from_safetensors",),
    "importers.sklearn": ("from_sklearn",),
    "importers.torch": ("from_torch",),
    "prune.iterative": ("prune_iteratively",),
    "prune.neuron_loop": ("prune_neurons",),
    "search.allocation": ("Allocation", "allocate"),
    "search.display": ("SparsityDisplay",),
    "search.select": ("select_sparsity",),
    "search.selection": ("SparsitySelection",),
    "search.sensitivity": ("Sensitivity", "sensitivity"),
    "training": ("losses", "optim"),
    "training.history": ("History",),
    "training.rates": ("Constant", "Cosine", "StepDecay"),
    "training.regrow": ("Regrow", "regrow"),
    "training.train": ("train",),
    "training.trainer": ("Trainer",),
}
_MODULE_OF = {name: module for module, names in _LATER.items() for name in names}

__all__ = [
    *layers.__all__,
    "Allocation",
    "ArgumentError",
    "CSRError",
    "Constant",
    "Cosine",
    "DivergedError",
    "FormatError",
    "History",
    "ISAError",
    "Input",
    "Limits",
    "MaskedMovement",
    "MissingPackageError",
    "Model",
    "Plan",
    "RecordMovement",
    "RecordRange",
    "Regrow",
    "Sensitivity",
    "SparsennError",
    "SparsityDisplay",
    "SparsitySelection",
    "StepDecay",
    "Trainer",
    "UnsupportedError",
    "VersionError",
    "allocate",
    "compile",
    "cpu_info",
    "criteria",
    "datasets",
    "drop_dead_neurons",
    "encoder",
    "from_keras",
    "from_onnx",
    "from_safetensors",
    "from_sklearn",
    "from_torch",
    "get_include",
    "get_library_dir",
    "gru",
    "load",
    "losses",
    "lstm",
    "mlp",
    "ops",
    "optim",
    "prune",
    "prune_iteratively",
    "prune_neurons",
    "reference",
    "regrow",
    "rnn",
    "save",
    "schedules",
    "select_sparsity",
    "sensitivity",
    "structures",
    "to_onnx",
    "to_scipy",
    "to_sklearn",
    "to_torch",
    "train",
]


def __getattr__(name: str) -> Any:
    """A name of _LATER, from then on an ordinary one of this module (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = ".".join(filter(None, (__name__, _MODULE_OF[name])))
    if module in (__name__, f"{__name__}.training"):  # names of modules
        found = importlib.import_module(f"{module}.{name}")
    else:
        found = getattr(importlib.import_module(module), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def cpu_info() -> dict:
    """The processor and what was built for it.

    isa (chosen), isas_built and isas_usable (best first), model (the processor's name), threads (the
    default number), openmp (False: everything runs in the calling thread). ISAError when SPARSENN_ISA names
    a kernel set that is unknown, not built or not supported here.
    """
    return _core.cpu_info()


def get_include() -> str:
    """The folder of sparsenn.h, for C and Cython code."""
    return str(Path(__file__).parent / "include")


def get_library_dir() -> str:
    """The folder of libsparsenn.a, for C code; its pkgconfig and cmake folders are in it."""
    return str(Path(__file__).parent / "lib")
