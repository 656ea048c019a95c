"""Products of two tensors of which no one is a weight: of data and data, or a constant a sample."""

from __future__ import annotations

import numpy as np

from ..layers import MatMul
from ._data import At, Data, check_size
from ._steps import Beside
from ._wires import Wire

Operand = Data | np.ndarray


def matrices(left: Operand, right: Operand, at: At) -> Data:
    """The matrices of the last two dimensions, multiplied; those before are broadcast, but for the batch."""
    data = left if isinstance(left, Data) else right
    if not isinstance(data, Data):
        raise at.fail("have data, got two constants")
    operands = [_operand(own, data, at) for own in (left, right)]
    sizes = [own.sizes if isinstance(own, Data) else own.shape for own in operands]
    if any(None in own for own in sizes):
        raise at.unknown(next(own for own in operands if isinstance(own, Data) and None in own.sizes))
    if min(map(len, sizes)) < 2:
        raise at.fail(f"multiply matrices of each sample, got {left} and {right}")
    if sizes[0][-1] != sizes[1][-2]:
        raise at.bad(f"have matrices that fit, got sizes {sizes[0]} and {sizes[1]}")
    try:
        outer = np.broadcast_shapes(sizes[0][:-2], sizes[1][:-2])
    except ValueError:
        raise at.bad(f"have operands that fit as numpy broadcasts, got {sizes[0]} and {sizes[1]}") from None
    made = (*outer, sizes[0][-2], sizes[1][-1])
    check_size(made, at)
    wires = tuple(own.wire for own in operands if isinstance(own, Data))
    constants = tuple(None if isinstance(own, Data) else own for own in operands)
    step = MatMul() if len(wires) == 2 else Beside(MatMul(), constants, at.name)
    return Data(Wire(step, wires, made), data.batch, 0, data.lead)


def _operand(own: Operand, data: Data, at: At) -> Operand:
    """Data with its batch in front, or a constant as it is for a sample."""
    if isinstance(own, Data):
        if own.axis != 0 or own.rank != data.rank or own.lead != data.lead:
            raise at.fail_batch(f"have the batch of both in dimension 0, got {own} and {data}")
        return own
    if own.dtype.kind != "f":
        raise at.bad(f"have floats, got {own.dtype}")
    if data.lead:
        raise at.fail(f"multiply data by data, got a constant of shape {own.shape} for {data}")
    repeated = own.ndim == data.rank
    if own.ndim > data.rank or (repeated and (len(own) not in (1, data.batch) or (own != own[:1]).any())):
        raise at.fail_batch(f"do the same to every sample, got a constant of shape {own.shape}")
    return own[0] if repeated else own
