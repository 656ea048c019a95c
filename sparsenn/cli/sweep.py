"""sparsenn sweep DATA: score and measured latency against sparsity, and the choice; JSON, PNG and HTML."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from ..file_replace import replace_file
from ..paths import as_path
from . import _data
from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("sweep", help="choose a sparsity by cross-validation and measured latency")
    _data.add_data_options(parser)
    parser.add_argument("--model", metavar="FILE", help="start from this .safetensors file in every fold")
    _data.add_network_options(parser)
    parser.add_argument(
        "--sparsity", default="50,80,90,95,98", metavar="PERCENTS", help="default: %(default)s"
    )
    parser.add_argument("--cv", type=int, default=5, metavar="FOLDS", help="default: %(default)s")
    parser.add_argument("--max-drop", type=float, default=0.005, help="of the score (default: %(default)s)")
    parser.add_argument("--max-latency", type=float, metavar="US", help="median of a call in microseconds")
    parser.add_argument("--batch", type=int, default=1, help="samples of a timed call (default: %(default)s)")
    parser.add_argument("--jobs", type=int, help="processes for folds and candidates; -1: every core")
    _data.add_pruning_options(parser)
    _data.add_training_options(parser, epochs=20)
    parser.add_argument("--tuning-epochs", type=int, default=3, help="of each step (default: %(default)s)")
    parser.add_argument("--out", default="sparsenn-sweep", metavar="FOLDER", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the report alone, as JSON")


def run(args: argparse.Namespace) -> int:
    from .. import save
    from ..prune.evaluation import score
    from ..search.display import SparsityDisplay
    from ..search.select import select_sparsity

    data = _data.load_data(args)
    if args.model:
        make_model = functools.partial(_data.load_model, args.model, data)
        data.take_dims(make_model())
    else:
        make_model = functools.partial(_data.make_network, args, data)
    fit = {**_data.training_options(args), "epochs": args.epochs}
    prune = {
        **_data.pruning_options(args), **_data.training_options(args), "epochs_per_step": args.tuning_epochs,
    }  # fmt: skip
    folder = Path(as_path(args.out, "--out"))
    folder.mkdir(parents=True, exist_ok=True)
    selection = select_sparsity(
        make_model, data.X, data.y, candidates=_data.percents("--sparsity", args.sparsity),
        cv=args.cv, max_drop=args.max_drop, max_latency_us=args.max_latency,
        batch_size=args.batch, threads=args.threads, fit=fit, prune=prune,
        loss=data.loss, n_jobs=args.jobs, seed=args.seed,
    )  # fmt: skip
    report = selection.to_dict()
    report["held_out_score"] = score(selection.model, data.X_test, data.y_test, loss=data.loss)
    report["data"] = data.description
    report["held_out_samples"] = len(data.X_test)
    text = json_text(report)
    display = SparsityDisplay.from_results(report)
    display.save(folder / "sweep.png")
    replace_file(folder / "sweep.json", text + "\n")
    replace_file(folder / "sweep.html", display.to_html())
    save(selection.model, folder / "model.safetensors")
    print(text if args.json else f"{data.description}\n{format_report(report, folder)}")
    return 0


def format_report(report: dict, folder: Path) -> str:
    """The figures as a table, the choice and where the files are."""
    from ..bench.timing import MARK, NOT_BELIEVED

    def latency(row: dict) -> str:
        return MARK if row["disturbed"] else f"{row['latency_us']:.1f}"

    measured = [report["dense"], *report["candidates"], report]
    note = [f"{MARK}: {NOT_BELIEVED}"] if any(row["disturbed"] for row in measured) else []
    lines = [f"sparsity  {report['metric']:>8}  {'std':>6}  {'drop':>7}  µs, batch {report['batch_size']}"]
    for row in [report["dense"], *report["candidates"]]:
        name = "dense" if row["sparsity"] == 0 else f"{row['sparsity']:.4g}"
        failed = [
            word
            for word, holds in (
                ("drops", row["meets_drop"]),
                ("slow", row["meets_latency"] or row["disturbed"]),
            )
            if not holds
        ]
        lines.append(
            f"{name:<8}  {row['mean']:8.4f}  {row['std']:6.4f}  {row['drop']:+7.4f}  {latency(row):>8}"
            + (f"  {', '.join(failed)}" if failed else "")
        )
    return "\n".join(
        [
            *lines,
            "",
            f"sparsity {report['sparsity']:.4g}: {report['reason']}",
            f"trained on all training samples: {report['metric']} {report['held_out_score']:.4f} on "
            f"{report['held_out_samples']} held-out samples, {latency(report)} µs",
            *note,
            f"{folder}: sweep.json, sweep.png, sweep.html, model.safetensors",
        ]
    )
