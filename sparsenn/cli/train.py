"""sparsenn train DATA: a dense network, or the further training of a model file."""

from __future__ import annotations

import argparse

from . import _data
from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("train", help="train a network on a data file")
    _data.add_data_options(parser)
    parser.add_argument("--model", metavar="FILE", help="train this .safetensors file on, dense or sparse")
    _data.add_network_options(parser)
    _data.add_training_options(parser, epochs=20)
    parser.add_argument("--early-stopping", type=int, metavar="PATIENCE", help="epochs; on a tenth held out")
    parser.add_argument("--out", default="model.safetensors", metavar="FILE", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from .. import save
    from ..prune.evaluation import evaluate, score
    from ..training.train import train

    _data.check_folder("--out", args.out)
    data = _data.load_data(args)
    model = _data.load_model(args.model, data) if args.model else _data.make_network(args, data)
    data.take_dims(model)
    options = _data.training_options(args)
    if args.early_stopping:
        options |= {"early_stopping": args.early_stopping, "validation_split": 0.1}
    history = train(
        model, data.X, data.y, epochs=args.epochs, seed=args.seed, loss=data.loss, progress=True, **options
    )
    save(model, args.out)
    loss, _ = evaluate(model, data.X_test, data.y_test, loss=data.loss)
    report = {
        "data": data.description,
        "file": args.out,
        "network": _data.widths(model, data),
        "metric": "R^2" if data.regression else "accuracy",
        "score": score(model, data.X_test, data.y_test, loss=data.loss),
        "loss": loss,
        "sparsity": model.sparsity,
        "epochs": len(history.loss),
        "seconds": sum(history.seconds),
    }
    if args.json:
        print(json_text(report))
    else:
        print(data.description)
        widths = "-".join(map(str, report["network"]))
        print(
            f"{args.out}: {widths}, {report['metric']} {report['score']:.4f}, loss {loss:.4f} on "
            f"{len(data.X_test)} held-out samples, {report['epochs']} epochs in {report['seconds']:.1f} s"
        )
    return 0
