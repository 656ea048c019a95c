"""Layer normalisation."""

from __future__ import annotations

import numpy as np

from .axis_norm import AxisNorm


class LayerNorm(AxisNorm):
    """scale (x - mean) / sqrt(variance + epsilon) + shift along axis, by the values of each sample alone.

    scale, shift  (places,) float32, as many as the axis has; shift None: zeros
    axis          counts the batch as 0, which it never is

    Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450
    """

    op, constants, centred = "layer_norm", ("scale", "shift"), True

    def __init__(self, scale, shift=None, *, axis: int = -1, epsilon: float = 1e-5):
        super().__init__(scale, np.zeros(np.shape(scale)) if shift is None else shift, axis, epsilon)

    def _with_axis(self, axis: int) -> LayerNorm:
        return LayerNorm(self.scale, self.shift, axis=axis, epsilon=self.epsilon)

    def torch_value(self, torch, x, scale, shift, *, rank: int):
        order = self._turned(rank)
        sizes = (self.scale.size,)
        made = torch.nn.functional.layer_norm(x.permute(order), sizes, scale, shift, self.epsilon)
        return made.permute(order)

    torch_takes_rank = True

    def to_onnx(self, graph, x: str) -> str:
        """Of the last axis as the operator, which came with opset 17; of another behind a transpose."""
        names = [graph.constant(name, getattr(self, name)) for name in self.constants]
        return graph.along_last(
            x, self.axis, lambda y: graph.node("LayerNormalization", y, *names, epsilon=self.epsilon)
        )

    onnx_opset = 17
