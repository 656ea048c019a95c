"""A place in a torch module, and what its operations are given: Data, tensors, numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..torch_modules.tensor import to_array
from ._data import At, Data


class Place(At):
    """arrays: those that were made of tensors, by the identity of these, so that one tensor is one array."""

    def __init__(self, label: str, arrays: dict[int, tuple], *, hint: str = ""):
        super().__init__(label, label, hint=hint)
        self.label, self.arrays = label, arrays

    def data(self, value) -> Data:
        if not isinstance(value, Data):
            raise self.fail(f"take a tensor that depends on the input, got {_kind(value)}")
        return value

    def array(self, tensor: torch.Tensor | None, part: str):
        """A tensor as an ndarray or csr_array; part: what it is in messages."""
        if tensor is None:
            return None
        if not isinstance(tensor, torch.Tensor):
            raise self.fail(f"have a parameter of the module as its {part}, got {_kind(tensor)}")
        if id(tensor) not in self.arrays:
            self.arrays[id(tensor)] = tensor, to_array(tensor, f"{self.label}: the {part}")
        return self.arrays[id(tensor)][1]

    def matrix(self, tensor, part: str):
        array = self.array(tensor, part)
        if array is None or len(array.shape) != 2:
            raise self.fail(f"have a matrix as its {part}, got {'none' if array is None else array.shape}")
        return array

    def operand(self, value) -> Data | np.ndarray:
        """Data, a dense tensor or a number."""
        if isinstance(value, Data):
            return value
        if isinstance(value, (int, float)):
            return np.asarray(float(value))
        array = self.array(value, "operand")
        if not isinstance(array, np.ndarray):
            raise self.fail("have dense operands")
        return array

    def number(self, value, part: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.fail(f"have a constant {part}, got {_kind(value)}")
        return float(value)

    def integer(self, value, part: str) -> int:
        if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_floating_point():
            value = value.item()
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fail(f"have an integer {part}, got {_kind(value)}{self.hint and ': ' + self.hint}")
        return value

    def integers(self, values, part: str) -> list[int]:
        """Integers, whether as one sequence or as the only argument; or one of them."""
        if isinstance(values, torch.Tensor) and values.dim() == 1:
            values = values.tolist()
        if isinstance(values, Sequence) and len(values) == 1 and isinstance(values[0], Sequence):
            values = values[0]
        if not isinstance(values, Sequence) or isinstance(values, str):
            values = [values]
        return [self.integer(value, part) for value in values]

    def sizes(self, values, part: str) -> list[int | None]:
        """As integers, but None for a size that is not known."""
        if len(values) == 1 and isinstance(values[0], Sequence):
            values = values[0]
        return [None if value is None else self.integer(value, part) for value in values]


def _kind(value) -> str:
    return "data" if isinstance(value, Data) else type(value).__name__
