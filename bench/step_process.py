"""Calls timed in processes of their own: thread pools of one library are not in another's way."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable

import numpy as np

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class TimedProcess:
    """A process that calls what make(*arguments) returns, once for each time that is asked for.

    make  a function of a module, called in the process; threads: for the libraries in it
    """

    def __init__(self, threads: int, make: Callable, *arguments):
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, make, arguments), daemon=True)
        before = {name: os.environ.get(name) for name in _THREADS}
        os.environ.update(dict.fromkeys(_THREADS, str(threads)))
        self._process.start()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})

    def seconds(self) -> float:
        """Those that one call took."""
        self._pipe.send(True)
        return self._pipe.recv()

    def close(self) -> None:
        self._pipe.close()
        self._process.join()


def _serve(pipe, make: Callable, arguments: tuple) -> None:
    call = make(*arguments)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        start = time.perf_counter()
        call()
        pipe.send(time.perf_counter() - start)


def by_turns(processes: list[TimedProcess], rounds: int) -> np.ndarray:
    """(rounds, processes) seconds of a call, one process after the other; two calls of each before."""
    for _ in range(2):
        for process in processes:
            process.seconds()
    return np.array([[process.seconds() for process in processes] for _ in range(rounds)])
