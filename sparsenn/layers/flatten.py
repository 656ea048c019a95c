"""All values of a sample as its features."""

from __future__ import annotations

from ..graph.value import Value
from .reshape import Reshape


class Flatten:
    """A Reshape to (batch, features).

    >>> import sparsenn as snn
    >>> snn.Flatten()(snn.Input((3, 8, 8)))
    Value((None, 192), of Reshape)
    """

    def __call__(self, x: Value) -> Value:
        return Reshape((-1,))(x)
