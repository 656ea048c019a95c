"""sparsenn bench: compiled plans against other libraries; see bench/README.md."""

from __future__ import annotations

import argparse
import sys

from ..file_replace import replace_file
from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("bench", help="time compiled plans against other libraries")
    parser.add_argument(
        "target", nargs="+", help="widths like 784-2048-10, a .json file of shapes, or a model file"
    )
    parser.add_argument("--batch", default="1,16,64", help="batch sizes (default: %(default)s)")
    parser.add_argument("--threads", help="thread counts (default: that of sparsenn info)")
    parser.add_argument("--sparsity", default="80,90,95,98", help="per cent (default: %(default)s)")
    parser.add_argument("--mask", default="uniform", help="uniform, skewed, magnitude (default: %(default)s)")
    parser.add_argument("--baseline", help="baselines to run, or none (default: every one)")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds a cell (default: %(default)s)")
    parser.add_argument(
        "--deepsparse-python", metavar="PATH", help="an interpreter that has DeepSparse and onnx"
    )
    parser.add_argument("--json", metavar="FILE", help="write everything measured there, - for stdout")


def run(args: argparse.Namespace) -> int:
    from ..bench import baselines, report, runner, shapes
    from ..bench.masks import MASKS

    networks = [network for text in args.target for network in shapes.find_networks(text)]
    batches = parse_counts("--batch", args.batch)
    threads = parse_counts("--threads", args.threads) if args.threads else [report.machine()["threads"]]
    sparsities = [percent / 100 for percent in parse_numbers("--sparsity", args.sparsity)]
    if not all(0 <= sparsity < 1 for sparsity in sparsities):
        raise ValueError(f"--sparsity must be in [0, 100), got {args.sparsity}")
    if args.mask not in MASKS:
        raise ValueError(f"--mask must be one of {', '.join(MASKS)}, got {args.mask!r}")
    if args.rounds < 1:
        raise ValueError(f"--rounds must be at least 1, got {args.rounds}")
    peers = [] if args.baseline == "none" else baselines.select(args.baseline and args.baseline.split(","))
    for name, value in report.ignored_variables().items():
        print(f"warning: {name}={value} would slow numpy down; runners run without it", file=sys.stderr)

    pythons = {"deepsparse": args.deepsparse_python} if args.deepsparse_python else {}
    cells, runs = [], []
    for count in threads:
        with runner.Workers({name: name for name in [baselines.LIBRARY, *peers]}, count, pythons) as workers:
            cells += runner.run_cells(
                workers, networks, sparsities=sparsities, batches=batches, mask=args.mask,
                rounds=args.rounds, progress=show_cell,
            )  # fmt: skip
        runs.append(workers)
    if args.json:
        text = json_text(report.as_data(cells, runs, {**vars(args), "threads": threads}), indent=1)
        if args.json == "-":
            print(text)
        else:
            replace_file(args.json, text + "\n", name="--json")
    if args.json != "-":
        print(report.as_text(cells, runs))
    return 0 if all(baselines.LIBRARY in cell.times for cell in cells) else 1


def show_cell(cell) -> None:
    """A line on stderr for a finished cell, where that is a terminal."""
    if sys.stderr.isatty():
        from ..bench.report import label

        ratio = f"{cell.ratio['of_medians']:.2f} x {cell.best_peer}" if cell.ratio else "no ratio"
        if cell.disturbed:
            ratio = "disturbed, no ratio"
        print(f"{label(cell)}: {ratio}", file=sys.stderr)


def parse_numbers(option: str, text: str) -> list[float]:
    """Parses "80,90" as [80.0, 90.0]. ValueError names the option."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} must be numbers separated by commas, got {text!r}") from None


def parse_counts(option: str, text: str) -> list[int]:
    """Parses "1,16" as [1, 16], each at least 1. ValueError names the option."""
    numbers = parse_numbers(option, text)
    if not all(number >= 1 and number == int(number) for number in numbers):
        raise ValueError(f"{option} must be whole numbers of at least 1, got {text!r}")
    return [int(number) for number in numbers]
