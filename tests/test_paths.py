"""Strings that reach the C core or the file system: none is cut at a NUL, bad ones name the argument."""

import os
from pathlib import Path

import numpy as np
import pytest

import sparsenn as snn
from sparsenn import _core, cli
from sparsenn.c_array import write_c_array
from sparsenn.training.history import History

MODEL = snn.mlp([4, 3, 2], sparsity=0.5)
X, Y = np.eye(4, dtype=np.float32), [0, 1, 0, 1]


def write_onnx(path):
    pytest.importorskip("onnx", reason="NOT TESTED: onnx is not installed")
    snn.to_onnx(MODEL, path)


def read_onnx(path):
    pytest.importorskip("onnx", reason="NOT TESTED: onnx is not installed")
    if isinstance(path, (bytes, bytearray)):
        pytest.skip("bytes are the content of a file here")
    snn.from_onnx(path)


def plot(path):
    pytest.importorskip("matplotlib", reason="NOT TESTED: matplotlib is not installed")
    History(loss=[1.0]).plot(path)


TAKES_PATH = {  # the argument's name, and a call
    "save": ("path", lambda path: snn.save(MODEL, path)),
    "load": ("path", snn.load),
    "compile": ("cache", lambda path: snn.compile(MODEL, cache=path, tune="off")),
    "Trainer.save": ("path", lambda path: snn.Trainer(MODEL.copy()).save(path)),
    "Trainer.load": ("path", snn.Trainer.load),
    "train": ("checkpoint", lambda path: snn.train(MODEL.copy(), X, Y, epochs=1, checkpoint=path)),
    "to_onnx": ("path", write_onnx),
    "export": ("folder", lambda path: write_c_array("good.safetensors", "net", folder=path)),
    "export model": ("path", lambda path: write_c_array(path, "net")),
    "History.plot": ("path", plot),
    "read_data": ("path", snn.datasets.read_data),
    "from_safetensors": ("path", lambda path: snn.from_safetensors(path, layers=["fc"])),
    "from_onnx": ("model", read_onnx),
}


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    """A folder with a model file, which is where relative paths begin."""
    monkeypatch.chdir(tmp_path)
    snn.save(MODEL, "good.safetensors")
    return tmp_path


@pytest.mark.parametrize("bad", ["good.safetensors\0.txt", b"good.safetensors\0", Path("a\0b"), "\ud800"])
@pytest.mark.parametrize("caller", TAKES_PATH)
def test_a_path_that_no_file_can_have_is_refused(caller, bad, inside):
    name, call = TAKES_PATH[caller]
    before = {path: path.read_bytes() for path in inside.iterdir()}
    with pytest.raises(snn.ArgumentError, match=f"^{name} must"):
        call(bad)
    assert {path: path.read_bytes() for path in inside.iterdir()} == before


@pytest.mark.parametrize("bad", [3, 2.5, ["x"], bytearray(b"x"), object()])
@pytest.mark.parametrize("caller", TAKES_PATH)
def test_what_is_no_path_is_refused(caller, bad):
    name, call = TAKES_PATH[caller]
    with pytest.raises(TypeError, match=f"^{name} must be"):
        call(bad)


class Named:
    def __init__(self, name):
        self.name = name

    def __fspath__(self):
        return self.name


@pytest.mark.parametrize(
    "path", ["ä b.safetensors", "ä.safetensors".encode(), b"\xff\xfe.safetensors", Named("x"), Named(b"\xff")]
)
def test_every_kind_of_path_is_the_same_file_for_all(path, inside):
    snn.save(MODEL, path)
    assert os.path.exists(path) and repr(snn.load(path)) == repr(MODEL)
    snn.Trainer(MODEL.copy()).save(path)
    assert repr(snn.Trainer.load(path).model) == repr(MODEL)
    assert len(list(inside.iterdir())) == 2


def test_the_binding_refuses_strings_that_c_would_cut():
    handle = _core.Model.load(b"good.safetensors")
    for name, call in [
        ("path", lambda: _core.Model.load(b"good.safetensors\0x")),
        ("path", lambda: handle.save(b"good.safetensors\0x")),
        ("isa", lambda: _core.Plan(handle, isa=b"scalar\0x", tune="off")),
        ("cache", lambda: _core.Plan(handle, cache_path=b"\0")),
        ("op", lambda: handle.add_op("relu\0x", np.zeros(0, np.float32))),
    ]:
        with pytest.raises(snn.ArgumentError, match=f"^{name} must not hold a NUL"):
            call()


@pytest.mark.parametrize("isa", ["scalar\0", "\0", "scalar\ud800", "scälar"])
def test_a_kernel_set_of_another_name_is_refused(isa):
    with pytest.raises((snn.ArgumentError, snn.ISAError), match="isa|ISA|kernel set"):
        snn.compile(MODEL, isa=isa, tune="off", cache=False)


def test_a_kernel_set_named_as_bytes_is_refused():
    with pytest.raises(TypeError, match="isa must be a string"):
        snn.compile(MODEL, isa=b"scalar", tune="off", cache=False)


@pytest.mark.parametrize("name", ["net\0", b"net", 3])
def test_the_name_of_a_c_array_is_checked(name):
    with pytest.raises((ValueError, TypeError), match="^--c-array must be"):
        write_c_array("good.safetensors", name)


def test_a_kernel_set_of_the_environment_is_checked(monkeypatch):
    monkeypatch.setenv("SPARSENN_ISA", "sc\udcfflar")
    with pytest.raises(snn.ISAError, match="SPARSENN_ISA"):
        snn.compile(MODEL, tune="off", cache=False)


COMMANDS = {  # the argument's name, and the rest of the command line
    "inspect": ("path", ["inspect", "{}"]),
    "export": ("path", ["export", "{}", "--c-array", "net"]),
    "export --out": ("folder", ["export", "good.safetensors", "--c-array", "net", "--out", "{}"]),
    "train": ("path", ["train", "{}", "--out", "x.safetensors"]),
    "train --out": ("--out", ["train", "d.npz", "--out", "{}"]),
    "prune": ("path", ["prune", "{}", "d.npz", "--out", "x.safetensors"]),
    "prune --out": ("--out", ["prune", "good.safetensors", "d.npz", "--out", "{}"]),
    "sweep --out": ("--out", ["sweep", "d.npz", "--out", "{}"]),
    "sweep --model": ("path", ["sweep", "d.npz", "--model", "{}", "--out", "x"]),
    "demo --out": ("--out", ["demo", "--out", "{}"]),
    "bench": ("target", ["bench", "{}"]),
    "bench --json": ("--json", ["bench", "4-3-2", "--json", "{}"]),
}


def test_a_folder_for_results_is_checked_before_anything_is_measured(capsys):
    assert cli.main(["bench", "4-3-2", "--json", "none/x.json"]) == 2
    assert "error: --json must be in a folder that exists" in capsys.readouterr().err


@pytest.mark.parametrize("bad", ["good\0.safetensors", "good\0/good.safetensors", "good.safetensors\0"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_line_names_the_argument(command, bad, inside, capsys):
    name, line = COMMANDS[command]
    np.savez("d.npz", X=X, y=Y)
    before = {path: path.read_bytes() for path in inside.iterdir()}
    assert cli.main([part.format(bad) for part in line]) == 2
    assert f"error: {name} must not hold a NUL" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in inside.iterdir()} == before
