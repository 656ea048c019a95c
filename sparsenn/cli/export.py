"""sparsenn export MODEL --c-array NAME: the model as a constant in a pair of C files."""

from __future__ import annotations

import argparse

from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("export", help="a model as C source, for programs without a file system")
    parser.add_argument("file", metavar="MODEL", help="a model file, .safetensors")
    parser.add_argument(
        "--c-array", metavar="NAME", required=True, help="write NAME.c and NAME.h; NAME is a C identifier"
    )
    parser.add_argument("--out", metavar="FOLDER", default=".", help="where to write them (default: here)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from ..c_array import write_c_array

    report = write_c_array(args.file, args.c_array, folder=args.out)
    if args.json:
        print(json_text(report))
    else:
        print(f"{report['source']}, {report['header']}: {report['model_bytes']:,} bytes as {args.c_array}")
    return 0
