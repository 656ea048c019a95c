"""The product of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..checks import check_flag
from ..errors import ArgumentError
from ..graph.dims import broadcast
from ..graph.value import Dims
from .layer import EPS, TINY, Layer


@dataclass(frozen=True)
class MatMul(Layer):
    """a @ b: matrices of the last two axes, the others broadcast as numpy does; either may be a constant.

    turn_a, turn_b  whether those of an operand are meant the other way round, (columns, rows)
    """

    turn_a: bool = False
    turn_b: bool = False

    op, integers = "matmul", ("turn_a", "turn_b")
    operands, takes_constants = (2, 2), True

    def __post_init__(self) -> None:
        for name in self.integers:
            object.__setattr__(self, name, check_flag(name, getattr(self, name)))

    @property
    def integer_values(self) -> dict[str, int]:
        return {"turn_a": int(self.turn_a), "turn_b": int(self.turn_b)}

    @classmethod
    def of_integers(cls, turn_a: int, turn_b: int) -> MatMul:
        return cls(bool(turn_a), bool(turn_b))

    def infer(self, a: Dims, b: Dims) -> Dims:
        for name, dims in (("a", a), ("b", b)):
            if len(dims) < 3:
                raise ArgumentError(f"{name} of MatMul must have two axes behind the batch, got {dims}")
        rows, depth = a[-2:][::-1] if self.turn_a else a[-2:]
        own, columns = b[-2:][::-1] if self.turn_b else b[-2:]
        if depth != own:
            raise ArgumentError(
                f"a of MatMul must have as many columns as b has rows, got {a} and {b} for {self}"
            )
        return (*broadcast("MatMul", (*a[:-2], 1, 1), (*b[:-2], 1, 1))[:-2], rows, columns)

    def _matrices(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both as matmul takes them: (batch, ..., rows, depth) and (batch, ..., depth, columns)."""
        rank = max(a.ndim, b.ndim)
        made = []
        for z, turned in ((a, self.turn_a), (b, self.turn_b)):
            z = np.moveaxis(z, -1, 0)
            z = z.reshape(z.shape[0], *[1] * (rank - z.ndim), *z.shape[1:])
            made.append(z.swapaxes(-1, -2) if turned else z)
        return tuple(made)

    def _product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        left, right = self._matrices(a, b)
        return np.moveaxis(left @ right, 0, -1)

    def value(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self._product(a, b)

    def bound(self, a, b, y, a_bound, b_bound) -> np.ndarray:
        """What moves an operand times the other, and as a sum of products rounds: see Matrix."""
        size = self._product(abs(a) + a_bound, abs(b) + b_bound)
        depth = a.shape[-3 if self.turn_a else -2]
        moved = self._product(a_bound, abs(b) + b_bound) + self._product(abs(a), b_bound)
        return moved + (depth + 2) * EPS * size + TINY

    def gradient(self, a, b, y, da) -> tuple[np.ndarray, np.ndarray]:
        """da b' and a' da, each added up where it was repeated."""
        left, right = self._matrices(a, b)
        slope = np.moveaxis(da, -1, 0)
        made = slope @ right.swapaxes(-1, -2), left.swapaxes(-1, -2) @ slope
        return tuple(
            summed_to_operand(own.swapaxes(-1, -2) if turned else own, z)
            for own, turned, z in zip(made, (self.turn_a, self.turn_b), (a, b), strict=True)
        )

    def depends(self, *masks: np.ndarray) -> np.ndarray:
        """A row of a and a column of b."""
        left, right = self._matrices(*masks)
        return np.moveaxis(left.any(axis=-1, keepdims=True) | right.any(axis=-2, keepdims=True), 0, -1)

    def torch_value(self, torch, a, b):
        a, b = (z.transpose(-1, -2) if turned else z for z, turned in ((a, self.turn_a), (b, self.turn_b)))
        return torch.matmul(a, b)

    def to_onnx(self, graph, a: str, b: str) -> str:
        names = [
            graph.last_two_turned(z, len(dims)) if turned else z
            for z, dims, turned in zip((a, b), graph.dims, (self.turn_a, self.turn_b), strict=True)
        ]
        return graph.node("MatMul", *names)


def summed_to_operand(slope: np.ndarray, z: np.ndarray) -> np.ndarray:
    """slope (batch, ...), added up to the shape of z, which has the batch last."""
    shape = (z.shape[-1], *[1] * (slope.ndim - z.ndim), *z.shape[:-1])
    repeated = tuple(i for i, (own, size) in enumerate(zip(shape, slope.shape, strict=True)) if own < size)
    slope = slope.sum(axis=repeated, keepdims=True)
    return np.moveaxis(slope.reshape(z.shape[-1], *z.shape[:-1]), 0, -1)
