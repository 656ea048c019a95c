"""Recurrent layers of random weights as ONNX, one behind the other; see bench_recurrent.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper, numpy_helper

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass(frozen=True)
class Layers:
    """layers of a kind (a key of GATES): steps of so many inputs, units of each layer."""

    kind: str
    layers: int
    inputs: int
    hidden: int
    steps: int

    def proto(self, sparsity: float, batch: int | str = "batch", steps: int | str = "steps"):
        """x (batch, steps, inputs) -> y (batch, steps, hidden): an onnx.ModelProto.

        sparsity  of every matrix, by magnitude
        """
        rng = np.random.default_rng(0)
        arrays = {"drop": np.array([1], np.int64)}
        nodes, h = [helper.make_node("Transpose", ["x"], ["h0"], perm=[1, 0, 2])], "h0"
        options = {"linear_before_reset": 1} if self.kind == "GRU" else {}
        for layer in range(self.layers):
            rows, columns = GATES[self.kind] * self.hidden, self.hidden if layer else self.inputs
            for name, shape in (("w", (1, rows, columns)), ("r", (1, rows, self.hidden))):
                arrays[f"{name}{layer}"] = pruned(self._random(rng, shape), sparsity)
            arrays[f"b{layer}"] = self._random(rng, (1, 2 * rows))
            weights = [f"{name}{layer}" for name in "wrb"]
            nodes.append(
                helper.make_node(self.kind, [h, *weights], [f"y{layer}"], hidden_size=self.hidden, **options)
            )
            h = f"h{layer + 1}"
            nodes.append(helper.make_node("Squeeze", [f"y{layer}", "drop"], [h]))
        nodes.append(helper.make_node("Transpose", [h], ["y"], perm=[1, 0, 2]))
        given, made = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, steps, features])
            for name, features in (("x", self.inputs), ("y", self.hidden))
        )
        weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
        graph = helper.make_graph(nodes, self.kind, [given], [made], weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)

    def _random(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.uniform(-1, 1, shape).astype(np.float32) * self.hidden**-0.5


def pruned(weight: np.ndarray, sparsity: float) -> np.ndarray:
    """The weight, its smallest values 0."""
    return np.where(abs(weight) < np.quantile(abs(weight), sparsity), np.float32(0), weight)
