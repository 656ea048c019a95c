"""sparsenn train, prune and sweep: files in, files out, and one line for bad input."""

import json

import numpy as np
import pytest

import sparsenn as snn
from sparsenn import cli

FAST = ["--train-batch", "32"]
PRUNE_FILE = ["prune", "model.safetensors", "digits.npz"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """digits.npz, curve.csv (a regression with a header) and a model trained on the digits."""
    path = tmp_path_factory.mktemp("files")
    X, y, _, _ = snn.datasets.digits()
    np.savez(path / "digits.npz", X=X[:400], y=y[:400])
    rng = np.random.default_rng(1)
    features = rng.normal(5, 3, (200, 3))
    target = features @ [1, -2, 0.5] + 0.25
    rows = [",".join(f"{value:.5f}" for value in row) for row in np.column_stack([target, features])]
    (path / "curve.csv").write_text("\n".join(["goal,a,b,c", *rows]) + "\n")
    code = cli.main(
        ["train", str(path / "digits.npz"), "--hidden", "48,32", "--epochs", "15", *FAST,
         "--out", str(path / "model.safetensors"), "--json"]
    )  # fmt: skip
    assert code == 0
    return path


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_train_writes_a_model_that_fits_the_data(folder, tmp_path, capsys):
    out = tmp_path / "more.safetensors"
    code, text, _ = run(
        capsys, "train", folder / "digits.npz", "--model", folder / "model.safetensors", "--epochs", 2, *FAST,
        "--out", out, "--json",
    )  # fmt: skip
    report = json.loads(text)
    assert code == 0 and report["network"] == [64, 48, 32, 10] and report["metric"] == "accuracy"
    assert report["score"] > 0.8 and report["epochs"] == 2
    assert [layer.shape for layer in snn.load(out).linear_layers] == [(48, 64), (32, 48), (10, 32)]


def test_movement_is_recorded_before_the_first_step(folder, tmp_path, capsys):
    code, text, _ = run(
        capsys, "prune", folder / "model.safetensors", folder / "digits.npz", "--criterion", "movement",
        "--sparsity", 70, "--steps", 2, "--epochs", 10, *FAST, "--out", tmp_path / "moved.safetensors",
        "--json",
    )  # fmt: skip
    report = json.loads(text)
    assert code == 0 and [round(row["sparsity"], 2) for row in report["steps"]][-1] == 0.7
    assert report["score"] > 0.6


def test_train_and_prune_a_regression_from_csv(folder, tmp_path, capsys):
    data = [folder / "curve.csv", "--target", "goal", "--scale", "standard"]
    out = tmp_path / "curve.safetensors"
    code, text, _ = run(
        capsys, "train", *data, "--hidden", 24, "--epochs", 60, "--learning-rate", 0.01, *FAST, "--out", out
    )
    assert code == 0 and "R^2 0.9" in text
    code, text, _ = run(
        capsys, "prune", out, *data, "--sparsity", 30, "--steps", 2, "--epochs", 20, *FAST,
        "--out", tmp_path / "small.safetensors", "--json",
    )  # fmt: skip
    report = json.loads(text)
    assert code == 0 and report["metric"] == "R^2" and report["score"] > 0.8
    assert report["steps"][-1]["accuracy"] is None


@pytest.mark.parametrize(
    "options",
    [
        ["--sparsity", "80", "--keep-dead"],
        ["--sparsity", "80", "--criterion", "taylor", "--distill", "--keep-dead"],
        ["--structure", "n:m", "--nm", "2,4", "--keep", "none", "--keep-dead"],
        ["--structure", "block", "--block", "4,4", "--sparsity", "50", "--keep-dead"],
        ["--structure", "neuron", "--sparsity", "50"],
    ],
)
def test_prune_a_model_file(folder, tmp_path, capsys, options):
    out = tmp_path / "pruned.safetensors"
    code, text, _ = run(
        capsys, "prune", folder / "model.safetensors", folder / "digits.npz", *options, "--steps", 2,
        "--epochs", 2, *FAST, "--out", out, "--json",
    )  # fmt: skip
    report = json.loads(text)
    pruned = snn.load(out)
    assert code == 0 and report["nnz"] == pruned.nnz and len(report["steps"]) == 2
    assert report["score"] > 0.6 and report["score_before"] > 0.8
    hidden = pruned.linear_layers[:2]
    if "neuron" in options:
        assert sum(layer.shape[0] for layer in hidden) == 40
    elif "n:m" in options:
        assert pruned.sparsity == pytest.approx(0.5)
    else:
        wanted = float(options[options.index("--sparsity") + 1]) / 100
        size = 48 * 64 + 32 * 48
        assert sum(layer.nnz for layer in hidden) == pytest.approx((1 - wanted) * size, abs=16)


def test_prune_channels_of_a_file_with_images(folder, tmp_path, capsys):
    """The rows of the data are taken as images; without training here, so that the channels alone count."""
    rng = np.random.default_rng(0)
    x = snn.Input((1, 8, 8), name="x")
    h = snn.ReLU()(snn.Conv2d(rng.standard_normal((12, 1, 3, 3)) / 3, rng.standard_normal(12), padding=1)(x))
    h = snn.ReLU()(snn.Conv2d(rng.standard_normal((8, 12, 3, 3)) / 10, np.zeros(8), stride=2)(h))
    last = snn.Linear(rng.standard_normal((10, 72)) / 8, np.zeros(10))
    snn.save(snn.Model(inputs=x, outputs=last(snn.Flatten()(h))), tmp_path / "images.safetensors")
    out = tmp_path / "small.safetensors"
    code, text, _ = run(
        capsys, "prune", tmp_path / "images.safetensors", folder / "digits.npz", "--structure", "channel",
        "--scope", "layer", "--sparsity", 50, "--steps", 2, "--epochs", 0, *FAST, "--out", out, "--json",
    )  # fmt: skip
    report = json.loads(text)
    widths = [layer.shape[0] for layer in snn.load(out).linear_layers]
    assert code == 0 and report["network"] == [64, *widths] and widths == [6, 4, 10]
    assert report["steps"][-1]["sparsity"] == 0.5
    flat = snn.Input((32,), name="x")
    snn.save(
        snn.Model(inputs=flat, outputs=snn.Linear(np.ones((10, 32)))(flat)), tmp_path / "other.safetensors"
    )
    code, _, text = run(capsys, "prune", tmp_path / "other.safetensors", folder / "digits.npz", "--out", out)
    assert code and "--model must take the 64 features of the data, got 32 inputs" in text


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ("0 1 2", [], "classification with 3 classes, 0 to 2"),
        ("0 1 2", ["--task", "regression"], "regression"),
        ("oak elm ash", [], "classification with 3 classes: ash, elm, oak"),
        ("-1 1 1", [], "regression"),
        ("-1 1 1", ["--task", "classification"], "classification with 2 classes: -1, 1"),
        ("1 2 3", ["--header", "no"], "classification with 4 classes, 0 to 3"),
    ],
)
def test_what_the_target_is_taken_for_is_printed(tmp_path, capsys, values, options, words):
    data = tmp_path / "data.csv"
    data.write_text("\n".join(f"{i},{i % 3}.5,{value}" for i, value in enumerate(values.split() * 10)) + "\n")
    arguments = ["train", data, "--hidden", 4, "--epochs", 1, *options, "--out", tmp_path / "m.safetensors"]
    code, text, _ = run(capsys, *arguments)
    assert code == 0 and f"{data}, column 2: 30 samples, {words}\n" in text
    code, text, _ = run(capsys, *arguments, "--json")
    assert json.loads(text)["data"] == f"{data}, column 2: 30 samples, {words}"


def test_sweep_writes_json_png_html_and_the_model(folder, tmp_path, capsys):
    out = tmp_path / "sweep"
    code, text, _ = run(
        capsys, "sweep", folder / "digits.npz", "--hidden", 32, "--epochs", 6, "--tuning-epochs", 2,
        "--steps", 1, *FAST, "--sparsity", "50,80", "--cv", 2, "--max-drop", 0.5, "--max-latency", 1e6,
        "--batch", 8, "--threads", 1, "--out", out,
    )  # fmt: skip
    assert code == 0 and "sparsity 0.8" in text
    report = json.loads((out / "sweep.json").read_text())
    assert [row["sparsity"] for row in report["candidates"]] == [0.5, 0.8]
    assert report["held_out_samples"] == 80 and 0 < report["latency_us"] <= 1e6
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert "data:image/png;base64," in (out / "sweep.html").read_text()
    assert snn.load(out / "model.safetensors").inputs == 64


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "none.csv"], "path must be a data file"),
        (["train", "digits.npz", "--test", "1.5"], "--test must be in (0, 1), got 1.5"),
        (["train", "digits.npz", "--out", "nowhere/model"], "--out must be in a folder that exists"),
        (["train", "one.csv"], "column 1 must hold at least 2 classes, got 1"),
        (["train", "digits", "--target", "y"], "--target and --header must not be given with digits"),
        (["train", "digits.npz", "--hidden", "a"], "--hidden must be whole numbers separated by commas"),
        (["train", "curve.csv", "--task", "classification"], "line 2, column 'c': classes must be whole"),
        (["prune", "model.safetensors", "curve.csv"], "--model must take the 3 features of the data"),
        ([*PRUNE_FILE, "--sparsity", "0.9"], "--sparsity must be per cent"),
        ([*PRUNE_FILE, "--sparsity", "100"], "--sparsity must be per cent"),
        ([*PRUNE_FILE, "--criterion", "change"], "--criterion change needs"),
        ([*PRUNE_FILE, "--criterion", "size"], "criterion must be one of"),
        ([*PRUNE_FILE, "--structure", "n:m", "--sparsity", "9"], "must not be given"),
        ([*PRUNE_FILE, "--structure", "block", "--block", "5,5"], "block must divide"),
        (["sweep", "digits.npz", "--sparsity", "a"], "--sparsity must be numbers separated by commas"),
        (["sweep", "digits.npz", "--cv", "1"], "cv must be at least 2, got 1"),
        (["sweep", "digits.npz", "--hidden", "8", "--epochs", "1", "--tuning-epochs", "0", "--cv", "2",
          "--sparsity", "50", "--max-latency", "1e-3"], "max_latency_us is met by no candidate"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(folder, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(folder)
    (folder / "one.csv").write_text("1,3\n2,3\n5,3\n4,3\n")
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == "" and words in err and err.count("\n") == 1, err
