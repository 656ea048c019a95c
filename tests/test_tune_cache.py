"""The cache of tuning results: read where it is sound; a damaged or invented file is replaced."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.bridge import to_core

HUGE = 10**15 - 1


@pytest.fixture(scope="module")
def model() -> snn.Model:
    return snn.mlp([40, 60, 10], sparsity=0.9, seed=0)


@pytest.fixture
def folder(model, tmp_path):
    """A folder that holds everything about the model."""
    for _ in range(20):
        compile_in(tmp_path, model)
        if strict_json(compile_in(tmp_path, model))["cached"]:
            return tmp_path
    pytest.skip("the machine is so busy that no time was believed, so none was kept")


@pytest.fixture(params=["problem", "plan"])
def cached(request, folder):
    """(folder, a file of that kind in it, its sound text)."""
    mark = {"problem": b" | linear 60x40 ", "plan": b" | plan of 2 steps "}[request.param]
    file = next(file for file in sorted(folder.iterdir()) if mark in file.read_bytes())
    return folder, file, file.read_bytes()


def compile_in(folder, model, **options) -> snn.Plan:
    return snn.compile(model, **{"threads": 1, "cache": folder, "batch_sizes": (1,)} | options)


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


@pytest.mark.parametrize("value", [HUGE, 10**9, 10**15, 0])
@pytest.mark.parametrize("line", [1, -3])
def test_a_time_that_cannot_be_is_not_believed(model, cached, rng, line, value):
    folder, file, good = cached
    words = (0, 1) if b" | plan of " in good else (-1,)
    x = rng.standard_normal((5, 40))
    wanted = snn.compile(model, threads=1, tune="off", cache=False).run(x)
    for word in words:
        file.write_bytes(with_time(good, line, word, value))
        assert_tuned_anew(folder, file, model, wanted, x)


def with_lines(good: bytes, change) -> bytes:
    """A sound file but for the lines between the first and the last, its checksum made to fit."""
    first, *lines, _ = good.split(b"\n")[:-1]
    text = b"\n".join([first, *change(lines)]) + b"\n"
    return text + checksum(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [lines[0], *lines[:-1]],
        lambda lines: [b"no_such_kernel 64 1000", *lines[1:]],
        lambda lines: [lines[0].replace(b" ", b" 7", 1), *lines[1:]],
        lambda lines: [b"panel_tile_4x4 256 1000", *lines[1:]],
    ],
    ids=["one less", "one more", "one twice", "unknown kernel", "other block", "other layout"],
)
def test_choices_that_are_no_candidates_are_not_taken(model, folder, rng, change):
    x = rng.standard_normal((5, 40))
    wanted = snn.compile(model, threads=1, tune="off", cache=False).run(x)
    files = [file for file in folder.iterdir() if b" | linear 60x40 " in file.read_bytes()]
    for file in files:
        good = file.read_bytes()
        file.write_bytes(with_lines(good, change))
        assert file.read_bytes() != good
        assert_tuned_anew(folder, file, model, wanted, x)


def test_a_damaged_file_is_replaced(model, cached):
    folder, file, good = cached
    file.write_bytes(good + b"junk\n")
    for _ in range(20):
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


def problems(plan: snn.Plan) -> dict:
    return strict_json(plan)["problems"]


def test_equal_layers_are_one_problem(rng, random_csr):
    weight = random_csr(48, 48, 0.9)
    equal = snn.Model([snn.Linear(weight), snn.ReLU()] * 30)
    assert problems(compile_in(False, equal)) == {"count": 1, "tuned": 1, "read": 0}
    last = snn.Model([*equal.layers[:-1], snn.Tanh()])
    assert problems(compile_in(False, last)) == {"count": 2, "tuned": 2, "read": 0}
    x = rng.standard_normal((5, 48))
    wanted = snn.compile(equal, threads=1, tune="off", cache=False).run(x)
    np.testing.assert_array_equal(compile_in(False, equal).run(x), wanted)


def test_equal_layers_choose_the_same(random_csr):
    model = snn.Model([snn.Linear(random_csr(64, 64, 0.9)), snn.ReLU()] * 6)
    first, *others = strict_json(compile_in(False, model))["layers"]
    for layer in others:
        assert layer["choices"] == first["choices"]


def test_a_problem_of_one_network_is_read_by_another(folder, model, rng):
    """Another network with the first one's second layer, and another width before it."""
    other = snn.Model([*snn.mlp([30, 60], sparsity=0.9, seed=1).layers, snn.ReLU(), model.layers[-1]])
    plan = compile_in(folder, other)
    assert problems(plan) == {"count": 2, "tuned": 1, "read": 1}
    x = rng.standard_normal((5, 30))
    wanted = snn.compile(other, threads=1, tune="off", cache=False).run(x)
    np.testing.assert_array_equal(plan.run(x), wanted)


def test_other_batches_read_the_buckets_that_they_share(folder, model):
    """The shapes of tiles are those of batch 1 and wider ones, which are timed beside them."""
    before = {file.name for file in folder.iterdir()}
    assert problems(compile_in(folder, model, batch_sizes=(1, 64)))["tuned"] == 2
    assert before < {file.name for file in folder.iterdir()}
    for options in ({"threads": 2}, {"isa": "scalar"}):
        assert problems(compile_in(folder, model, **options))["read"] == 0


def test_without_timing_nothing_is_read_or_kept(folder, model):
    before = sorted(folder.iterdir())
    for tune in ("model", "off"):
        assert problems(compile_in(folder, model, tune=tune)) == {"count": 2, "tuned": 0, "read": 0}
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_files_have_the_mode_that_the_umask_leaves(model, tmp_path, mask):
    old = os.umask(mask)
    try:
        for _ in range(20):
            compile_in(tmp_path, model)
            if any(tmp_path.iterdir()):
                break
    finally:
        os.umask(old)
    modes = {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    if not modes:
        pytest.skip("the machine is so busy that no time was believed, so none was kept")
    assert modes == {0o666 & ~mask}
    assert all(file.name.startswith("tune-") for file in tmp_path.iterdir())  # nothing half-written


def test_a_folder_that_cannot_be_written_is_no_error(model, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    plan = snn._core.Plan(to_core(model), threads=1, cache_path=os.fsencode(tmp_path / "file"))
    assert plan.inputs == 40
