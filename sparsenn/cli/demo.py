"""sparsenn demo: trains, prunes, compiles, checks and measures on real data."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from ..errors import MissingPackageError
from ..file_replace import replace_file
from ..paths import as_path
from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "demo", help="the whole path on real data: accuracy and speed-up in one table"
    )
    parser.add_argument(
        "--out",
        default="sparsenn-demo",
        metavar="FOLDER",
        help="for report and models (default: %(default)s)",
    )
    parser.add_argument(
        "--network",
        choices=("mlp", "cnn"),
        default="mlp",
        help="a perceptron, or convolutions, whose files begin with cnn- (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the report alone, as JSON")
    parser.add_argument("--epochs", type=int, default=15, help="of the dense training (default: %(default)s)")
    parser.add_argument(
        "--tuning-epochs", type=int, default=6, help="after each pruning step (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds a batch (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="default: that of sparsenn info")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    for option, least in (("epochs", 1), ("tuning_epochs", 0), ("rounds", 1), ("seed", 0)):
        if getattr(args, option) < least:
            name = option.replace("_", "-")
            raise ValueError(f"--{name} must be at least {least}, got {getattr(args, option)}")
    if args.threads is not None and args.threads < 1:
        raise ValueError(f"--threads must be at least 1, got {args.threads}")
    folder = Path(as_path(args.out, "--out"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        report = collect(args, folder)
    except RuntimeError as error:
        print(f"sparsenn demo: {error}", file=sys.stderr)
        return 1
    text = json_text(report)
    prefix = "" if args.network == "mlp" else f"{args.network}-"
    replace_file(folder / f"{prefix}report.json", text + "\n")
    if args.json:
        print(text)
    else:
        from ..demo.report import format_report

        print(format_report(report))
        drawn = f", {prefix}report.png" if (folder / f"{prefix}report.png").exists() else ""
        files = f"{prefix}report.json{drawn} and the models"
        print(f"\n{folder}: {files} ({report['seconds']:.0f} s in all)")
    return 0


def collect(args: argparse.Namespace, folder: Path) -> dict:
    """Runs everything, with progress on stderr; models and the picture are left in folder."""
    import sparsenn

    from ..demo import measure, networks, picture, pipeline, report
    from ..progress import Steps

    network = networks.NETWORKS[args.network]
    start = time.perf_counter()
    threads = args.threads or sparsenn.cpu_info()["threads"]
    steps = args.epochs + len(pipeline.SPARSITIES) * args.tuning_epochs + len(measure.BATCHES)
    with Steps(steps) as progress:
        stages = list(
            pipeline.train_stages(
                network, folder, epochs=args.epochs, tuning_epochs=args.tuning_epochs,
                seed=args.seed, threads=threads, on_epoch=progress.done,
            )
        )  # fmt: skip
        images = pipeline.read_images(network)[2]
        times = measure.measure(
            network,
            stages,
            images,
            threads=threads,
            rounds=args.rounds,
            on_batch=lambda batch: progress.done(f"time batch {batch}"),
        )
    settings = {
        "network": args.network,
        "threads": threads,
        "epochs": args.epochs,
        "tuning_epochs": args.tuning_epochs,
        "rounds": args.rounds,
        "seed": args.seed,
    }
    result = report.build_report(network, stages, times, settings)
    result["seconds"] = time.perf_counter() - start
    try:
        picture.draw_report(result, folder / f"{network.prefix}report.png")
    except MissingPackageError as error:
        print(f"sparsenn demo: no picture was drawn: {error}", file=sys.stderr)
    return result
