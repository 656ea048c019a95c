"""compile(model) -> Plan: a model packed and tuned for this processor."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from . import _core
from .bridge import to_core
from .checks import check_integer
from .errors import ArgumentError
from .model import Model
from .ops import check_threads
from .paths import as_path
from .plan import Plan

SMALL_LAYER = 4096  # weights; below, whether sparse or dense is faster tells nothing


def compile(
    model: Model,
    *,
    threads: int | None = None,
    batch_sizes: Iterable[int] = (1, 64),
    tune: str = "measure",
    cache: bool | str | os.PathLike = True,
    isa: str | None = None,
    kept_shapes: int = 8,
) -> Plan:
    """Packs a model into a Plan for this processor and chooses a kernel for each layer and batch size.

    threads      None: OMP_NUM_THREADS, the processor affinity and the cgroup quota decide
    batch_sizes  batches to tune for, each >= 1; any batch runs. Weights that would take over 64 MB packed
                 for batches of all kinds are packed for these alone: others run on that, but slower
    tune         "measure" times the best candidates, "model" trusts the cost model, "off" takes fixed
                 choices, the same on every machine with this ISA
    cache        True keeps tuning results in cache_folder(), a path in that folder, False nowhere
    isa          a kernel set by name; None: SPARSENN_ISA where set, else the best one
    kept_shapes  of a model with dims that are None: shapes of its inputs that stay ready, those used last
    A shape of such a model is made ready by its first run, or by Plan.specialise, and that takes as long as
    compiling for this shape alone.
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
        {
            "threads": threads,
            "batch_sizes": tuple(batch_sizes),
            "tune": tune,
            "cache": cache,
            "isa": isa,
            "kept_shapes": kept_shapes,
        },
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
    kept_shapes = check_integer("kept_shapes", options.get("kept_shapes", 8), minimum=1, maximum=2**31 - 1)
    plan = _core.Plan(
        handle,
        threads=check_threads(threads),
        batch_sizes=np.array(sizes, np.int64),
        tune=tune,
        isa=None if isa is None else isa.encode("utf-8", "surrogatepass"),
        cache_path=_cache_path(cache),
        kept_shapes=kept_shapes,
    )
    compiled = Plan(plan, options, _compile_again)
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
        f"layer {layer['node']} ({layer['rows']} x {layer['cols']}, {layer['sparsity']:.0%} sparse)"
        for layer in report["layers"]
        if layer.get("stored") == "csr"
        and layer["choices"][-1]["chosen"]["kernel"].startswith("dense")
        and layer["rows"] * layer["cols"] >= SMALL_LAYER
    ]
    if below:
        warnings.warn(
            f"below break-even, run by the dense kernel: {', '.join(below)}; prune further to gain speed",
            stacklevel=4,
        )
