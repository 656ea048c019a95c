"""What is measured: networks given as widths, as a file of shapes, or as a model file."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .baselines.layer import Layer
from .masks import layers_of, make_layers


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

    def variants(self, sparsities: list[float], mask: str) -> Iterator[tuple[float, list[Layer]]]:
        """-> sparsity and layers, for each sparsity asked for; a model file has its own alone."""
        if self.path is None:
            for sparsity in sparsities:
                layers = make_layers(self.widths, sparsity, activation=self.activation, mask=mask)
                yield sparsity, layers
            return
        import sparsenn

        model = sparsenn.load(self.path)
        yield model.sparsity, layers_of(model)


def find_networks(text: str) -> list[Network]:
    """Networks of "784-2048-10", of a .json file of shapes or of a model file. Or ValueError."""
    if re.fullmatch(r"[1-9]\d*(-[1-9]\d*)+", text):
        return [Network(name=text, widths=[int(width) for width in text.split("-")])]
    path = Path(text)
    if path.suffix == ".json":
        return read_shapes(path)
    if path.suffix == ".safetensors":
        return [Network(name=path.stem, widths=[], path=text)]
    raise ValueError(f"target must be widths like 784-2048-10, a .json or a .safetensors file, got {text!r}")


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
