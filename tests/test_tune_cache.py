"""The cache of tuning results: read where it is sound; a damaged or invented file is replaced."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import sparsenn as snn

HUGE = 10**15 - 1


@pytest.fixture(scope="module")
def model() -> snn.Model:
    return snn.mlp([40, 60, 10], sparsity=0.9, seed=0)


@pytest.fixture
def cached(model, tmp_path):
    """(folder, its one file, a sound text)."""
    for _ in range(5):
        compile_in(tmp_path, model)
        if files := list(tmp_path.iterdir()):
            return tmp_path, files[0], files[0].read_bytes()
    pytest.skip("the machine is so busy that no time was believed, so none was kept")


def compile_in(folder, model) -> snn.Plan:
    return snn.compile(model, threads=1, cache=folder, batch_sizes=(1,))


def strict_json(plan: snn.Plan) -> dict:
    """The report, with NaN and infinity refused."""
    return json.loads(
        plan._handle.report(), parse_constant=lambda name: pytest.fail(f"the report holds {name}")
    )


def checksum(text: bytes) -> bytes:
    value = 14695981039346656037
    for byte in text:
        value = ((value ^ byte) * 1099511628211) % 2**64
    return b"end %016x\n" % value


def assert_tuned_anew(folder, file, model, wanted, x):
    plan = compile_in(folder, model)
    report = strict_json(plan)
    assert not report["cached"]
    assert all(0 < bucket["tile_us"] < 1e6 for bucket in report["buckets"])
    np.testing.assert_array_equal(plan.run(x), wanted)


def damaged(text: bytes):
    """Versions of one line."""
    yield b""
    yield text + text
    yield text + b" 1"
    yield b" " + text
    yield text.replace(b" ", b"  ", 1) if b" " in text else text + b" "
    yield text[: len(text) // 2]
    yield b"\xff\0" + text
    yield text + b"\0"
    words = text.split(b" ")
    for index in range(len(words)):
        for word in (
            b"inf",
            b"nan",
            b"-1",
            b"1e3",
            b"1,5",
            b"1.5",
            b"%d" % HUGE,
            b"9" * 40,
            b"",
            b"%n%s",
            b"0x10",
        ):
            yield b" ".join([*words[:index], word, *words[index + 1 :]])


def test_every_line_damaged_in_every_way(model, cached, rng):
    folder, file, good = cached
    x = rng.standard_normal((5, 40))
    wanted = snn.compile(model, threads=1, tune="off", cache=False).run(x)
    lines = good.split(b"\n")[:-1]
    for number in sorted({0, 1, 2, len(lines) // 2, len(lines) - 2, len(lines) - 1}):
        for line in damaged(lines[number]):
            text = b"\n".join([*lines[:number], line, *lines[number + 1 :]]) + b"\n"
            if text == good:
                continue
            file.write_bytes(text)
            assert_tuned_anew(folder, file, model, wanted, x)


def with_time(good: bytes, line: int, word: int, value: int) -> bytes:
    """A sound file but for one time, its checksum made to fit."""
    lines = good.split(b"\n")[:-2]
    words = lines[line].split(b" ")
    words[word] = b"%d" % value
    lines[line] = b" ".join(words)
    text = b"\n".join(lines) + b"\n"
    return text + checksum(text)


def test_the_checksum_of_the_tests_is_that_of_the_core(model, cached):
    folder, file, good = cached
    body, end = good[: good.rindex(b"end ")], good[good.rindex(b"end ") :]
    assert checksum(body) == end
    assert strict_json(compile_in(folder, model))["cached"]


@pytest.mark.parametrize(
    ("line", "word", "value"),
    [(line, -1, value) for line in (1, 2) for value in (HUGE, 10**9, 10**15)]
    + [(line, word, value) for line in (-1, -2) for word in (0, 1) for value in (HUGE, 10**9, 10**15, 0)],
)
def test_a_time_that_cannot_be_is_not_believed(model, cached, rng, line, word, value):
    folder, file, good = cached
    file.write_bytes(with_time(good, line, word, value))
    x = rng.standard_normal((5, 40))
    wanted = snn.compile(model, threads=1, tune="off", cache=False).run(x)
    assert_tuned_anew(folder, file, model, wanted, x)


def test_a_damaged_file_is_replaced(model, cached):
    folder, file, good = cached
    file.write_bytes(good + b"junk\n")
    for _ in range(5):
        compile_in(folder, model)
        if strict_json(compile_in(folder, model))["cached"]:
            break
    else:
        pytest.skip("the machine is so busy that no time was believed, so none was kept")
    assert file.read_bytes().count(b"junk") == 0


@pytest.mark.parametrize("kind", ["fifo", "folder", "dangling", "huge"])
def test_what_is_no_file_is_ignored(model, cached, kind):
    folder, file, good = cached
    file.unlink()
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "dangling":
        file.symlink_to(folder / "nowhere")
    else:
        file.write_bytes(good * 100_000)
    assert not strict_json(compile_in(folder, model))["cached"]
