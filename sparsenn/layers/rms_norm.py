"""Normalisation by the root of the mean square."""

from __future__ import annotations

from .axis_norm import AxisNorm


class RMSNorm(AxisNorm):
    """scale x / sqrt(mean of x^2 + epsilon) along axis, by the values of each sample alone.

    scale  (places,) float32, as many as the axis has
    axis   counts the batch as 0, which it never is

    Source: Zhang and Sennrich 2019, arXiv:1910.07467
    """

    op, constants, centred = "rms_norm", ("scale",), False
    torch_takes_rank = True

    def __init__(self, scale, *, axis: int = -1, epsilon: float = 1e-6):
        super().__init__(scale, None, axis, epsilon)

    def _with_axis(self, axis: int) -> RMSNorm:
        return RMSNorm(self.scale, axis=axis, epsilon=self.epsilon)

    def torch_value(self, torch, x, scale, *, rank: int):
        order = self._turned(rank)
        made = torch.nn.functional.rms_norm(x.permute(order), (self.scale.size,), scale, self.epsilon)
        return made.permute(order)

    def to_onnx(self, graph, x: str) -> str:
        """By its formula: the operator came late."""
        scale = graph.constant("scale", self.scale)
        epsilon = graph.constant("epsilon", [self.epsilon])

        def made(y: str) -> str:
            square = graph.over_axes("ReduceMean", graph.node("Mul", y, y), [-1])
            size = graph.node("Sqrt", graph.node("Add", square, epsilon))
            return graph.node("Mul", graph.node("Div", y, size), scale)

        return graph.along_last(x, self.axis, made)
