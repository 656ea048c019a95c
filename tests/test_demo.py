"""The demo, once, with short training: files, fields and their agreement. No times are judged."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import sparsenn as snn
from sparsenn import cli
from sparsenn.bench.timing import Times
from sparsenn.demo import networks
from sparsenn.demo.measure import BATCHES
from sparsenn.demo.networks import NETWORKS, SIZES
from sparsenn.demo.picture import draw_report, draw_speedups
from sparsenn.demo.pipeline import SPARSITIES, Stage
from sparsenn.demo.report import build_report, format_report, headline

BASELINES = ("numpy dense", "plan dense")
SHORT = ["--epochs", "2", "--tuning-epochs", "1", "--rounds", "1"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """-> folder, report: what one run left and printed."""
    return run_demo(tmp_path_factory, *SHORT)


def run_demo(tmp_path_factory, *arguments):
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        printed = []
        patch.setattr("builtins.print", lambda *words, **options: printed.append((words, options)))
        assert cli.main(["demo", "--out", str(folder), "--json", *arguments]) == 0
    ((words, options),) = printed  # the report alone, on stdout
    assert options.get("file") is None
    return folder, json.loads(words[0])


def test_report_file_is_what_was_printed(demo):
    folder, report = demo
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == report


def test_report_fields(demo):
    _, report = demo
    cpu = snn.cpu_info()
    assert (report["cpu"]["isa"], report["cpu"]["model"]) == (cpu["isa"], cpu["model"])
    assert report["cpu"]["threads"] == cpu["threads"]
    assert 0.5 < report["dense"]["accuracy"] <= 1  # two epochs: far better than the 0.1 of guessing
    assert [entry["sparsity"] for entry in report["sparse"]] == list(SPARSITIES)
    batches = {str(batch) for batch in BATCHES}
    for entry in report["sparse"]:
        assert set(entry["us"]) == set(entry["speedup"]) == batches
        assert all(us > 0 for us in entry["us"].values())
        assert 0 <= entry["accuracy"] <= 1


def test_speedup_is_against_the_better_dense_runner(demo):
    _, report = demo
    for batch, baseline in report["baseline"].items():
        dense = {f"{kind} dense": report["dense"][f"{kind}_us"][batch] for kind in ("numpy", "plan")}
        disturbed = report["dense"]["disturbed"][batch]
        assert baseline["us"] == dense[baseline["name"]]
        if not disturbed:
            assert baseline["us"] == min(dense.values())
        for entry in report["sparse"]:
            if disturbed or batch in entry["disturbed"]:
                assert entry["speedup"][batch] is None
            else:
                assert math.isclose(entry["speedup"][batch], baseline["us"] / entry["us"][batch])


def test_models_are_there_and_as_sparse_as_the_report_says(demo):
    folder, report = demo
    images, labels = snn.datasets.digits()[2:]
    hidden = SIZES[0] * SIZES[1] + SIZES[1] * SIZES[2]
    for entry in report["sparse"]:
        model = snn.load(folder / entry["file"])
        kept = sum(layer.nnz for layer in model.linear_layers[:-1])
        assert abs(kept - hidden * (1 - entry["sparsity"])) <= 1
        assert not model.linear_layers[-1].sparse and model.nnz == entry["nnz"]
        assert (folder / entry["file"]).stat().st_size == entry["file_bytes"]
        outputs = snn.compile(model, batch_sizes=(len(images),)).run(images)
        assert np.mean(outputs.argmax(axis=1) == labels) == entry["accuracy"]
    assert (folder / "dense.safetensors").stat().st_size == report["dense"]["file_bytes"]
    sizes = [entry["file_bytes"] for entry in report["sparse"]]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] < report["dense"]["file_bytes"]


def test_picture_is_drawn(demo):
    from matplotlib.image import imread

    picture = imread(demo[0] / "report.png")
    assert picture.shape[0] > 300 and picture.shape[1] > 600
    assert picture[..., :3].std() > 0.05  # not blank


def test_nothing_else_is_left(demo):
    names = {path.name for path in demo[0].iterdir()}
    models = {"dense.safetensors", *(f"sparse-{round(100 * s)}.safetensors" for s in SPARSITIES)}
    assert names == models | {"report.json", "report.png"}


def test_convolutions(tmp_path_factory, monkeypatch):
    """Smaller ones, against the dense plan alone: files, what stays dense, sparsity and accuracy."""
    monkeypatch.setattr(networks, "CHANNELS", (8, 12, 12))
    monkeypatch.setitem(NETWORKS, "cnn", replace(NETWORKS["cnn"], peers=dict))
    folder, report = run_demo(tmp_path_factory, "--network", "cnn", *SHORT)
    assert json.loads((folder / "cnn-report.json").read_text(encoding="utf-8")) == report
    models = {"cnn-dense.safetensors", *(f"cnn-sparse-{round(100 * s)}.safetensors" for s in SPARSITIES)}
    assert {path.name for path in folder.iterdir()} == models | {"cnn-report.json", "cnn-report.png"}
    assert all(baseline["name"] == "plan dense" for baseline in report["baseline"].values())
    assert "x: times as fast as sparsenn's own dense plan" in format_report(report)
    assert report["dense"]["accuracy"] > 0.3  # two epochs: better than the 0.1 of guessing
    images, labels = snn.datasets.digits()[2:]
    for entry in report["sparse"]:
        model = snn.load(folder / entry["file"])
        first, *middle, last = model.linear_layers
        assert not first.sparse and not last.sparse
        weights = sum(layer.shape[0] * layer.shape[1] for layer in middle)
        assert abs(sum(layer.nnz for layer in middle) - weights * (1 - entry["sparsity"])) <= 1
        outputs = snn.compile(model, batch_sizes=(len(images),)).run(images.reshape(-1, 1, 8, 8))
        assert np.mean(outputs.argmax(axis=1) == labels) == entry["accuracy"]


def test_peers_are_those_installed(monkeypatch):
    assert set(networks.network_peers()) <= {"onnxruntime", "torch"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert networks.network_peers() == {}


def test_losing_cells_are_printed_like_winning_ones(demo):
    report = json.loads(json.dumps(demo[1]))
    for entry in report["sparse"]:
        entry["disturbed"] = []
    report["sparse"][0]["us"]["16"], report["sparse"][0]["speedup"]["16"] = 4321.0, 0.25
    report["sparse"][1]["us"]["16"], report["sparse"][1]["speedup"]["16"] = 12.5, 8.0
    lines = format_report(report).splitlines()
    (losing,) = [line for line in lines if line.split()[:2] == ["80%", "sparse"]]
    (winning,) = [line for line in lines if line.split()[:2] == ["90%", "sparse"]]
    assert "4321.0   0.25x" in losing and "12.5   8.00x" in winning
    assert [line.split()[0] for line in lines if " sparse " in line] == ["80%", "90%", "95%", "98%"]
    assert len([line for line in lines if line.split()[:1] == ["dense,"]]) == 2


STALLED = Times([16012.3] * 5, 15999.0, held_up=set(range(5)))
STEADY = Times([22.0] * 5, 21.9)


def made_up(tmp_path, disturbed) -> dict:
    """A report whose times are 22 µs, or 16 ms and held up where disturbed(batch, name) says so."""
    path = tmp_path / "model"
    path.write_bytes(b"")
    stages = [Stage(sparsity, snn.mlp([2, 2]), 0.9, path) for sparsity in (0.0, *SPARSITIES)]
    names = [*BASELINES, *(f"plan {stage.name}" for stage in stages[1:])]
    times = {
        batch: {name: STALLED if disturbed(batch, name) else STEADY for name in names} for batch in BATCHES
    }
    return json.loads(json.dumps(build_report(NETWORKS["mlp"], stages, times, {"threads": 2})))


def speedup_axes(report):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    axes.set_yscale("log")
    draw_speedups(axes, report["sparse"], list(report["baseline"]))
    return axes


@pytest.mark.parametrize(
    ("disturbed", "cells", "believed"),
    [
        (lambda batch, name: False, 0, 16),
        (lambda batch, name: name == "numpy dense", 24, 0),
        (lambda batch, name: name == "plan dense", 24, 0),
        (lambda batch, name: batch == 16, 6, 12),
        (lambda batch, name: name == "plan 90%", 4, 12),
        (lambda batch, name: (batch, name) == (1, "plan 98%"), 1, 15),
        (lambda batch, name: (batch, name) == (1, "numpy dense"), 6, 12),
        (lambda batch, name: True, 24, 0),
    ],
)
def test_speedups_of_disturbed_cells_are_not_stated(disturbed, cells, believed, tmp_path):
    report = made_up(tmp_path, disturbed)
    gains = [gain for entry in report["sparse"] for gain in entry["speedup"].values()]
    assert sum(gain is not None for gain in gains) == believed
    assert all(gain is None or gain == 1.0 for gain in gains)
    text = format_report(report)
    assert "16012" not in text and "727" not in text
    rows = [line for line in text.splitlines() if "sparse " in line or line.lstrip().startswith("dense,")]
    marked = sum(row.count("? ") + row.endswith("?") for row in rows)
    assert (marked > 0) == (cells > 0) == ("?: measured 3 times" in text)
    assert text.splitlines()[-1].startswith("up to 1.00x" if believed else "no speed-up was measured")
    axes = speedup_axes(report)
    drawn = [y for line in axes.lines for y in np.ma.getdata(line.get_ydata(orig=False)) if np.isfinite(y)]
    assert drawn and max(drawn) <= 1.0 and axes.get_ylim()[1] < 100
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert sum(len(line.get_xdata()) for line in hollow) == 16 - believed
    draw_report(report, tmp_path / "report.png")


def test_the_headline_is_the_largest_of_those_believed(tmp_path):
    report = made_up(tmp_path, lambda batch, name: name == "plan 98%")
    report["sparse"][1]["speedup"]["64"] = 3.25
    assert headline(report) == "up to 3.25x, at 90% and batch 64"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "--epochs must be at least 1, got 0"),
        (["--tuning-epochs", "-1"], "--tuning-epochs must be at least 0, got -1"),
        (["--network", "cnn", "--rounds", "0"], "--rounds must be at least 1, got 0"),
        (["--threads", "0"], "--threads must be at least 1, got 0"),
    ],
)
def test_demo_refuses_bad_input(arguments, words, capsys, tmp_path):
    assert cli.main(["demo", "--out", str(tmp_path / "out"), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and words in printed.err and printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_demo_refuses_a_file_as_folder(capsys, tmp_path):
    (tmp_path / "out").write_text("")
    assert cli.main(["demo", "--out", str(tmp_path / "out"), *SHORT]) == 2
    assert str(tmp_path / "out") in capsys.readouterr().err
