"""The functions of torch that can be imported, each with the arguments that it has there, after the place."""

from __future__ import annotations

import numpy as np
import torch

from . import _functions, _moves
from ._arithmetic import product, scaled
from ._data import Data
from ._positions import at_positions
from ._products import matrices
from ._torch_place import Place
from ._torch_pointwise import add

SUPPORTED = (
    "Linear, ReLU, ReLU6, LeakyReLU, PReLU, Hardtanh, clamp, Threshold, Tanh, Sigmoid, Hardsigmoid, "
    "LogSigmoid, GELU, SiLU, Hardswish, Mish, Softplus, Softsign, ELU, CELU, SELU, Softmax over the "
    "features, Conv1d and 2d, LSTM, GRU, RNN, "
    "Embedding, LayerNorm, RMSNorm, MultiheadAttention, TransformerEncoder, scaled_dot_product_attention, "
    "BatchNorm1d and 2d, MaxPool, AvgPool, AdaptiveAvgPool, Dropout, Identity, "
    "add, sub, mul, div, neg, abs, exp, log, sqrt, rsqrt, square, pow, reciprocal, minimum, maximum, "
    "matmul, cat, stack, chunk, split, indexing, view, reshape, Flatten, Unflatten, permute, transpose, "
    "movedim, squeeze, unsqueeze, expand, pad, interpolate (nearest, linear), log_softmax, "
    "comparisons, where, masked_fill"
)


def linear(at: Place, input, weight, bias=None) -> Data:
    """Of (batch, in), or of each position of (batch, ..., in)."""
    data, weight = at.data(input), at.matrix(weight, "weight")
    if data.rank < 3 or data.axis != 0:
        return product(data, weight, at.array(bias, "bias"), at)
    dense = weight if isinstance(weight, np.ndarray) else weight.toarray()
    return at_positions(data, dense, at.array(bias, "bias"), at)


def matmul(at: Place, input, other) -> Data:
    """data (batch, ..., in) @ (in, out), (out, in) @ data (in, batch), or matrices of samples."""
    ranks = [own.rank if isinstance(own, Data) else own.dim() for own in (input, other)]
    if max(ranks) > 2 and isinstance(input, Data) and not isinstance(other, Data) and ranks[1] == 2:
        return at_positions(input, at.matrix(other, "second operand").T, None, at)
    if max(ranks) > 2:
        return matrices(at.operand(input), at.operand(other), at)
    if isinstance(input, Data):
        return product(input, at.matrix(other, "second operand").T, None, at)
    return product(at.data(other), at.matrix(input, "first operand"), None, at, axis=1, result_axis=1)


def addmm(at: Place, input, mat1, mat2, *, beta=1, alpha=1) -> Data:
    result = scaled(matmul(at, mat1, mat2), at.number(alpha, "alpha"), at)
    return add(at, result, input, alpha=beta)


def batch_norm(
    at: Place,
    input,
    running_mean,
    running_var,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
) -> Data:
    if training is not False or running_mean is None or running_var is None:
        raise at.fail("be in evaluation mode, with running statistics")
    parts = zip(
        (running_mean, running_var, weight, bias), ("mean", "variance", "weight", "bias"), strict=True
    )
    arrays = [at.array(tensor, name) for tensor, name in parts]
    return _functions.normalised(
        at.data(input), *arrays, epsilon=at.number(eps, "eps"), at=at, momentum=momentum
    )


def dropout(at: Place, input, p=0.5, training=True, inplace=False) -> Data:
    if training is not False and p != 0:
        raise at.fail("be off in evaluation: training=self.training")
    return at.data(input)


def dropout_of_torch(at: Place, input, p, train) -> Data:
    return dropout(at, input, p, train)


def identity(at: Place, input, **_options) -> Data:
    return at.data(input)


def converted(at: Place, input, *targets, **options) -> Data:
    """To another device or floating-point type: everything is computed in float32."""
    for target in (*targets, *options.values()):
        if isinstance(target, torch.dtype) and not target.is_floating_point:
            raise at.fail(f"keep data floating-point, got {target}")
    return at.data(input)


def view(at: Place, input, *shape) -> Data:
    if not shape or isinstance(shape[0], torch.dtype):
        raise at.fail("have a shape")
    return _moves.reshaped(at.data(input), at.sizes(shape, "shape"), at)


def reshape(at: Place, input, shape) -> Data:
    return view(at, input, shape)


def flatten(at: Place, input, start_dim=0, end_dim=-1) -> Data:
    dims = at.integer(start_dim, "start_dim"), at.integer(end_dim, "end_dim")
    return _moves.flattened(at.data(input), *dims, at)


def unflatten(at: Place, input, dim, sizes) -> Data:
    data = at.data(input)
    place = data.place(at.integer(dim, "dim"), at)  # a place of the sizes, the batch first
    shape = data.shape
    return _moves.reshaped(data, (*shape[: place + 1], *at.integers(sizes, "sizes"), *shape[place + 2 :]), at)


def permute(at: Place, input, *dims) -> Data:
    return _moves.permuted(at.data(input), at.integers(dims, "dims"), at)


def transpose(at: Place, input, dim0, dim1) -> Data:
    data = at.data(input)
    first, second = (at.integer(dim, "dim") for dim in (dim0, dim1))
    order = list(range(data.rank))
    if not all(-data.rank <= dim < data.rank for dim in (first, second)):
        raise at.bad(f"have dims in [{-data.rank}, {data.rank}), got {first} and {second}")
    order[first], order[second] = order[second], order[first]
    return _moves.permuted(data, order, at)


def movedim(at: Place, input, source, destination) -> Data:
    data = at.data(input)
    ends = [
        at.integers((dims,) if isinstance(dims, int) else dims, name)
        for dims, name in ((source, "source"), (destination, "destination"))
    ]
    moved, to = ([dim % data.rank for dim in dims if -data.rank <= dim < data.rank] for dims in ends)
    if not len(set(moved)) == len(set(to)) == len(ends[0]) == len(ends[1]):
        raise at.bad(f"have as many destinations as sources in [{-data.rank}, {data.rank}), got {ends}")
    order = [dim for dim in range(data.rank) if dim not in moved]
    for place, dim in sorted(zip(to, moved, strict=True)):
        order.insert(place, dim)
    return _moves.permuted(data, order, at)


def t(at: Place, input) -> Data:
    data = at.data(input)
    if data.rank != 2:
        raise at.fail(f"take a matrix, got {data}")
    return _moves.permuted(data, (1, 0), at)


def squeeze(at: Place, input, *dim) -> Data:
    """Without the dimensions of size 1; those named that are larger stay."""
    data = at.data(input)
    if not dim or dim == (None,):
        return _moves.squeezed(data, None, at)
    axes = at.integers(dim, "dim")
    return _moves.squeezed(data, [axis for axis in axes if data.size(data.place(axis, at), at) == 1], at)


def unsqueeze(at: Place, input, dim) -> Data:
    return _moves.unsqueezed(at.data(input), [at.integer(dim, "dim")], at)


def cat(at: Place, tensors, dim=0) -> Data:
    if not isinstance(tensors, (list, tuple)) or not tensors:
        raise at.fail("have a list of tensors")
    return _moves.joined([at.operand(tensor) for tensor in tensors], at.integer(dim, "dim"), at)


def stack(at: Place, tensors, dim=0) -> Data:
    if not isinstance(tensors, (list, tuple)) or not tensors:
        raise at.fail("have a list of tensors")
    dim = at.integer(dim, "dim")
    return _moves.joined([_moves.unsqueezed(at.data(tensor), [dim], at) for tensor in tensors], dim, at)


def chunk(at: Place, input, chunks, dim=0) -> list[Data]:
    data, dim, chunks = at.data(input), at.integer(dim, "dim"), at.integer(chunks, "chunks")
    if chunks < 1:
        raise at.bad(f"have at least 1 chunk, got {chunks}")
    return split(at, data, -(-data.size(data.place(dim, at), at) // chunks), dim)


def split(at: Place, input, split_size_or_sections, dim=0) -> list[Data]:
    data, dim = at.data(input), at.integer(dim, "dim")
    if isinstance(split_size_or_sections, (list, tuple)):
        return _moves.split_up(data, at.integers(split_size_or_sections, "split size"), dim, at)
    part, size = at.integer(split_size_or_sections, "split size"), data.size(data.place(dim, at), at)
    if part < 1:
        raise at.bad(f"have a split size of at least 1, got {part}")
    return _moves.split_up(data, [min(part, size - start) for start in range(0, size, part)], dim, at)


def split_of_tensor(at: Place, input, split_size, dim=0) -> list[Data]:
    return split(at, input, split_size, dim)


def unbind(at: Place, input, dim=0) -> list[Data]:
    data, dim = at.data(input), at.integer(dim, "dim")
    return [select(at, data, dim, index) for index in range(data.size(data.place(dim, at), at))]


def select(at: Place, input, dim, index) -> Data:
    dim = at.integer(dim, "dim")
    return _moves.squeezed(_moves.taken(at.data(input), [at.integer(index, "index")], dim, at), [dim], at)


def narrow(at: Place, input, dim, start, length) -> Data:
    dim, start, length = (at.integer(value, "argument") for value in (dim, start, length))
    return _moves.sliced(at.data(input), dim, start, start + length or None, 1, at)


def index_select(at: Place, input, dim, index) -> Data:
    return _moves.taken(at.data(input), at.integers(index, "index"), at.integer(dim, "dim"), at)


def getitem(at: Place, input, index) -> Data:
    """x[2], x[:, 1:3], x[..., None], x[:, [0, 2]]."""
    data = at.data(input)
    parts = index if isinstance(index, tuple) else (index,)
    lists = sum(isinstance(part, (list, torch.Tensor)) for part in parts)
    if parts.count(Ellipsis) > 1 or lists > 1 or (lists and any(isinstance(part, int) for part in parts)):
        raise at.fail("have one list of indices, and no other index beside it")
    axis = 0
    for place, part in enumerate(parts):
        if part is None:
            data, axis = _moves.unsqueezed(data, [axis], at), axis + 1
        elif part is Ellipsis:
            axis = data.rank - sum(later is not None for later in parts[place + 1 :])
        elif isinstance(part, slice):
            ends = (part.start, part.stop, part.step)
            ends = [None if end is None else at.integer(end, "index") for end in ends]
            data, axis = _moves.sliced(data, axis, *ends, at), axis + 1
        elif isinstance(part, int):
            data = select(at, data, axis, part)
        else:
            data, axis = _moves.taken(data, at.integers(part, "index"), axis, at), axis + 1
    return data
