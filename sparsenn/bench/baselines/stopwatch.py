"""Times calls, and says whether this process was held up meanwhile: its threads waited for a core.

On Linux the scheduler tells how long each thread was ready to run and did not, and how long the hypervisor
ran somebody else. Elsewhere a process that had far less processor time than the wall clock shows was held up.
That sees less: threads that spin at a barrier for one that does not run take processor time, too.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

WAITED_SHARE = 0.1  # of the wall time, all threads together, from which a burst was held up
LEAST_PROCESSOR_SHARE = (
    0.5  # of the wall time, below which a burst was held up, where nothing better is known
)
TASKS = Path("/proc/self/task")
STAT = Path("/proc/stat")
STOLEN = 8  # the field of a line of /proc/stat, behind the processor's name


@dataclass(frozen=True)
class Burst:
    """Calls in a row: the mean and the fastest time of one in µs."""

    mean_us: float
    fastest_us: float
    calls: int = 1
    held_up: bool = False


def waited_seconds() -> float | None:
    """How long threads of this process have been ready without a core so far; None where nobody tells."""
    total, told = 0, False
    with contextlib.suppress(OSError, ValueError, IndexError):
        for task in TASKS.iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                total += int((task / "schedstat").read_text().split()[1])
                told = True
    return 1e-9 * total + stolen_seconds() if told else None


def stolen_seconds() -> float:
    """How long the hypervisor has kept this process's processors from this machine so far; 0 if unknown."""
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        usable = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = [line.split() for line in STAT.read_text().splitlines() if line.startswith("cpu")]
        ticks = sum(int(line[STOLEN]) for line in lines if line[0] in usable)
        return ticks / os.sysconf("SC_CLK_TCK")
    return 0.0


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Stopwatch:
    """Times bursts of calls that use so many threads; more than there are cores wait for one another.

    clock, waited, processor   seconds: of the wall, of all threads' waiting for a core, of processor time
    """

    threads: int = 1
    cores: int = field(default_factory=usable_cores)
    clock: Callable[[], float] = time.perf_counter
    waited: Callable[[], float | None] = waited_seconds
    processor: Callable[[], float] = time.process_time

    def burst(self, call: Callable[[], object], *, seconds: float, warm: float) -> Burst:
        """Calls for so many seconds, at least once, after calls that do not count.

        Threads that wake up together may share a core until they are moved, so waiting counts from the last
        of the calls before.
        """
        self._repeat(call, warm)
        waited, processor, start = self.waited(), self.processor(), self.clock()
        self._repeat(call, 0.0)
        calls, wall, fastest = self._repeat(call, seconds)
        whole = self.clock() - start
        held_up = self._held_up(whole, self.processor() - processor, waited, self.waited())
        return Burst(1e6 * wall / calls, 1e6 * fastest, calls, held_up)

    def _repeat(self, call: Callable[[], object], seconds: float) -> tuple[int, float, float]:
        """-> number of calls, the time of all of them and of the fastest."""
        clock, calls, fastest = self.clock, 0, inf
        start = before = clock()
        end = start + seconds
        while calls == 0 or before < end:
            call()
            now = clock()
            calls += 1
            if now - before < fastest:
                fastest = now - before
            before = now
        return calls, before - start, fastest

    def _held_up(self, wall: float, processor: float, before: float | None, after: float | None) -> bool:
        if self.threads > self.cores:
            return False
        if before is None or after is None:
            return processor < LEAST_PROCESSOR_SHARE * wall
        return after - before > WAITED_SHARE * wall
