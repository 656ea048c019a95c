"""A small good model file built from plain JSON and struct, after src_c/FORMAT.md and without the library,
and ways to change one thing in it."""

from __future__ import annotations

import json
import struct

# linear (csr, bias) 3 -> 2, relu, linear (dense) 2 -> 2, clip
NODES = [
    {"type": "linear", "inputs": 3, "outputs": 2, "weight": "csr", "bias": True},
    {"type": "relu", "inputs": 2, "outputs": 2},
    {"type": "linear", "inputs": 2, "outputs": 2, "weight": "dense", "bias": False},
    {"type": "clip", "inputs": 2, "outputs": 2, "low": -1, "high": 1.5},
]
# name -> (dtype, shape, bytes), in the order of the data
TENSORS = {
    "0.weight.indptr": ("I64", [3], struct.pack("<3q", 0, 2, 3)),
    "0.weight.data": ("F32", [3], struct.pack("<3f", 1, 2, 3)),
    "0.bias": ("F32", [2], struct.pack("<2f", 4, 5)),
    "2.weight": ("F32", [2, 2], struct.pack("<4f", 6, 7, 8, 9)),
    "0.weight.indices": ("U16", [3], struct.pack("<3H", 0, 2, 1)),
}
DATA = b"".join(content for _, _, content in TENSORS.values())
METADATA = {"format": "sparsenn", "format_version": "1.0"}


def make_header() -> dict:
    """The good file's header, to be changed; the node list is still a list."""
    header = {"__metadata__": {**METADATA, "nodes": json.loads(json.dumps(NODES))}}
    begin = 0
    for name, (dtype, shape, content) in TENSORS.items():
        end = begin + len(content)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
        begin = end
    return header


def header_text(header: dict) -> str:
    """The header as JSON text, its node list as JSON text within it."""
    metadata = header.get("__metadata__")
    if isinstance(metadata, dict) and not isinstance(metadata.get("nodes", ""), str):
        header = {**header, "__metadata__": {**metadata, "nodes": json.dumps(metadata["nodes"])}}
    return json.dumps(header)


def pack(text: str | bytes, data: bytes = DATA) -> bytes:
    """A file with that header."""
    encoded = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(encoded)) + encoded + data


def good() -> bytes:
    return pack(header_text(make_header()))


def with_length(length: int) -> bytes:
    return struct.pack("<Q", length) + good()[8:]


def replaced(old: str, new: str | bytes) -> bytes:
    """The good file with the first occurrence of old in its header replaced."""
    text = header_text(make_header()).encode()
    assert old.encode() in text
    return pack(text.replace(old.encode(), new.encode() if isinstance(new, str) else new, 1))


def metadata(**changes: object) -> bytes:
    """The good file with entries of its metadata set, or removed where the value is None."""
    header = make_header()
    header["__metadata__"].update(changes)
    header["__metadata__"] = {
        key: value for key, value in header["__metadata__"].items() if value is not None
    }
    return pack(header_text(header))


def node(index: int, **changes: object) -> bytes:
    """The good file with keys of a node set, or removed where the value is None."""
    nodes = json.loads(json.dumps(NODES))
    nodes[index].update(changes)
    nodes[index] = {key: value for key, value in nodes[index].items() if value is not None}
    return metadata(nodes=nodes)


def elu(*, version: str = "1.1", **changes: object) -> bytes:
    """The good file in that version with an ELU instead of the ReLU, and keys of it set or removed."""
    nodes = json.loads(json.dumps(NODES))
    nodes[1].update({"type": "elu", "alpha": 0.5, **changes})
    nodes[1] = {key: value for key, value in nodes[1].items() if value is not None}
    return metadata(nodes=nodes, format_version=version)


def tensor(name: str, **changes: object) -> bytes:
    """The good file with keys of a tensor set, or removed where the value is None."""
    header = make_header()
    header[name].update(changes)
    header[name] = {key: value for key, value in header[name].items() if value is not None}
    return pack(header_text(header))


def renamed(old: str, new: str) -> bytes:
    header = make_header()
    header[new] = header.pop(old)
    return pack(header_text(header))


def shifted(name: str, begin: int, end: int) -> bytes:
    """The good file with a tensor's place moved by so many bytes."""
    offsets = make_header()[name]["data_offsets"]
    return tensor(name, data_offsets=[offsets[0] + begin, offsets[1] + end])


def content(name: str, new: bytes) -> bytes:
    """The good file with a tensor's elements replaced."""
    assert len(new) == len(TENSORS[name][2])
    return pack(
        header_text(make_header()), b"".join(new if key == name else TENSORS[key][2] for key in TENSORS)
    )


def indptr(*values: int) -> bytes:
    return content("0.weight.indptr", struct.pack("<3q", *values))


def indices(*values: int) -> bytes:
    return content("0.weight.indices", struct.pack("<3H", *values))


def longer(name: str, shape: list[int], extra: bytes) -> bytes:
    """The good file with a tensor that really has more elements; everything else in order."""
    header, data, begin = make_header(), b"", 0
    for key, (_, _, old) in TENSORS.items():
        data += old + (extra if key == name else b"")
        header[key]["data_offsets"] = [begin, len(data)]
        begin = len(data)
    header[name]["shape"] = shape
    return pack(header_text(header), data)


def twice(before: str, again: str) -> bytes:
    """The good file with JSON text put in before some other text."""
    return replaced(before, again + ", " + before)


def nodes_text(text: str) -> bytes:
    return metadata(nodes=text)
