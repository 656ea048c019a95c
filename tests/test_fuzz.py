"""A short run of every fuzz target; the engine itself; time that follows the size of a file."""

import contextlib
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="NOT TESTED: onnx is not installed")

from fuzz import engine
from fuzz.__main__ import TARGETS
from fuzz.onnx import chain

import sparsenn as snn
from sparsenn.datasets import read_data

COUNTS = {"checkpoint": 1000}  # three reads each, of twenty arrays
COUNT = 5000


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(dir=engine.FASTEST) as name:
        yield Path(name)


@pytest.mark.parametrize("name", TARGETS)
def test_altered_files_are_read_or_refused(name, folder):
    count = COUNTS.get(name, COUNT)
    outcomes = engine.run(TARGETS[name], folder, count=count)
    assert outcomes["accepted"] > count // 50, outcomes
    assert outcomes.total() - outcomes["accepted"] > count // 10, outcomes


@pytest.mark.parametrize("name", TARGETS)
def test_a_file_follows_from_its_number(name, folder, monkeypatch):
    def contents_at(seconds: float) -> list[bytes]:
        # an archive may note when its members were written
        monkeypatch.setattr(time, "time", lambda: seconds)
        return [TARGETS[name].alter(engine.Random(f"{index}"), folder).read_bytes() for index in range(100)]

    first, second = contents_at(1e9), contents_at(1.1e9)
    assert [index for index in range(100) if first[index] != second[index]] == []
    assert len(set(first)) > 50


def fail(path):
    raise OverflowError("not ours")


def wait(path):
    end = time.thread_time() + 1.1 * engine.MOST_SECONDS
    while time.thread_time() < end:
        pass


def take_memory(path):
    return np.ones(2 * engine.MORE_MEMORY, np.uint8)


@pytest.mark.parametrize(
    ("read", "fault"), [(fail, "OverflowError"), (wait, "s for 4 bytes"), (take_memory, "MemoryError")]
)
def test_the_engine_sees_what_a_reader_must_not_do(read, fault, folder, monkeypatch):
    monkeypatch.setattr(engine, "MOST_SECONDS", 0.1)
    path = folder / "file"
    path.write_bytes(b"file")
    target = engine.Target("bad", lambda random, folder: path, read, lambda result: None)
    with pytest.raises(engine.Fault, match=fault):
        engine.run(target, folder, count=1)


def write_csv_of_digits(folder: Path, size: int) -> Path:
    path = folder / "data.csv"
    path.write_text(f"1,2\n{'1' * (100 * size)}x,3\n")
    return path


def write_csv(folder: Path, size: int) -> Path:
    path = folder / "data.csv"
    path.write_text("1.5,2.5,1\n" * (10 * size))
    return path


def write_many_arrays(folder: Path, size: int) -> Path:
    path = folder / "run.npz"
    np.savez(path, **{f"a{index}": np.zeros(1, np.float32) for index in range(size)})
    return path


def write_tensors(folder: Path, size: int) -> Path:
    from safetensors.numpy import save_file

    arrays = {f"a{index}.weight": np.ones((1, 1), np.float32) for index in range(size)}
    save_file(arrays, folder / "plain.safetensors")
    return folder / "plain.safetensors"


def write_chain(folder: Path, size: int) -> Path:
    path = folder / "chain.onnx"
    path.write_bytes(chain(size).SerializeToString())
    return path


def read_tensors(path):
    return snn.from_safetensors(path, layers=["a0", "relu"] * 100)


GROWING = [
    (write_csv_of_digits, read_data),
    (write_csv, read_data),
    (write_many_arrays, snn.Trainer.load),
    (write_tensors, read_tensors),
    (write_chain, snn.from_onnx),
]


@pytest.mark.parametrize(("write", "read"), GROWING)
def test_time_follows_the_size_of_the_file(write, read, folder):
    """8 times the size: linear time is 8 times as much, quadratic 64 times."""

    def seconds(size: int) -> float:
        path = write(folder, size)
        best = float("inf")
        for _ in range(3):
            start = time.thread_time()
            with contextlib.suppress(snn.errors.SparsennError):
                read(path)
            best = min(best, time.thread_time() - start)
        return best

    small, large = seconds(250), seconds(2000)
    assert large < 24 * small + 0.02, (small, large)
