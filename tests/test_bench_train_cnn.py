"""bench/train_cnn.py, which makes the tables and the picture of convolutions in docs/training.md."""

import gzip
import importlib
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).parent.parent / "bench"
NAMES = ("train_cnn", "bench_channels", "cnn_data", "cnn_picture", "cnn_table")


@pytest.fixture
def bench(monkeypatch):
    """The script as a module, with few and short steps."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(BENCH)
    module = importlib.import_module("train_cnn")
    for name, value in {
        "STEPS": 2, "EPOCHS_A_STEP": 1, "LAST_EPOCHS": 1, "SPARSITIES": (0.5, 0.8), "CHANNELS": (0.5,),
    }.items():  # fmt: skip
        monkeypatch.setattr(module, name, value)
    yield module
    for name in NAMES:
        sys.modules.pop(name, None)


def command(bench, monkeypatch, *words) -> int:
    monkeypatch.setattr("sys.argv", ["train_cnn.py", "--images", "600", "--epochs", "3", *map(str, words)])
    return bench.main()


def test_one_command_makes_table_and_picture(bench, tmp_path, monkeypatch, capsys):
    file, picture = tmp_path / "cnn.json", tmp_path / "cnn.png"
    words = "--network", "three", "--seeds", 2, "--json", file, "--plot", picture
    assert command(bench, monkeypatch, *words) == 0
    table = capsys.readouterr().out
    seeds = list(json.loads(file.read_text())["seeds"].values())
    kinds = ["dense", "longer", "weights", "weights", "channels"]
    assert [[row["kind"] for row in rows] for rows in seeds] == [kinds] * 2
    assert all(row["accuracy"] > 0.2 and row["seconds"] > 0 for rows in seeds for row in rows), seeds

    for rows in seeds:
        # 8, 4 and 2 positions a side, and the linear layers behind the last pool
        weights = [24 * 9, 48 * 24 * 9, 96 * 48 * 9, 256 * 96, 10 * 256]
        counted = sum(count * side**2 for count, side in zip(weights, (8, 4, 2, 1, 1), strict=True))
        assert (rows[0]["weights"], rows[0]["multiply_adds"]) == (sum(weights), counted)
        assert rows[3]["weights"] <= 0.2 * sum(weights) + 1  # dead channels go as well
        assert rows[4]["weights"] == 12 * 9 + 24 * 12 * 9 + 48 * 24 * 9 + 128 * 48 + 10 * 128

    accuracy = 100 * np.array([[row["accuracy"] for row in rows] for rows in seeds])
    change = accuracy[:, 3] - accuracy[:, 0]
    (line,) = (line for line in table.splitlines() if line.startswith("| 80 % of the weights |"))
    cells = [cell.strip() for cell in line.split("|")]
    assert cells[2] == f"{accuracy[:, 3].mean():.2f} ± {accuracy[:, 3].std(ddof=1):.2f}"
    assert (
        cells[4] == f"{change.mean():+.2f} ± {change.std(ddof=1):.2f}" and cells[5] == f"{change.min():+.2f}"
    )
    assert picture.read_bytes().startswith(b"\x89PNG")

    monkeypatch.setattr(bench, "run", None)  # nothing is run again
    picture.unlink()
    assert command(bench, monkeypatch, *words) == 0
    assert capsys.readouterr().out == table and picture.exists()
    with pytest.raises(ValueError, match="--json must be of .*'network': 'two'.*, got a file of .*'three'"):
        command(bench, monkeypatch, "--json", file)


def test_a_row_is_against_dense_of_its_seed(bench):
    """Two seeds that lose half a point each: no deviation, although the seeds lie two points apart."""

    def rows(dense, pruned):
        values = {"weights": 10, "multiply_adds": 40, "seconds": 0.5}
        return [
            {"kind": "dense", "share": 0, "accuracy": dense, **values},
            {
                "kind": "weights",
                "share": 0.9,
                "accuracy": pruned,
                **values,
                "weights": 1,
                "multiply_adds": 10,
            },
        ]

    lines = bench.table_lines(bench.read_rows([rows(0.90, 0.895), rows(0.92, 0.915)]))
    assert lines[2].startswith("| nothing | 91.00 ± 1.41 | 90.00, 92.00 |  |  | 100.0 % | 100.0 % |")
    assert lines[3] == (
        "| 90 % of the weights | 90.50 ± 1.41 | 89.50, 91.50 | -0.50 ± 0.00 | -0.50 | 10.0 % | 25.0 % | 500 |"
    )
    (line,) = bench.table_lines(bench.read_rows([rows(0.90, 0.895)]))[3:]
    assert "±" not in line and "| -0.50 | -0.50 |" in line


def test_the_picture_shows_means_seeds_and_limits(bench):
    from cnn_picture import draw_accuracy
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    data = [np.array([90.0, 92.0]), np.array([89.0, 90.0]), np.array([88.0, 91.0])]
    kinds = ("dense", "weights", "channels")
    rows = [
        sys.modules["cnn_table"].Row(kind, 0.5, accuracy, accuracy - data[0], left, left, 1.0)
        for kind, accuracy, left in zip(kinds, data, (1.0, 0.1, 0.25), strict=True)
    ]
    draw_accuracy(axes, rows)
    found = {(tuple(line.get_xdata()), tuple(line.get_ydata())) for line in axes.lines}
    across = {y[0] for x, y in found if x == (0, 1)}
    assert across == {91.0, 90.5, 89.5}  # dense, and the limits below it
    assert {((1.0, 0.1), (91.0, 89.5)), ((1.0, 0.1), (90.0, 89.0)), ((1.0, 0.1), (92.0, 90.0))} <= found
    assert {((0.25,), (89.5,)), ((0.25, 0.25), (88.0, 91.0))} <= found


def test_data_in_each_form_are_the_same(bench, tmp_path, rng):
    def idx(name, array):
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(head + array.tobytes()))

    images = {part: rng.integers(0, 256, (n, 5, 6), np.uint8) for part, n in (("train", 7), ("t10k", 3))}
    labels = {part: rng.integers(0, 10, len(images[part]), np.uint8) for part in images}
    for part in images:
        idx(f"{part}-images-idx3-ubyte", images[part]), idx(f"{part}-labels-idx1-ubyte", labels[part])
    file = tmp_path / "keras.npz"
    np.savez(
        file, x_train=images["train"], y_train=labels["train"], x_test=images["t10k"], y_test=labels["t10k"]
    )
    for path in (file, tmp_path):
        data = bench.read_data(path, 4)
        assert data.X.dtype == data.X_test.dtype == np.float32
        np.testing.assert_allclose(data.X, images["train"][:4, None] / 255, rtol=1e-6)
        np.testing.assert_allclose(data.X_test, images["t10k"][:, None] / 255, rtol=1e-6)
        assert (
            data.y.tolist() == labels["train"][:4].tolist()
            and data.y_test.tolist() == labels["t10k"].tolist()
        )
    with pytest.raises(ValueError, match="--images must be from 1 to 7, got 8"):
        bench.read_data(file, 8)
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="without t10k-images"):
        bench.read_data(tmp_path)
