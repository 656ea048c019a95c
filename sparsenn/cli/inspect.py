"""sparsenn inspect FILE: what a model file holds, a layer a line."""

from __future__ import annotations

import argparse
import json
import math
import os
import struct
from collections.abc import Sequence
from pathlib import Path

from ..table import lines
from ._data import add_input_shapes
from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("inspect", help="the layers of a model file: shape, nnz, sparsity, bytes")
    parser.add_argument("file", metavar="FILE", help="a model file, .safetensors")
    parser.add_argument(
        "--explain", action="store_true", help="compile it as well, and say what each layer takes and why"
    )
    add_input_shapes(parser, "the shapes to explain, batch first, where the file leaves them open")
    parser.add_argument("--threads", type=int, help="of the plan (default: that of sparsenn info)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    if args.threads is not None and not args.explain:
        raise ValueError("--threads is that of the plan, so it needs --explain")
    if args.input_shapes and not args.explain:
        raise ValueError("--input-shapes are those of the plan, so they need --explain")
    report = inspect_file(args.file)
    plan = compile_file(args.file, args.threads, args.input_shapes) if args.explain else None
    if args.json:
        print(json_text(report if plan is None else {**report, "plan": plan_data(plan)}))
        return 0
    print(format_report(report))
    if plan is not None:
        print(f"\n{plan.explain()}")
    return 0


def compile_file(path: str, threads: int | None, input_shapes: Sequence[str] = ()):
    """The plan of a model file, ready for the shapes of its inputs. ValueError where one is left open."""
    from .. import compile
    from ..bench.model_files import ModelFile, input_dims, parse_shapes

    shapes = parse_shapes(input_shapes)
    model = ModelFile(Path(path), input_shapes=shapes).read()
    dims = input_dims(model, shapes)
    plan = compile(model, threads=threads)
    if any(None in sizes for sizes in plan.input_dims.values()):
        plan.specialise(dims)
    return plan


def plan_data(plan) -> dict:
    """Its report, and the seconds that each layer takes for one sample on one thread."""
    return {**plan.report(), "step_seconds": plan.profile()}


def inspect_file(path: str | os.PathLike) -> dict:
    """The layers of a model file as data, after validating all of it.

    Each layer has index, kind and bytes (of its tensors in the file); a linear layer also shape (out, in),
    format, nnz, sparsity and bias. inputs and outputs are the features of a chain. Of a graph they are lists
    of names, its Inputs and constants are layers too, with their dims, and each layer has reads, the indices
    of those that it reads.
    """
    from ..io import read_core

    handle = read_core(path)  # validates; what is told comes from the header
    header = read_header(path)
    metadata = header.pop("__metadata__")
    entries = json.loads(metadata["nodes"])
    layers = [_layer(index, entry, header) for index, entry in enumerate(entries)]
    linear = [layer for layer in layers if "nnz" in layer]
    nnz, weights = sum(layer["nnz"] for layer in linear), sum(math.prod(layer["shape"]) for layer in linear)
    if handle.is_graph:
        inputs = [layer["name"] for layer in layers if layer["kind"] == "Input"]
        outputs = [output["name"] for output in json.loads(metadata["outputs"])]
    else:
        inputs, outputs = handle.inputs, handle.outputs
    return {
        "file": os.fspath(path),
        "file_bytes": os.path.getsize(path),
        "inputs": inputs,
        "outputs": outputs,
        "nnz": nnz,
        "sparsity": 1.0 - nnz / weights if weights else 0.0,
        "layers": layers,
    }


def read_header(path: str | os.PathLike) -> dict:
    """The header of a safetensors file."""
    with Path(path).open("rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(header_bytes))


def _layer(index: int, entry: dict, tensors: dict) -> dict:
    """An entry of the file's list of nodes; its tensors are named INDEX.part."""
    from ..layers import GRAPH_TYPES, LAYER_TYPES

    kinds = {kind.op: kind.__name__ for kind in (*LAYER_TYPES, *GRAPH_TYPES)}
    own = {name: tensor for name, tensor in tensors.items() if name.startswith(f"{index}.")}
    sizes = [end - begin for begin, end in (tensor["data_offsets"] for tensor in own.values())]
    layer = {
        "index": index,
        "kind": kinds.get(entry["type"], entry["type"].capitalize()),
        "bytes": sum(sizes),
    }
    layer |= {key: entry[key] for key in ("name", "dims") if key in entry}
    if "operands" in entry:
        layer["reads"] = entry["operands"]
    if "weight" in entry:
        shape, sparse = [entry["outputs"], entry["inputs"]], entry["weight"] == "csr"
        nnz = own[f"{index}.weight.data"]["shape"][0] if sparse else math.prod(shape)
        layer |= {"shape": shape, "format": entry["weight"], "nnz": nnz}
        layer |= {"sparsity": 1.0 - nnz / math.prod(shape), "bias": entry["bias"]}
    return layer


def format_report(report: dict) -> str:
    """The report as a table: sizes in bytes, sparsity in per cent."""
    graph = isinstance(report["inputs"], list)
    rows = [["layer", "reads", "kind", "shape (out, in)", "format", "nnz", "sparsity", "bytes"]]
    for layer in report["layers"]:
        linear = "shape" in layer
        dims = " x ".join("?" if dim is None else str(dim) for dim in layer.get("dims", ()))
        rows.append([
            str(layer["index"]),
            ", ".join(map(str, layer.get("reads", ()))),
            layer["kind"] + (f" {layer['name']}" if "name" in layer else ""),
            "{} x {}".format(*layer["shape"]) if linear else dims,
            layer["format"] if linear else "",
            f"{layer['nnz']:,}" if linear else "",
            f"{layer['sparsity']:.2%}" if linear else "",
            f"{layer['bytes']:,}",
        ])  # fmt: skip
    ends = [", ".join(names) if graph else str(names) for names in (report["inputs"], report["outputs"])]
    total = (f"{report['nnz']:,}", f"{report['sparsity']:.2%}", f"{report['file_bytes']:,}")
    rows.append(["all", "", "", " -> ".join(ends), "", *total])
    align = [str.rjust, *[str.ljust] * 4, *[str.rjust] * 3]
    columns = [i for i in range(len(align)) if graph or rows[0][i] != "reads"]
    return lines([[row[i] for i in columns] for row in rows], [align[i] for i in columns])
