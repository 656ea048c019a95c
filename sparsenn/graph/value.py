"""The values of a graph: inputs, what nodes compute, and constants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..checks import as_numbers, check_integer
from ..errors import ArgumentError

if TYPE_CHECKING:
    from .node import Node

Dims = tuple[int | None, ...]  # the batch first; None: known only when it runs, as the batch always is


class Value:
    """An input of a graph or what a node computes. Made by Input, or by calling a layer on values.

    name      within a Model; None for what a layer computes outside of one
    dims      (None, 784): the batch first, None for a dim that is known only when it runs
    producer  the Node that computes it; None for an input
    """

    __slots__ = ("name", "dims", "producer")

    def __init__(self, name: str | None, dims: Dims, producer: Node | None = None):
        self.name, self.dims, self.producer = name, dims, producer

    def __repr__(self) -> str:
        made = "Input" if self.producer is None else type(self.producer.layer).__name__
        return f"Value({'' if self.name is None else f'{self.name!r}, '}{self.dims}, of {made})"


class Constant:
    """An array that a node takes beside values, the same for every sample.

    array  float32 without a batch axis, read-only;  dims  (1, *array.shape)
    """

    __slots__ = ("name", "array")

    def __init__(self, name: str | None, array: np.ndarray):
        self.name, self.array = name, array

    @property
    def dims(self) -> Dims:
        return (1, *self.array.shape)

    def column(self, dtype) -> np.ndarray:
        """The array with an axis of 1 at the end, where the walk has the batch."""
        return self.array.astype(dtype)[..., np.newaxis]

    def __repr__(self) -> str:
        return f"Constant({self.array.shape})"


def Input(dims: Iterable[int | None], *, name: str | None = None) -> Value:
    """An input of a model: dims of a sample, without the batch; None for one that is known only when it runs.

    >>> import sparsenn as snn
    >>> snn.Input((784,), name="x")
    Value('x', (None, 784), of Input)
    """
    if isinstance(dims, str) or not isinstance(dims, Iterable):
        raise TypeError(f"dims must be a sequence such as (784,), got {type(dims).__name__}")
    after = tuple(
        None if dim is None else check_integer(f"dims[{i}]", dim, minimum=1) for i, dim in enumerate(dims)
    )
    if not after:
        raise ArgumentError("dims must hold at least one dim after the batch, got none")
    return Value(None if name is None else check_name(name), (None, *after))


def check_name(name: object) -> str:
    """name, which must be a string that is not empty."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    if not name:
        raise ArgumentError("name must not be empty")
    return name


def as_constant(array, *, rank: int, name: str) -> Constant:
    """A Constant of an array that a node takes beside values of that rank; a batch axis of 1 is dropped."""
    numbers = np.array(as_numbers(array, name), np.float32)
    if numbers.ndim > rank or (numbers.ndim == rank and len(numbers) != 1):
        raise ArgumentError(
            f"{name} must be a constant without a batch axis, or with one of 1, beside values of {rank} "
            f"dims, got shape {numbers.shape}"
        )
    numbers = np.atleast_1d(numbers[0] if numbers.ndim == rank else numbers)
    numbers.flags.writeable = False
    return Constant(None, numbers)
