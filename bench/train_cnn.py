"""A small convolutional network pruned step by step: tables and picture of docs/training.md.

    OMP_NUM_THREADS=1 python bench/train_cnn.py
    OMP_NUM_THREADS=1 python bench/train_cnn.py --data /usr/share/datasets/fashion-mnist --images 10000 \\
        --network three --epochs 12 --distill --json train-cnn.json --plot docs/train-cnn.png

The network trains dense with Adam; then each sparsity is reached by magnitude in five steps, over all layers
together, with epochs between and after; and a share of the channels and hidden neurons goes, likewise, the
same of each layer. "nothing, trained as long" is the dense network after as many epochs as the pruned ones.
Accuracy is on all test images, by seed of initialisation and shuffling; time is that of an epoch at the end.

The data are the digits; a folder with MNIST's or Fashion-MNIST's four .idx files (Debian's package
dataset-fashion-mnist); or an .npz file of x_train, y_train, x_test and y_test, as Keras keeps them: images
(n, height, width) of numbers from 0 to 255. The JSON file is written after every seed, and a seed that is in
it already is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from bench_channels import multiply_adds
from cnn_data import NETWORKS, Data, read_data
from cnn_picture import draw
from cnn_table import read_rows, table_lines

import sparsenn as snn
from sparsenn.file_replace import check_replaceable, replace_file

STEPS, EPOCHS_A_STEP, LAST_EPOCHS = 5, 2, 6
SPARSITIES, CHANNELS = (0.8, 0.9, 0.95), (0.3, 0.5)
SAMPLES = 1000  # for what pruning looks at beside the weights: the means of channels that go, its own trace


def measure(model: snn.Model, data: Data, seconds: float) -> dict[str, float]:
    logits = snn.compile(model).run(data.X_test)
    return {
        "accuracy": float((logits.argmax(axis=1) == data.y_test).mean()),
        "weights": model.nnz,
        "multiply_adds": multiply_adds(model),
        "seconds": seconds,
    }


def run(
    seed: int, make: Callable[..., snn.Model], data: Data, *, epochs: int, distill: bool, tell=print
) -> list[dict]:
    """A row each for dense, dense trained as long, each sparsity and each share of channels; see measure."""

    def fit(model: snn.Model, epochs: int) -> float:
        """-> seconds of the fastest epoch"""
        rate = snn.Cosine(2e-3, epochs=epochs)
        history = snn.train(
            model, data.X, data.y, epochs=epochs, batch_size=64, learning_rate=rate, seed=seed
        )
        return min(history.seconds)

    def add(kind: str, share: float, model: snn.Model, epochs: int) -> None:
        rows.append({"kind": kind, "share": share, **measure(model, data, fit(model, epochs))})
        tell(f"seed {seed}, {kind} {share:g}: {rows[-1]}")

    def pruned(sparsity: float, **options) -> snn.Model:
        model, _ = snn.prune_iteratively(
            dense, data.X, data.y, sparsity=sparsity, steps=STEPS, epochs_per_step=EPOCHS_A_STEP, seed=seed,
            data=few, validation_data=few, distill=distill, **options,
        )  # fmt: skip
        return model

    rows: list[dict] = []
    few = data.X[:SAMPLES], data.y[:SAMPLES]
    dense = make(seed, data.X.shape[2:])
    add("dense", 0, dense, epochs)
    longer = dense.copy()
    for step in range(STEPS):  # as prune_iteratively trains
        snn.train(longer, data.X, data.y, epochs=EPOCHS_A_STEP, seed=seed + step + 1)
    add("longer", 0, longer, LAST_EPOCHS)
    for sparsity in SPARSITIES:
        add("weights", sparsity, pruned(sparsity), LAST_EPOCHS)
    for share in CHANNELS:
        add("channels", share, pruned(share, structure="neuron", scope="layer"), LAST_EPOCHS)
    return rows


def read_report(path: Path | None, settings: dict) -> dict:
    """What the JSON file holds of these settings; ValueError where it is of others."""
    if path is None or not path.exists():
        return {"settings": settings, "seeds": {}}
    report = json.loads(path.read_text(encoding="utf-8"))
    if report["settings"] != settings:
        raise ValueError(f"--json must be of {settings}, got a file of {report['settings']}")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, help="an .npz file or a folder of .idx files; default: the digits"
    )
    parser.add_argument("--images", type=int, help="how many to train on, the first of them; default: all")
    parser.add_argument("--network", choices=NETWORKS, default="two", help="by its convolutions; %(default)s")
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=15, help="of the dense training; default: %(default)s")
    parser.add_argument(
        "--distill", action="store_true", help="between the steps, learn from the dense network's outputs too"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    for path in filter(None, (arguments.json, arguments.plot)):
        check_replaceable(path)
    data = read_data(arguments.data, arguments.images)
    settings = {
        "data": arguments.data.name if arguments.data else "digits",
        "images": len(data.X), "test_images": len(data.X_test), "network": arguments.network,
        "distill": arguments.distill, "epochs": arguments.epochs, "steps": STEPS,
        "epochs_a_step": EPOCHS_A_STEP, "last_epochs": LAST_EPOCHS,
        "sparsities": list(SPARSITIES), "channels": list(CHANNELS),
    }  # fmt: skip
    report = read_report(arguments.json, settings)
    seeds = [str(seed) for seed in range(arguments.seeds)]
    for seed in seeds:
        if seed not in report["seeds"]:
            report["seeds"][seed] = run(
                int(seed), NETWORKS[arguments.network], data,
                epochs=arguments.epochs, distill=arguments.distill,
                tell=lambda line: print(line, file=sys.stderr, flush=True),
            )  # fmt: skip
            if arguments.json:
                replace_file(arguments.json, json.dumps(report, indent=1))
    rows = read_rows([report["seeds"][seed] for seed in seeds])
    print("\n".join(table_lines(rows)))
    if arguments.plot:
        draw(rows, settings, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
