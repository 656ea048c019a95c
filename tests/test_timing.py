"""Which timings are believed: on clocks that are made up, so that nothing here is timed.

A call takes as long as its runner says, and a stall adds to that: the wall goes on while its threads wait.
"""

import itertools
import json
import math

import pytest

from sparsenn.bench import timing
from sparsenn.bench.baselines import stopwatch
from sparsenn.bench.baselines.stopwatch import Burst, Stopwatch
from sparsenn.bench.peak import share_of_peak
from sparsenn.bench.runner import Cell
from sparsenn.bench.timing import Times

STALL = 0.016  # seconds: a few slices of the scheduler
CALL = 30e-6


class World:
    """A wall clock, how long threads have waited for a core, and processor time; calls move them on."""

    def __init__(self, *, tells: bool = True):
        self.now = self.waiting = self.worked = 0.0
        self.tells = tells

    def watch(self, threads: int = 2) -> Stopwatch:
        return Stopwatch(
            threads,
            2,
            clock=lambda: self.now,
            waited=lambda: self.waiting if self.tells else None,
            processor=lambda: self.worked,
        )

    def runner(self, seconds: float, stalls=(), threads: int = 2):
        """A burst function; stalls says of each call, in turn, whether it is held up."""
        stalls = itertools.chain(stalls, itertools.repeat(False))

        def call():
            self.now += seconds
            self.worked += seconds
            if next(stalls):
                self.now += STALL
                self.waiting += STALL

        return lambda: self.watch(threads).burst(call, seconds=timing.BURST_SECONDS, warm=timing.WARM_SECONDS)


def alternating():
    return itertools.cycle([True, False])


@pytest.mark.parametrize("tells", [True, False], ids=["the scheduler tells", "processor time alone"])
@pytest.mark.parametrize(
    "stalls", [lambda: itertools.repeat(True), alternating], ids=["every call", "every other"]
)
@pytest.mark.parametrize("side", ["fast", "slow"])
def test_a_side_that_is_held_up_is_not_believed(tells, stalls, side):
    world = World(tells=tells)
    of = {side: stalls()}
    bursts = {
        "fast": world.runner(CALL, of.get("fast", ())),
        "slow": world.runner(2 * CALL, of.get("slow", ())),
    }
    times = timing.measure(bursts, rounds=5, keep=("fast", "slow"))
    assert {name: entry.disturbed for name, entry in times.items()} == {
        name: name == side for name in ("fast", "slow")
    }
    assert times[side].doubt
    assert timing.shown(times[side]) == timing.MARK
    cell = Cell("net", 0.9, "uniform", 1, 2, 10, {"sparsenn": times["fast"], "numpy": times["slow"]})
    assert cell.disturbed


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("rounds", [1, 2, 3, 15])
def test_one_stall_changes_nothing(tells, rounds):
    """It is one round among many, or the round is measured again."""
    world = World(tells=tells)
    bursts = {
        "fast": world.runner(CALL, [False] * 400 + [True]),  # in the first burst
        "slow": world.runner(2 * CALL, [True]),
    }
    times = timing.measure(bursts, rounds=rounds, keep=("fast", "slow"))
    assert not any(entry.disturbed for entry in times.values())
    assert times["fast"].median_us == pytest.approx(1e6 * CALL)
    assert timing.ratio(times["slow"], times["fast"])["of_medians"] == pytest.approx(2)


def test_disturbed_rounds_are_measured_again_up_to_a_bound():
    calls = []

    def burst(until):
        def run():
            calls.append(1)
            return Burst(10.0, 10.0, held_up=len(calls) <= until)

        return run

    assert not timing.measure({"a": burst(0)}, rounds=4)["a"].disturbed and len(calls) == 4
    calls.clear()
    assert not timing.measure({"a": burst(4)}, rounds=4)["a"].disturbed and len(calls) == 8
    calls.clear()
    assert timing.measure({"a": burst(1000)}, rounds=4)["a"].disturbed
    assert len(calls) == 4 * timing.ATTEMPTS


def test_the_attempt_with_the_fewest_doubts_is_taken():
    numbers = itertools.count()

    def steady():
        return Burst(10.0, 10.0, held_up=next(numbers) < 4)  # held up in the first attempt alone

    times = timing.measure(
        {"a": steady, "b": lambda: Burst(5.0, 5.0, held_up=True)}, rounds=4, keep=("a", "b")
    )
    assert not times["a"].disturbed and times["b"].disturbed


def test_rounds_that_were_held_up_are_left_out():
    times = Times([10.0, 500.0, 10.0, 11.0, 400.0], 9.0, held_up={1, 4})
    assert times.median_us == 10.0 and not times.disturbed
    times.held_up.add(3)
    assert times.mostly_held_up and times.median_us == 11.0 and "in 3 of 5 rounds" in times.doubt


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (Times([30.0] * 5, 10.0), "3 times its fastest call"),
        (Times([10.0, 10.0, 20.0, 20.0, 20.0], 10.0), "rounds differ by 50%"),
        (Times([0.0] * 5, 0.0), "clock is too coarse"),
        (Times([5.0] * 5, 0.0), "clock is too coarse"),
        (Times([10.0] * 5, 10.0, held_up={0, 1, 2}), "waited for a core in 3 of 5"),
        (Times([10.0], 10.0, held_up={0}), "waited for a core in 1 of 1"),
        (Times([10.0, 10.4, 10.2, 11.0], 9.0), ""),
        (Times([10.0, math.nan, 20.0], 10.0), ""),  # too few rounds for a spread
        (Times([10.0]), ""),
    ],
)
def test_why_a_figure_is_not_believed(times, words):
    assert (words in times.doubt) if words else times.doubt == ""
    assert times.as_dict()["disturbed"] == bool(words)
    assert json.loads(json.dumps(times.as_dict()))["median_us"] == times.median_us


def test_a_peer_that_cannot_be_the_best_spoils_no_cell():
    ours, best = Times([10.0] * 4, 9.0), Times([20.0] * 4, 19.0)
    unsteady = [50.0, 500.0, 60.0, 700.0]
    cell = Cell("net", 0.9, "uniform", 1, 2, 10, {"sparsenn": ours, "a": best, "b": Times(unsteady, 40.0)})
    assert not cell.disturbed and cell.best_peer == "a" and cell.ratio["of_medians"] == 2.0
    cell.times["b"] = Times(unsteady, 15.0)  # its fastest call is faster than the best of the others
    assert cell.disturbed and cell.best_peer == "a"
    cell.times["b"] = Times(unsteady, 40.0, held_up={0, 1, 2})
    assert cell.disturbed


def test_threads_beyond_the_cores_wait_for_one_another():
    world = World()
    for threads, held_up in ((2, True), (3, False)):
        assert world.runner(CALL, itertools.repeat(True), threads)().held_up == held_up


def test_a_burst_counts_its_calls():
    burst = World().runner(0.001)()
    assert (burst.calls, burst.held_up) == (5, False)
    assert burst.mean_us == pytest.approx(1000) and burst.fastest_us == pytest.approx(1000)
    assert World().runner(1.0)().calls == 1


def test_a_clock_that_stands_still_divides_by_nothing():
    ticks = itertools.count()
    watch = Stopwatch(1, 1, clock=lambda: float(next(ticks) // 4), waited=lambda: 0.0, processor=lambda: 0.0)
    burst = watch.burst(lambda: None, seconds=0.5, warm=0.0)
    times = timing.measure({"a": lambda: burst, "b": lambda: Burst(0.0, 0.0)}, rounds=2)
    assert times["b"].disturbed and timing.ratio(times["a"], times["b"]) is None


def test_what_the_system_tells(tmp_path, monkeypatch):
    for task, text in (("1", "5 2000000 3\n"), ("2", "7 3000000 1\n")):
        (tmp_path / "task" / task).mkdir(parents=True)
        (tmp_path / "task" / task / "schedstat").write_text(text)
    (tmp_path / "task" / "3").mkdir()  # has ended meanwhile
    (tmp_path / "stat").write_text(
        "cpu 1 2 3 4 5 6 7 900\ncpu0 1 2 3 4 5 6 7 200\ncpu9999 1 2 3 4 5 6 7 700\nintr 1\n"
    )
    monkeypatch.setattr(stopwatch, "TASKS", tmp_path / "task")
    monkeypatch.setattr(stopwatch, "STAT", tmp_path / "stat")
    monkeypatch.setattr(stopwatch.os, "sched_getaffinity", lambda pid: {0}, raising=False)
    monkeypatch.setattr(stopwatch.os, "sysconf", lambda name: 100, raising=False)
    assert stopwatch.waited_seconds() == pytest.approx(0.005 + 2.0)
    monkeypatch.setattr(stopwatch, "STAT", tmp_path / "none")
    assert stopwatch.waited_seconds() == pytest.approx(0.005)
    monkeypatch.setattr(stopwatch, "TASKS", tmp_path / "none")
    assert stopwatch.waited_seconds() is None


@pytest.mark.parametrize(
    ("gflops", "peak", "share"),
    [(50, 100, 0.5), (101, 100, 1.0), (150, 100, None), (0, 5, 0), (5, 0, None), (5, math.inf, None),
     (math.inf, 5, None), (math.nan, 5, None), (5, math.nan, None)],
)  # fmt: skip
def test_shares_of_the_peak(gflops, peak, share):
    assert share_of_peak(gflops, peak) == share
