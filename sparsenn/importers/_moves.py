"""What moves the values of a tensor: each function is one of the source's operations on Data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, UnsupportedError
from ..graph.value import Value
from ..layers import Concat, Embedding, Expand, Pad, Reshape, Slice, Transpose
from ..layers.blocks import Blocks
from ._data import At, Data, check_size, learn
from ._steps import Beside, as_constant
from ._wires import Sizes, Wire

MOST_RUNS = 256  # of neighbouring indices that are taken one by one


def alone(data: Data, at: At) -> Data:
    """The tensor as one sample, its batch of 1 a dimension like the others."""
    if data.axis is None or data.batch != 1:
        return data
    return _under(data, data.shape, axis=None, at=at)


def batched(data: Data, axis: int, at: At) -> Data:
    """The tensor with its batch in axis, of one sample a dimension of 1."""
    if data.axis is not None or not 0 <= axis < data.rank or data.sizes[axis] != 1:
        return data
    return _under(data, (*data.sizes[:axis], *data.sizes[axis + 1 :]), axis=axis, at=at)


def reshaped(data: Data, shape: Sequence[int | None], at: At) -> Data:
    """The tensor under another shape, of which one size may be -1; the batch, if more than one, stays.

    None: a size of data that is not known, as it is.
    """
    if data.batch != 1 or None in shape or None in data.sizes:
        return _of_each(data, shape, at)
    if data.axis is None:
        known = math.prod(size for size in shape if size != -1)
        if known < 1 or data.features % known or (known != data.features and shape.count(-1) != 1):
            raise at.bad(f"keep the {data.features} values of {data}, got shape {tuple(shape)}")
        return _under(
            data, tuple(data.features // known if size == -1 else size for size in shape), axis=None, at=at
        )
    try:
        return _of_each(data, shape, at)
    except UnsupportedError:
        return reshaped(alone(data, at), shape, at)


def _of_each(data: Data, shape: Sequence[int | None], at: At) -> Data:
    if None in shape:
        if tuple(shape) == data.shape:
            return data
        if list(shape).count(None) > 1 or -1 in shape:
            raise at.unknown(data)
        shape = [-1 if size is None else size for size in shape]
    if data.axis != 0:
        return _reshaped_behind(data, shape, at)
    first, rest = (shape[0], list(shape[1:])) if shape else (None, [])
    others = [size for size in rest if size != -1]
    if first not in (-1, data.batch) or not rest or min(others, default=1) < 1:
        raise at.fail(f"keep the batch in dimension 0, got shape {tuple(shape)} for {data}")
    known, free = math.prod(others), rest.count(-1)
    if free > 1 or (free and first == -1):
        raise at.bad(f"have at most one size of -1, got shape {tuple(shape)}")
    if data.features is None and not free:
        learn(data, known)
        raise at.unknown(data)
    if free:
        if data.features is not None and data.features % known:
            raise at.bad(f"keep the {data.features} features of each sample, got shape {tuple(shape)}")
        rest[rest.index(-1)] = None if data.features is None else data.features // known
    elif known != data.features:
        raise at.fail(f"keep the {data.features} features of each sample, got shape {tuple(shape)}")
    return _under(data, tuple(rest), axis=0, at=at)


def merged(data: Data, shape: Sequence[int | None], at: At) -> Data:
    """reshaped, also to and from shapes in which the first dimensions of a sample are one with the batch."""
    full = _resolved(data, shape)
    lone = full is not None and data.batch == 1 and len(full) < 3
    if full is None or lone or (not data.lead and full[0] == data.batch):
        return reshaped(data, shape, at)
    heads, rest = divmod(full[0], data.batch)
    counts = [math.prod(data.sizes[:count]) for count in range(len(data.sizes) + 1)]
    if rest or heads not in counts or full[0] * math.prod(full[1:]) != data.batch * counts[-1]:
        if not data.lead:
            return reshaped(data, shape, at)  # which says why not
        raise at.fail(f"keep the batch in dimension 0, got shape {tuple(shape)} for {data}")
    lead = 0 if heads == 1 else counts.index(heads)
    made = _under(Data(data.wire, data.batch), (*data.sizes[:lead], *full[1:]), axis=0, at=at)
    return Data(made.wire, data.batch, 0, lead)


def _resolved(data: Data, shape: Sequence[int | None]) -> list[int] | None:
    """The shape with a number for -1; None where that is not known, or data has its batch elsewhere."""
    if None in shape or None in data.sizes or data.axis != 0 or not shape or shape.count(-1) > 1:
        return None
    others, whole = math.prod(size for size in shape if size != -1), data.batch * math.prod(data.sizes)
    if others < 1 or whole % others:
        return None
    return [whole // others if size == -1 else size for size in shape]


def _reshaped_behind(data: Data, shape: Sequence[int], at: At) -> Data:
    """Other sizes behind the batch where that is not in front: what is before it stays, as steps do."""
    lead, rest = data.axis, list(shape[data.axis + 1 :])
    if tuple(shape[: lead + 1]) != data.shape[: lead + 1] or None in data.sizes:
        raise at.fail_batch("have the batch in dimension 0")
    features, known = math.prod(data.sizes[lead:]), math.prod(size for size in rest if size != -1)
    if rest.count(-1) > 1 or min((size for size in rest if size != -1), default=1) < 1:
        raise at.bad(f"have at most one size of -1, got shape {tuple(shape)}")
    if features % known or (known != features and -1 not in rest):
        raise at.fail(f"keep the {features} values behind the batch, got shape {tuple(shape)} for {data}")
    made = (features // known if size == -1 else size for size in rest)
    return _under(data, (*data.sizes[:lead], *made), axis=lead, at=at)


def flattened(data: Data, start: int, end: int, at: At) -> Data:
    """The dimensions start to end, both included, as one."""
    start, end = (axis + data.rank if axis < 0 else axis for axis in (start, end))
    if data.axis != 0:
        raise at.fail_batch("have the batch in dimension 0")
    if not 1 <= start <= end < data.rank:
        raise at.fail(f"keep the batch and flatten the rest, got dimensions {start} to {end} of {data}")
    part = data.sizes[start - 1 : end]
    whole = None if None in part else math.prod(part)
    return _under(data, (*data.sizes[: start - 1], whole, *data.sizes[end:]), axis=0, at=at)


def squeezed(data: Data, axes: Sequence[int] | None, at: At) -> Data:
    """Without those dimensions of size 1; None: without any."""
    if axes is None:
        data = alone(data, at)
        places = {place for place, size in enumerate(data.sizes) if size == 1}
        if None in data.sizes:
            raise at.unknown(data)
    else:
        if data.axis in [axis + data.rank if axis < 0 else axis for axis in axes]:
            data = alone(data, at)
        places = {data.place(axis, at) for axis in axes}
        for place in places:
            if data.size(place, at) != 1:
                raise at.bad(f"drop dimensions of size 1, got {data.sizes[place]}")
    sizes = tuple(size for place, size in enumerate(data.sizes) if place not in places)
    axis = data.axis
    return _under(data, sizes, axis=axis and axis - sum(place < axis for place in places), at=at)


def unsqueezed(data: Data, axes: Sequence[int], at: At) -> Data:
    """With a dimension of size 1 at each of those axes of the result."""
    rank = data.rank + len(axes)
    new = {axis + rank if axis < 0 else axis for axis in axes}
    if len(new) != len(axes) or not all(0 <= axis < rank for axis in new) or rank > 64:
        raise at.bad(f"have axes of their own in [{-rank}, {rank}), got {tuple(axes)[:8]}")
    left = iter(enumerate(data.shape))
    full = [(None, 1) if axis in new else next(left) for axis in range(rank)]
    axis = data.axis
    batch = None if axis is None else next(place for place, (old, _) in enumerate(full) if old == axis)
    sizes = tuple(size for axis, (_, size) in enumerate(full) if axis != batch)
    return _under(data, sizes, axis=batch, at=at)


def permuted(data: Data, order: Sequence[int], at: At) -> Data:
    """The dimensions in that order."""
    plain = [axis + data.rank if axis < 0 else axis for axis in order]
    if sorted(plain) != list(range(data.rank)):
        raise at.bad(f"have a permutation of {data.rank} dimensions, got {tuple(order)[:8]}")
    if data.lead and plain[0] != 0:
        raise at.fail_batch(f"leave the batch in front, got dimensions {tuple(order)} of {data}")
    places = [*range(data.lead), *(data.place(axis, at) for axis in plain if axis != data.axis)]
    moved = data if places == sorted(places) else data.then(
        Transpose(tuple(place + 1 for place in places)), sizes=tuple(data.sizes[place] for place in places)
    )  # fmt: skip
    return Data(moved.wire, data.batch, plain.index(data.axis) if data.axis in plain else None, data.lead)


def in_blocks(data: Data, layer: Blocks, at: At) -> Data:
    """DepthToSpace or SpaceToDepth of images."""
    if data.axis != 0:
        raise at.fail_batch("have the batch in dimension 0")
    if None in data.sizes:
        raise at.unknown(data)
    try:
        sizes = layer.infer((None, *data.sizes))[1:]
    except ArgumentError as error:
        raise at.bad(f"have blocks that fit: {error}") from None
    return data.then(layer, sizes=sizes)


def sliced(data: Data, axis: int, start: int | None, stop: int | None, step: int | None, at: At) -> Data:
    """start:stop:step of one dimension, as in numpy."""
    if data.axis is not None and axis in (data.axis, data.axis - data.rank):
        if slice(start, stop, step).indices(data.batch) != (0, data.batch, 1):
            raise at.fail(f"take whole batches, got [{start}:{stop}:{step}] of {data}")
        return data
    place = data.place(axis, at)
    if step is not None and step < 1:
        raise at.fail(f"have a step of at least 1, got {step}")
    if (start or 0) == 0 and stop is None and step in (None, 1):
        return data
    size = data.size(place, at)
    begin, end, every = slice(start, stop, step).indices(size)
    taken = len(range(begin, end, every))
    if taken == 0:
        raise at.fail(f"leave a place of {size}, got [{start}:{stop}:{step}]")
    if taken == size:
        return data
    return data.then(
        Slice(place + 1, begin, end, every), sizes=(*data.sizes[:place], taken, *data.sizes[place + 1 :])
    )


def split_up(data: Data, sizes: Sequence[int], axis: int, at: At) -> list[Data]:
    """Parts of those sizes along axis."""
    size = data.size(data.place(axis, at), at)
    if sum(sizes) != size or min(sizes, default=0) < 1:
        raise at.bad(f"have parts of at least 1 that add up to {size}, got {tuple(sizes)[:8]}")
    ends = itertools.accumulate(sizes)
    return [sliced(data, axis, end - part, end, 1, at) for part, end in zip(sizes, ends, strict=True)]


def taken(data: Data, indices: Sequence[int], axis: int, at: At) -> Data:
    """Those places of one dimension, in that order."""
    size = data.size(data.place(axis, at), at)
    plain = [index + size if index < 0 else index for index in indices]
    if not plain or min(plain) < 0 or max(plain) >= size:
        raise at.bad(f"have indices in [{-size}, {size}), got {tuple(indices)[:8]}")
    starts = [i for i, index in enumerate(plain) if i == 0 or index != plain[i - 1] + 1]
    if len(starts) > MOST_RUNS:
        raise at.fail(f"take at most {MOST_RUNS} runs of neighbours, got {len(starts)}")
    parts = [
        sliced(data, axis, plain[begin], plain[end - 1] + 1, 1, at)
        for begin, end in zip(starts, [*starts[1:], len(plain)], strict=True)
    ]
    return joined(parts, axis, at)


def joined(parts: Sequence[Data | np.ndarray], axis: int, at: At) -> Data:
    """The tensors side by side along axis; constants are the same for every sample."""
    first = next(part for part in parts if isinstance(part, Data))
    if len(parts) == 1:
        return first
    if any(isinstance(part, Data) and part.axis is None for part in parts):
        parts = [alone(part, at) if isinstance(part, Data) else part for part in parts]
        first = next(part for part in parts if isinstance(part, Data))
    place = first.place(axis, at)
    data = [part for part in parts if isinstance(part, Data)]
    constants = tuple(None if isinstance(part, Data) else _of_a_sample(part, first, at) for part in parts)
    for part in data[1:]:
        if part.rank != first.rank or part.axis != first.axis:
            raise at.fail(f"join tensors of one layout, got {first} and {part}")
    shapes = [part.sizes if own is None else own.shape for part, own in zip(parts, constants, strict=True)]
    _check_others(data, shapes, place, at)
    widths = [sizes[place] for sizes in shapes]
    width = None if None in widths else sum(widths)
    sizes = (*first.sizes[:place], width, *first.sizes[place + 1 :])
    check_size(sizes, at)
    step = Concat(place + 1)
    step = step if len(data) == len(parts) else Beside(step, constants, at.name)
    return Data(Wire(step, tuple(part.wire for part in data), sizes), first.batch, first.axis)


def _of_a_sample(values: np.ndarray, data: Data, at: At) -> np.ndarray:
    """A constant beside data of as many dimensions, without the batch."""
    if values.ndim != data.rank or values.dtype.kind != "f":
        raise at.fail(f"join floats of {data.rank} dimensions, got {values.dtype} {values.shape}")
    if data.axis is None:
        return values
    own = values.take([0], data.axis)
    if values.shape[data.axis] not in (1, data.batch) or (values != own).any():
        raise at.fail_batch(f"do the same to every sample, got a constant of shape {values.shape}")
    return own.squeeze(data.axis)


def _check_others(data: Sequence[Data], shapes: Sequence[Sizes], place: int, at: At) -> None:
    """Whether all have the same sizes beside one place."""
    for other in range(len(shapes[0])):
        sizes = {shape[other] for shape in shapes}
        if other == place or len(sizes) == 1:
            continue
        for part in data:
            if part.sizes == (None,):
                learn(part, max(size for size in sizes if size is not None))
        if None in sizes:
            raise at.unknown(next(part for part in data if None in part.sizes))
        raise at.bad(f"join tensors of the same other sizes, got {', '.join(map(str, shapes[:8]))}")


def expanded(data: Data, shape: Sequence[int], at: At) -> Data:
    """The tensor with its dimensions of 1 repeated; 1 for those that stay, and for more in front."""
    data = unsqueezed(data, range(len(shape) - data.rank), at) if len(shape) > data.rank else data
    full = [1] * (data.rank - len(shape)) + list(shape)
    if data.axis is not None and full[data.axis] not in (1, data.batch):
        raise at.fail_batch(f"leave the batch alone, got shape {tuple(shape)} for {data}")
    wanted = data.of_a_sample(full)
    for own, size in zip(data.sizes, wanted, strict=True):
        if size < 1 or (size not in (1, own) and own != 1):
            raise (
                at.unknown(data)
                if own is None
                else at.bad(f"repeat dimensions of 1, got shape {tuple(shape)} for {data}")
            )
    sizes = tuple(
        max(own or 1, size) if own is not None else None for own, size in zip(data.sizes, wanted, strict=True)
    )
    check_size(sizes, at)
    if sizes == data.sizes:
        return data
    dims = tuple(-1 if own == made else made for own, made in zip(data.sizes, sizes, strict=True))
    return data.then(Expand(dims), sizes=sizes)


def looked_up(data: Data, table: np.ndarray, at: At) -> Data:
    """The rows of a table (rows, features) that data holds the numbers of, as a last dimension."""
    sizes = (*data.sizes, table.shape[1])
    check_size(sizes, at)
    return data.then(Rows(table, at.name), sizes=sizes)


@dataclass(frozen=True)
class Rows:
    """An Embedding, with its array as the source has it."""

    table: np.ndarray
    name: str

    def __call__(self, value: Value) -> Value:
        return Embedding(as_constant(self.table, self.name))(value)


def padded(data: Data, axis: int, before: int, behind: int, mode: str, fill: float, at: At) -> Data:
    """Places around one dimension; fewer of them where a number is below 0."""
    if axis == data.axis and before == behind == 0:
        return data
    place = data.place(axis, at)
    size = data.size(place, at)
    if min(before, behind) < 0:
        if size + min(before, 0) + min(behind, 0) < 1:
            raise at.bad(f"leave a place of {size}, got {before} and {behind} of them")
        data = sliced(data, axis, max(-before, 0), size + min(behind, 0), 1, at)
        before, behind, size = max(before, 0), max(behind, 0), data.sizes[place]
    if before == behind == 0:
        return data
    sizes = (*data.sizes[:place], size + before + behind, *data.sizes[place + 1 :])
    check_size(sizes, at)
    try:
        layer = Pad(place + 1, before, behind, mode, fill)
        layer.infer((None, *data.sizes))
    except ArgumentError as error:
        raise at.bad(f"have padding that fits: {error}") from None
    return data.then(layer, sizes=sizes)


def _under(data: Data, sizes: Sizes, *, axis: int | None, at: At) -> Data:
    """The values of each sample in the same order under those sizes."""
    if sizes == data.sizes:
        return Data(data.wire, data.batch, axis)
    if isinstance(data.wire.step, Reshape) and data.wire.operands[0].sizes == sizes:  # as they were before
        return Data(data.wire.operands[0], data.batch, axis)
    if sizes.count(None) > 1:
        raise at.unknown(data)
    dims = tuple(-1 if size is None else size for size in sizes) or (1,)  # (batch,) is kept as (batch, 1)
    wire = Wire(Reshape(dims), (data.wire,), sizes)
    return Data(wire, data.batch, axis)
