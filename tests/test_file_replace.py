"""Whatever writes a file keeps the same rules: one table for sparsenn.save and all others."""

import contextlib
import json
import os
import re
import resource
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.c_array import write_c_array
from sparsenn.file_replace import replace_file
from sparsenn.training.history import History

PACKAGE = Path(snn.__file__).parent
OLD = b"what was there"


def save_model(path):
    snn.save(snn.mlp([4, 3, 2], sparsity=0.5), path)


def save_trainer(path):
    snn.Trainer(snn.mlp([4, 3, 2], sparsity=0.5)).save(path)


def train_with_checkpoint(path):
    X = np.eye(4, dtype=np.float32)
    snn.train(snn.mlp([4, 3, 2], sparsity=0.5), X, [0, 1, 0, 1], epochs=1, checkpoint=path)


def export_onnx(path):
    pytest.importorskip("onnx", reason="NOT TESTED: onnx is not installed")
    snn.to_onnx(snn.mlp([4, 3, 2], sparsity=0.5), path)


def export_c_array(path):
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as model:
        save_model(model.name)
        write_c_array(model.name, path.stem, folder=path.parent)


def plot_history(path):
    pytest.importorskip("matplotlib", reason="NOT TESTED: matplotlib is not installed")
    History(loss=[2.0, 1.0]).plot(path)


def write_report(path):
    replace_file(path, json.dumps({"key": "µs"}) + "\n")


WRITERS = {
    "save": (save_model, ".safetensors"),
    "Trainer.save": (save_trainer, ".npz"),
    "train": (train_with_checkpoint, ".npz"),
    "to_onnx": (export_onnx, ".onnx"),
    "export": (export_c_array, ".c"),
    "History.plot": (plot_history, ".png"),
    "report": (write_report, ".json"),
}


@pytest.fixture(params=WRITERS)
def writer(request):
    """-> a function of the path, and the ending that the path needs."""
    return WRITERS[request.param]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    return path


@contextlib.contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode_of(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def names_in(folder) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"target.h"}


def test_a_new_file_has_the_mode_of_the_umask(writer, folder):
    write, ending = writer
    path = folder / f"target{ending}"
    with umask(0o027):
        write(path)
    assert mode_of(path) == 0o640 and path.stat().st_size > 0 and names_in(folder) == {path.name}


def test_an_old_file_passes_on_its_mode(writer, folder):
    write, ending = writer
    path = folder / f"target{ending}"
    path.write_bytes(OLD)
    path.chmod(0o604)
    with umask(0o022):
        write(path)
    assert mode_of(path) == 0o604 and path.read_bytes() != OLD and names_in(folder) == {path.name}


def test_a_link_is_followed(writer, folder, tmp_path):
    write, ending = writer
    path, real = folder / f"target{ending}", tmp_path / f"real{ending}"
    real.write_bytes(OLD)
    real.chmod(0o640)
    path.symlink_to(real)
    write(path)
    assert path.is_symlink() and real.read_bytes() != OLD and mode_of(real) == 0o640
    assert names_in(folder) == {path.name} and not list(tmp_path.glob(".sparsenn-*"))


def make_link_to_nothing(path):
    path.symlink_to(path.parent / "nothing")


def make_link_to_itself(path):
    path.symlink_to(path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, make_link_to_nothing, make_link_to_itself])
def test_what_is_no_regular_file_is_refused_and_stays(writer, folder, make):
    write, ending = writer
    path = folder / f"target{ending}"
    make(path)
    before = os.lstat(path)[:2]  # mode and number
    with pytest.raises(OSError):
        write(path)
    assert os.lstat(path)[:2] == before and names_in(folder) == {path.name}


def test_a_folder_that_is_not_there_is_refused(writer, folder):
    write, ending = writer
    with pytest.raises(OSError):
        write(folder / "none" / f"target{ending}")
    assert not names_in(folder)


@contextlib.contextmanager
def without_privileges():
    """As a user who is not root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_read_only_folder_is_refused(writer, tmp_path):
    write, ending = writer
    write(tmp_path / f"target{ending}")  # all modules are loaded now
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        path = folder / f"target{ending}"
        path.write_bytes(OLD)
        path.chmod(0o666)
        folder.chmod(0o555)
        with without_privileges(), pytest.raises(OSError):
            write(path)
        assert path.read_bytes() == OLD and names_in(folder) == {path.name}
    finally:
        folder.chmod(0o700)
        path.unlink()
        folder.rmdir()


@contextlib.contextmanager
def largest_file(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("old", [None, OLD])
def test_a_file_that_finds_no_room_leaves_the_old_one(writer, folder, old):
    write, ending = writer
    path = folder / f"target{ending}"
    if old is not None:
        path.write_bytes(old)
    if write is export_c_array:  # the model it starts from has room

        def write(path, model=folder.parent / "model.safetensors"):
            save_model(model)
            with largest_file(10):
                write_c_array(model, path.stem, folder=path.parent)

        context = contextlib.nullcontext()
    else:
        context = largest_file(10)
    with context, pytest.raises(OSError):
        write(path)
    assert names_in(folder) == (set() if old is None else {path.name})
    assert old is None or path.read_bytes() == old


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "save"])
@pytest.mark.parametrize("moment", ["fsync", "rename"])
def test_an_interrupted_write_leaves_the_old_file(name, moment, folder, monkeypatch):
    write, ending = WRITERS[name]
    path = folder / f"target{ending}"
    path.write_bytes(OLD)

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    with tempfile.NamedTemporaryFile(suffix=".safetensors") as model:
        save_model(model.name)
        monkeypatch.setattr(os, moment, interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(path)
    assert path.read_bytes() == OLD and names_in(folder) == {path.name}


def test_training_refuses_a_checkpoint_that_it_cannot_write_before_it_starts(folder):
    path = folder / "run.npz"
    path.symlink_to(folder / "nothing")
    model = snn.mlp([4, 3, 2], sparsity=0.5)
    before = model.linear_layers[0].weight.data.copy()
    with pytest.raises(FileNotFoundError, match="a link to nothing"):
        snn.train(model, np.eye(4), [0, 1, 0, 1], epochs=1, checkpoint=path)
    np.testing.assert_array_equal(model.linear_layers[0].weight.data, before)


def test_nothing_else_in_the_package_writes_files():
    """savefig into memory is no file; a baseline writes its own model into a folder for the time being."""
    writes = re.compile(
        r"write_text|write_bytes|savefig|os\.replace|os\.rename|mkstemp|open\([^)\n]*[\"'][wax]"
    )
    allowed = {"file_replace.py", "figures.py", "search/display.py", "bench/baselines/deepsparse.py"}
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if writes.search(path.read_text(encoding="utf-8"))
    }
    assert found == allowed
