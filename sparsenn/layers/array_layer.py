"""What layers share that hold arrays of their own which training moves, and no weight matrix."""

from __future__ import annotations

import numpy as np

from .layer import Layer


class ArrayLayer(Layer):
    """Its constants are float32 arrays, attributes of those names."""

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of the arrays that have gradients."""
        return self.constants

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The layer's own arrays, in the order of its constants."""
        return tuple(getattr(self, name) for name in self.constants)

    @arrays.setter
    def arrays(self, given) -> None:
        for name, array in zip(self.constants, given, strict=True):
            setattr(self, name, array)

    def make_writable(self) -> None:
        """Replaces arrays that cannot be written by copies."""
        if not all(array.flags.writeable for array in self.arrays):
            self.arrays = self.copy().arrays
