"""What every layer has: its name in the core, its attributes, and plain arithmetic that tests everything.

Arrays are feature-major: z, a and da are (dims of a sample ..., batch), mostly (features, batch), of any
float dtype. Activations also take tiles of that, (tiles, features, samples).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from ..graph.coupling import Coupling, shape_of, slim
from ..graph.node import Node, call
from ..graph.value import Constant, Dims, Value

EPS = float(np.finfo(np.float32).eps)
TINY = float(np.finfo(np.float32).tiny)


class Layer(ABC):
    """What a node of a model does. Called on values it is put at a new node and gives what that computes."""

    op: ClassVar[str]  # its name in the core and in model files
    attributes: ClassVar[tuple[str, ...]] = ()  # names of its float attributes, in the core's order
    integers: ClassVar[tuple[str, ...]] = ()  # of those that are whole numbers, or one list of them
    constants: ClassVar[tuple[str, ...]] = ()  # names of arrays of its own, behind its operands in the core
    operands: ClassVar[tuple[int, float]] = (1, 1)  # how many it takes, at least and at most
    takes_constants: ClassVar[bool] = False  # an operand may be one
    passes_slopes: ClassVar[bool] = True  # its value changes with those of its operands by slopes
    onnx_opset: ClassVar[int] = 13  # the oldest that has what to_onnx writes
    torch_takes_batch: ClassVar[bool] = False  # constants that torch_value is given have one, as values have
    torch_takes_rank: ClassVar[bool] = False  # torch_value has a keyword of that name

    def __call__(self, *operands: Value | Constant | np.ndarray) -> Value:
        return call(self, operands)

    def resolve(self, *dims: Dims) -> Layer:
        """The layer with what depends on the operands' dims made plain, as a negative axis."""
        return self

    def sized(self, *dims: Dims) -> Layer:
        """Itself, with numbers for what follows from the sizes of its operands where these are known."""
        return self

    def open_forms(self, *dims: Dims) -> tuple[Layer, ...]:
        """Layers that do the same to operands of those dims, and may do so to others: itself is the first.

        What stands for a size of an operand does so by itself in one of them, as -1 or a scale.
        """
        return (self,)

    @abstractmethod
    def infer(self, *dims: Dims) -> Dims:
        """The dims of its value, of those of its operands. ArgumentError where they do not fit."""

    @abstractmethod
    def value(self, *z: np.ndarray) -> np.ndarray:
        """z -> a, in the dtype of z: the slow, obvious forward pass. Of several operands: (*z) -> a."""

    @abstractmethod
    def bound(self, *arguments: np.ndarray) -> np.ndarray:
        """(z, a, bound): how far a float32 pass may be from a = value(z), its input bound from z; float64.

        Of several operands: (*z, a, *bounds).
        """

    @abstractmethod
    def gradient(self, *arguments: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
        """(z, a, da): da, the gradient of the loss with respect to a, -> that with respect to z.

        Of several operands: (*z, a, da) -> a tuple of one each.
        """

    @abstractmethod
    def depends(self, *masks: np.ndarray) -> np.ndarray:
        """Which of its values change with the inputs, of the masks of those of its operands that do."""

    def follow(self, coupling: Coupling, node: Node, *labels: np.ndarray | None) -> np.ndarray:
        """The labels of its value at a node, of those of its operands; None for a constant.

        What must go together is joined. A layer that does not say needs its operands as they are.
        """
        name = type(self).__name__
        for own in labels:
            coupling.pin(own, f"before {'an' if name[0] in 'AEIOU' else 'a'} {name}")
        return np.broadcast_to(np.int64(0), shape_of(node.output.dims))

    def constant(self, node: Node, *z: np.ndarray) -> np.ndarray:
        """What its value is whatever the model is given, float64 of the shape of labels; NaN: nobody knows.

        z is the same of its operands, a constant being known.
        """
        return np.broadcast_to(np.nan, shape_of(node.output.dims))

    def shrunk(self, before: list[tuple[np.ndarray, ...]], after: tuple[np.ndarray, ...]) -> Layer:
        """The layer for values of which only some places along each axis are left.

        before, after  masks of each operand and of its value, one for each axis of a sample
        """
        return self

    @classmethod
    def of_integers(cls, **integers) -> Layer:
        """The layer with these integer_values."""
        return cls(**integers)

    @property
    def attribute_values(self) -> tuple[float, ...]:
        return tuple(getattr(self, name) for name in self.attributes)

    @property
    def integer_values(self) -> dict[str, int | tuple[int, ...]]:
        return {name: getattr(self, name) for name in self.integers}

    def copy(self) -> Layer:
        """Itself where nothing in it changes, else a layer with arrays of its own."""
        return self


class Pointwise(Layer):
    """A layer of one operand whose value at a place is of that of the operand there alone."""

    def infer(self, dims: Dims) -> Dims:
        return dims

    def depends(self, mask: np.ndarray) -> np.ndarray:
        return mask

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        return labels

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self.value(slim(z)), z.shape)


class Activation(Pointwise):
    """A layer without weights that keeps the shape of its input; at each place by itself, or mixed."""

    word: ClassVar[str]  # its name in mlp(activation=...)
    steepest: ClassVar[float] = 1.0  # its slope is nowhere larger
    rectifies: ClassVar[bool] = False  # weights before it have a variance of 2 / in (He et al. 2015)
    reads_input: ClassVar[bool] = False  # the gradient is a function of z too, not of a alone
    mixes_features: ClassVar[bool] = False  # an output depends on more than its own feature

    @abstractmethod
    def to_torch(self, nn):
        """The module of torch.nn, which is nn, that computes the same."""

    @abstractmethod
    def to_onnx(self, graph, x: str) -> str:
        """Writes nodes that compute the same of the value x into an exporters._onnx_graph.Graph."""

    def depends(self, mask: np.ndarray) -> np.ndarray:
        """As its operand; all features of a position together where they are mixed."""
        return np.broadcast_to(mask.any(axis=-2, keepdims=True), mask.shape) if self.mixes_features else mask

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        kind = Layer if self.mixes_features else Pointwise
        return kind.follow(self, coupling, node, labels)

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        return (Layer if self.mixes_features else Pointwise).constant(self, node, z)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """The steepest slope times the input's, and 8 eps of the value."""
        return self.steepest * bound + 8 * EPS * abs(a) + TINY
