"""A small convolutional network on the digits, pruned step by step: the table of docs/training.md.

    OMP_NUM_THREADS=2 python bench/train_cnn.py [--seeds 5] [--json FILE]

Two convolutions of 16 and 32 channels, a pool and two linear layers train dense with Adam; then each sparsity
is reached by magnitude in five steps, over all layers together, with epochs between and after. Accuracy is on
the test set, by seed of initialisation and shuffling; time is that of an epoch.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import sparsenn as snn

EPOCHS, STEPS, EPOCHS_A_STEP, LAST_EPOCHS = 15, 5, 2, 6
SPARSITIES = (0.9, 0.95)


def network(seed: int) -> snn.Model:
    """Weights of a variance of 2 / inputs (He et al. 2015)."""
    generator = np.random.default_rng(seed)

    def weight(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, np.float32) * np.sqrt(2 / np.prod(shape[1:]))

    x = snn.Input((1, 8, 8), name="image")
    h = snn.ReLU()(snn.Conv2d(weight(16, 1, 3, 3), np.zeros(16), padding=1)(x))
    h = snn.ReLU()(snn.Conv2d(weight(32, 16, 3, 3), np.zeros(32), padding=1)(h))
    h = snn.Flatten()(snn.MaxPool2d(2)(h))
    h = snn.ReLU()(snn.Linear(weight(128, 512), np.zeros(128))(h))
    return snn.Model(inputs=x, outputs=snn.Linear(weight(10, 128), np.zeros(10))(h))


def run(seed: int) -> dict[str, dict[str, float]]:
    """Test accuracy and seconds an epoch, dense and at each sparsity."""
    X, y, X_test, y_test = snn.datasets.digits()
    X, X_test = X.reshape(-1, 1, 8, 8), X_test.reshape(-1, 1, 8, 8)

    def measure(model: snn.Model, seconds: float) -> dict[str, float]:
        right = model.predict(X_test).argmax(axis=1) == y_test
        return {"accuracy": float(right.mean()), "sparsity": model.sparsity, "seconds": seconds}

    def timed(model: snn.Model, epochs: int) -> float:
        start = time.perf_counter()
        rate = snn.Cosine(2e-3, epochs=epochs)
        snn.train(model, X, y, epochs=epochs, batch_size=64, learning_rate=rate, seed=seed)
        return (time.perf_counter() - start) / epochs

    dense = network(seed)
    rows = {"dense": measure(dense, timed(dense, EPOCHS))}
    for sparsity in SPARSITIES:
        sparse, _ = snn.prune_iteratively(
            dense, X, y, sparsity=sparsity, steps=STEPS, epochs_per_step=EPOCHS_A_STEP, seed=seed
        )
        rows[f"{100 * sparsity:g} %"] = measure(sparse, timed(sparse, LAST_EPOCHS))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    report = [run(seed) for seed in range(arguments.seeds)]
    print("| sparsity | test accuracy % | by seed | ms an epoch |\n|---|---|---|---|")
    for name in report[0]:
        accuracy = 100 * np.array([rows[name]["accuracy"] for rows in report])
        each = ", ".join(f"{value:.2f}" for value in accuracy)
        fastest = min(1000 * rows[name]["seconds"] for rows in report)
        print(f"| {name} | {accuracy.mean():.2f} ± {accuracy.std():.2f} | {each} | {fastest:.0f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
