"""A small convolutional network pruned step by step: the table of docs/training.md.

    OMP_NUM_THREADS=2 python bench/train_cnn.py [--data FILE.npz] [--seeds 5] [--epochs 15] [--json FILE]

Two convolutions of 16 and 32 channels, a pool and two linear layers train dense with Adam; then each sparsity
is reached by magnitude in five steps, over all layers together, with epochs between and after; and half of
the channels and hidden neurons go, likewise. Accuracy is on the test set, by seed of initialisation and
shuffling; time is that of an epoch.

The data are the digits, or a file of images and labels, x_train, y_train, x_test and y_test, as Keras keeps
MNIST and Fashion-MNIST: images (n, height, width) of numbers from 0 to 255.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import sparsenn as snn

STEPS, EPOCHS_A_STEP, LAST_EPOCHS = 5, 2, 6
SPARSITIES, CHANNELS = (0.8, 0.9, 0.95), 0.5


@dataclass
class Data:
    """Images (n, 1, height, width) float32 in [0, 1] and labels (n,), for training and for tests."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def read_data(path: Path | None) -> Data:
    """Of a file; None: the digits."""
    if path is None:
        X, y, X_test, y_test = snn.datasets.digits()
        return Data(X.reshape(-1, 1, 8, 8), y, X_test.reshape(-1, 1, 8, 8), y_test)
    with np.load(path, allow_pickle=False) as file:
        X, X_test = (file[name].astype(np.float32)[:, np.newaxis] / 255 for name in ("x_train", "x_test"))
        return Data(X, file["y_train"].astype(np.int64), X_test, file["y_test"].astype(np.int64))


def network(seed: int, size: tuple[int, int] = (8, 8)) -> snn.Model:
    """Weights of a variance of 2 / inputs (He et al. 2015)."""
    generator = np.random.default_rng(seed)

    def weight(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, np.float32) * np.sqrt(2 / np.prod(shape[1:]))

    x = snn.Input((1, *size), name="image")
    h = snn.ReLU()(snn.Conv2d(weight(16, 1, 3, 3), np.zeros(16), padding=1)(x))
    h = snn.ReLU()(snn.Conv2d(weight(32, 16, 3, 3), np.zeros(32), padding=1)(h))
    h = snn.Flatten()(snn.MaxPool2d(2)(h))
    h = snn.ReLU()(snn.Linear(weight(128, h.dims[1]), np.zeros(128))(h))
    return snn.Model(inputs=x, outputs=snn.Linear(weight(10, 128), np.zeros(10))(h))


def run(seed: int, data: Data, epochs: int) -> dict[str, dict[str, float]]:
    """Test accuracy and seconds an epoch, dense, at each sparsity and with half of the channels."""

    def measure(model: snn.Model, seconds: float) -> dict[str, float]:
        right = model.predict(data.X_test).argmax(axis=1) == data.y_test
        return {"accuracy": float(right.mean()), "sparsity": model.sparsity, "seconds": seconds}

    def timed(model: snn.Model, epochs: int) -> float:
        start = time.perf_counter()
        rate = snn.Cosine(2e-3, epochs=epochs)
        snn.train(model, data.X, data.y, epochs=epochs, batch_size=64, learning_rate=rate, seed=seed)
        return (time.perf_counter() - start) / epochs

    def pruned(sparsity: float, **options) -> dict[str, float]:
        model, _ = snn.prune_iteratively(
            dense, data.X, data.y, sparsity=sparsity, steps=STEPS, epochs_per_step=EPOCHS_A_STEP, seed=seed,
            **options,
        )  # fmt: skip
        return measure(model, timed(model, LAST_EPOCHS))

    dense = network(seed, data.X.shape[2:])
    rows = {"dense": measure(dense, timed(dense, epochs))}
    for sparsity in SPARSITIES:
        rows[f"{100 * sparsity:g} %"] = pruned(sparsity)
    rows[f"{100 * CHANNELS:g} % of the channels"] = pruned(CHANNELS, structure="neuron")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="an .npz file; default: the digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=15, help="of the dense training")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    data = read_data(arguments.data)
    report = [run(seed, data, arguments.epochs) for seed in range(arguments.seeds)]
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
