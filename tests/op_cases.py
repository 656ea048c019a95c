"""What a test needs to know of an op without weights: one file each in ops/, found by its name.

A new op brings its file and is then tested wherever OPS is: values and gradients against the definition and
against finite differences, in every kernel set, in files, checkpoints, exports and training.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class OpCases:
    """The cases of one op."""

    layers: tuple  # layers[0] is the one of the gradient tests
    exact: Callable  # (layer, z (batch, features) float64) -> the value by its definition
    torch: Callable  # (torch.nn, layer) -> the module that computes the same
    curvature: float = 0.0  # largest |second derivative| of layers[0]
    kinks: tuple[float, ...] = ()  # of layers[0]
    refused: tuple = ()  # (attributes, what the error says)
    mixes_features: bool = False
    absolute: float = 0.0  # error of a kernel beside the relative one, where the definition itself cancels

    def slope(self, z: np.ndarray, h: float = 1e-6) -> np.ndarray:
        """The derivative of layers[0], for ops that work value by value."""
        layer = self.layers[0]
        return (self.exact(layer, z + h) - self.exact(layer, z - h)) / (2 * h)


def _read(path: Path) -> OpCases:
    spec = importlib.util.spec_from_file_location(f"op_cases_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


OPS: dict[str, OpCases] = {
    path.stem: _read(path) for path in sorted(Path(__file__).with_name("ops").glob("*.py"))
}
ALL = [(name, layer) for name, cases in OPS.items() for layer in cases.layers]
POINTWISE = {name: cases for name, cases in OPS.items() if not cases.mixes_features}
