"""sparsenn bench: compiled plans against other libraries; see bench/README.md."""

from __future__ import annotations

import argparse
import sys

from ..file_replace import replace_file
from ._data import add_input_shapes, check_folder, integers, percents
from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("bench", help="time compiled plans against other libraries")
    parser.add_argument(
        "target", nargs="+", help="widths like 784-2048-10, a .json file of shapes, an .onnx or a model file"
    )
    parser.add_argument("--batch", default="1,16,64", help="batch sizes (default: %(default)s)")
    parser.add_argument("--threads", help="thread counts (default: that of sparsenn info)")
    parser.add_argument(
        "--sparsity",
        help="per cent (default: 80,90,95,98; a model that is pruned or was saved by sparsenn: as it is)",
    )
    parser.add_argument(
        "--keep", default="none", help="layers of model files that are not pruned, as 0,-1 (default: none)"
    )
    add_input_shapes(parser, "shapes of inputs, batch first, where a file leaves them open")
    parser.add_argument("--mask", default="uniform", help="uniform, skewed, magnitude (default: %(default)s)")
    parser.add_argument("--baseline", help="baselines to run, or none (default: every one that can)")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds a cell (default: %(default)s)")
    parser.add_argument(
        "--deepsparse-python", metavar="PATH", help="an interpreter that has DeepSparse and onnx"
    )
    parser.add_argument(
        "--starts", type=int, default=1,
        help="processes of DeepSparse, whose speed is settled when it starts (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write everything measured there, - for stdout")


def run(args: argparse.Namespace) -> int:
    from ..bench import baselines, model_files, report, runner, shapes
    from ..bench.masks import MASKS

    keep = () if args.keep == "none" else tuple(integers("--keep", args.keep))
    input_shapes = model_files.parse_shapes(args.input_shapes)
    networks = [
        network
        for text in args.target
        for network in shapes.find_networks(text, keep=keep, input_shapes=input_shapes)
    ]
    batches = parse_counts("--batch", args.batch)
    threads = parse_counts("--threads", args.threads) if args.threads else [report.machine()["threads"]]
    sparsities = percents("--sparsity", args.sparsity) if args.sparsity else None
    if args.mask not in MASKS:
        raise ValueError(f"--mask must be one of {', '.join(MASKS)}, got {args.mask!r}")
    for name in ("rounds", "starts"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} must be at least 1, got {getattr(args, name)}")
    if args.json and args.json != "-":
        check_folder("--json", args.json)
    peers = find_peers(args.baseline, networks)
    for name, value in report.ignored_variables().items():
        print(f"warning: {name}={value} would slow numpy down; runners run without it", file=sys.stderr)

    pythons = {"deepsparse": args.deepsparse_python} if args.deepsparse_python else {}
    cells, runs = [], []
    for count in threads:
        with runner.Workers(labels(peers, args.starts), count, pythons) as workers:
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


def find_peers(wanted: str | None, networks: list) -> list[str]:
    """The baselines to run. ValueError for one that was asked for and takes none of the networks."""
    from ..bench import baselines
    from ..bench.model_files import ModelFile

    if wanted == "none":
        return []
    peers = baselines.select(wanted and wanted.split(","))
    if not all(isinstance(network, ModelFile) for network in networks):
        return peers
    able = baselines.network_names()
    if wanted and not set(peers) & set(able):
        raise ValueError(f"--baseline must be among {', '.join(able)} for model files, got {wanted!r}")
    return [name for name in peers if name in able]


def labels(peers: list[str], starts: int) -> dict[str, str]:
    """The runner of each process: DeepSparse as often as it is to start."""
    from ..bench.baselines import LIBRARY

    found = {name: name for name in [LIBRARY, *peers]}
    if "deepsparse" in peers:
        found |= {f"deepsparse {number}": "deepsparse" for number in range(2, starts + 1)}
    return found


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
