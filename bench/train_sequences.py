"""Recurrent networks pruned step by step on real sequences: tables and picture of docs/recurrent.md.

    OMP_NUM_THREADS=1 python bench/train_sequences.py --json sequences.json --plot docs/train-sequences.png

The network trains dense with Adam; then each sparsity is reached by magnitude in ten steps, over all layers
together, with epochs between, in which it also learns from the dense network's outputs, and after.
"nothing, trained as long" is the dense network after as many epochs more. Accuracy is on all test sequences,
by seed of initialisation and shuffling; time is that of a plan with one sequence on one thread, the least of
many runs. The data are JapaneseVowels and ItalyPowerDemand as the package aeon brings them (pip install
aeon, or --data with the folder of its sets). The JSON file is written after every seed, and a seed that is in
it already is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from cnn_picture import draw_accuracy, lay_out
from cnn_table import read_rows, spread
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sequence_data import Sequences, read_sequences

import sparsenn as snn
from sparsenn.figures import save_figure
from sparsenn.file_replace import check_replaceable, replace_file

SETS = ("JapaneseVowels", "ItalyPowerDemand")
SPARSITIES = (0.8, 0.9, 0.95)
STEPS, EPOCHS_A_STEP = 10, 6
KINDS = {"lstm": snn.lstm, "gru": snn.gru}
TRAINING = {"batch_size": 16, "clip_norm": 1.0}


def measure(model: snn.Model, data: Sequences) -> dict[str, float]:
    plan = snn.compile(model, threads=1, batch_sizes=(1,))
    one, seconds = data.X_test[:1], float("inf")
    for _ in range(300):
        start = time.perf_counter()
        plan.run(one)
        seconds = min(seconds, time.perf_counter() - start)
    right = plan.run(data.X_test).argmax(axis=1) == data.y_test
    steps = data.X.shape[1]
    counts = (layer.nnz * (1 if isinstance(layer, snn.Linear) else steps) for layer in model.linear_layers)
    return {
        "accuracy": float(right.mean()),
        "weights": model.nnz,
        "multiply_adds": sum(counts),
        "seconds": seconds,
    }


def run(seed: int, data: Sequences, *, kind: str, units: int, epochs: int, tell=print) -> list[dict]:
    """A row each for dense, dense trained as long, and each sparsity; see measure."""
    X, y = data.X, data.y
    last = epochs // 2

    def fit(model: snn.Model, epochs: int) -> None:
        rate = snn.Cosine(3e-3, epochs=epochs)
        snn.train(model, X, y, epochs=epochs, learning_rate=rate, seed=seed, **TRAINING)

    def add(kind: str, share: float, model: snn.Model) -> None:
        rows.append({"kind": kind, "share": share, **measure(model, data)})
        tell(f"seed {seed}, {kind} {share:g}: {rows[-1]}")

    rows: list[dict] = []
    dense = KINDS[kind](
        [X.shape[2], units, int(y.max()) + 1], output="mean", bidirectional=True, steps=X.shape[1], seed=seed
    )
    fit(dense, epochs)
    add("dense", 0, dense)
    longer = dense.copy()
    for step in range(STEPS):  # as prune_iteratively trains
        snn.train(longer, X, y, epochs=EPOCHS_A_STEP, seed=seed + step + 1, **TRAINING)
    fit(longer, last)
    add("longer", 0, longer)
    for sparsity in SPARSITIES:
        sparse, _ = snn.prune_iteratively(
            dense, X, y, sparsity=sparsity, steps=STEPS, epochs_per_step=EPOCHS_A_STEP, seed=seed,
            distill=True, **TRAINING,
        )  # fmt: skip
        fit(sparse, last)
        add("weights", sparsity, sparse)
    return rows


def table_lines(rows) -> list[str]:
    """Markdown, a line a row of cnn_table.read_rows."""
    dense = rows[0]
    lines = [
        "| pruned | test accuracy % | by seed | against dense, points | worst | weights left | as fast |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        each = ", ".join(f"{value:.2f}" for value in row.accuracy)
        change, worst = spread(row.change, "+.2f"), f"{row.change.min():+.2f}"
        if row is dense:
            change = worst = ""
        lines.append(
            f"| {row.name} | {spread(row.accuracy, '.2f')} | {each} | {change} | {worst} "
            f"| {100 * row.weights:.1f} % | {dense.seconds / row.seconds:.1f} |"
        )
    return lines


def draw(found: dict, path: Path) -> None:
    """found: by set its rows and what it is."""
    figure = Figure(figsize=(11, 5.4), dpi=88, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    for axes, (name, (rows, text)) in zip(panels, found.items(), strict=True):
        draw_accuracy(axes, rows, limits=(1.0,))
        axes.set_title(f"{name}\n{text}", fontsize=11)
        axes.set_ylabel("test accuracy, %")
        lay_out(axes, max(1 - row.weights for row in rows))
    save_figure(figure, path, pil_kwargs={"optimize": True})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with a folder of .ts files for each set")
    parser.add_argument("--sets", nargs="+", default=list(SETS), help="default: %(default)s")
    parser.add_argument("--kind", choices=KINDS, default="lstm", help="default: %(default)s")
    parser.add_argument("--units", type=int, default=128, help="each way; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=80, help="of the dense training; default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    for path in filter(None, (arguments.json, arguments.plot)):
        check_replaceable(path)
    options = {"kind": arguments.kind, "units": arguments.units, "epochs": arguments.epochs}
    settings = {**options, "steps": STEPS, "epochs_a_step": EPOCHS_A_STEP, "sparsities": list(SPARSITIES)}
    report = {"settings": settings, "sets": {}}
    if arguments.json and arguments.json.exists():
        report = json.loads(arguments.json.read_text(encoding="utf-8"))
        if report["settings"] != settings:
            raise ValueError(f"--json must be of {settings}, got a file of {report['settings']}")
    found = {}
    for name in arguments.sets:
        data, seeds = read_sequences(name, arguments.data), report["sets"].setdefault(name, {})
        for seed in map(str, range(arguments.seeds)):
            if seed in seeds:
                continue
            tell = lambda line, name=name: print(f"{name}, {line}", file=sys.stderr, flush=True)  # noqa: E731
            seeds[seed] = run(int(seed), data, tell=tell, **options)
            if arguments.json:
                replace_file(arguments.json, json.dumps(report, indent=1))
        rows = read_rows([seeds[str(seed)] for seed in range(arguments.seeds)])
        n, steps, features = data.X.shape
        text = f"{n} sequences to train on, {len(data.X_test)} to test"
        found[name] = rows, text
        print(f"{name}: {text}, {steps} steps of {features}\n")
        print("\n".join(table_lines(rows)), end="\n\n")
    if arguments.plot:
        draw(found, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
