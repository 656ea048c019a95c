"""Plain .safetensors files: the header's entries, the offsets, the bytes behind."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np

import sparsenn as snn

from . import alter
from .engine import Target, run_model

DTYPES = [
    "F64",
    "F32",
    "F16",
    "BF16",
    "BOOL",
    "I64",
    "I32",
    "I16",
    "I8",
    "U64",
    "U32",
    "U16",
    "U8",
    "F8_E4M3",
    "X",
]
LAYERS = ["fc1", "relu", "norm", "fc2", snn.Tanh(), "sparse"]


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "fc1.weight": rng.standard_normal((4, 5)).astype(np.float32),
        "fc1.bias": rng.standard_normal(4).astype(np.float32),
        "norm.running_mean": np.zeros(4, np.float32),
        "norm.running_var": np.ones(4, np.float32),
        "norm.weight": np.ones(4, np.float32),
        "norm.bias": np.zeros(4, np.float32),
        "fc2.weight_orig": rng.standard_normal((3, 4)).astype(np.float32),
        "fc2.weight_mask": (rng.random((3, 4)) < 0.5).astype(np.float32),
        "sparse.weight.data": np.array([1, 2, 3], np.float32),
        "sparse.weight.indices": np.array([0, 2, 1], np.int32),
        "sparse.weight.indptr": np.array([0, 2, 3], np.int64),
        "sparse.weight.shape": np.array([2, 3], np.int64),
    }


def alter_file(random: Random, folder: Path) -> Path:
    header: dict = {"__metadata__": {"format": "pt"}}
    body = b""
    arrays = tensors()
    if random.random() < 0.3:
        name = random.choice(list(arrays))
        array = arrays[name]
        array.flat[random.randrange(array.size)] = (
            random.choice([np.nan, np.inf, 1e38, -1])
            if array.dtype.kind == "f"
            else alter.fits(random, 1, -(2**31), 2**31 - 1)
        )
    names = {"float32": "F32", "int32": "I32", "int64": "I64"}
    for name, array in arrays.items():
        begin, body = len(body), body + array.tobytes()
        header[name] = {
            "dtype": names[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [begin, len(body)],
        }
    kind = random.random()
    if kind < 0.5:
        header = alter.json_tree(random, header)
    elif kind < 0.75:
        entry = header[random.choice(list(arrays))]
        field = random.choice(list(entry))
        if field == "dtype":
            entry["dtype"] = random.choice(DTYPES)
        else:
            index = random.randrange(len(entry[field]))
            entry[field][index] = alter.integer(random, entry[field][index])
    text = json.dumps(header)
    if random.random() < 0.1 and isinstance(header, dict) and header:  # a key twice
        again = {random.choice(list(arrays)): random.choice(list(header.values()))}
        text = f"{text[:-1]}, {json.dumps(again)[1:]}"
    if random.random() < 0.03:
        text = random.choice(["[" * 9000, text[1:], "9" * 5000, text + " " * 100, "\ufeff" + text])
    encoded = text.encode("utf-8", "surrogatepass")
    length = len(encoded)
    if random.random() < 0.05:
        length = alter.fits(random, length, 0, 2**64 - 1)
    content = length.to_bytes(8, "little") + encoded + body
    if random.random() < 0.15:
        content = alter.binary(random, content)
    path = folder / "plain.safetensors"
    path.write_bytes(content)
    return path


def read(path: Path) -> snn.Model:
    return snn.from_safetensors(path, layers=LAYERS)


TARGETS = [Target("safetensors", alter_file, read, run_model)]
