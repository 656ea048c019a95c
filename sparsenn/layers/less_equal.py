"""Whether a value is at most another."""

from __future__ import annotations

from dataclasses import dataclass

from .comparison import Comparison


@dataclass(frozen=True)
class LessEqual(Comparison):
    """1 where x <= y, else 0; NaN where one of them is."""

    op, onnx_op = "less_equal", "LessOrEqual"

    def holds(self, x, y):
        return x <= y
