"""Starts workers and lets one run at a time: all others are stopped (SIGSTOP) while it is its turn.

Thread pools spin after a call, some for 200 ms, and would take the cores from the next runner.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

WORKER = Path(__file__).resolve().with_name("worker.py")
PACKAGE_PARENT = WORKER.parents[2]
# Settings of the calling shell that would slow down or speed up a single peer.
IGNORED_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerError(RuntimeError):
    """A runner failed, or its process ended."""


def worker_environment(threads: int, python: str) -> dict[str, str]:
    """The environment workers are started in: as ours, thread counts set, IGNORED_VARIABLES left out.

    A worker of this interpreter finds the sparsenn that is running now, installed or not.
    """
    environment = {name: value for name, value in os.environ.items() if name not in IGNORED_VARIABLES}
    environment.update({name: str(threads) for name in THREAD_VARIABLES}, NM_DISABLE_ANALYTICS="1")
    if python == sys.executable:
        paths = [str(PACKAGE_PARENT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


class WorkerProcess:
    """One runner in a process of its own; a context manager."""

    def __init__(self, threads: int, python: str = sys.executable) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, close() does it
        try:
            self.process = subprocess.Popen(
                [python, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                env=worker_environment(threads, python),
                text=True,
            )
        except OSError:
            self.errors.close()
            raise
        self.stopped = False

    def ask(self, do: str, **arguments) -> dict:
        """Resumes the worker, has it obey one command, stops it again. WorkerError when it fails."""
        self._signal(signal.SIGCONT, stopped=False)
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.process.wait()
            raise WorkerError(f"its process ended with exit code {code} during {do!r}{self._last_words()}")
        self._signal(signal.SIGSTOP, stopped=True)
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _signal(self, number: signal.Signals, *, stopped: bool) -> None:
        if self.stopped != stopped and self.process.poll() is None:
            self.process.send_signal(number)
            self.stopped = stopped

    def _last_words(self) -> str:
        """The last line the process wrote to stderr, as the end of a message."""
        self.errors.seek(0)
        lines = self.errors.read().split("\n")
        return next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        self.close()
