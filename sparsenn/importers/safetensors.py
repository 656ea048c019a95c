"""Plain .safetensors files of weights, read without the safetensors package."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterable

import numpy as np

from ..errors import FormatError, UnsupportedError
from ..model import Model
from ._named import from_tensors

DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?"},
    **{
        "I64": "<i8",
        "I32": "<i4",
        "I16": "<i2",
        "I8": "i1",
        "U64": "<u8",
        "U32": "<u4",
        "U16": "<u2",
        "U8": "u1",
    },
}
LONGEST_HEADER = 100_000_000  # bytes: the format's own limit


def from_safetensors(path: str | os.PathLike, *, layers: Iterable) -> Model:
    """A network whose weights are in a .safetensors file; a file that sparsenn.save wrote is for load.

    layers  what the network does, in order: names of layers among the tensors ("fc1" for fc1.weight and
            fc1.bias), names of activations ("relu"), or activation layers (ReLU())

    A weight is (out, in), a kernel (in, out); one with running_mean and running_var is a batch
    normalisation (epsilon 1e-5) and is folded; weight_orig and weight_mask of torch's pruning are
    multiplied. FormatError for a file that is truncated, altered or of another format.
    """
    tensors = _TensorFile(os.fsdecode(path))
    return from_tensors(tensors.entries, tensors.read, layers)


class _TensorFile:
    """The tensors of a file, each read when it is asked for."""

    def __init__(self, path: str):
        self.path = path
        with self._open() as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, LONGEST_HEADER):
                raise self._fail(f"a header of at most {max(size - 8, 0)} bytes, got {length}")
            try:
                header = json.loads(file.read(length).decode("utf-8"))
            except (ValueError, RecursionError):
                raise self._fail("a header in JSON") from None
        if not isinstance(header, dict):
            raise self._fail("a header of named tensors")
        self.start = 8 + length
        self.entries = {
            name: self._entry(name, entry, size - self.start)
            for name, entry in header.items()
            if name != "__metadata__"
        }

    def read(self, name: str) -> np.ndarray:
        """The tensor of that name; BF16 as float32."""
        dtype, shape, begin, end = self.entries[name]
        with self._open() as file:
            file.seek(self.start + begin)
            content = file.read(end - begin)
        if len(content) != end - begin:
            raise self._fail(f"all of the tensor {name!r}")
        if dtype == "BF16":  # the upper half of a float32
            return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
        return np.frombuffer(content, DTYPES[dtype]).reshape(shape)

    def _entry(self, name: str, entry, size: int) -> tuple[str, tuple, int, int]:
        """dtype, shape, begin and end in bytes, which fit each other and the file."""
        if not isinstance(entry, dict):
            raise self._fail(f"a description of the tensor {name!r}")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or not all(_are_sizes(values) for values in (shape, offsets)):
            raise self._fail(f"dtype, shape and data_offsets of the tensor {name!r}")
        if dtype not in DTYPES:
            raise UnsupportedError(f"tensor {name!r} must be of {', '.join(DTYPES)}, got {dtype!r}")
        if len(offsets) != 2 or not 0 <= offsets[0] <= offsets[1] <= size:
            raise self._fail(f"the tensor {name!r} within its {size} bytes, got {offsets}")
        if offsets[1] - offsets[0] != math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize:
            raise self._fail(f"as many bytes as the tensor {name!r} of shape {shape} takes, got {offsets}")
        return dtype, tuple(shape), *offsets

    def _open(self):
        handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        file = os.fdopen(handle, "rb")
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            file.close()
            raise FormatError(f"path must be a regular file, got {self.path!r}")
        return file

    def _fail(self, wanted: str) -> FormatError:
        return FormatError(f"{self.path!r} must be a .safetensors file: it must have {wanted}")


def _are_sizes(values) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
