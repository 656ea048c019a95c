"""Checkpoint files: plain data as JSON beside arrays, in one .npz without pickle, replaced atomically."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator

import numpy as np
import scipy.sparse

from ..errors import ArgumentError, FormatError, VersionError
from ..layers import ACTIVATIONS, Linear
from ..model import Model

VERSION = 1
_DOCUMENT = "document"


def write(path: str | os.PathLike, document: dict, arrays: dict[str, np.ndarray]) -> None:
    """path then holds either what it held or the whole new file. OSError when it cannot be written."""
    path = os.path.abspath(os.fspath(path))
    text = json.dumps({"format": "sparsenn-checkpoint", "version": VERSION, **document})
    buffer = io.BytesIO()
    np.savez(buffer, **{_DOCUMENT: np.frombuffer(text.encode(), np.uint8)}, **arrays)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".checkpoint-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: str | os.PathLike) -> tuple[dict, dict[str, np.ndarray]]:
    """What write was given. FormatError for any other file, OSError when it cannot be read."""
    with open(path, "rb") as file:
        content = io.BytesIO(file.read())
    try:
        with np.load(content, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(arrays.pop(_DOCUMENT).tobytes())
        known = document["format"] == "sparsenn-checkpoint"
        version = document["version"]
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(f"{os.fspath(path)} is not a checkpoint: {error}") from None
    if not known:
        raise FormatError(f"{os.fspath(path)} is not a checkpoint: format {document['format']!r}")
    if version != VERSION:
        raise VersionError(f"checkpoint must be of version {VERSION}, got {version!r}")
    return document, arrays


@contextlib.contextmanager
def reading(part: str) -> Iterator[None]:
    """Turns what an altered file causes into a FormatError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"checkpoint's {part} is incomplete or altered: {error!r}") from error


def write_model(model: Model) -> tuple[dict, dict[str, np.ndarray]]:
    """A model as plain data and arrays; weights are not copied."""
    layers, arrays = [], {}
    for index, layer in enumerate(model.layers):
        entry: dict = {"type": type(layer).__name__}
        if isinstance(layer, Linear):
            entry["shape"] = list(layer.shape)
            if layer.sparse:
                for part in ("data", "indices", "indptr"):
                    arrays[f"{index}.weight.{part}"] = getattr(layer.weight, part)
            else:
                arrays[f"{index}.weight"] = layer.weight
            if layer.bias is not None:
                arrays[f"{index}.bias"] = layer.bias
        else:
            entry.update(zip(layer.attributes, layer.attribute_values, strict=True))
        layers.append(entry)
    return {"layers": layers}, arrays


def read_model(document: dict, arrays: dict[str, np.ndarray]) -> Model:
    """The model that write_model described."""
    with reading("model"):
        return Model(_read_layer(index, entry, arrays) for index, entry in enumerate(document["layers"]))


def _read_layer(index: int, entry: dict, arrays: dict[str, np.ndarray]):
    kind = entry["type"]
    if kind != "Linear":
        types = {layer.__name__: layer for layer in ACTIVATIONS.values()}
        return types[kind](**{name: entry[name] for name in types[kind].attributes})
    bias = arrays.get(f"{index}.bias")
    if f"{index}.weight" in arrays:
        return Linear(arrays[f"{index}.weight"], bias)
    parts = tuple(arrays[f"{index}.weight.{part}"] for part in ("data", "indices", "indptr"))
    return Linear(scipy.sparse.csr_array(parts, shape=tuple(entry["shape"])), bias)


def put_model(source: Model, target: Model) -> None:
    """Gives target the arrays of source, a model of the same layers."""
    same = [type(a) for a in source.layers] == [type(b) for b in target.layers]
    pairs = list(zip(source.linear_layers, target.linear_layers, strict=False))
    if not same or any(a.shape != b.shape or a.sparse != b.sparse for a, b in pairs):
        raise ArgumentError("model must have the layers of the checkpoint, got others")
    for a, b in pairs:
        b.weight, b.bias = a.weight, a.bias
