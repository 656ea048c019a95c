"""Dense, sparse from the start, and penalised training on the digits: the table of docs/training.md.

    python bench/train_digits.py [--seeds 3] [--json FILE]

Every run trains 64-1024-1024-10 with Adam on the same fixed split; accuracy is on the test set, as the mean
over seeds of initialisation and shuffling. Zero weights are those that are exactly 0 or not stored.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import sparsenn as snn

SIZES = [64, 1024, 1024, 10]
EPOCHS = 30
RATE = snn.Cosine(1e-3, epochs=EPOCHS)
RUNS = {
    "dense": ({}, {}),
    "sparse 95 %, Erdős-Rényi": ({"sparsity": 0.95}, {}),
    "sparse 95 %, random": ({"sparsity": 0.95, "pattern": "random"}, {}),
    "sparse 95 %, Erdős-Rényi, regrown": ({"sparsity": 0.95}, {"regrow": snn.Regrow(fraction=0.3)}),
    "dense, l1=0.1, proximal": ({}, {"l1": 0.1}),
    "dense, l1=0.3, proximal": ({}, {"l1": 0.3}),
    "dense, l1=0.3, sub-gradient": ({}, {"l1": 0.3, "l1_proximal": False}),
    "dense, mcp=0.3, concavity 0.3": ({}, {"mcp": 0.3, "mcp_concavity": 0.3}),
    "dense, mcp=1, concavity 0.1": ({}, {"mcp": 1.0, "mcp_concavity": 0.1}),
}


def run(model_options: dict, train_options: dict, seed: int) -> dict[str, float]:
    """One training -> accuracy (test), zeros and stored (shares of all weights), seconds an epoch."""
    X, y, X_test, y_test = snn.datasets.digits()
    model = snn.mlp(SIZES, seed=seed, **model_options)
    start = time.perf_counter()
    snn.train(model, X, y, epochs=EPOCHS, learning_rate=RATE, seed=seed, **train_options)
    seconds = (time.perf_counter() - start) / EPOCHS
    values = [layer.weight.data if layer.sparse else layer.weight for layer in model.linear_layers]
    total = sum(layer.shape[0] * layer.shape[1] for layer in model.linear_layers)
    return {
        "accuracy": float((model.predict(X_test).argmax(axis=1) == y_test).mean()),
        "zeros": 1 - sum(int(np.count_nonzero(v)) for v in values) / total,
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print("| run | test accuracy % | zero weights % | ms an epoch |\n|---|---|---|---|")
    report = {}
    for name, options in RUNS.items():
        rows = [run(*options, seed) for seed in range(arguments.seeds)]
        report[name] = rows
        accuracy, zeros, seconds = (
            np.array([row[k] for row in rows]) for k in ("accuracy", "zeros", "seconds")
        )
        print(
            f"| {name} | {100 * accuracy.mean():.2f} ± {100 * accuracy.std():.2f} | {100 * zeros.mean():.1f} "
            f"| {1000 * seconds.min():.0f} |",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
