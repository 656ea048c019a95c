"""sparsenn inspect FILE: what a model file holds, a layer a line."""

from __future__ import annotations

import argparse
import json
import os
import struct
from pathlib import Path

from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("inspect", help="the layers of a model file: shape, nnz, sparsity, bytes")
    parser.add_argument("file", metavar="FILE", help="a model file, .safetensors")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    report = inspect_file(args.file)
    print(json_text(report) if args.json else format_report(report))
    return 0


def inspect_file(path: str | os.PathLike) -> dict:
    """The layers of a model file as data, after validating all of it.

    Each layer has index, kind and bytes (of its tensors in the file); a linear layer also shape (out, in),
    format, nnz, sparsity and bias.
    """
    from .. import load
    from ..layers import Linear

    model = load(path)
    sizes = tensor_bytes(path)
    layers = []
    for index, layer in enumerate(model.layers):
        entry = {"index": index, "kind": type(layer).__name__, "bytes": sizes.get(index, 0)}
        if isinstance(layer, Linear):
            entry |= {
                "shape": list(layer.shape),
                "format": "csr" if layer.sparse else "dense",
                "nnz": layer.nnz,
                "sparsity": layer.sparsity,
                "bias": layer.bias is not None,
            }
        layers.append(entry)
    return {
        "file": os.fspath(path),
        "file_bytes": os.path.getsize(path),
        "inputs": model.inputs,
        "outputs": model.outputs,
        "nnz": model.nnz,
        "sparsity": model.sparsity,
        "layers": layers,
    }


def tensor_bytes(path: str | os.PathLike) -> dict[int, int]:
    """Bytes of each node's tensors, by node, from the safetensors header: tensors are named NODE.part."""
    with Path(path).open("rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_bytes))
    sizes: dict[int, int] = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            node = int(name.partition(".")[0])
            sizes[node] = sizes.get(node, 0) + end - begin
    return sizes


def format_report(report: dict) -> str:
    """The report as a table: sizes in bytes, sparsity in per cent."""
    rows = [("layer", "kind", "shape (out, in)", "format", "nnz", "sparsity", "bytes")]
    for layer in report["layers"]:
        linear = "shape" in layer
        rows.append((
            str(layer["index"]),
            layer["kind"],
            "{} x {}".format(*layer["shape"]) if linear else "",
            layer["format"] if linear else "",
            f"{layer['nnz']:,}" if linear else "",
            f"{layer['sparsity']:.2%}" if linear else "",
            f"{layer['bytes']:,}",
        ))  # fmt: skip
    ends = f"{report['inputs']} -> {report['outputs']}"
    total = (f"{report['nnz']:,}", f"{report['sparsity']:.2%}", f"{report['file_bytes']:,}")
    rows.append(("all", "", ends, "", *total))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    align = [str.rjust, str.ljust, str.ljust, str.ljust, str.rjust, str.rjust, str.rjust]
    lines = ("  ".join(f(cell, w) for f, cell, w in zip(align, row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
