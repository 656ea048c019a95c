"""Data: a tensor of the source that depends on its inputs, and where its batch is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ArgumentError, SparsennError, UnsupportedError
from ..layers import Activation, Function, Pair
from ._steps import Against, Scale
from ._wires import Erf, Sizes, Wire

LARGEST = 1 << 31  # a sample has fewer values
# Numbers of samples that stand for any: a network must be the same for both.
STAND_INS = (13, 17)


class BatchAxisError(UnsupportedError):
    """An op finds the batch in another dimension than it needs it in."""


class LearnedSizeError(Exception):
    """An input of (batch, features) has that many features: known now, so the source is read again."""

    def __init__(self, wire: Wire, size: int):
        super().__init__(size)
        self.wire, self.size = wire, size


class UnknownSizeError(UnsupportedError):
    """What an op makes depends on a size that is not known."""


class At:
    """A place in the source, for messages.

    label  what messages begin with;  name  of the layers made there
    wrong  the exception for what contradicts itself;  hint  what to do where sizes are not known
    """

    def __init__(self, label: str, name: str, *, wrong: type[SparsennError] = ArgumentError, hint: str = ""):
        self.label, self.name, self.wrong, self.hint = label, name, wrong, hint

    def fail(self, wanted: str) -> UnsupportedError:
        return UnsupportedError(f"{self.label} must {wanted}")

    def fail_batch(self, wanted: str) -> BatchAxisError:
        return BatchAxisError(f"{self.label} must {wanted}")

    def bad(self, wanted: str) -> SparsennError:
        return self.wrong(f"{self.label} must {wanted}")

    def unknown(self, data: Data) -> UnknownSizeError:
        hint = self.hint and ": " + self.hint
        return UnknownSizeError(f"{self.label} must know the sizes of its input, got {data}{hint}")


@dataclass(frozen=True, eq=False)
class Data:
    """A tensor whose samples are wire.

    batch  how many samples there are, a number that stands for any
    axis   of the batch; None: the tensor is the one sample that the source computes, all of it
    lead   dimensions of a sample, the first ones, that are one with the batch, as heads may be; then that is
           in front, and few functions take such data
    """

    wire: Wire
    batch: int
    axis: int | None = 0
    lead: int = 0

    @property
    def sizes(self) -> Sizes:
        return self.wire.sizes

    @property
    def features(self) -> int | None:
        """Values of a sample; None where it is not known."""
        return None if None in self.sizes else math.prod(self.sizes)

    @property
    def rank(self) -> int:
        return len(self.sizes) + (self.axis is not None) - self.lead

    @property
    def shape(self) -> Sizes:
        """Of the tensor, the batch included."""
        if self.lead:
            return (self.batch * math.prod(self.sizes[: self.lead]), *self.sizes[self.lead :])
        if self.axis is None:
            return self.sizes
        return (*self.sizes[: self.axis], self.batch, *self.sizes[self.axis :])

    def __str__(self) -> str:
        shown = ["?" if size is None else str(size) for size in self.sizes]
        if self.lead:
            shown = [" x ".join(["batch", *shown[: self.lead]]), *shown[self.lead :]]
            return f"({', '.join(shown)})"
        if self.axis is not None:
            shown.insert(self.axis, "batch")
        return f"({', '.join(shown)})"

    def then(self, step: object, *, sizes: Sizes | None = None) -> Data:
        """What a step makes of this alone."""
        wire = Wire(step, (self.wire,), self.sizes if sizes is None else tuple(sizes))
        return Data(wire, self.batch, self.axis, self.lead)

    def place(self, axis: int, at: At) -> int:
        """The index into sizes of an axis of the tensor, which may count from the end; never the batch."""
        plain = axis + self.rank if axis < 0 else axis
        if not 0 <= plain < self.rank:
            raise at.bad(f"have an axis in [{-self.rank}, {self.rank}), got {axis}")
        if self.axis is None:
            return plain
        if plain == self.axis:
            raise at.fail_batch(f"leave the batch alone, got axis {axis} of {self}")
        return plain - (plain > self.axis) + self.lead

    def of_a_sample(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape of as many dimensions without that of the batch."""
        return tuple(size for axis, size in enumerate(shape) if axis != self.axis)

    def size(self, place: int, at: At) -> int:
        """The size at an index into sizes, which must be known."""
        if self.sizes[place] is None:
            raise at.unknown(self)
        return self.sizes[place]


def learn(data: Data, size: int) -> None:
    """Raises LearnedSizeError where data of unknown (batch, features) has the features of an input."""
    wire = data.wire
    while wire.sizes == (None,):
        if wire.step is None:
            raise LearnedSizeError(wire, size)
        if not isinstance(wire.step, (Scale, Against, Erf, Activation, Function, Pair)):
            return
        wire = next((operand for operand in wire.operands if operand.sizes == (None,)), wire.operands[0])


def check_size(sizes: Sizes, at: At) -> None:
    if None not in sizes and math.prod(sizes) >= LARGEST:
        raise at.fail(f"make fewer than 2^31 values a sample, got sizes {sizes}")
