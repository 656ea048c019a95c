"""The largest value of some axes."""

from __future__ import annotations

from dataclasses import dataclass

from .reduce import Extreme


@dataclass(frozen=True)
class ReduceMax(Extreme):
    """The largest value along the axes, which stay as dims of 1; they stand next to each other."""

    op, sign = "reduce_max", 1

    def torch_value(self, torch, x):
        return x.amax(self.axes, keepdim=True)

    def to_onnx(self, graph, x: str) -> str:
        return graph.over_axes("ReduceMax", x, self.axes)
