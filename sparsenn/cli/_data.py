"""The options that train, prune and sweep share: data, split, network and training."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np


@dataclass
class Data:
    """Training and test samples; regression: the target is no class; description: what was read, in words."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    regression: bool
    description: str

    @property
    def outputs(self) -> int:
        """Outputs that a network for these targets needs."""
        if self.regression:
            return 1 if self.y.ndim == 1 else self.y.shape[1]
        return max(2, int(max(self.y.max(), self.y_test.max())) + 1)

    @property
    def loss(self) -> str:
        return "mse" if self.regression else "cross_entropy"

    def take_dims(self, model) -> None:
        """Gives the samples, rows of features, the dims of the model's input: channels, height and width."""
        for name in ("X", "X_test"):
            array = getattr(self, name)
            setattr(self, name, array.reshape(len(array), *model.input_values[0].dims[1:]))


def add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", metavar="DATA", help="a .npz, .csv, .idx or .idx.gz file, or digits: the set that comes along"
    )
    parser.add_argument("--target", help="what to predict: a column, an array or a file of labels")
    parser.add_argument(
        "--task", choices=("auto", "classification", "regression"), default="auto",
        help="auto: classification where the target holds text or whole numbers from 0 up",
    )  # fmt: skip
    parser.add_argument(
        "--header", choices=("auto", "yes", "no"), default="auto",
        help="of a .csv file; auto: there is one where no cell of the first line is a number",
    )  # fmt: skip
    parser.add_argument(
        "--scale", choices=("none", "standard"), default="none",
        help="standard: features to mean 0 and deviation 1 of the training samples",
    )  # fmt: skip
    parser.add_argument(
        "--test", type=float, default=0.2, metavar="SHARE",
        help="of the samples held out to report on (default: %(default)s); digits have a split of their own",
    )  # fmt: skip


def add_training_options(parser: argparse.ArgumentParser, *, epochs: int) -> None:
    parser.add_argument("--epochs", type=int, default=epochs, help="default: %(default)s")
    parser.add_argument("--train-batch", type=int, default=128, metavar="N", help="default: %(default)s")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="default: %(default)s")
    parser.add_argument("--threads", type=int, help="default: that of sparsenn info")
    parser.add_argument("--seed", type=int, default=0)


def add_network_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hidden", default="256,256", metavar="WIDTHS", help="of the hidden layers (default: %(default)s)"
    )
    parser.add_argument("--activation", default="relu", help="default: %(default)s")


def add_pruning_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--criterion", default="magnitude", help="default: %(default)s")
    parser.add_argument("--structure", default="weight", help="weight, block, n:m, or neuron (channel)")
    parser.add_argument("--block", default="16,1", help="rows and inputs of a block (default: %(default)s)")
    parser.add_argument("--nm", default="2,4", help="n and m of n:m (default: %(default)s)")
    parser.add_argument("--scope", default="global", help="global or layer (default: %(default)s)")
    parser.add_argument("--schedule", default="cubic", help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=4, help="default: %(default)s")
    parser.add_argument(
        "--keep", default="-1", help="Linear layers left as they are, or none (default: the last)"
    )


def load_data(args: argparse.Namespace) -> Data:
    """The samples of the options. ValueError or OSError for bad input."""
    from ..datasets import digits
    from ..datasets.files import read_samples
    from ..datasets.target import Target

    task = None if args.task == "auto" else args.task
    if args.data == "digits":
        if args.target is not None or args.header != "auto":
            raise ValueError("--target and --header must not be given with digits")
        X, y, X_test, y_test = digits()
        regression = task == "regression"
        description = _describe(
            "digits", len(X) + len(X_test), Target(y, task or "classification").describe()
        )
    else:
        header = None if args.header == "auto" else args.header == "yes"
        samples = read_samples(args.data, target=args.target, task=task, header=header)
        features, targets = samples.X, samples.target.values
        if not 0 < args.test < 1:
            raise ValueError(f"--test must be in (0, 1), got {args.test:g}")
        held_out = round(args.test * len(targets))
        if not 1 <= held_out < len(targets):
            raise ValueError(f"--test must leave samples on both sides, got {args.test:g} of {len(targets)}")
        order = np.random.default_rng(args.seed).permutation(len(targets))
        test, rest = order[:held_out], order[held_out:]
        X, y, X_test, y_test = features[rest], targets[rest], features[test], targets[test]
        regression = samples.target.task == "regression"
        description = _describe(
            f"{args.data}, {samples.target_name}", len(targets), samples.target.describe()
        )
        if not regression and targets.min() == targets.max():
            raise ValueError(f"{args.data}: {samples.target_name} must hold at least 2 classes, got 1")
    if regression:
        y, y_test = y.astype(np.float32), y_test.astype(np.float32)
    if args.scale == "standard":
        mean, deviation = X.mean(axis=0), X.std(axis=0)
        deviation[deviation == 0] = 1
        X, X_test = (X - mean) / deviation, (X_test - mean) / deviation
    return Data(X, y, X_test, y_test, regression, description)


def _describe(what: str, samples: int, task: str) -> str:
    """What was read; on a terminal it is seen before the training."""
    text = f"{what}: {samples} samples, {task}"
    if sys.stderr.isatty():
        print(text, file=sys.stderr)
    return text


def training_options(args: argparse.Namespace) -> dict:
    """What train takes, but for epochs and seed."""
    return {"batch_size": args.train_batch, "learning_rate": args.learning_rate, "threads": args.threads}


def pruning_options(args: argparse.Namespace) -> dict:
    """What prune_iteratively takes, but for sparsity and epochs."""
    return {
        "criterion": args.criterion,
        "structure": args.structure,
        "block": tuple(integers("--block", args.block)),
        "nm": tuple(integers("--nm", args.nm)),
        "scope": args.scope,
        "schedule": args.schedule,
        "steps": args.steps,
        "keep": () if args.keep == "none" else tuple(integers("--keep", args.keep)),
    }


def make_network(args: argparse.Namespace, data: Data):
    """A new network of the options' widths for the data."""
    from .. import mlp

    widths = [data.X.shape[1], *(integers("--hidden", args.hidden) if args.hidden else []), data.outputs]
    return mlp(widths, activation=args.activation, seed=args.seed)


def load_model(path: str, data: Data):
    """The model of a file, which must fit the data."""
    from .. import load
    from ..graph.dims import features_of

    model = load(path)
    inputs, features = features_of(model.input_values[0].dims), data.X[0].size
    if len(model.input_values) > 1 or inputs != features:
        got = f"{inputs} inputs" if inputs else " and ".join(map(repr, model.input_values))
        raise ValueError(f"--model must take the {features} features of the data, got {got}")
    if model.outputs < data.outputs or (data.regression and model.outputs != data.outputs):
        raise ValueError(f"--model must have {data.outputs} outputs for the target, got {model.outputs}")
    return model


def widths(model, data: Data) -> list[int]:
    """Of the input, of each layer with weights."""
    return [data.X[0].size, *(layer.shape[0] for layer in model.linear_layers)]


def percents(option: str, text: str) -> list[float]:
    """Parses "80,90" as [0.8, 0.9]. ValueError names the option, also for fractions given by mistake."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} must be numbers separated by commas, got {text!r}") from None
    for value in values:
        if not 0 <= value < 100 or 0 < value < 1:
            raise ValueError(f"{option} must be per cent, 0 or from 1 to below 100, got {value:g}")
    return [value / 100 for value in values]


def integers(option: str, text: str) -> list[int]:
    """Parses "16,1" as [16, 1]. ValueError names the option."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} must be whole numbers separated by commas, got {text!r}") from None


def check_folder(option: str, path: str) -> None:
    """ValueError unless the folder that path is to be written in exists."""
    from pathlib import Path

    from ..paths import as_path

    if not Path(as_path(path, option)).resolve().parent.is_dir():
        raise ValueError(f"{option} must be in a folder that exists, got {path}")


def add_input_shapes(parser: argparse.ArgumentParser, text: str) -> None:
    """The argument --input-shapes, of texts that bench.model_files.parse_shapes reads."""
    parser.add_argument(
        "--input-shapes", nargs="+", action="extend", default=[], metavar="NAME=1,3,224,224", help=text
    )
