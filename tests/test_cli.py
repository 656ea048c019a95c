"""The sparsenn command: info, inspect, and what happens on bad input."""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import sparsenn as snn
from sparsenn import cli
from sparsenn.cli._json import json_text


@pytest.fixture
def model_file(tmp_path, random_csr) -> str:
    path = tmp_path / "model.safetensors"
    weight = random_csr(20, 30, 0.9)
    snn.save(snn.Model([snn.Linear(weight, np.zeros(20)), snn.ReLU(), snn.Linear(np.ones((4, 20)))]), path)
    return str(path)


def run_python(*arguments, **environment) -> subprocess.CompletedProcess:
    """Python in a process of its own, with the package that is under test, away from its sources."""
    package = str(Path(snn.__file__).parent.parent)
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": package, **environment},
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        timeout=120,
    )


def run_command(*arguments, **environment) -> subprocess.CompletedProcess:
    """The command in a process of its own, as a user runs it."""
    return run_python("-m", "sparsenn", *arguments, **environment)


def assert_one_line_of_error(done: subprocess.CompletedProcess, words: str):
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and words in done.stderr, done.stderr


def test_every_module_is_a_command():
    commands = cli.find_commands()
    assert {"info", "inspect"} <= set(commands)
    parser = cli.make_parser(commands)
    for name in commands:
        with pytest.raises(SystemExit) as caught:
            parser.parse_args([name, "--help"])
        assert caught.value.code == 0


def test_info_as_text_and_as_json(capsys):
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    assert snn.__version__ in text and "OpenMP" in text and "kernel set" in text
    assert cli.main(["info", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["cpu"] == snn.cpu_info()
    assert info["versions"]["sparsenn"] == snn.__version__


def test_inspect_as_text_and_as_json(model_file, capsys):
    assert cli.main(["inspect", model_file, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    sparse, activation, dense = report["layers"]
    nnz = snn.load(model_file).layers[0].nnz
    assert (sparse["shape"], sparse["format"], sparse["nnz"]) == ([20, 30], "csr", nnz)
    assert sparse["sparsity"] == pytest.approx(1 - nnz / 600)
    assert sparse["bytes"] == 4 * nnz + 2 * nnz + 8 * 21 + 4 * 20
    assert (activation["kind"], activation["bytes"]) == ("ReLU", 0)
    assert (dense["format"], dense["nnz"], dense["bytes"], dense["bias"]) == ("dense", 80, 320, False)
    assert report["file_bytes"] == os.path.getsize(model_file) > sparse["bytes"] + dense["bytes"]
    assert cli.main(["inspect", model_file]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5, "a heading, three layers, the sum"
    assert "20 x 30" in lines[1] and f"{nnz / 600:.2%}" not in lines[1] and f"{1 - nnz / 600:.2%}" in lines[1]


def test_bad_input_is_one_line_and_exit_code_2(tmp_path):
    assert_one_line_of_error(run_command("inspect", str(tmp_path / "none.safetensors")), "none.safetensors")
    assert_one_line_of_error(run_command("inspect", str(tmp_path)), "not a folder")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x10\0\0\0\0\0\0\0{not json")
    assert_one_line_of_error(run_command("inspect", str(damaged)), "error")
    assert_one_line_of_error(run_command("info", SPARSENN_ISA="sse9"), "sse9")
    assert_one_line_of_error(run_command("info", "--json", SPARSENN_ISA="sse9"), "sse9")


def test_unknown_command_is_refused():
    done = run_command("dance")
    assert done.returncode == 2 and "dance" in done.stderr and "Traceback" not in done.stderr


def test_version():
    assert run_command("--version").stdout == f"sparsenn {snn.__version__}\n"


def test_import_leaves_the_floating_point_environment_alone():
    """A subnormal survives: nothing switched the processor to flush to zero."""
    code = "import numpy as np, sparsenn; x = np.float32(1e-40); print(float(x * np.float32(0.5)) > 0)"
    done = run_python("-c", code)
    assert done.stdout == "True\n", done.stderr


def test_json_has_no_figure_that_json_does_not_know():
    data = {
        "a": [1.5, math.nan, (math.inf, -math.inf)],
        "b": {"c": np.float64("nan"), "d": None, "e": "nan"},
        "f": 3,
    }
    assert json.loads(json_text(data), parse_constant=pytest.fail) == {
        "a": [1.5, None, [None, None]],
        "b": {"c": None, "d": None, "e": "nan"},
        "f": 3,
    }


def test_training_that_runs_away_is_an_error_in_one_line(tmp_path, capsys):
    np.savez(tmp_path / "data.npz", X=np.full((20, 3), 1e30, np.float32), y=np.arange(20) % 2)
    arguments = ["train", str(tmp_path / "data.npz"), "--scale", "none", "--learning-rate", "1e30"]
    assert cli.main([*arguments, "--out", str(tmp_path / "m.safetensors"), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "weights must stay finite" in printed.err and printed.err.count("\n") == 1


@pytest.fixture
def graph_file(tmp_path):
    first, last = snn.mlp([6, 8, 3], sparsity=0.5, seed=1).linear_layers
    x, z = snn.Input((6,), name="x"), snn.Input((2, 4), name="a */ b")
    h = snn.Mul()(snn.Add()(first(x), snn.Flatten()(z)), np.arange(8))
    path = tmp_path / "graph.safetensors"
    snn.save(snn.Model(inputs=[x, z], outputs={"scores": last(h), "h": h}), path)
    return str(path)


def test_inspect_explains_the_plan(model_file, capsys):
    assert cli.main(["inspect", model_file, "--explain", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert "all" in printed and "threads 1" in printed and "GFLOP/s" in printed
    assert cli.main(["inspect", model_file, "--explain", "--threads", "1", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["threads"] == 1 and len(plan["step_seconds"]) == len(plan["layers"]) > 0
    assert cli.main(["inspect", model_file, "--threads", "1"]) == 2
    assert "--threads is that of the plan, so it needs --explain" in capsys.readouterr().err


def test_inspect_shows_a_graph(graph_file, capsys):
    assert cli.main(["inspect", graph_file, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["inputs"], report["outputs"]) == (["x", "a */ b"], ["scores", "h"])
    kinds = [layer["kind"] for layer in report["layers"]]
    assert sorted(kinds) == sorted(
        ["Input", "Input", "Linear", "Reshape", "Add", "Constant", "Mul", "Linear"]
    )
    add = report["layers"][kinds.index("Add")]
    assert [report["layers"][index]["kind"] for index in add["reads"]] == ["Linear", "Reshape"]
    linear = report["layers"][kinds.index("Linear")]
    assert (linear["shape"], linear["format"], linear["nnz"]) == (
        [8, 6], "csr", snn.load(graph_file).linear_layers[0].nnz
    )  # fmt: skip
    assert report["nnz"] == snn.load(graph_file).nnz
    assert report["layers"][kinds.index("Constant")]["bytes"] == 32
    assert cli.main(["inspect", graph_file]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 8 and "Input a */ b" in lines[2] and "x, a */ b -> scores, h" in lines[-1]


def test_export_of_a_graph_is_c(graph_file, tmp_path, capsys):
    """A name that would end a comment stays out of the sources."""
    arguments = ["export", graph_file, "--c-array", "net", "--out", str(tmp_path), "--json"]
    assert cli.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["inputs"] == ["x", "a */ b"]
    assert "a graph of 2 inputs and 2 outputs" in (tmp_path / "net.h").read_text()
    assert "*/ b" not in (tmp_path / "net.h").read_text() + (tmp_path / "net.c").read_text()


def test_inspect_explains_one_shape_of_many(tmp_path, capsys):
    path = str(tmp_path / "open.safetensors")
    x = snn.Input((3, None, None), name="image")
    weight = np.ones((4, 27), np.float32)
    snn.save(snn.Model(inputs=x, outputs=snn.Conv2d(weight, kernel_size=3)(x)), path)
    assert cli.main(["inspect", path]) == 0
    assert cli.main(["inspect", path, "--explain"]) == 2
    assert (
        "--input-shapes must give the sizes that the file leaves open: image=1,3,?,?"
        in capsys.readouterr().err
    )
    assert cli.main(["inspect", path, "--input-shapes", "image=1,3,9,9"]) == 2
    assert "--input-shapes are those of the plan, so they need --explain" in capsys.readouterr().err
    assert cli.main(["inspect", path, "--explain", "--input-shapes", "image=1,3,9,10"]) == 0
    assert "4x7x8" in capsys.readouterr().out
