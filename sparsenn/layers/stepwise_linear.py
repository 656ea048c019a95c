"""A linear layer at every step of a sequence."""

from __future__ import annotations

from ..errors import ArgumentError
from ..graph.value import Value
from .conv2d import Conv2d
from .reshape import Reshape
from .transpose import Transpose


class StepwiseLinear:
    """y = W x + b at each step of (batch, steps, in): a Conv2d of one place, with steps as its positions.

    weight (out, in), an ndarray or any scipy sparse matrix; bias (out,) or None. Steps may be any number. One
    object called twice shares its weight.

    >>> import numpy as np, sparsenn as snn
    >>> snn.StepwiseLinear(np.ones((4, 3)))(snn.Input((None, 3)))
    Value((None, None, 4), of Transpose)
    """

    def __init__(self, weight, bias=None):
        self.layer = Conv2d(weight, bias, kernel_size=1)

    def __call__(self, x: Value) -> Value:
        if not isinstance(x, Value):
            raise TypeError(f"StepwiseLinear must be called on a Value, got {type(x).__name__}")
        rows, columns = self.layer.shape
        if len(x.dims) != 3 or x.dims[2] != columns:
            raise ArgumentError(
                f"operand of a StepwiseLinear with a weight of shape {self.layer.shape} must have dims "
                f"(None, steps, {columns}), got {x.dims}"
            )
        steps = -1 if x.dims[1] is None else x.dims[1]
        made = self.layer(Reshape((columns, 1, steps))(Transpose((2, 1))(x)))
        return Transpose((2, 1))(Reshape((rows, steps))(made))
