"""Networks that are measured as they stand in a file: ONNX, or a model that was saved."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..importers.onnx import from_onnx
from ..io import load
from ..model import Model
from ..prune import prune
from .jobs import NetworkJob, Variant

SPARSITIES = (0.8, 0.9, 0.95, 0.98)  # where none are asked for
PRUNED = 0.5  # sparsity of a file that counts as pruned already
Shapes = Mapping[str, tuple[int | None, ...]]


@dataclass
class ModelFile:
    """An .onnx file or a .safetensors one, whatever its layers are.

    keep          indices of the layers with weights that stay as they are
    input_shapes  (batch, ...) of inputs by name, needed where the file leaves sizes open
    """

    path: Path
    keep: Sequence[int] = ()
    input_shapes: Shapes = field(default_factory=dict)
    batches: None = None

    @property
    def name(self) -> str:
        return self.path.stem

    def read(self) -> Model:
        if self.path.suffix == ".onnx":
            shapes = {name: (None, *shape[1:]) for name, shape in self.input_shapes.items()}
            return from_onnx(self.path, input_shapes=shapes or None)
        model = load(self.path)
        unknown = set(self.input_shapes) - {value.name for value in model.input_values}
        if unknown:
            names = ", ".join(value.name for value in model.input_values)
            raise ValueError(
                f"--input-shapes must be of inputs of {self.path}, {names}, got {unknown.pop()!r}"
            )
        return model

    def variants(self, sparsities: list[float] | None, mask: str) -> Iterator[Variant]:
        """Pruned to each sparsity; without any a file that is pruned, or that was saved here, as it is."""
        model = self.read()
        if sparsities is None and self.path.suffix == ".onnx" and model.sparsity < PRUNED:
            sparsities = [*SPARSITIES]
        shapes = input_dims(model, self.input_shapes)
        for pruned, sparsity, made in pruned_models(model, sparsities, self.keep):
            yield Variant(
                sparsity=sparsity,
                mask=made,
                nnz=pruned.nnz,
                job=lambda batch, pruned=pruned: NetworkJob(pruned, make_inputs(shapes, batch)),
                network=True,
            )


def pruned_models(
    model: Model, sparsities: list[float] | None, keep: Sequence[int] = ()
) -> Iterator[tuple[Model, float, str]]:
    """The model by magnitude, layer by layer, at each sparsity, with that and where the zeros come from.

    None, and a sparsity of 0: as it is.
    """
    count = len(model.linear_layers)
    for index in keep:
        if not -count <= index < count:
            raise ValueError(f"--keep must be indices of the {count} layers with weights, got {index}")
    for sparsity in sparsities or [0.0]:
        if not sparsity:
            yield model, model.sparsity, "file"
            continue
        with warnings.catch_warnings():  # of outputs that are cut off: what is measured is the time
            warnings.simplefilter("ignore")
            pruned = prune(model, sparsity=sparsity, scope="layer", keep=keep)
        yield pruned, sparsity, "magnitude"


def input_dims(model: Model, input_shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The dims of each input without the batch. ValueError where one is left open."""
    dims = {}
    for value in model.input_values:
        given = input_shapes.get(value.name, value.dims)
        if len(given) != len(value.dims):
            raise ValueError(
                f"--input-shapes must give {value.name} {len(value.dims)} sizes, batch first, got {given}"
            )
        sizes = tuple(b if a is None else a for a, b in zip(value.dims[1:], given[1:], strict=True))
        shown = ",".join("?" if size is None else str(size) for size in ("1", *value.dims[1:]))
        if None in sizes:
            raise ValueError(
                f"--input-shapes must give the sizes that the file leaves open: {value.name}={shown}"
            )
        fixed = zip(value.dims[1:], given[1:], strict=True)
        if any(None not in pair and pair[0] != pair[1] for pair in fixed):
            raise ValueError(f"--input-shapes must fit {value.name}={shown}, got {given}")
        dims[value.name] = sizes
    return dims


def make_inputs(dims: Mapping[str, tuple[int, ...]], batch: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Normal values, an array (batch, ...) float32 for each input."""
    random = np.random.default_rng(seed)
    return {name: random.standard_normal((batch, *sizes), np.float32) for name, sizes in dims.items()}


def parse_shapes(texts: Sequence[str]) -> dict[str, tuple[int | None, ...]]:
    """["x=1,3,224,224"] -> {"x": (1, 3, 224, 224)}; ? is a size that is not said. Or ValueError."""
    shapes: dict[str, tuple[int | None, ...]] = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        parts = sizes.split(",")
        if not (name and equals and all(part == "?" or part.isdecimal() and int(part) for part in parts)):
            raise ValueError(f"--input-shapes must be like x=1,3,224,224, batch first, got {text!r}")
        if name in shapes:
            raise ValueError(f"--input-shapes must name each input once, got {name!r} twice")
        shapes[name] = tuple(None if part == "?" else int(part) for part in parts)
    return shapes
