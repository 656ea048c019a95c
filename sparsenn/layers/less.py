"""Whether a value is below another."""

from __future__ import annotations

from dataclasses import dataclass

from .comparison import Comparison


@dataclass(frozen=True)
class Less(Comparison):
    """1 where x < y, else 0; NaN where one of them is."""

    op, onnx_op = "less", "Less"

    def holds(self, x, y):
        return x < y
