"""Damaged and altered checkpoints: refused with the package's own exceptions, and nothing changes."""

import io
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
from test_checkpoint import OPTIONS, arrays_of, assert_same, make

import sparsenn as snn


def rewrite(path, change):
    """Rewrites a checkpoint after change(document, arrays)."""
    with np.load(path) as archive:
        arrays = dict(archive)
    document = json.loads(arrays.pop("document").tobytes())
    change(document, arrays)
    arrays["document"] = np.frombuffer(json.dumps(document).encode(), np.uint8)
    np.savez(path, **arrays)


def set_in(*keys, value):
    def change(document, arrays):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def delete(*keys):
    def change(document, arrays):
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return change


def poke(name, index, value):
    def change(document, arrays):
        arrays[name][index] = value

    return change


def rename(old, new):
    def change(document, arrays):
        arrays[new] = arrays.pop(old)

    return change


def retype(name, dtype):
    def change(document, arrays):
        arrays[name] = arrays[name].astype(dtype)

    return change


ALTERED = {
    "step_count of 2^70": set_in("trainer", "step_count", value=2**70),
    "negative step_count": set_in("trainer", "step_count", value=-1),
    "step_count true": set_in("trainer", "step_count", value=True),
    "epoch beyond the history": set_in("run", "epoch", value=3),
    "best_epoch beyond the run": set_in("run", "history", "best_epoch", value=9),
    "since_best beyond the run": set_in("run", "since_best", value=3),
    "best_loss of 10^400": set_in("run", "best_loss", value=10**400),
    "best_loss gone": set_in("run", "best_loss", value=None),
    "history of text": set_in("run", "history", "loss", value=["1", "2"]),
    "history with a method": set_in("run", "history", "append", value=[]),
    "learning_rate of 10^400": set_in("trainer", "learning_rate", value=10**400),
    "learning_rate NaN": set_in("trainer", "learning_rate", value=float("nan")),
    "epsilon of 10^400": set_in("trainer", "optimizer", "epsilon", value=10**400),
    "no beta1": delete("trainer", "optimizer", "beta1"),
    "no l1": delete("trainer", "penalties", "l1"),
    "no weight_drop": delete("trainer", "rules", "weight_drop"),
    "an option more": set_in("trainer", "rules", "threads", value=1),
    "generator state out of range": set_in("run", "generator", "state", "state", value=2**200),
    "generator of another kind": set_in("trainer", "generator", "bit_generator", value="MT19937"),
    "even increment": set_in("trainer", "generator", "state", "inc", value=2),
    "layer of another shape": set_in("layers", 0, "shape", value=[20, 2**40]),
    "layer without its bias": set_in("layers", 0, "bias", value=False),
    "layer that is unknown": set_in("layers", 1, "type", value="Conv"),
    "layer with an attribute more": set_in("layers", 1, "low", value=1.0),
    "layers as text": set_in("layers", value="Linear"),
    "index out of range": poke("0.weight.indices", -1, 6),
    "negative index": poke("0.weight.indices", 0, -1),
    "indptr that falls": poke("0.weight.indptr", 1, 10**6),
    "index of the best out of range": poke("best.0.weight.indices", -1, 10**6),
    "indptr of the best that falls": poke("best.0.weight.indptr", 1, 10**6),
    "bias under another name": rename("0.bias", "0.biaz"),
    "state under another name": rename("state.0.weight.mean", "state.0.weight.meen"),
    "an array more": lambda document, arrays: arrays.update(other=np.zeros(1, np.float32)),
    "float64 weights": retype("0.weight.data", np.float64),
    "float64 state": retype("state.0.bias.square", np.float64),
    "big-endian": retype("0.bias", ">f4"),
}


@pytest.fixture(scope="module")
def stopped_run(tmp_path_factory):
    """-> a checkpoint's bytes, and resume(model, path)."""
    model, X, y = make(np.random.default_rng(0))
    path = tmp_path_factory.mktemp("run") / "run.npz"
    options = {**OPTIONS, "epochs": 2, "checkpoint": path}
    snn.train(model, X, y, **options)
    return path, path.read_bytes(), lambda model: snn.train(model, X, y, resume=True, **options)


@pytest.mark.parametrize("alteration", ALTERED)
def test_an_altered_checkpoint_changes_nothing(rng, stopped_run, alteration):
    path, content, resume = stopped_run
    path.write_bytes(content)
    resume(make(rng)[0])  # as it is, it can be resumed from
    path.write_bytes(content)
    rewrite(path, ALTERED[alteration])
    model, _, _ = make(rng)
    before = [array.copy() for array in arrays_of(model)]
    with pytest.raises(snn.FormatError, match="checkpoint"):
        resume(model)
    assert_same(arrays_of(model), before)


def compress(archive, name, content):
    archive.writestr(name, content, zipfile.ZIP_DEFLATED)


def compress_by_lzma(archive, name, content):
    archive.writestr(name, content, zipfile.ZIP_LZMA)


def write_twice(archive, name, content):
    archive.writestr(name, content)
    archive.writestr(name, content)


def damage_crc(archive, name, content):
    archive.writestr(name, content)
    archive.filelist[-1].CRC ^= 1


def encrypt(archive, name, content):
    archive.writestr(name, content)
    archive.filelist[-1].flag_bits |= 1


def unknown_method(archive, name, content):
    archive.writestr(name, content)
    archive.filelist[-1].compress_type = 99


def far_offset(archive, name, content):
    archive.writestr(name, content)
    archive.filelist[-1].header_offset = 2**63


def promise_more(archive, name, content):
    archive.writestr(name, content.replace(b"(", b"(9999999999999999, ", 1) if b"(" in content else content)


def nest(archive, name, content):
    archive.writestr(name, content if name != "document.npy" else npy_of(b"[" * 100_000))


def many_digits(archive, name, content):
    archive.writestr(name, content if name != "document.npy" else npy_of(b"9" * 100_000))


def npy_of(text: bytes) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.frombuffer(text, np.uint8))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "write",
    [
        *(compress, compress_by_lzma, write_twice, damage_crc, encrypt, unknown_method, far_offset),
        *(promise_more, nest, many_digits),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_damaged_archive_changes_nothing(rng, stopped_run, write):
    path, content, resume = stopped_run
    path.write_bytes(content)
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            write(target, name, source.read(name))
    model, _, _ = make(rng)
    before = [array.copy() for array in arrays_of(model)]
    with pytest.raises(snn.FormatError, match="is not a checkpoint"):
        resume(model)
    assert_same(arrays_of(model), before)


def test_a_bomb_takes_no_memory(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("document.npy", bytes(100_000_000))
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    with pytest.raises(snn.FormatError, match="not compressed"):
        snn.Trainer.load(path)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_a_checkpoint_of_another_optimizer_is_refused(rng, stopped_run):
    path, content, _ = stopped_run
    path.write_bytes(content)
    model, X, y = make(rng)
    with pytest.raises(snn.ArgumentError, match="optimizer must be 'adam', the checkpoint's, got 'sgd'"):
        snn.train(model, X, y, checkpoint=path, resume=True, optimizer="sgd", **OPTIONS)


def test_a_checkpoint_that_is_a_fifo_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(snn.FormatError, match="must be a regular file"):
        snn.Trainer.load(tmp_path / "fifo")
