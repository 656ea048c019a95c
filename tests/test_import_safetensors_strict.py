"""from_safetensors refuses what the format or its own reader refuses, and reads other files as that does."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from networks import calls_of

import sparsenn as snn
from sparsenn.importers.safetensors import _TensorFile

ENTRY = '"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}'
VALUES = np.arange(6, dtype="<f4").tobytes()


def file_of(header: str | bytes, content: bytes = VALUES) -> bytes:
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header)) + header + content


def entry(name: str, first: int, last: int, shape, dtype: str = "F32") -> str:
    return json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}})[1:-1]


TWO = entry("a.weight", 0, 24, [2, 3])

REFUSED = {
    "the same name twice": file_of("{" + ENTRY + "," + ENTRY + "}"),
    "the same name, escaped": file_of("{" + ENTRY + "," + ENTRY.replace("a.", "\\u0061.") + "}"),
    "the same field twice": file_of("{" + ENTRY.replace('"shape"', '"shape":[2,3],"shape"') + "}"),
    "metadata twice": file_of('{"__metadata__":{},"__metadata__":{},' + ENTRY + "}"),
    "metadata that is no text": file_of('{"__metadata__":{"a":3},' + ENTRY + "}"),
    "metadata that is a list": file_of('{"__metadata__":[],' + ENTRY + "}"),
    "two tensors in one place": file_of("{" + TWO + "," + entry("b", 0, 24, [6]) + "}"),
    "overlap": file_of("{" + TWO + "," + entry("b", 20, 28, [2]) + "}", VALUES + bytes(4)),
    "a hole": file_of("{" + TWO + "," + entry("b", 28, 36, [2]) + "}", VALUES + bytes(12)),
    "a hole at the start": file_of("{" + entry("a.weight", 4, 28, [2, 3]) + "}", bytes(4) + VALUES),
    "bytes after the last tensor": file_of("{" + ENTRY + "}", VALUES + b"\0"),
    "no tensors but bytes": file_of("{}", b"\0"),
    "too few bytes": file_of("{" + ENTRY + "}", VALUES[:-1]),
    "header that is not UTF-8": file_of(b"{" + ENTRY.encode() + b',"\xff":{}}'),
    "half of a surrogate pair": file_of("{" + ENTRY.replace("a.weight", "\\ud800") + "}"),
    "header after a space": file_of(" {" + ENTRY + "}"),
    "header after a byte order mark": file_of(b"\xef\xbb\xbf{" + ENTRY.encode() + b"}"),
    "header that is a list": file_of("[" + ENTRY.partition(":")[2] + "]"),
    "junk after the header": file_of("{" + ENTRY + "}x"),
    "NaN": file_of("{" + ENTRY.replace("[2,3]", "[NaN,3]") + "}"),
    "NaN in a field of no meaning": file_of("{" + ENTRY.replace('"shape"', '"more":NaN,"shape"') + "}"),
    "size below zero": file_of("{" + ENTRY.replace("[2,3]", "[-2,-3]") + "}"),
    "minus zero": file_of("{" + ENTRY.replace("[0,24]", "[-0,24]") + "}"),
    "offset below zero": file_of("{" + ENTRY.replace("[0,24]", "[-24,0]") + "}"),
    "offset of 2^64": file_of("{" + ENTRY.replace("24]", "18446744073709551640]") + "}"),
    "offsets the wrong way round": file_of("{" + ENTRY.replace("[0,24]", "[24,0]") + "}"),
    "three offsets": file_of("{" + ENTRY.replace("[0,24]", "[0,24,24]") + "}"),
    "fraction": file_of("{" + ENTRY.replace("[2,3]", "[2.0,3]") + "}"),
    "truth for a size": file_of("{" + ENTRY.replace("[2,3]", "[true,6]") + "}"),
    "shape of another size": file_of("{" + ENTRY.replace("[2,3]", "[2,4]") + "}"),
    "dtype of another size": file_of("{" + ENTRY.replace("F32", "F64") + "}"),
    "size that overflows": file_of("{" + ENTRY.replace("[2,3]", f"[{2**62},{2**62},6]") + "}"),
    "overflow hidden by zero": file_of("{" + entry("a.weight", 0, 0, [2**63, 4, 0]) + "}", b""),
    "no dtype": file_of("{" + ENTRY.replace('"dtype":"F32",', "") + "}"),
    "header of 100,000,001 bytes": struct.pack("<Q", 100_000_001) + b"{}",
    "header beyond the file": struct.pack("<Q", 200) + b"{}",
    "header of 2^64 - 1 bytes": b"\xff" * 8 + b"{}",
    "no header": b"",
    "seven bytes": b"\x02" + bytes(6),
    "no object": file_of("", b""),
}
ACCEPTED = {
    "plain": file_of("{" + ENTRY + "}"),
    "spaces after the header": file_of("{" + ENTRY + "}   "),
    "in another order": file_of(
        "{" + entry("b", 24, 32, [2]) + "," + TWO + "}", VALUES + np.ones(2, "<f4").tobytes()
    ),
    "empty tensors between": file_of("{" + TWO + "," + entry("b", 24, 24, [0, 5]) + "}"),
    "a number": file_of("{" + TWO + "," + entry("b", 24, 28, []) + "}", VALUES + bytes(4)),
    "metadata": file_of('{"__metadata__":{"format":"pt","é":""},' + ENTRY + "}"),
}


def tensors_of(path) -> dict[str, np.ndarray]:
    file = _TensorFile(str(path))
    return {name: file.read(name) for name in file.entries}


def reference_of(content: bytes) -> dict[str, bytes] | None:
    """The tensors as the format's own reader gives them; None where it refuses the file."""
    package = pytest.importorskip("safetensors", reason="safetensors is not installed")
    try:
        return {name: bytes(part["data"]) for name, part in package.deserialize(content)}
    except (package.SafetensorError, UnicodeDecodeError):
        return None


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_format_forbids(tmp_path, name):
    path = tmp_path / "w.safetensors"
    path.write_bytes(REFUSED[name])
    with pytest.raises(snn.FormatError, match=r"must be a \.safetensors file: it must have"):
        snn.from_safetensors(path, layers=["a"])


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_format_allows(tmp_path, name):
    path = tmp_path / "w.safetensors"
    path.write_bytes(ACCEPTED[name])
    layer = snn.from_safetensors(path, layers=["a"]).layers[0]
    np.testing.assert_array_equal(layer.weight, np.arange(6).reshape(2, 3))
    expected = reference_of(ACCEPTED[name])
    assert {key: value.tobytes() for key, value in tensors_of(path).items()} == expected


def altered(rng: np.random.Generator) -> bytes:
    """A file with a few tensors whose header, still JSON, was changed in a few places, or whose end was."""
    header, content = "{", b""
    for index in range(rng.integers(1, 4)):
        shape = [int(size) for size in rng.integers(0, 3, rng.integers(0, 3))]
        size = 4 * int(np.prod(shape))
        header += ("," if index else "") + entry(f"t{index}", len(content), len(content) + size, shape)
        content += rng.bytes(size)
    header += "}"
    changes = (
        *(
            ("0", "1"),
            ("1", "2"),
            ("2", "0"),
            ("4", "8"),
            ("8", "4"),
            ("t1", "t0"),
            ("t2", "t1"),
            ("[", "[0,"),
        ),
        *(
            ("F32", "I32"),
            ("F32", "F16"),
            ("F32", "I64"),
            (",", ", "),
            ("}", "} "),
            ("{", '{"x":[],'),
            ("0", "-0"),
        ),
        *(('"t', '"\\u0074'), ("[", "[1,"), ("0", "00"), ("0", "0.0"), ('"t0"', '"__metadata__"')),
    )
    for _ in range(rng.integers(0, 3)):
        old, new = changes[rng.integers(len(changes))]
        places = [place for place in range(len(header)) if header.startswith(old, place)]
        if places:
            place = places[rng.integers(len(places))]
            header = header[:place] + new + header[place + len(old) :]
    content = (content, content, content + bytes(4), content[:-4])[rng.integers(4)]
    return file_of(header, content)


def test_altered_headers_against_the_reference(tmp_path):
    path = tmp_path / "w.safetensors"
    counts = {"read": 0, "refused": 0}
    for seed in range(4000):
        content = altered(np.random.default_rng(seed))
        path.write_bytes(content)
        expected = reference_of(content)
        try:
            got = {name: value.tobytes() for name, value in tensors_of(path).items()}
        except (snn.FormatError, snn.UnsupportedError):
            counts["refused"] += 1
            continue  # refusing more than the reference is no harm
        assert got == expected, content
        counts["read"] += 1
    assert min(counts.values()) > 500, counts


def test_time_is_linear_in_the_tensors(tmp_path):
    """The header of 8 times the tensors takes no more than 8 times the calls, and some."""

    def calls(count: int) -> int:
        path = tmp_path / f"{count}.safetensors"
        names = [entry(f"l{i}.weight", 4 * i, 4 * i + 4, [1, 1]) for i in range(count)]
        path.write_bytes(file_of("{" + ",".join(names) + "}", bytes(4 * count)))
        return calls_of(lambda: snn.from_safetensors(path, layers=[f"l{i}" for i in range(count)]))

    calls(10)
    few, many = calls(100), calls(800)
    assert many < 9 * few, (few, many)
