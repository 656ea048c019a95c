"""What is measured: networks given as widths, as a file of shapes, or as a model file."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..io import load
from ..model import Model
from ..paths import as_path
from .baselines.layer import Layer
from .jobs import LayersJob, Variant
from .masks import layers_of, make_layers
from .model_files import SPARSITIES, ModelFile, Shapes, pruned_models


@dataclass
class Network:
    """A network to measure.

    widths   features of the input and of each layer; empty when it comes from a model file
    batches  batches that belong to the shape (pixels of a convolution); None: those asked for
    path     the model file, whose weights are taken as they are
    """

    name: str
    widths: list[int]
    activation: str = "relu"
    batches: list[int] | None = None
    path: str | None = None

    def variants(self, sparsities: list[float] | None, mask: str) -> Iterator[Variant]:
        """For each sparsity; without any a model file as it is, other networks at SPARSITIES."""
        if self.path is None:
            for sparsity in sparsities or SPARSITIES:
                layers = make_layers(self.widths, sparsity, activation=self.activation, mask=mask)
                yield layers_variant(layers, sparsity, mask)
            return
        for model, sparsity, made in pruned_models(load(self.path), sparsities):
            yield layers_variant(layers_of(model), sparsity, made)


def layers_variant(layers: list[Layer], sparsity: float, mask: str) -> Variant:
    return Variant(
        sparsity=sparsity,
        mask=mask,
        nnz=sum(layer.nnz for layer in layers),
        job=lambda batch: LayersJob(layers, make_input(batch, layers[0].shape[1])),
    )


def make_input(batch: int, inputs: int, seed: int = 1) -> np.ndarray:
    """x (batch, inputs) float32, uniform in [0, 1)."""
    return np.random.default_rng(seed).random((batch, inputs), np.float32)


def find_networks(
    text: str, *, keep: Sequence[int] = (), input_shapes: Shapes | None = None
) -> list[Network | ModelFile]:
    """Networks of "784-2048-10", of a .json file of shapes or of a model file. Or ValueError.

    keep, input_shapes  of model files
    """
    if re.fullmatch(r"[1-9]\d*(-[1-9]\d*)+", text):
        return [Network(name=text, widths=[int(width) for width in text.split("-")])]
    path = Path(as_path(text, "target"))
    if path.suffix == ".json":
        return [*read_shapes(path)]
    if path.suffix == ".safetensors" and not keep and is_of_layers(load(path)):
        return [Network(name=path.stem, widths=[], path=text)]
    if path.suffix in (".onnx", ".safetensors"):
        return [ModelFile(path, keep=keep, input_shapes=input_shapes or {})]
    raise ValueError(
        f"target must be widths like 784-2048-10, a .json, an .onnx or a .safetensors file, got {text!r}"
    )


def is_of_layers(model: Model) -> bool:
    """Whether every runner has it: linear layers and their activations."""
    try:
        return bool(layers_of(model))
    except ValueError:
        return False


def read_shapes(path: Path) -> list[Network]:
    """A file of bench/shapes: {"source": ..., "networks": [{"name", "widths", "activation", "batches"}]}."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["networks"]
        networks = [Network(**entry) for entry in entries]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must be a file of shapes: {error}") from error
    if not all(isinstance(n.widths, list) and len(n.widths) > 1 for n in networks):
        raise ValueError(f"{path} must give every network at least two widths")
    return networks
