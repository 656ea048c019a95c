"""Whether two values are the same."""

from __future__ import annotations

from dataclasses import dataclass

from .comparison import Comparison


@dataclass(frozen=True)
class Equal(Comparison):
    """1 where x = y, else 0; NaN where one of them is."""

    op, onnx_op = "equal", "Equal"

    def holds(self, x, y):
        return x == y
