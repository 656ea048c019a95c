"""sparsenn bench: compiled plans against other libraries; see bench/README.md."""

from __future__ import annotations

import argparse
import sys
import time

from ..file_replace import replace_file
from ._data import add_input_shapes, check_folder, integers, percents
from ._json import finite, json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("bench", help="time compiled plans against other libraries")
    parser.add_argument(
        "target", nargs="*", help="widths like 784-2048-10, a .json file of shapes, an .onnx or a model file"
    )
    parser.add_argument(
        "--preset", metavar="NAME", help="mlp, resnet, bert or rnn: networks that need no file"
    )
    parser.add_argument(
        "--batch", help="batch sizes (default: 1,16,64; with --preset resnet, bert, rnn: 1,16)"
    )
    parser.add_argument("--threads", help="thread counts (default: that of sparsenn info)")
    parser.add_argument(
        "--sparsity",
        help="per cent (default: 80,90,95,98; a model that is pruned or was saved by sparsenn: as it is)",
    )
    parser.add_argument(
        "--keep", help="layers of networks that are not pruned, as 0,-1 (default: none; resnet: 0,-1)"
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
    parser.add_argument("--html", metavar="FILE", help="write a page with pictures there, in one file")


def run(args: argparse.Namespace) -> int:
    from ..bench import baselines, model_files, page, report, runner, shapes
    from ..bench.masks import MASKS

    input_shapes = model_files.parse_shapes(args.input_shapes)
    keep = None if args.keep is None else () if args.keep == "none" else tuple(integers("--keep", args.keep))
    networks, batches = find_preset(args.preset, keep)
    networks += [
        network
        for text in args.target
        for network in shapes.find_networks(text, keep=keep or (), input_shapes=input_shapes)
    ]
    if not networks:
        raise ValueError("target must be at least one network, or --preset a name, got neither")
    batches = parse_counts("--batch", args.batch or batches)
    threads = parse_counts("--threads", args.threads) if args.threads else [report.machine()["threads"]]
    sparsities = percents("--sparsity", args.sparsity) if args.sparsity else None
    if args.mask not in MASKS:
        raise ValueError(f"--mask must be one of {', '.join(MASKS)}, got {args.mask!r}")
    for name in ("rounds", "starts"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} must be at least 1, got {getattr(args, name)}")
    for option, path in (("--json", args.json), ("--html", args.html)):
        if path and not (option == "--json" and path == "-"):
            check_folder(option, path)
    peers = find_peers(args.baseline, networks)
    for name, value in report.ignored_variables().items():
        print(f"warning: {name}={value} would slow numpy down; runners run without it", file=sys.stderr)

    pythons = {"deepsparse": args.deepsparse_python} if args.deepsparse_python else {}
    cells, runs = [], []
    began = time.monotonic()
    for count in threads:
        with runner.Workers(labels(peers, args.starts), count, pythons) as workers:
            cells += runner.run_cells(
                workers, networks, sparsities=sparsities, batches=batches, mask=args.mask,
                rounds=args.rounds, progress=lambda cell: show_cell(cell, time.monotonic() - began),
            )  # fmt: skip
        runs.append(workers)
    data = report.as_data(cells, runs, {**vars(args), "threads": threads})
    if args.html:
        replace_file(args.html, page.as_html(finite(data)), name="--html")
    if args.json == "-":
        print(json_text(data, indent=1))
    elif args.json:
        replace_file(args.json, json_text(data, indent=1) + "\n", name="--json")
    if args.json != "-":
        print(report.as_text(cells, runs))
    return 0 if all(baselines.LIBRARY in cell.times for cell in cells) else 1


def find_preset(name: str | None, keep: tuple[int, ...] | None) -> tuple[list, str]:
    """-> its networks and the batches that it is measured with; without a name none, and the usual ones."""
    from ..bench.presets import PRESETS

    if name is None:
        return [], "1,16,64"
    if name not in PRESETS:
        raise ValueError(f"--preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name].networks(keep), PRESETS[name].batches


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


def show_cell(cell, seconds: float) -> None:
    """A line on stderr for a finished cell, with the seconds since the beginning."""
    from ..bench.report import label

    ratio = f"{cell.ratio['of_medians']:.2f} x {cell.best_peer}" if cell.ratio else "no ratio"
    if cell.disturbed:
        ratio = "disturbed, no ratio"
    print(f"{seconds:5.0f} s  {label(cell)}: {ratio}", file=sys.stderr, flush=True)


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
