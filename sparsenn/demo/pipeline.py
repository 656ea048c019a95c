"""Trains a dense network on the digits and prunes it step by step, with fine-tuning in between."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import sparsenn as snn

from .networks import Network

SPARSITIES = (0.80, 0.90, 0.95, 0.98)


@dataclass
class Stage:
    """A trained network: dense, or pruned to a sparsity of its hidden layers."""

    sparsity: float  # 0: dense
    model: snn.Model
    accuracy: float  # share of test images that the compiled plan classifies right
    path: Path

    @property
    def name(self) -> str:
        return "dense" if self.sparsity == 0 else f"{self.sparsity:.0%}"

    @property
    def file_bytes(self) -> int:
        return self.path.stat().st_size


def train_stages(
    network: Network,
    folder: Path,
    *,
    epochs: int,
    tuning_epochs: int,
    seed: int = 0,
    threads: int | None = None,
    on_epoch: Callable[[str], None] = lambda stage: None,
) -> Iterator[Stage]:
    """The dense network first, then each sparsity, every one saved in folder.

    The layers that the network keeps stay dense. on_epoch is called after each epoch with what is being
    trained.
    """
    images, labels, test_images, test_labels = read_images(network)

    def fit(model: snn.Model, epochs: int, text: str) -> None:
        snn.train(
            model, images, labels, epochs=epochs, seed=seed, threads=threads,
            callbacks=[lambda trainer, row: on_epoch(text)],
        )  # fmt: skip

    model = network.make(seed)
    fit(model, epochs, "train dense")
    yield finish(0.0, model, folder / f"{network.prefix}dense.safetensors", test_images, test_labels, threads)
    for sparsity in SPARSITIES:
        model = snn.prune(model, sparsity=sparsity, keep=network.keep)
        fit(model, tuning_epochs, f"fine-tune {sparsity:.0%}")
        path = folder / f"{network.prefix}sparse-{round(100 * sparsity)}.safetensors"
        yield finish(sparsity, model, path, test_images, test_labels, threads)


def read_images(network: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The digits as the network reads them: images (n, ...) and labels (n,), for training and for tests."""
    images, labels, test_images, test_labels = snn.datasets.digits()
    return images.reshape(-1, *network.shape), labels, test_images.reshape(-1, *network.shape), test_labels


def finish(
    sparsity: float, model: snn.Model, path: Path, images: np.ndarray, labels: np.ndarray, threads: int | None
) -> Stage:
    """Saves and compiles the model and takes the plan's accuracy on images (n, ...), labels (n,)."""
    snn.save(model, path)
    outputs = snn.compile(model, threads=threads, batch_sizes=(len(images),), cache=False).run(images)
    return Stage(sparsity, model, float(np.mean(outputs.argmax(axis=1) == labels)), path)
