"""What the layers share that make one value of each channel's window."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..graph.coupling import Coupling, along_first, spread
from ..graph.node import Node
from ..graph.value import Dims
from .layer import Layer
from .window import Window


class Pool(Layer):
    """A channel of its value is made of that channel of its operand alone."""

    window: Window
    over_all: ClassVar[Layer]  # of an image of any size

    def sized(self, dims: Dims) -> Pool:
        if self.window.rule is None or None in dims[2:]:
            return self
        pads = self.window.on(*dims[2:]).numbers
        return self.of_integers(**{name: pads.get(name, own) for name, own in self.integer_values.items()})

    def open_forms(self, dims: Dims) -> tuple[Layer, ...]:
        whole = self.window.kernel == tuple(dims[2:]) and not any(self.window.padding)
        return (self, self.over_all) if whole else (self,)

    @property
    def keeps_constants(self) -> bool:
        """Whether a channel that is the same everywhere stays so."""
        return True

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        return spread(coupling.of_channels(labels), node.output.dims)

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        values = along_first(z)
        alike = (values == values[:, :1]).all(axis=1) & (self.keeps_constants | (values[:, 0] == 0))
        return spread(np.where(alike, values[:, 0], np.nan), node.output.dims)

    def depends(self, mask: np.ndarray) -> np.ndarray:
        window = self.window.on(*mask.shape[1:3])
        return np.stack(window.places(window.padded(mask, False))).any(axis=0)
