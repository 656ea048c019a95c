"""A two-layer encoder fine-tuned on speech and pruned by magnitude and by movement: docs/transformers.md.

    OMP_NUM_THREADS=1 python bench/train_encoder.py --json encoder.json --plot docs/train-encoder.png

JapaneseVowels (UCI, as the package aeon brings it): 270 utterances of two vowels to train on, 370 to test,
nine speakers to tell apart, up to 29 steps of 12 cepstral coefficients. As BERT is, the encoder is first
trained to fill in a fifth of the steps, which are hidden from it, without labels; then it is fine-tuned to
name the speaker, and pruned meanwhile, so pruning meets weights that were made for another task. Every way
of pruning goes through the same epochs of fine-tuning and learns from the labels alone; all matrices but the
last are pruned, ranked together.

    magnitude        prune_iteratively in ten steps: what is gone is gone
    movement         the same with the criterion movement, recorded in the fine-tuning alone
    masked movement  MaskedMovement: hidden weights come back where gradients want them

Each ends with epochs on the sparse kernels. Accuracy is on all test sequences, by seed of weights, hidden
steps and shuffling. The JSON file is written after every seed, and a seed that is in it already is not run
again; --data names the folder of aeon's sets where it is not installed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from cnn_table import spread
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sequence_data import Sequences, read_sequences

import sparsenn as snn
from sparsenn.figures import save_figure
from sparsenn.file_replace import check_replaceable, replace_file

SPARSITIES = (0.9, 0.97)
WAYS = ("magnitude", "movement", "masked movement")
STEPS = 10
COPIES, HIDDEN_SHARE, FIRST_EPOCHS = 8, 0.2, 6  # of the training without labels
EPOCHS, LAST_EPOCHS = 22, 10  # of fine-tuning while weights go, and behind that
BATCH, RATE, FIRST_RATE = 16, 1e-3, 2e-3


def encoder(data: Sequences, *, hidden: int, outputs: int, pooling: str, seed: int) -> snn.Model:
    _, steps, features = data.X.shape
    return snn.encoder(
        features, hidden, outputs, blocks=2, heads=4, patches=True, tokens=steps, places=steps,
        pooling=pooling, seed=seed,
    )  # fmt: skip


def learn_steps(data: Sequences, *, hidden: int, seed: int, epochs: int) -> snn.Model:
    """The encoder after it has learnt to fill in steps that are hidden from it."""
    _, steps, features = data.X.shape
    model = encoder(data, hidden=hidden, outputs=features, pooling="every", seed=seed)
    rng = np.random.default_rng(seed)
    whole = np.concatenate([data.X] * COPIES)
    hide = rng.random(whole.shape[:2]) < HIDDEN_SHARE
    counted = hide & whole.any(axis=2)  # not the zeros in front
    counted[:, -1] |= ~counted.any(axis=1)
    snn.train(
        model, np.where(hide[..., np.newaxis], np.float32(0), whole), whole, loss="mse",
        sample_weight=counted.astype(np.float32), epochs=epochs, batch_size=32, clip_norm=1.0,
        learning_rate=snn.Cosine(FIRST_RATE, epochs=epochs, warmup=1), seed=seed,
    )  # fmt: skip
    return model


def for_speakers(first: snn.Model | None, data: Sequences, *, hidden: int, seed: int) -> snn.Model:
    """An encoder with first's weights, or without with random ones, and a new last layer."""
    model = encoder(data, hidden=hidden, outputs=int(data.y.max()) + 1, pooling="mean", seed=seed)
    if first is None:
        return model
    for layer, source in zip(model.linear_layers[:-1], first.linear_layers[:-1], strict=True):
        layer.weight[...] = source.weight
        layer.bias[...] = source.bias
    for layer, source in zip(model.array_layers, first.array_layers, strict=True):
        layer.arrays = source.copy().arrays
    return model


def fit(model: snn.Model, data: Sequences, epochs: int, seed: int, **options) -> None:
    options = {"learning_rate": RATE, **options}
    snn.train(model, data.X, data.y, epochs=epochs, batch_size=BATCH, clip_norm=1.0, seed=seed, **options)


def pruned(way: str, start: snn.Model, data: Sequences, sparsity: float, epochs: int, seed: int) -> snn.Model:
    """start after epochs of fine-tuning in which it is pruned."""
    if way == "masked movement":
        model = start.copy()
        updates = epochs * -(-len(data.X) // BATCH)
        masked = snn.MaskedMovement(
            model, sparsity=sparsity, updates=updates * 4 // 5, warmup=updates // (STEPS + 1), keep=-1
        )
        fit(model, data, epochs, seed, callbacks=[masked])
        return snn.prune(model, sparsity=sparsity, criterion="movement", keep=-1)
    model, before = start, way == "magnitude"
    each = epochs // (STEPS + 1)  # movement trains once more than there are steps, so magnitude does, too
    if before:
        model = start.copy()
        fit(model, data, each, seed)
    model, _ = snn.prune_iteratively(
        model, data.X, data.y, sparsity=sparsity, steps=STEPS, epochs_per_step=each, criterion=way, keep=-1,
        drop_dead=False, seed=seed, batch_size=BATCH, clip_norm=1.0, learning_rate=RATE,
    )  # fmt: skip
    return model


def run(
    seed: int, data: Sequences, *, sparsities: list[float], hidden: int, first_epochs: int, epochs: int,
    last_epochs: int, tell=print,
) -> dict[str, list[float]]:  # fmt: skip
    """Test accuracy of the dense network, and of each way at each of the sparsities."""
    begun = time.perf_counter()
    first = learn_steps(data, hidden=hidden, seed=seed, epochs=first_epochs)
    start = for_speakers(first, data, hidden=hidden, seed=seed)
    last = {"learning_rate": snn.Cosine(RATE, epochs=last_epochs)}

    def accuracy(model: snn.Model) -> float:
        return float((model.predict(data.X_test).argmax(axis=1) == data.y_test).mean())

    found: dict[str, list[float]] = {}
    for name, begins in (("dense", start), ("dense, not trained before", None)):
        model = (begins or for_speakers(None, data, hidden=hidden, seed=seed)).copy()
        fit(model, data, epochs, seed)
        fit(model, data, last_epochs, seed + 1, **last)
        found[name] = [accuracy(model)]
    for way in WAYS:
        found[way] = []
        for sparsity in sparsities:
            model = pruned(way, start, data, sparsity, epochs, seed)
            fit(model, data, last_epochs, seed + 1, **last)
            found[way].append(accuracy(model))
        tell(f"seed {seed}, {way}: {found[way]}, {time.perf_counter() - begun:.0f} s")
    return found


def read_columns(seeds: list[dict], sparsities: list[float]) -> dict[str, tuple[np.ndarray, int]]:
    """By name of a row: accuracies (seeds,) float64 in %, and the place of its sparsity, -1 where dense."""
    columns = {}
    for way in seeds[0]:
        for place, share in enumerate(sparsities if way in WAYS else (0.0,)):
            name = f"{way}, {100 * share:g} %" if way in WAYS else way
            own = 100 * np.array([found[way][place] for found in seeds])
            columns[name] = own, place if way in WAYS else -1
    return columns


def table_lines(seeds: list[dict], sparsities: list[float]) -> list[str]:
    """Markdown; differences are within a seed, those against magnitude at the same sparsity."""
    lines = [
        "| pruned by, weights gone | test accuracy % | by seed | against dense, points | worst seed "
        "| against magnitude, points |",
        "|---|---|---|---|---|---|",
    ]
    dense = 100 * np.array([found["dense"][0] for found in seeds])
    magnitude = 100 * np.array([found["magnitude"] for found in seeds])
    for name, (own, place) in read_columns(seeds, sparsities).items():
        each = ", ".join(f"{value:.2f}" for value in own)
        change, worst, beside = spread(own - dense, "+.2f"), f"{(own - dense).min():+.2f}", ""
        if name == "dense":
            change = worst = ""
        if place >= 0 and not name.startswith("magnitude"):
            beside = spread(own - magnitude[:, place], "+.2f")
        lines.append(f"| {name} | {spread(own, '.2f')} | {each} | {change} | {worst} | {beside} |")
    return lines


def draw(seeds: list[dict], sparsities: list[float], title: str, path: Path) -> None:
    """A place for each row of the table: a dot a seed, those of one seed joined, and the mean as a bar."""
    columns = read_columns(seeds, sparsities)
    figure = Figure(figsize=(1.35 * len(columns), 5), dpi=88, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    accuracies = np.array([own for own, _ in columns.values()])
    places, beside = np.arange(len(columns)), np.linspace(-0.15, 0.15, len(seeds))
    axes.plot(places[:, np.newaxis] + beside, accuracies, ".-", color="tab:gray", lw=0.5, ms=8, alpha=0.7)
    means = accuracies.mean(axis=1)
    axes.hlines(means, places - 0.3, places + 0.3, color="tab:blue", lw=3, label="mean over the seeds")
    axes.axhline(means[0], color="black", lw=0.8, linestyle="--", label="dense, mean")
    names = [name.replace(", ", ",\n").replace("masked ", "masked\n") for name in columns]
    below = [f"{name}\n{spread(own, '.2f')}" for name, own in zip(names, accuracies, strict=True)]
    axes.set_xticks(places, below, fontsize=9)
    axes.set(ylabel="test accuracy, %", title=title)
    axes.grid(alpha=0.3, axis="y")
    axes.legend(fontsize=9, loc="lower left")
    save_figure(figure, path, pil_kwargs={"optimize": True})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with a folder of .ts files for each set")
    parser.add_argument("--set", default="JapaneseVowels", help="default: %(default)s")
    parser.add_argument("--sparsities", type=float, nargs="+", default=list(SPARSITIES))
    parser.add_argument("--hidden", type=int, default=64, help="features of a token; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--first-epochs", type=int, default=FIRST_EPOCHS, help="without labels; %(default)s")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="while weights go; %(default)s")
    parser.add_argument("--last-epochs", type=int, default=LAST_EPOCHS, help="behind that; %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    for path in filter(None, (arguments.json, arguments.plot)):
        check_replaceable(path)
    names = ("sparsities", "hidden", "first_epochs", "epochs", "last_epochs")
    options = {name: getattr(arguments, name) for name in names}
    settings = {"set": arguments.set, "steps": STEPS, **options}
    report = {"settings": settings, "seeds": {}}
    if arguments.json and arguments.json.exists():
        report = json.loads(arguments.json.read_text(encoding="utf-8"))
        if report["settings"] != settings:
            raise ValueError(f"--json must be of {settings}, got a file of {report['settings']}")
    data = read_sequences(arguments.set, arguments.data)
    for seed in range(arguments.seeds):
        if str(seed) in report["seeds"]:
            continue
        tell = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
        report["seeds"][str(seed)] = run(seed, data, tell=tell, **options)
        if arguments.json:
            replace_file(arguments.json, json.dumps(report, indent=1))
    seeds = [report["seeds"][str(seed)] for seed in range(arguments.seeds)]
    print("\n".join(table_lines(seeds, arguments.sparsities)))
    if arguments.plot:
        text = f"{len(data.X)} sequences to train on, {len(data.X_test)} to test, {len(seeds)} seeds"
        draw(seeds, arguments.sparsities, f"{arguments.set}\n{text}", arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
