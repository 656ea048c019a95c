"""What the runners of a cell are given, and what their outputs are checked against."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..exporters.onnx import to_onnx
from ..file_replace import replace_file
from ..io import save
from ..model import Model
from ..reference import reference_with_bound
from . import oracle
from .baselines.layer import Layer, save_layers

CHECKED_VALUES = 1 << 20  # of inputs, for which the float64 pass is made: at least one sample
# Rounding adds up by chance and not, as a derived bound has it, always the same way: over many layers the
# bound is far above anything that happens. So outputs must also be this near, as a share of the largest.
MOST_OFF = 1e-3


class Job(Protocol):
    do: str  # the worker's command

    def write(self, folder: Path) -> dict[str, str]:
        """Writes what the worker reads -> the command's arguments."""

    def check(self, name: str, outputs: list[np.ndarray]) -> None:
        """ValueError when a runner's outputs are not what they must be."""


@dataclass
class Variant:
    """A network with its weights.

    sparsity  fraction of zeros over all layers
    mask      where the zeros come from
    nnz       weights that are stored
    job       what runners are given for so many samples
    network   whether it is a model file, for runners that take these, and not a list of layers
    """

    sparsity: float
    mask: str
    nnz: int
    job: Callable[[int], Job]
    network: bool = False


class LayersJob:
    """Layers on x (batch, inputs) float32."""

    do = "prepare"

    def __init__(self, layers: list[Layer], x: np.ndarray) -> None:
        self.layers, self.x = layers, x
        self._exact: tuple[np.ndarray, np.ndarray] | None = None

    def write(self, folder: Path) -> dict[str, str]:
        save_layers(str(folder / "layers.npz"), self.layers, self.x)
        return {"layers": str(folder / "layers.npz")}

    def check(self, name: str, outputs: list[np.ndarray]) -> None:
        self._exact = self._exact or oracle.forward(self.layers, self.x)
        oracle.check(name, outputs[0], *self._exact)


class NetworkJob:
    """A model on an array (batch, ...) float32 for each input, by name.

    The first samples are compared with float64; those for which that would take long with the same ones of
    the runner that was checked first.
    """

    do = "prepare_network"

    def __init__(self, model: Model, inputs: dict[str, np.ndarray]) -> None:
        self.model, self.inputs = model, inputs
        self._exact: list[tuple[np.ndarray, np.ndarray]] | None = None
        self._first: tuple[str, list[np.ndarray]] | None = None

    def write(self, folder: Path) -> dict[str, str]:
        """The model in both formats; as ONNX only where that can be written."""
        paths = {part: str(folder / f"network.{part}") for part in ("safetensors", "onnx")}
        np.savez(folder / "inputs.npz", **self.inputs)
        save(self.model, paths["safetensors"])
        if importlib.util.find_spec("onnx") is None:
            paths["onnx"] = ""
        else:
            replace_file(paths["onnx"], fixed_onnx(self.model, self.inputs))
        return {**paths, "inputs": str(folder / "inputs.npz")}

    def check(self, name: str, outputs: list[np.ndarray]) -> None:
        self._exact = self._exact or exact_outputs(self.model, self.inputs)
        if len(outputs) != len(self._exact):
            raise ValueError(f"{name} returned {len(outputs)} outputs, expected {len(self._exact)}")
        batch = len(next(iter(self.inputs.values())))
        for number, (output, (expected, bound)) in enumerate(zip(outputs, self._exact, strict=True)):
            if output.shape != (batch, *expected.shape[1:]):
                raise ValueError(
                    f"{name} returned shape {output.shape}, expected {(batch, *expected.shape[1:])}"
                )
            checked = len(expected)
            oracle.check(name, output[:checked], expected, bound)
            if self._first is not None:
                others = self._first[1][number][checked:]
                allowed = np.broadcast_to(2 * bound.max(axis=0), others.shape)
                oracle.check(f"{name}, beside {self._first[0]},", output[checked:], others, allowed)
        self._first = self._first or (name, outputs)


def exact_outputs(model: Model, inputs: dict[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each output the float64 values of the first samples, and how far a float32 result may be off."""
    batch = len(next(iter(inputs.values())))
    values = sum(array.size for array in inputs.values()) // batch
    first = {name: array[: max(1, CHECKED_VALUES // max(1, values))] for name, array in inputs.items()}
    given = first if len(first) > 1 else next(iter(first.values()))
    pairs = []
    names = [value.name for value in model.output_values]
    computed = reference_with_bound(model, given)
    for name in names:
        expected, bound = (part[name] if isinstance(part, dict) else part for part in computed)
        pairs.append((expected, np.minimum(bound, MOST_OFF * np.abs(expected).max(initial=0.0))))
    return pairs


def fixed_onnx(model: Model, inputs: dict[str, np.ndarray]) -> bytes:
    """The model as ONNX with the shapes of these inputs, which some runtimes run faster than open ones."""
    import onnx

    proto = to_onnx(model)
    for value in proto.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, inputs[value.name].shape, strict=True):
            dim.dim_value = size
    for value in proto.graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(proto).SerializeToString()
