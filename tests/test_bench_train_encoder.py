"""bench/train_encoder.py, which makes table and picture of pruned encoders in docs/transformers.md."""

import json
from pathlib import Path

import numpy as np
import pytest
from sequence_files import write_two_classes


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "bench"))
    import train_encoder

    monkeypatch.setattr(train_encoder, "STEPS", 2)
    monkeypatch.setattr(train_encoder, "COPIES", 1)
    return train_encoder


@pytest.fixture
def folder(tmp_path, rng):
    return write_two_classes(tmp_path, rng)


@pytest.mark.filterwarnings("ignore:pruned too far", "ignore:below break-even")
@pytest.mark.parametrize("way", ["magnitude", "movement", "masked movement"])
def test_every_way_ends_at_the_sparsity_and_starts_from_the_same_weights(bench, folder, way):
    data = bench.read_sequences("Two", folder)
    first = bench.learn_steps(data, hidden=8, seed=0, epochs=1)
    start = bench.for_speakers(first, data, hidden=8, seed=0)
    for layer, source in zip(start.linear_layers[:-1], first.linear_layers[:-1], strict=True):
        np.testing.assert_array_equal(layer.weight, source.weight)
    before = [layer.weight.copy() for layer in start.linear_layers]
    model = bench.pruned(way, start, data, 0.75, 6, 0)
    for layer, weight in zip(start.linear_layers, before, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)
    total = sum(weight.size for weight in before[:-1])
    assert sum(layer.nnz for layer in model.linear_layers[:-1]) == pytest.approx(0.25 * total, abs=1)
    assert model.linear_layers[-1].nnz == before[-1].size


@pytest.mark.filterwarnings("ignore:pruned too far", "ignore:below break-even")
def test_table_and_picture(bench, folder, tmp_path, monkeypatch, capsys):
    files = ["--json", str(tmp_path / "e.json"), "--plot", str(tmp_path / "e.png")]
    epochs = ["--first-epochs", "1", "--epochs", "3", "--last-epochs", "1"]
    arguments = ["--data", str(folder), "--set", "Two", "--hidden", "8", *epochs, *files]
    for seeds in ("1", "2"):
        monkeypatch.setattr("sys.argv", ["train_encoder.py", *arguments, "--seeds", seeds])
        assert bench.main() == 0
    out, err = capsys.readouterr()
    assert (
        err.count("seed 0, magnitude") == 1 and err.count("seed 1, magnitude") == 1
    )  # seed 0 is not run again
    assert out.count("| dense, not trained before |") == 2 and "| masked movement, 90 % |" in out
    report = json.loads((tmp_path / "e.json").read_text())
    assert list(report["seeds"]["1"]) == ["dense", "dense, not trained before", *bench.WAYS]
    assert all(0 <= value <= 1 for own in report["seeds"]["1"].values() for value in own)
    assert (tmp_path / "e.png").stat().st_size > 5000
    monkeypatch.setattr("sys.argv", ["train_encoder.py", *arguments, "--hidden", "4"])
    with pytest.raises(ValueError, match="--json must be of"):
        bench.main()
