"""ONNX files: from bytes to protocol buffers, from tensors to arrays. Nothing in a file is trusted."""

from __future__ import annotations

import math
import os

import numpy as np
import onnx
import scipy
from google.protobuf.message import DecodeError

from ..errors import FormatError, UnsupportedError
from ..paths import as_path, open_regular

# Tensor types: dtype, and the field that holds the values where raw_data does not.
TYPES = {
    onnx.TensorProto.FLOAT: (np.dtype("<f4"), "float_data"),
    onnx.TensorProto.DOUBLE: (np.dtype("<f8"), "double_data"),
    onnx.TensorProto.FLOAT16: (np.dtype("<f2"), "int32_data"),
    onnx.TensorProto.BFLOAT16: (np.dtype("<u2"), "int32_data"),
    onnx.TensorProto.INT32: (np.dtype("<i4"), "int32_data"),
    onnx.TensorProto.INT64: (np.dtype("<i8"), "int64_data"),
    onnx.TensorProto.BOOL: (np.dtype("?"), "int32_data"),
}
MOST_DIMENSIONS = 8
# A sparse weight needs memory for its rows and columns, however few values it has: at most this many of
# them for each byte of the file, and some more.
SIZES_A_BYTE, SPARE_SIZES = 16, 1 << 20


def read_model(source) -> tuple[onnx.ModelProto, str | None]:
    """The ModelProto of a path, of bytes or of itself, and the folder that its external data may be in."""
    if isinstance(source, onnx.ModelProto):
        return source, None
    folder = None
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
    else:
        path = as_path(source, "model")
        content = _read_file(path, 0, None)
        folder = os.path.dirname(os.path.abspath(path))
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError as error:
        raise FormatError(
            f"model must be an ONNX file, got {len(content)} bytes that are none: {error}"
        ) from None
    if not proto.HasField("graph"):
        raise FormatError(f"model must be an ONNX file, got {len(content)} bytes without a graph")
    return proto, folder


def read_tensor(tensor: onnx.TensorProto, folder: str | None) -> np.ndarray:
    """The values of a tensor as an array. FormatError where they do not fit its dims."""
    where = f"tensor {cut(tensor.name)}"
    if tensor.data_type not in TYPES:
        known = onnx.TensorProto.DataType
        kind = known.Name(tensor.data_type) if tensor.data_type in known.values() else tensor.data_type
        raise UnsupportedError(f"{where} must hold floats or integers, got type {kind}")
    dtype, field = TYPES[tensor.data_type]
    shape = tuple(tensor.dims)
    if len(shape) > MOST_DIMENSIONS:
        raise UnsupportedError(f"{where} must have at most {MOST_DIMENSIONS} dimensions, got {len(shape)}")
    if any(size < 0 for size in shape):
        raise FormatError(f"{where} must have sizes of at least 0, got {shape}")
    size = math.prod(shape)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raw = _read_external(tensor, folder, size * dtype.itemsize, where)
    elif tensor.HasField("raw_data"):
        raw = tensor.raw_data
    else:
        values = getattr(tensor, field)
        if len(values) != size:
            raise FormatError(f"{where} must hold {size} values, got {len(values)}")
        return _as_float(_from_fields(values, dtype), tensor.data_type).reshape(shape)
    if len(raw) != size * dtype.itemsize:
        raise FormatError(f"{where} must hold {size * dtype.itemsize} bytes, got {len(raw)}")
    return _as_float(np.frombuffer(raw, dtype), tensor.data_type).reshape(shape)


def read_sparse_tensor(tensor: onnx.SparseTensorProto, folder: str | None, file_bytes: int):
    """The values of a sparse tensor (rows, columns) as a csr_array."""
    where = f"sparse tensor {cut(tensor.values.name)}"
    shape = tuple(tensor.dims)
    if len(shape) != 2 or min(shape) < 1:
        raise UnsupportedError(f"{where} must have two dimensions, each at least 1, got {shape}")
    if sum(shape) > SIZES_A_BYTE * file_bytes + SPARE_SIZES:
        raise FormatError(f"{where} must have dimensions in proportion to its file, got {shape}")
    values, places = read_tensor(tensor.values, folder), read_tensor(tensor.indices, folder)
    if places.dtype.kind != "i" or values.ndim != 1 or places.shape not in ((len(values),), (len(values), 2)):
        raise FormatError(
            f"{where} must have values (n,) and integer indices (n,) or (n, 2), "
            f"got {values.shape} and {places.dtype} {places.shape}"
        )
    if places.ndim == 1:
        _check_range(places, math.prod(shape), where)
        rows, columns = np.divmod(places, shape[1])
    else:
        rows, columns = places.T
        _check_range(rows, shape[0], where)
        _check_range(columns, shape[1], where)
    if len(np.unique(rows * shape[1] + columns)) != len(values):
        raise FormatError(f"{where} must have each index once")
    return scipy.sparse.csr_array((values, (rows, columns)), shape=shape)


def as_text(name: str | bytes) -> str:
    """A name from a file; protocol buffers give bytes where it is not UTF-8."""
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name


def cut(name: str | bytes) -> str:
    """A name from a file, fit for a message."""
    text = as_text(name)
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _check_range(places: np.ndarray, end: int, where: str) -> None:
    if places.size and not (places.min() >= 0 and places.max() < end):
        raise FormatError(f"{where} must have indices in [0, {end}), got {places.min()} to {places.max()}")


def _from_fields(values, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f" and dtype.itemsize == 2:  # the bits, as integers
        return np.array(values, np.int64).astype(np.uint16).view(np.float16)
    return np.array(values).astype(dtype)


def _as_float(array: np.ndarray, data_type: int) -> np.ndarray:
    if data_type == onnx.TensorProto.BFLOAT16:  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array


def _read_external(tensor: onnx.TensorProto, folder: str | None, size: int, where: str) -> bytes:
    """size bytes of a file beside the model."""
    if folder is None:
        raise UnsupportedError(
            f"{where} is in another file: give the path of the model, so that it can be found"
        )
    fields = {as_text(entry.key): as_text(entry.value) for entry in tensor.external_data}
    location = fields.get("location", "")
    parts = location.replace("\\", "/").split("/")
    if (
        not location
        or os.path.isabs(location)
        or ":" in parts[0]
        or "\0" in location
        or not {"", ".."}.isdisjoint(parts)
    ):
        raise FormatError(f"{where} must be in the folder of the model, got location {cut(location)}")
    path = folder
    for part in parts:
        path = os.path.join(path, part)
        if os.path.islink(path):
            raise FormatError(
                f"{where} must be in a file that is no symbolic link, got location {cut(location)}"
            )
    numbers = [fields.get("offset", "0"), fields.get("length", str(size))]
    if not all(text.isascii() and text.isdigit() and len(text) < 19 for text in numbers):
        raise FormatError(f"{where} must have a numeric offset and length, got {cut(str(numbers))}")
    offset, length = map(int, numbers)
    if length != size:
        raise FormatError(f"{where} must hold {size} bytes, got {length}")
    try:
        return _read_file(path, offset, length)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FormatError(f"{where} must be in a file that can be read: {error}") from None


def _read_file(path: str, offset: int, length: int | None) -> bytes:
    """length bytes of a regular file from offset on, or all of it."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        end = size if length is None else offset + length
        if end > size:
            raise FormatError(f"{cut(path)} must hold {end} bytes, got {size}")
        file.seek(offset)
        return file.read(end - offset)
