"""compile(model) -> Plan: a model packed and tuned for this processor."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from . import _core
from .bridge import to_core
from .checks import check_integer
from .errors import ArgumentError
from .explain import explain_report
from .model import Model
from .ops import check_threads
from .paths import as_path
from .reference import as_batch

SMALL_LAYER = 4096  # weights; below, whether sparse or dense is faster tells nothing


class Plan:
    """A compiled model. Immutable: any number of threads may run it at once. Made by compile()."""

    def __init__(self, handle: _core.Plan, options: dict):
        """options: those of compile, for where the plan is unpickled."""
        self._handle, self._options = handle, options

    @property
    def inputs(self) -> int:
        """Features of one input sample."""
        return self._handle.inputs

    @property
    def outputs(self) -> int:
        """Features of one output sample."""
        return self._handle.outputs

    @property
    def threads(self) -> int:
        """Threads that a run uses at most."""
        return self._handle.threads

    @property
    def isa(self) -> str:
        """The kernel set: scalar, avx2, avx512 or neon."""
        return self._handle.isa

    def run(self, x, out: np.ndarray | None = None) -> np.ndarray:
        """x (batch, inputs) -> (batch, outputs) float32, in out where one is given.

        x may be any array of real numbers, also read-only, memory-mapped, or offered by DLPack. It is read in
        place where it is float32 and C-contiguous (samples first) or F-contiguous (features first: the
        transpose of a contiguous (inputs, batch), as the pixels of an NCHW image); any other dtype or
        stride is copied first. One sample is x[None, :]. out must be float32, C- or F-contiguous whatever x
        is, and must not share memory with x; the result is written there without a copy. Without out it is
        a new array, F-contiguous where x is read as such, else C-contiguous. Values have the same bits in
        every order. A weight that is 0 reads nothing: an infinity or NaN of x reaches only the outputs that
        have another weight there, and a sample with a NaN among its outputs takes many times as long.
        """
        y = self._handle.run(x, out)
        return self._run_any(x, out) if y is None else y

    def _run_any(self, x, out: np.ndarray | None) -> np.ndarray:
        """run for what the core cannot use as it is."""
        x = _as_input(x, self.inputs)
        if out is not None:
            _check_out(out, (x.shape[0], self.outputs), x)
        y = self._handle.run(x, None if out is None else np.asarray(out))
        if y is None:
            raise ArgumentError("out must be C- or F-contiguous, aligned and writeable")
        return y if out is None else out

    def report(self) -> dict:
        """What was tuned and chosen, layer by layer, as data: times in microseconds where named _us."""
        return json.loads(self._handle.report())

    def explain(self) -> str:
        """The report as a text table: per layer and batch the candidates, their times and the choice."""
        return explain_report(self.report())

    def __reduce__(self):
        """Pickles as the bytes of its model's file; where it is unpickled it is compiled again."""
        return _compile_again, (self._handle.model().save_memory(), self._options)

    def __repr__(self) -> str:
        return f"Plan({self.inputs} -> {self.outputs}, isa={self.isa!r}, threads={self.threads})"


def compile(
    model: Model,
    *,
    threads: int | None = None,
    batch_sizes: Iterable[int] = (1, 64),
    tune: str = "measure",
    cache: bool | str | os.PathLike = True,
    isa: str | None = None,
) -> Plan:
    """Packs a model into a Plan for this processor and chooses a kernel for each layer and batch size.

    threads      None: OMP_NUM_THREADS, the processor affinity and the cgroup quota decide
    batch_sizes  batches to tune for, each >= 1; any batch runs
    tune         "measure" times the best candidates, "model" trusts the cost model, "off" takes fixed
                 choices, the same on every machine with this ISA
    cache        True keeps tuning results in cache_folder(), a path in that folder, False nowhere
    isa          a kernel set by name; None: SPARSENN_ISA where set, else the best one
    Warns when a sparse layer is below break-even, so that the dense kernel was taken for the largest batch.
    Raises ISAError for a kernel set that is unknown, not built or not supported here.

    >>> import numpy as np, sparsenn as snn
    >>> model = snn.mlp([16, 32, 4], sparsity=0.75)
    >>> plan = snn.compile(model, tune="off", cache=False)
    >>> plan.run(np.zeros((5, 16))).shape
    (5, 4)
    """
    return _compile(
        to_core(model),
        {"threads": threads, "batch_sizes": tuple(batch_sizes), "tune": tune, "cache": cache, "isa": isa},
    )


def _compile_again(content: np.ndarray, options: dict) -> Plan:
    """The plan of an unpickled model file, without the warnings that its first making gave."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return _compile(_core.Model.load_memory(content), options)


def _compile(handle: _core.Model, options: dict) -> Plan:
    threads, batch_sizes, tune, cache, isa = (
        options[name] for name in ("threads", "batch_sizes", "tune", "cache", "isa")
    )
    sizes = [check_integer(f"batch_sizes[{i}]", size, minimum=1) for i, size in enumerate(batch_sizes)]
    if not sizes:
        raise ArgumentError("batch_sizes must hold at least one batch size, got none")
    if tune not in _core.TUNE:
        raise ArgumentError(f"tune must be one of {', '.join(_core.TUNE)}, got {tune!r}")
    if isa is not None and not isinstance(isa, str):
        raise TypeError(f"isa must be a string or None, got {type(isa).__name__}")
    plan = _core.Plan(
        handle,
        threads=check_threads(threads),
        batch_sizes=np.array(sizes, np.int64),
        tune=tune,
        isa=None if isa is None else isa.encode("utf-8", "surrogatepass"),
        cache_path=_cache_path(cache),
    )
    compiled = Plan(plan, options)
    _warn_of_dense(compiled.report())
    return compiled


def cache_folder() -> Path:
    """Where tuning results are kept: $XDG_CACHE_HOME/sparsenn, else ~/.cache/sparsenn. Safe to delete."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if os.path.isabs(root) else Path.home() / ".cache") / "sparsenn"


def _cache_path(cache: bool | str | os.PathLike) -> bytes | None:
    """The folder as bytes, made where it is missing; None when nothing is to be kept or can be."""
    if cache is False:
        return None
    folder = cache_folder() if cache is True else Path(as_path(cache, "cache"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        if cache is True:  # no home to write to: tune every time
            return None
        raise
    return os.fsencode(folder)


def _warn_of_dense(report: dict) -> None:
    """One warning that names the sparse layers that run faster as dense ones."""
    below = [
        f"layer {layer['node']} ({layer['outputs']} x {layer['inputs']}, {layer['sparsity']:.0%} sparse)"
        for layer in report["layers"]
        if layer.get("stored") == "csr"
        and layer["choices"][-1]["chosen"]["kernel"].startswith("dense")
        and layer["outputs"] * layer["inputs"] >= SMALL_LAYER
    ]
    if below:
        warnings.warn(
            f"below break-even, run by the dense kernel: {', '.join(below)}; prune further to gain speed",
            stacklevel=4,
        )


def _as_input(x, inputs: int) -> np.ndarray:
    """x (batch, inputs) as the core can use it: float32, aligned, C- or F-contiguous."""
    x = as_batch(x, inputs=inputs, any_order=True)
    return x if x.flags.aligned else x.copy()


def _check_out(out: object, shape: tuple[int, int], x: np.ndarray) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != np.float32:
        got = f"dtype {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out must be a float32 array, got {got}")
    if out.shape != shape:
        raise ArgumentError(f"out must have shape {shape}, got {out.shape}")
    if np.may_share_memory(out, x):
        raise ArgumentError("out must not share memory with x")
