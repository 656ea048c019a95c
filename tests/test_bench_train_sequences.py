"""bench/train_sequences.py: reading of sets, a run of all it does, and that a run goes on."""

import json

import numpy as np
import pytest
from sequence_files import write_two_classes


@pytest.fixture
def bench(monkeypatch):
    from pathlib import Path

    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "bench"))


@pytest.fixture
def folder(tmp_path, rng):
    return write_two_classes(tmp_path, rng)


def test_sequences_stand_at_the_end_and_are_standardised(bench, folder):
    from sequence_data import read_sequences, read_ts

    data = read_sequences("Two", folder)
    assert data.X.shape == (12, 5, 2) and data.X_test.shape == (8, 5, 2)
    np.testing.assert_array_equal(data.y, np.arange(12) % 2)
    sequences, labels = read_ts(folder / "Two" / "Two_TRAIN.ts")
    assert [len(own) for own in sequences] == [3, 4, 5] * 4 and labels[:2] == ["down", "up"]
    every = np.concatenate(sequences)
    for row, sequence in zip(data.X, sequences, strict=True):
        assert not row[: 5 - len(sequence)].any()
        wanted = (sequence - every.mean(axis=0)) / every.std(axis=0)
        np.testing.assert_allclose(row[5 - len(sequence) :], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:pruned too far", "ignore:below break-even")
def test_tables_and_picture(bench, folder, tmp_path, monkeypatch, capsys):
    import train_sequences

    for name, value in {"STEPS": 2, "EPOCHS_A_STEP": 1, "SPARSITIES": (0.9,)}.items():
        monkeypatch.setattr(train_sequences, name, value)
    files = ["--json", str(tmp_path / "s.json"), "--plot", str(tmp_path / "s.png")]
    arguments = ["--data", str(folder), "--sets", "Two", "--units", "6", "--epochs", "4", *files]
    for seeds in ("1", "2"):
        monkeypatch.setattr("sys.argv", ["train_sequences.py", *arguments, "--seeds", seeds])
        assert train_sequences.main() == 0
    out, err = capsys.readouterr()
    assert err.count("seed 0, dense") == 1 and err.count("seed 1, dense") == 1  # the first is not run again
    assert out.count("| nothing, trained as long |") == 2 and "| 90 % of the weights |" in out
    report = json.loads((tmp_path / "s.json").read_text())
    kinds = [(row["kind"], row["share"]) for row in report["sets"]["Two"]["1"]]
    assert kinds == [("dense", 0), ("longer", 0), ("weights", 0.9)]
    assert (tmp_path / "s.png").stat().st_size > 5000
    monkeypatch.setattr("sys.argv", ["train_sequences.py", *arguments, "--units", "5"])
    with pytest.raises(ValueError, match="--json must be of"):
        train_sequences.main()
