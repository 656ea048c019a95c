"""Runs a target: altered files are read, and only the package's own exceptions may come out.

Input number i of a target follows from the seed and i alone, so that a fault can be had again by its number.
"""

from __future__ import annotations

import contextlib
import math
import resource
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

import sparsenn as snn
from sparsenn.errors import SparsennError

MOST_SECONDS = 2.0  # of this thread's processor time for one small file: thousands of times what one takes
MORE_MEMORY = 1 << 30  # bytes of address space beyond what is there at the start
FASTEST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a folder in memory, for the files
DYNAMIC = 12
WIDEST = 1 << 17  # inputs or outputs of a layer of a model that is also compiled and run


@dataclass(frozen=True)
class Target:
    """A reader under test.

    alter  (random, folder) -> the path of an altered file in folder
    read   the path -> what the reader gives; it may also check that nothing changed
    use    does with an accepted result what a user would; the package's exceptions are allowed
    """

    name: str
    alter: Callable[[Random, Path], Path]
    read: Callable[[Path], object]
    use: Callable[[object], None]


class Fault(AssertionError):
    """What a reader must not do."""


def run(
    target: Target,
    folder: Path,
    *,
    count: int,
    seed: int = 0,
    start: int = 0,
    each: Callable[[], None] = lambda: None,
) -> Counter:
    """Reads count altered files -> how many were accepted or refused, by the exception's name.

    Raises Fault at the first that is neither.
    """
    outcomes: Counter = Counter()
    with memory_limit(MORE_MEMORY), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for index in range(start, start + count):
            try:
                outcomes[read_one(target, folder, Random(f"{target.name} {seed} {index}"))] += 1
            except Exception as error:
                again = f"python -m fuzz --count 1 --seed {seed} --start {index} {target.name}"
                raise Fault(f"{target.name}: {type(error).__name__}: {error!s:.300}\n    {again}") from error
            each()
    return outcomes


def read_one(target: Target, folder: Path, random: Random) -> str:
    path = target.alter(random, folder)
    start = time.thread_time()
    try:
        result = target.read(path)
        outcome = "accepted"
    except SparsennError as error:
        result, outcome = None, type(error).__name__
    if result is not None:
        with contextlib.suppress(SparsennError):
            target.use(result)
    seconds = time.thread_time() - start
    if seconds > MOST_SECONDS:
        raise Fault(f"{seconds:.1f} s for {path.stat().st_size} bytes")
    return outcome


@contextlib.contextmanager
def memory_limit(more: int) -> Iterator[None]:
    """MemoryError for whoever asks for so many bytes more than there are now; Linux alone."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except FileNotFoundError:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + more
    if before[1] != resource.RLIM_INFINITY:
        limit = min(limit, before[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def run_model(model: snn.Model) -> None:
    """Compiles and runs a model that a reader accepted."""
    values = (*model.input_values, *(node.output for node in model.nodes))
    if max(math.prod(size or 1 for size in value.dims[1:]) for value in values) > WIDEST:
        return
    plan = snn.compile(model, tune="off", cache=False, threads=1, batch_sizes=(1, 3))
    # what is dynamic gets a size that most windows fit into
    sizes = {v.name: [DYNAMIC if size is None else size for size in v.dims[1:]] for v in model.input_values}
    x = {name: np.ones((3, *size), np.float32) for name, size in sizes.items()}
    y = plan.run(x if len(x) > 1 else next(iter(x.values())))
    for value in model.output_values:
        got = y if isinstance(y, np.ndarray) else y[value.name]
        wanted = (3, *value.dims[1:])
        assert len(got.shape) == len(wanted)
        assert all(size in (None, had) for size, had in zip(wanted, got.shape, strict=True))
