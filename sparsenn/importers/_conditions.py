"""Comparisons, what joins their results, and Where: booleans are 1 and 0."""

from __future__ import annotations

import numpy as np

from ..layers import Equal, Expand, Less, LessEqual, Max, Min, Mul, ReLU, Reshape, Slice, Transpose, Where
from ._arithmetic import combined, per_sample, plus, raised
from ._data import At, Data, check_size
from ._steps import Against, Beside, Scale
from ._wires import Wire

_COMPARES = (Equal, Less, LessEqual)
_JOINS = (Mul, Min, Max)


def numbers(values):
    """A constant of booleans as 1 and 0; anything else as it is."""
    return (
        values.astype(np.float32) if isinstance(values, np.ndarray) and values.dtype.kind == "b" else values
    )


def compared(op: str, left, right, at: At) -> Data:
    """Equal, Less or LessEqual of two tensors, at least one of them Data."""
    return combined(op, numbers(left), numbers(right), at)


def negated(data: Data, at: At) -> Data:
    """Not, of what is 1 or 0."""
    return plus(data, np.ones(1), at, scale=-1)


def truth(data: Data, at: At) -> Data:
    """1 where data is not 0."""
    if is_truth(data.wire):
        return data
    return negated(compared("Equal", data, np.zeros(1, np.float32), at), at)


def is_truth(wire: Wire) -> bool:
    """Whether it is made of comparisons and constants of 1 and 0 alone, moved or not."""
    step = wire.step.layer if isinstance(wire.step, Against) else wire.step
    if isinstance(step, (Expand, ReLU, Reshape, Slice, Transpose)):
        return is_truth(wire.operands[0])
    if isinstance(step, _COMPARES):
        return True
    if isinstance(step, _JOINS):
        constant = getattr(wire.step, "constant", None)
        return (constant is None or _binary(constant)) and all(map(is_truth, wire.operands))
    if not isinstance(step, Scale) or not _binary(step.shift) or not _binary(step.scale + step.shift):
        return False
    return is_truth(wire.operands[0])


def _binary(values) -> bool:
    return bool(np.isin(values, (0, 1)).all())


def where(condition, x, y, at: At) -> Data:
    """x where the condition is not 0, else y: Data or ndarrays, at least one of them Data."""
    operands = [numbers(operand) for operand in (condition, x, y)]
    data = [operand for operand in operands if isinstance(operand, Data)]
    rank = max(operand.rank if isinstance(operand, Data) else operand.ndim for operand in operands)
    data = [raised(own, rank, at) for own in data]
    if len({own.axis for own in data}) > 1:
        raise at.fail_batch(f"have the batch of all in one dimension, got {', '.join(map(str, data))}")
    shapes = [own.sizes for own in data]
    for operand in operands:
        if not isinstance(operand, Data):
            full = (1,) * (rank - operand.ndim) + operand.shape
            shapes.append(data[0].of_a_sample(full))
    if any(None in shape for shape in shapes):
        raise at.unknown(next((own for own in data if None in own.sizes), data[0]))
    try:
        sizes = np.broadcast_shapes(*shapes)
    except ValueError:
        raise at.bad(f"have operands that fit as numpy broadcasts, got {shapes}") from None
    check_size(sizes, at)
    constants = tuple(
        None if isinstance(operand, Data) else per_sample(operand, data[0], at, sizes=sizes)
        for operand in operands
    )
    step = Beside(Where(), constants, at.name) if len(data) < 3 else Where()
    return Data(Wire(step, tuple(own.wire for own in data), sizes), data[0].batch, data[0].axis)
