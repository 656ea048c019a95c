"""A node of an ONNX graph with its evaluated inputs."""

from __future__ import annotations

import numpy as np

from ..errors import FormatError
from ._data import At, Data


class Node(At):
    """Its inputs are Data, ndarray, csr_array, or None where an optional one is left out.

    outputs  names;  used  which of them are read;  opset  of the file;  whole  it reads integers of the input
    """

    def __init__(self, label, op, inputs, outputs, used, attributes, opset, hint="", *, whole=False):
        super().__init__(f"op {op!r} of node {label}", f"{op} {label}", wrong=FormatError, hint=hint)
        self.op, self.inputs, self.outputs, self.used = op, inputs, outputs, used
        self.attributes, self.opset, self.whole = attributes, opset, whole

    def input(self, index: int):
        """An input that may be left out: then None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def data(self, index: int = 0) -> Data:
        """An input that must depend on the graph's inputs."""
        value = self.input(index)
        if not isinstance(value, Data):
            raise self.fail(f"have data as input {index}, got a constant or nothing")
        return value

    def constant(self, index: int, *, optional: bool = False) -> np.ndarray | None:
        """An input that must be a dense constant."""
        value = self.input(index)
        if value is None and optional:
            return None
        if not isinstance(value, np.ndarray):
            raise self.fail(f"have a dense constant as input {index}")
        return value

    def weight(self, index: int):
        """An input that must be a constant matrix, dense or sparse."""
        value = self.input(index)
        if value is None or isinstance(value, Data):
            raise self.fail(f"have a constant as input {index}: two tensors of data cannot be multiplied")
        if len(value.shape) != 2 or 0 in value.shape:
            raise self.fail(f"have a matrix as input {index}, got shape {value.shape}")
        return value

    def number(self, index: int) -> float | None:
        """An optional input of one element."""
        value = self.constant(index, optional=True)
        if value is None:
            return None
        if value.size != 1:
            raise self.fail(f"have a single number as input {index}, got shape {value.shape}")
        return float(value.reshape(()))

    def integers(self, name: str, index: int, *, since: int) -> list[int] | None:
        """Integers that are an attribute, and from an opset on an input; None where they are left out."""
        if self.opset < since:
            return list(self.attributes.get(name, ())) if name in self.attributes else None
        value = self.constant(index, optional=True)
        if value is None:
            return None
        if value.dtype.kind not in "iu" or value.ndim > 1:
            raise self.bad(f"have integers as input {index}, got {value.dtype} {value.shape}")
        return [int(number) for number in value.reshape(-1)]
