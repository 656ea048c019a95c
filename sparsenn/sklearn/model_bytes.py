"""A model as the bytes of its file: how it travels inside a pickle."""

from __future__ import annotations

import os
import tempfile

from .. import _core
from ..bridge import from_core
from ..io import save
from ..model import Model


def to_bytes(model: Model) -> bytes:
    """The bytes of the model file that save writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.safetensors")
        save(model, path)
        with open(path, "rb") as file:
            return file.read()


def from_bytes(content: bytes) -> Model:
    """The Model in the bytes of a model file; all of it is validated, as load does."""
    return from_core(_core.Model.load_memory(content))
