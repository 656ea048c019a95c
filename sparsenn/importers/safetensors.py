"""Plain .safetensors files of weights, read without the safetensors package."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import FormatError
from ..model import Model
from ..paths import as_path, open_regular
from ._bert import encoder
from ._named import from_tensors
from ._safetensors_file import DTYPES, LONGEST_HEADER, HeaderError, read_header

LONGEST_CONFIG = 1 << 20  # bytes


def from_safetensors(
    path: str | os.PathLike,
    *,
    layers: Iterable | None = None,
    config: str | os.PathLike | Mapping | None = None,
) -> Model:
    """A network whose weights are in a .safetensors file; a file that sparsenn.save wrote is for load.

    layers  what the network does, in order: names of layers among the tensors ("fc1" for fc1.weight and
            fc1.bias), names of activations ("relu"), or activation layers (ReLU())
    config  in their place, of an encoder of the BERT family (bert, distilbert, roberta, xlm-roberta,
            camembert) as the transformers package writes it: config.json, or what it holds. The Model takes
            input_ids and attention_mask (batch, tokens), any number of both, and gives last_hidden_state
            (batch, tokens, features) and, where its weights are there, pooler_output (batch, features)

    A weight is (out, in), a kernel (in, out); one with running_mean and running_var is a batch
    normalisation (epsilon 1e-5) and is folded; weight_orig and weight_mask of torch's pruning are
    multiplied. FormatError for a file that is truncated, altered or of another format, which includes names
    that come twice, tensors that overlap, and bytes that belong to none.
    """
    if (layers is None) == (config is None):
        raise TypeError(
            f"one of layers and config must be given, got {'neither' if layers is None else 'both'}"
        )
    tensors = _TensorFile(as_path(path))
    if config is not None:
        settings = config if isinstance(config, Mapping) else _read_config(as_path(config))
        return encoder(settings, tensors.entries, tensors.read)
    return from_tensors(tensors.entries, tensors.read, layers)


def _read_config(path: str) -> dict:
    with open_regular(path) as file:
        content = file.read(LONGEST_CONFIG + 1)
    try:
        settings = json.loads(content.decode("utf-8")) if len(content) <= LONGEST_CONFIG else None
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise FormatError(
            f"{path!r} must be a config.json: an object in JSON of at most {LONGEST_CONFIG} bytes"
        )
    return settings


class _TensorFile:
    """The tensors of a file, each read when it is asked for."""

    def __init__(self, path: str):
        self.path = path
        with open_regular(self.path) as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, LONGEST_HEADER):
                raise self._fail(
                    f"a header of at most {max(min(size - 8, LONGEST_HEADER), 0)} bytes, got {length}"
                )
            content = file.read(length)
        self.start = 8 + length
        try:
            self.entries = read_header(content, size - self.start)
        except HeaderError as error:
            raise self._fail(str(error)) from None

    def read(self, name: str) -> np.ndarray:
        """The tensor of that name; BF16 as float32."""
        dtype, shape, begin, end = self.entries[name]
        with open_regular(self.path) as file:
            file.seek(self.start + begin)
            content = file.read(end - begin)
        if len(content) != end - begin:
            raise self._fail(f"all of the tensor {name[:80]!r}")
        if dtype == "BF16":  # the upper half of a float32
            return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
        return np.frombuffer(content, DTYPES[dtype]).reshape(shape)

    def _fail(self, wanted: str) -> FormatError:
        return FormatError(f"{self.path!r} must be a .safetensors file: it must have {wanted}")
