"""sparsenn prune MODEL DATA: prunes a model file step by step, with fine-tuning in between."""

from __future__ import annotations

import argparse

from . import _data
from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("prune", help="prune a model file, with fine-tuning on a data file")
    parser.add_argument("model", metavar="MODEL", help="a .safetensors file, dense or sparse")
    _data.add_data_options(parser)
    parser.add_argument("--sparsity", metavar="PERCENT", help="default: 90; not with n:m")
    _data.add_pruning_options(parser)
    _data.add_training_options(parser, epochs=3)
    parser.add_argument("--distill", action="store_true", help="learn from the outputs of MODEL as well")
    parser.add_argument(
        "--keep-dead", action="store_true", help="leave neurons and channels without inputs or outputs in"
    )
    parser.add_argument("--out", default="pruned.safetensors", metavar="FILE", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from .. import save
    from ..prune.evaluation import score
    from ..prune.iterative import prune_iteratively

    _data.check_folder("--out", args.out)
    data = _data.load_data(args)
    model = _data.load_model(args.model, data)
    data.take_dims(model)
    if args.criterion == "change":
        raise ValueError("--criterion change needs the weights' history, which a model file does not hold")
    sparsity = None
    if args.sparsity is not None:
        sparsity = _data.percents("--sparsity", args.sparsity)[0]
    pruned, trace = prune_iteratively(
        model, data.X, data.y, sparsity=sparsity, epochs_per_step=args.epochs, seed=args.seed,
        loss=data.loss, distill=args.distill, drop_dead=not args.keep_dead, progress=True,
        **_data.pruning_options(args), **_data.training_options(args),
    )  # fmt: skip
    save(pruned, args.out)
    before, after = (score(one, data.X_test, data.y_test, loss=data.loss) for one in (model, pruned))
    report = {
        "data": data.description,
        "file": args.out,
        "network": _data.widths(pruned, data),
        "metric": "R^2" if data.regression else "accuracy",
        "score_before": before,
        "score": after,
        "sparsity": pruned.sparsity,
        "nnz": pruned.nnz,
        "steps": trace,
    }
    if args.json:
        print(json_text(report))
        return 0
    print(data.description)
    for row in trace:
        accuracy = "" if row["accuracy"] is None else f", accuracy {row['accuracy']:.4f}"
        print(
            f"step {row['step']}: sparsity {row['sparsity']:.2%}, training loss {row['loss']:.4f}{accuracy}, "
            f"{row['seconds']:.1f} s"
        )
    print(
        f"{args.out}: {'-'.join(map(str, report['network']))}, {pruned.nnz:,} weights, {report['metric']} "
        f"{after:.4f} on {len(data.X_test)} held-out samples, {before:.4f} before"
    )
    return 0
