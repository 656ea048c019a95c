"""What every layer has: its name in the core, its attributes, and plain arithmetic that tests everything.

Arrays are feature-major: z, a and da are (features, batch), or tiles of that, (tiles, features, samples), of
any float dtype.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

EPS = float(np.finfo(np.float32).eps)
TINY = float(np.finfo(np.float32).tiny)


class Layer(ABC):
    """One node of a model."""

    op: ClassVar[str]  # its name in the core and in model files
    attributes: ClassVar[tuple[str, ...]] = ()  # names of its float attributes, in the core's order

    @abstractmethod
    def value(self, z: np.ndarray) -> np.ndarray:
        """z -> a, in the dtype of z: the slow, obvious forward pass."""

    @abstractmethod
    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """How far a float32 pass may be from a = value(z), where its input may be bound from z; float64."""

    @property
    def attribute_values(self) -> tuple[float, ...]:
        return tuple(getattr(self, name) for name in self.attributes)


class Activation(Layer):
    """A layer without weights that keeps the shape of its input."""

    word: ClassVar[str]  # its name in mlp(activation=...)
    steepest: ClassVar[float] = 1.0  # its slope is nowhere larger
    rectifies: ClassVar[bool] = False  # weights before it have a variance of 2 / in (He et al. 2015)
    reads_input: ClassVar[bool] = False  # the gradient is a function of z too, not of a alone
    mixes_features: ClassVar[bool] = False  # an output depends on more than its own feature
    onnx_opset: ClassVar[int] = 13  # the oldest that has what to_onnx writes

    @abstractmethod
    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da, the gradient of the loss with respect to a, -> that with respect to z."""

    @abstractmethod
    def to_torch(self, nn):
        """The module of torch.nn, which is nn, that computes the same."""

    @abstractmethod
    def to_onnx(self, graph, x: str) -> str:
        """Writes nodes that compute the same of the value x into an exporters._onnx_graph.Graph."""

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """The steepest slope times the input's, and 8 eps of the value."""
        return self.steepest * bound + 8 * EPS * abs(a) + TINY

    def copy(self) -> Activation:
        """Itself: nothing in it changes."""
        return self
