"""sparsenn: the open sparse inference engine for CPUs.

    data -> train -> dense Model -> prune -> CSR Model -> compile -> Plan -> run
              ^                                 |            |
              +---------- train again ----------+            +-> bench, explain
                       Model <-> one .safetensors file <-> C library

Data goes one way: prune and compile return something new, train alone updates the model it is given.

    model.py          Model, Linear (weight dense or CSR), activations, mlp
    train.py          train, Trainer: the minimal trainer, dense and sparse alike
    prune/            prune: dense to CSR; one criterion a file
    compile.py        compile, Plan: packed and tuned for this processor; run, explain
    io.py             save, load: the model file, which the C library reads too
    ops.py            spmm, spmm_transposed, sddmm on scipy CSR matrices
    reference.py      the plain forward pass that everything fast is tested against
    datasets/         the embedded real data
    cli/              the sparsenn command; one sub-command a file
    _core.pyx         the binding of the C core in src_c/

    import sparsenn as snn
    model = snn.mlp([64, 1024, 1024, 10])
    snn.train(model, X, y, epochs=20)
    sparse = snn.prune(model, sparsity=0.95)
    plan = snn.compile(sparse)
    y = plan.run(x)
"""

from pathlib import Path

from . import _core, datasets, ops
from .compile import Plan, compile
from .errors import (
    ArgumentError,
    CSRError,
    FormatError,
    ISAError,
    SparsennError,
    UnsupportedError,
    VersionError,
)
from .io import load, save
from .model import GELU, ClippedReLU, Linear, Model, ReLU, Sigmoid, Softmax, Tanh, mlp
from .prune import criteria, prune
from .reference import reference
from .train import History, Trainer, train

__version__ = _core.version()

__all__ = [
    "GELU",
    "ArgumentError",
    "CSRError",
    "ClippedReLU",
    "FormatError",
    "History",
    "ISAError",
    "Linear",
    "Model",
    "Plan",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "SparsennError",
    "Tanh",
    "Trainer",
    "UnsupportedError",
    "VersionError",
    "compile",
    "cpu_info",
    "criteria",
    "datasets",
    "get_include",
    "get_library_dir",
    "load",
    "mlp",
    "ops",
    "prune",
    "reference",
    "save",
    "train",
]


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
