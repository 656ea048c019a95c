"""What flows through an ONNX graph while it is turned into steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import FormatError, UnsupportedError

# A constant that is spread over more features than it has values takes memory that no byte of the file
# stands for: up to here.
MOST_SPREAD = 1 << 22


class BatchAxisError(UnsupportedError):
    """An op finds the batch in the other dimension than it needs it."""


class Erf:
    """A step of its own while the formula of GELU is being recognised; no Model has it."""


@dataclass(frozen=True, eq=False)
class Chain:
    """A step, and the chain before it; several chains may share one before them."""

    before: Chain | None
    step: object
    length: int = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "length", 1 + length_of(self.before))


def length_of(chain: Chain | None) -> int:
    return 0 if chain is None else chain.length


def steps_after(chain: Chain | None, start: Chain | None = None) -> list:
    """The steps of chain after start, which is a part of it."""
    steps = []
    while chain is not start:
        steps.append(chain.step)
        chain = chain.before
    return steps[::-1]


def fork(chains: list[Chain | None]) -> Chain | None:
    """The longest chain that is a part of all chains. Its cost is what comes after it."""
    shortest = min(map(length_of, chains))
    places = set()
    for chain in chains:
        while length_of(chain) > shortest:
            chain = chain.before
        places.add(chain)
    while len(places) > 1:
        places = {place.before for place in places}
    return places.pop()


@dataclass(frozen=True, eq=False)
class Data:
    """A tensor that depends on the input: (batch, *sizes), or (*sizes, batch) for batch_axis 1."""

    chain: Chain | None
    sizes: tuple[int | None, ...]  # None: not declared
    batch: int | None
    batch_axis: int

    @property
    def features(self) -> int | None:
        """The number of features of a sample; None where it is not known."""
        return None if None in self.sizes else math.prod(self.sizes)

    def then(self, step: object, *, sizes: tuple | None = None) -> Data:
        """What a step makes of this."""
        return replace(self, chain=Chain(self.chain, step), sizes=self.sizes if sizes is None else sizes)


@dataclass(frozen=True, eq=False)
class Sizes:
    """Part of the shape of a Data as int64 numbers, where 0 stands for the batch."""

    values: np.ndarray


@dataclass(frozen=True)
class Node:
    """One node with its evaluated inputs; a missing optional one is None."""

    label: str
    op: str
    inputs: list
    outputs: list[str]
    used: list[bool]
    attributes: object
    opset: int
    where: str = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "where", f"{self.op} {self.label}")

    def input(self, index: int):
        """An input that may be left out: then None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def fail(self, wanted: str) -> UnsupportedError:
        return UnsupportedError(f"op {self.op!r} of node {self.label} must {wanted}")

    def data(self, index: int = 0) -> Data:
        """An input that must depend on the graph's input."""
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
        """An input that must be a constant matrix, dense or sparse, of floats."""
        value = self.input(index)
        if value is None or isinstance(value, (Data, Sizes)):
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

    def flat(self, data: Data, *, batch_axis: int = 0) -> Data:
        """data, which must be (batch, features), or (features, batch) for batch_axis 1."""
        if len(data.sizes) != 1:
            raise self.fail(f"take (batch, features), got (batch, {', '.join(map(str, data.sizes))})")
        if data.batch_axis != batch_axis:
            raise BatchAxisError(str(self.fail(f"have the batch in dimension {batch_axis}")))
        return data

    def per_feature(self, values: np.ndarray, data: Data) -> np.ndarray:
        """A constant that is broadcast against data: one number for all features, or one a feature."""
        if values.dtype.kind not in "fiu":
            raise FormatError(f"op {self.op!r} of node {self.label} must have numbers, got {values.dtype}")
        if values.size == 1 and values.ndim <= len(data.sizes) + 1:
            return values.reshape(1)
        shape = list(values.shape)
        if len(shape) == len(data.sizes) + 1 and shape.pop(data.batch_axis) != 1:
            raise BatchAxisError(
                str(self.fail(f"do the same to every sample, got a constant of shape {values.shape}"))
            )
        if data.batch_axis == 1 and values.ndim == 1:
            raise BatchAxisError(str(self.fail("have the batch in dimension 0")))
        if len(shape) > len(data.sizes):
            raise self.fail(f"not add dimensions, got a constant of shape {values.shape}")
        return self.spread(values.reshape(shape), data)

    def spread(self, values: np.ndarray, data: Data) -> np.ndarray:
        """values broadcast to the sizes of data, row by row."""
        if len(data.sizes) == 1 and values.ndim == 1 and data.features in (None, values.size):
            return values
        if data.features is None:
            raise self.fail(f"know the sizes of its input, got {data.sizes}")
        if data.features > MOST_SPREAD:
            raise self.fail(f"spread a constant over at most {MOST_SPREAD} features, got {data.features}")
        try:
            return np.broadcast_to(values, data.sizes).reshape(-1)
        except ValueError:
            raise self.fail(f"keep the sizes {data.sizes}, got a constant of shape {values.shape}") from None
