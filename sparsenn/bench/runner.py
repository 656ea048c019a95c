"""Runs cells: one network, batch and thread count; every runner checked first, then all timed together."""

import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import timing
from .baselines import LIBRARY
from .baselines.stopwatch import Burst
from .jobs import Job
from .model_files import ModelFile
from .peak import share_of_peak
from .processes import WorkerError, WorkerProcess
from .shapes import Network
from .worker import TOLD


@dataclass
class Cell:
    """One measurement: what was run, every runner's times, and why a runner has none.

    sparsity   fraction of zeros over all layers; of a model file that was pruned for this cell that of the
               layers that were
    from_file  a model file, whose layers need not be linear
    """

    network: str
    sparsity: float
    mask: str
    batch: int
    threads: int
    nnz: int
    times: dict[str, timing.Times] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    from_file: bool = False

    @property
    def best_peer(self) -> str | None:
        """The fastest of those that are believed, else of all."""
        peers = [name for name in self.times if name != LIBRARY]
        believed = [name for name in peers if not self.times[name].disturbed]
        return min(believed or peers, key=lambda name: self.times[name].median_us, default=None)

    @property
    def disturbed(self) -> bool:
        """The ratio is not to be believed: the library was disturbed, or one that may be the best peer."""
        return bool(timing.doubtful(self.times, keep=(LIBRARY,)))

    @property
    def ratio(self) -> dict | None:
        """How many times faster than the best peer the library is; below 1 the cell is lost."""
        if self.best_peer is None or LIBRARY not in self.times:
            return None
        return timing.ratio(self.times[self.best_peer], self.times[LIBRARY])

    @property
    def peak_share(self) -> float | None:
        """The library's multiply-adds on stored weights, as a share of what its cores do in registers.

        None where a time is missing or not believed, or where the peak was: nothing is above it.
        """
        ours = self.times.get(LIBRARY)
        if ours is None or ours.disturbed or not ours.peak_gflops:
            return None
        products = (ours.multiply_adds or self.nnz) * self.batch
        return share_of_peak(2e-3 * products / ours.median_us, self.threads * ours.peak_gflops)


class Workers:
    """One process for each runner, for one thread count; a context manager.

    runners  runner by label: the same runner may serve under several labels
    """

    def __init__(self, runners: dict[str, str], threads: int, pythons: dict[str, str] | None = None) -> None:
        self.threads = threads
        self.missing: dict[str, str] = {}
        self.versions: dict[str, dict] = {}
        self.running: dict[str, WorkerProcess] = {}
        self.takes_networks: set[str] = set()
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sparsenn-bench-")))
        for label, runner in runners.items():
            self._start(label, runner, (pythons or {}).get(runner, sys.executable))

    def _start(self, label: str, runner: str, python: str) -> None:
        try:
            worker = self._stack.enter_context(WorkerProcess(self.threads, python))
            answer = worker.ask("start", runner=runner)
        except (WorkerError, OSError) as error:
            self.missing[label] = str(error)
            return
        if not answer["available"]:
            self.missing[label] = answer["reason"]
            worker.close()
            return
        self.versions[label] = answer["versions"]
        if answer["networks"]:
            self.takes_networks.add(label)
        self.running[label] = worker

    def labels(self, *, network: bool) -> list[str]:
        """Of the runners that run, all or those that take model files."""
        return [label for label in self.running if not network or label in self.takes_networks]

    def measure(
        self, jobs: dict[str, Job], *, rounds: int = timing.ROUNDS, keep: tuple[str, ...] = ()
    ) -> tuple[dict[str, timing.Times], dict[str, str]]:
        """-> times by label, and for those that failed or computed something else the reason.

        jobs  what each label runs
        keep  labels that are timed in every round however slow they are
        """
        bursts, failures, answers = {}, {}, {}
        for job in unique(jobs.values()):
            arguments = job.write(self._folder)
            for label in [label for label in self.running if jobs.get(label) is job]:
                worker, target = self.running[label], self._folder / "outputs.npz"
                try:
                    answers[label] = worker.ask(job.do, **arguments, threads=self.threads, output=str(target))
                    job.check(label, read_outputs(target))
                except (WorkerError, ValueError) as error:
                    failures[label] = str(error)
                    continue
                bursts[label] = lambda worker=worker: burst(worker)
        times = timing.measure(bursts, rounds=rounds, keep=keep) if bursts else {}
        for label in bursts:
            for name in TOLD:
                setattr(times[label], name, answers[label][name])
        for label in answers:
            self.running[label].ask("release")
        self._drop_ended()
        return times, failures

    def _drop_ended(self) -> None:
        for name in [name for name, worker in self.running.items() if worker.process.poll() is not None]:
            del self.running[name]
            self.missing[name] = "its process ended in an earlier cell"

    def close(self) -> None:
        self._stack.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def run_cells(
    workers: Workers,
    networks: Sequence[Network | ModelFile],
    *,
    sparsities: list[float] | None,
    batches: list[int],
    mask: str = "uniform",
    rounds: int = timing.ROUNDS,
    progress: Callable[[Cell], None] = lambda cell: None,
) -> list[Cell]:
    """Every network at every sparsity and batch. progress is called with each finished cell."""
    cells = []
    for network in networks:
        for variant in network.variants(sparsities, mask):
            for batch in network.batches or batches:
                cell = Cell(
                    network=network.name,
                    sparsity=variant.sparsity,
                    mask=variant.mask,
                    batch=batch,
                    threads=workers.threads,
                    nnz=variant.nnz,
                    from_file=variant.network,
                )
                jobs = dict.fromkeys(workers.labels(network=variant.network), variant.job(batch))
                cell.times, cell.failures = workers.measure(jobs, rounds=rounds, keep=(LIBRARY,))
                cells.append(cell)
                progress(cell)
    return cells


def unique(jobs: Iterable[Job]) -> list[Job]:
    """Each job once, however many labels run it."""
    return list({id(job): job for job in jobs}.values())


def read_outputs(path: Path) -> list[np.ndarray]:
    """What a worker's runner computed."""
    with np.load(path) as arrays:
        return [arrays[f"arr_{number}"] for number in range(len(arrays.files))]


def burst(worker: WorkerProcess) -> Burst:
    return Burst(**worker.ask("burst", seconds=timing.BURST_SECONDS, warm=timing.WARM_SECONDS))
