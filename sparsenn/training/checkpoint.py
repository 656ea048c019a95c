"""Checkpoint files: plain data as JSON beside arrays, in one .npz without pickle, replaced atomically.

Reading builds everything anew and checks it; whoever reads changes nothing before Parts.finish has returned.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import scipy

from .. import _core
from ..bridge import from_bytes, to_bytes
from ..errors import ArgumentError, FormatError, VersionError
from ..file_replace import replace_file
from ..graph.value import Value
from ..layers import ACTIVATIONS, ArrayLayer, Linear, Matrix
from ..model import Model
from ..paths import as_path, open_regular
from .archive import pack_arrays, unpack_arrays

VERSION = 1
_FORMAT, _DOCUMENT = "sparsenn-checkpoint", "document"
# A sparse weight needs memory for its columns, however few values it has: at most this many of them for each
# byte of the file, and some more.
_COLUMNS_A_BYTE, _SPARE_COLUMNS = 16, 1 << 24


@dataclass
class Parts:
    """What a checkpoint file holds: plain data, and arrays by name."""

    document: dict
    arrays: dict[str, np.ndarray]
    most_columns: int
    taken: set[str] = field(default_factory=set)

    def take(self, name: str, *dtypes, shape: tuple[int | None, ...]) -> np.ndarray:
        """The array of that name, of one of those dtypes and of that shape; None: any size. Read-only."""
        if name not in self.arrays:
            raise FormatError(f"checkpoint's model is incomplete: it has no array {name!r}")
        array = self.arrays[name]
        same = len(shape) == array.ndim and all(
            wanted in (None, got) for wanted, got in zip(shape, array.shape, strict=True)
        )
        if array.dtype not in dtypes or not same:
            wanted = " or ".join(str(np.dtype(dtype)) for dtype in dtypes)
            raise FormatError(
                f"checkpoint's array {name!r} must be {wanted} of shape {shape}, "
                f"got {array.dtype} of shape {array.shape}"
            )
        self.taken.add(name)
        return array

    def take_weight(self, name: str, shape: tuple[int, int], *, sparse: bool):
        """A weight (out, in) float32: an ndarray, or a csr_array that is valid."""
        if not sparse:
            return self.take(name, np.float32, shape=shape)
        data = self.take(f"{name}.data", np.float32, shape=(None,))
        indices = self.take(f"{name}.indices", np.int32, shape=data.shape)
        indptr = self.take(f"{name}.indptr", np.int32, np.int64, shape=(shape[0] + 1,))
        if shape[1] > self.most_columns:
            raise FormatError(
                f"checkpoint's {name} must have at most {self.most_columns} columns, got {shape}"
            )
        with reading("model"):  # before any of scipy's routines trusts the arrays
            _core.csr_check(*shape, np.ascontiguousarray(indptr, np.int64), indices)
        return scipy.sparse.csr_array((data, indices, indptr), shape=shape)

    def finish(self, *, beside: tuple[str, ...] | None = None) -> None:
        """Raises for an array that nobody took; those that begin with beside may stay."""
        for name in self.arrays.keys() - self.taken:
            if beside is None or not name.startswith(beside):
                raise FormatError(f"checkpoint has an array {name[:80]!r} that belongs to nothing in it")


def write(path: str | os.PathLike, document: dict, arrays: dict[str, np.ndarray]) -> None:
    """path then holds either what it held or the whole new file. OSError when it cannot be written."""
    text = json.dumps({"format": _FORMAT, "version": VERSION, **document})
    content = pack_arrays({_DOCUMENT: np.frombuffer(text.encode(), np.uint8), **arrays})
    columns = max(entry["shape"][1] for entry in document["layers"] if "shape" in entry)
    if columns > _most_columns(len(content)):
        raise ArgumentError(
            f"model must have layers of at most {_most_columns(len(content))} inputs for a checkpoint of "
            f"{len(content)} bytes, got {columns}"
        )
    replace_file(path, content)


def read(path: str | os.PathLike) -> Parts:
    """What write was given. FormatError for any other file, OSError when it cannot be read."""
    path = as_path(path)
    with open_regular(path) as file:
        content = file.read()
    try:
        arrays = unpack_arrays(content)
        document = json.loads(arrays.pop(_DOCUMENT).tobytes())
        known, version = document["format"] == _FORMAT, document["version"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"{path} is not a checkpoint: {error}") from None
    if not known:
        raise FormatError(f"{path} is not a checkpoint: format {str(document['format'])[:80]!r}")
    if version != VERSION or type(version) is not int:
        raise VersionError(f"checkpoint must be of version {VERSION}, got {str(version)[:80]}")
    return Parts(document, arrays, _most_columns(len(content)))


@contextlib.contextmanager
def reading(part: str) -> Iterator[None]:
    """Turns what an altered file causes into a FormatError."""
    try:
        yield
    except FormatError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise FormatError(f"checkpoint's {part} is incomplete or altered: {error!r:.400}") from None


def whole(name: str, value, *, most: int) -> int:
    """value, which must be an int in [0, most]."""
    if type(value) is not int or not 0 <= value <= most:
        raise FormatError(f"checkpoint's {name} must be a whole number from 0 to {most}, got {value!r:.80}")
    return value


def generator_state(state: dict) -> dict:
    """The state of a PCG64 generator, which must come back from one as it went in."""
    bits = np.random.PCG64(0)
    bits.state = state
    if bits.state != state or state["state"]["inc"] % 2 == 0:
        raise FormatError("checkpoint's generator must hold the state of a PCG64")
    return bits.state


def write_model(model: Model) -> tuple[dict, dict[str, np.ndarray]]:
    """A model as plain data and arrays; weights of a chain are not copied.

    A graph is the bytes of its model file, beside what its layers are.
    """
    layers, arrays = [], {}
    for index, layer in enumerate(model.layers):
        entry: dict = {"type": type(layer).__name__}
        if isinstance(layer, Matrix):
            entry |= {"shape": list(layer.shape), "sparse": layer.sparse, "bias": layer.bias is not None}
            if model.is_chain:
                arrays.update(_arrays_of(layer, index))
        else:
            entry.update(zip(layer.attributes, layer.attribute_values, strict=True))
        layers.append(entry)
    if not model.is_chain:
        arrays["graph"] = np.asarray(to_bytes(model))
    return {"layers": layers}, arrays


def _arrays_of(layer: Matrix, index: int) -> dict[str, np.ndarray]:
    arrays = {f"{index}.weight": layer.weight}
    if layer.sparse:
        arrays = {
            f"{index}.weight.{part}": getattr(layer.weight, part) for part in ("data", "indices", "indptr")
        }
    return arrays if layer.bias is None else {**arrays, f"{index}.bias": layer.bias}


def read_model(parts: Parts) -> Model:
    """The model that write_model described, with arrays of its own."""
    with reading("model"):
        entries = parts.document["layers"]
        if "graph" in parts.arrays:
            model = _read_graph(entries, parts)
        else:
            model = Model(_read_layer(index, entry, parts) for index, entry in enumerate(entries))
    if write_model(model)[0]["layers"] != entries:
        raise FormatError("checkpoint's model is altered: its layers come back as others")
    return model


def _read_graph(entries: list[dict], parts: Parts) -> Model:
    most = max(entry["shape"][1] for entry in entries if "shape" in entry)
    if most > parts.most_columns:
        raise FormatError(f"checkpoint's model must have at most {parts.most_columns} columns, got {most}")
    model = from_bytes(parts.take("graph", np.uint8, shape=(None,)))
    if model.is_chain:
        raise FormatError("checkpoint's graph must not be a chain of layers")
    return model


def _read_layer(index: int, entry: dict, parts: Parts):
    kind = entry["type"]
    if kind != "Linear":
        types = {layer.__name__: layer for layer in ACTIVATIONS.values()}
        return types[kind](**{name: value for name, value in entry.items() if name != "type"})
    rows, columns = (whole(f"layer {index}", size, most=2**62) for size in entry["shape"])
    weight = parts.take_weight(f"{index}.weight", (rows, columns), sparse=entry["sparse"])
    return Linear(weight, parts.take(f"{index}.bias", np.float32, shape=(rows,)) if entry["bias"] else None)


def check_same_layers(source: Model, target: Model) -> None:
    """Raises unless put_model can give target the arrays of source."""
    if _structure(source) != _structure(target):
        raise ArgumentError("model must have the layers of the checkpoint, got others")


def _structure(model: Model) -> tuple:
    """All but the values of weights: the layers, what each reads, the constants."""
    numbers = {value: number for number, value in enumerate(model.input_values)}
    nodes = []
    for node in model.nodes:
        reads = [
            numbers[operand] if isinstance(operand, Value) else (operand.array.shape, operand.array.tobytes())
            for operand in node.inputs
        ]
        layer = node.layer
        if isinstance(layer, Matrix):
            layer = (type(layer).__name__, layer.shape, layer.sparse, layer.integer_values)
        elif isinstance(layer, ArrayLayer):
            shapes = tuple(array.shape for array in layer.arrays)
            layer = (type(layer).__name__, shapes, layer.attribute_values, layer.integer_values)
        nodes.append((layer, tuple(reads)))
        numbers[node.output] = len(numbers)
    ports = tuple((value.name, value.dims) for value in model.input_values)
    return ports, tuple(nodes), tuple((value.name, numbers[value]) for value in model.output_values)


def put_model(source: Model, target: Model) -> None:
    """Gives target the arrays of source, a model of the same layers."""
    for a, b in zip(source.linear_layers, target.linear_layers, strict=True):
        b.weight, b.bias = a.weight, a.bias
    for a, b in zip(source.array_layers, target.array_layers, strict=True):
        b.arrays = a.arrays


def _most_columns(file_bytes: int) -> int:
    return _COLUMNS_A_BYTE * file_bytes + _SPARE_COLUMNS
