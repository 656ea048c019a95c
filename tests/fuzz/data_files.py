"""Data sets: .csv, .idx and .npz, the first two also compressed with gzip around altered content."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from sparsenn.datasets import read_data

from . import alter
from .checkpoint import alter_array, alter_member, members_of, zipped
from .engine import Target

CELLS = [
    "",
    " ",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e39",
    "x",
    '"',
    '"a""b"',
    "'",
    "\0",
    "1_000",
    "0x10",
    "é",
    "-",
    "1e5",
]
CELLS += ["9" * 400, "1e-400", "\n", "\r", "a,b", ";", "\t", "１", "-0", "1" * 140_000]
ODD_LINES = ["", ",", ",,,,,", '"', "a,b,c,d", "1,2,3,4,", "\ufeff1,2,3,4", "#", "1;2;3;4", "1,2,3,4\r"]
IDX_TYPES = [0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E]
IDX_DTYPES = dict(zip(IDX_TYPES, [">u1", ">i1", ">i2", ">i4", ">f4", ">f8"], strict=True))


def csv_text(random: Random) -> bytes:
    rows = [[f"{random.uniform(-9, 9):.3f}" for _ in range(3)] + [str(random.randrange(3))] for _ in range(8)]
    if random.random() < 0.3:
        for row in rows:
            row[-1] = "abc"[int(row[-1])]
    if random.random() < 0.6:
        rows.insert(0, ["a", "b", "c", "label"])
    for _ in range(random.choice([1, 1, 2, 4])):
        row = random.choice(rows)
        index = random.randrange(len(row)) if row else 0
        kind = random.randrange(8)
        if kind <= 3 and row:
            row[index] = random.choice(CELLS if random.random() < 0.95 else ["7" * 5000])
        elif kind == 4:
            row.insert(index, random.choice(CELLS[:-1]))
        elif kind == 5 and row:
            row.pop(index)
        elif kind == 6:
            rows.insert(random.randrange(len(rows)), [random.choice(ODD_LINES)])
        else:
            rows.append(rows.pop(random.randrange(len(rows))))
    separator = random.choice([",", ",", ";", "\t"])
    text = random.choice(["\n", "\n", "\r\n", "\r"]).join(separator.join(row) for row in rows) + "\n"
    content = text.encode(random.choice(["utf-8"] * 8 + ["utf-16", "utf-8-sig"]))
    return alter.binary(random, content) if random.random() < 0.2 else content


def idx_content(random: Random, shape: tuple[int, ...]) -> bytes:
    """An .idx file; type, number of sizes, sizes and length may each be wrong."""
    code = random.choice(IDX_TYPES)
    values = bytes(np.zeros(shape, IDX_DTYPES[code]).nbytes)
    if code not in (0x0D, 0x0E):
        values = bytes(random.randrange(3) if i % 4 == 3 else 0 for i in range(len(values)))
    sizes, dimensions = list(shape), len(shape)
    kind = random.randrange(9)
    if kind == 0:
        index = random.randrange(len(sizes))
        sizes[index] = alter.fits(random, sizes[index], 0, 2**32 - 1)
    elif kind == 1:
        sizes = [2**31] * random.choice([2, 33, 65]) if random.random() < 0.5 else [1] * 65 + sizes
        dimensions = len(sizes)
    elif kind == 2:
        dimensions = alter.fits(random, dimensions, 0, 255)
    elif kind == 3:
        code = alter.fits(random, code, 0, 255)
    elif kind == 4:
        values = values[: random.randrange(len(values) + 1)]
    elif kind == 5:
        sizes, values = [0, *sizes[1:]], b""
    elif kind == 6:
        sizes = sizes[::-1]
    content = struct.pack(">HBB", 0, code, dimensions) + struct.pack(f">{len(sizes)}I", *sizes) + values
    return alter.binary(random, content) if random.random() < 0.1 else content


def npz_content(random: Random) -> bytes:
    rng = np.random.default_rng(random.getrandbits(32))
    arrays = {"X": rng.standard_normal((6, 2, 2)).astype(random.choice(["<f4", "<f8", ">f4"]))}
    arrays["y"] = rng.integers(0, 3, 6).astype(random.choice(["<i8", "u1", "<f4", "<f8", "<U3", "?"]))
    if random.random() < 0.3:
        arrays["X"] = np.asfortranarray(arrays["X"])
    if random.random() < 0.6:
        alter_any(random, arrays)
    members = members_of(arrays)
    if members and random.random() < 0.5:
        name = random.choice(list(members))
        members[name] = alter_member(random, members[name])
    if not members:
        members = {"nothing": b""}
    content = zipped(random, members)
    return alter.binary(random, content) if random.random() < 0.1 else content


def alter_any(random: Random, arrays: dict[str, np.ndarray]) -> None:
    """An array altered; those of text and truth values change their type or shape alone."""
    if all(array.dtype.kind in "fi" for array in arrays.values()):
        alter_array(random, arrays)
        return
    name = random.choice(list(arrays))
    array = arrays[name]
    arrays[name] = random.choice(
        [
            array[:0],
            array[0],
            array[None],
            array.astype("U5"),
            array.astype("S2"),
            array.astype("V8"),
            array[::-1],
        ]
    )


def write(name: str, make: Callable[[Random], bytes], random: Random, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(alter.compressed(random, make(random)) if name.endswith(".gz") else make(random))
    return path


def write_pair(ending: str, random: Random, folder: Path) -> Path:
    """Images and labels, either of them altered."""
    labels = functools.partial(idx_content, shape=(6,))
    write(f"labels{ending}", labels, random, folder)
    return write(f"images{ending}", functools.partial(idx_content, shape=(6, 3, 3)), random, folder)


def check_data(data) -> None:
    X, y = data
    assert X.ndim == 2 and X.dtype == np.float32 and X.flags.c_contiguous and 0 not in X.shape
    assert len(X) == len(y) and y.dtype in (np.int64, np.float32)
    assert np.isfinite(X).all() and np.isfinite(y).all(), "not finite"


TARGETS = [
    Target("csv", functools.partial(write, "data.csv", csv_text), read_data, check_data),
    Target("csv.gz", functools.partial(write, "data.csv.gz", csv_text), read_data, check_data),
    Target("idx", functools.partial(write_pair, ".idx"), read_data, check_data),
    Target("idx.gz", functools.partial(write_pair, ".idx.gz"), read_data, check_data),
    Target("npz", functools.partial(write, "data.npz", npz_content), read_data, check_data),
]
