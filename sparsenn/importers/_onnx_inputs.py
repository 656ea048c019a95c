"""The inputs and outputs of an ONNX graph: which are meant, and the shapes of the inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from ..checks import check_integer
from ..errors import ArgumentError, FormatError, UnsupportedError
from ._data import LARGEST, BatchAxisError
from ._onnx_file import as_text, cut
from ._open_sizes import open_shapes

_types = onnx.TensorProto
FLOATS = (_types.FLOAT, _types.DOUBLE, _types.FLOAT16, _types.BFLOAT16)
INTEGERS = (_types.INT8, _types.INT16, _types.INT32, _types.INT64, _types.UINT8, _types.UINT16, _types.UINT32)

Dims = tuple[int | None, ...]


def chosen_outputs(graph: onnx.GraphProto, output) -> list[str]:
    """The names of the outputs to import: those of output, or every one of floats."""
    names = [value.name for value in graph.output]
    if output is not None:
        wanted = [output] if isinstance(output, str) else list(output)
        listed = ", ".join(cut(name) for name in names[:8])
        if not wanted:
            raise ArgumentError("output must name at least one output, got none")
        for index, name in enumerate(wanted):
            if name not in names:
                raise FormatError(f"output must be one of {listed}, got {name!r}")
            if name in wanted[:index]:
                raise ArgumentError(f"output must name each output once, got {name!r} twice")
        return wanted
    maps = {name for node in graph.node if node.op_type == "ZipMap" for name in node.output}
    floats = [value.name for value in graph.output if _may_be_float(value, maps)]
    if not floats and len(names) != 1:
        raise UnsupportedError(f"the graph must have an output of floats, got {len(names)} of other types")
    return list(dict.fromkeys(floats or names))


def _may_be_float(value, maps: set) -> bool:
    """Whether an output holds floats: a tensor of them, or what ZipMap makes of one (maps)."""
    if value.type.WhichOneof("value") == "tensor_type":
        return value.type.tensor_type.elem_type in FLOATS
    return value.name in maps


def holds_integers(value: onnx.ValueInfoProto) -> bool:
    """Whether an input is a tensor of integers; UnsupportedError for one of no numbers and no booleans."""
    if value.type.WhichOneof("value") != "tensor_type":
        raise UnsupportedError(f"the input {cut(value.name)} must be a tensor")
    kind = value.type.tensor_type.elem_type
    if kind not in (*FLOATS, *INTEGERS, _types.BOOL):
        raise UnsupportedError(f"the input {cut(value.name)} must hold floats, got type {kind}")
    return kind in INTEGERS


def given_shapes(input_shapes, inputs: list) -> dict[str, Dims]:
    """input_shapes, checked: the shape of each named input, None for a size that is not said."""
    if input_shapes is None:
        return {}
    if not isinstance(input_shapes, Mapping):
        raise TypeError(
            f"input_shapes must be a dict of name to shape such as {{'x': (None, 784)}}, "
            f"got {type(input_shapes).__name__}"
        )
    names, shapes = [value.name for value in inputs], {}
    for name, shape in input_shapes.items():
        if name not in names:
            listed = ", ".join(cut(name) for name in names[:8])
            raise ArgumentError(f"input_shapes must be of inputs that are used, {listed}, got {name!r}")
        if isinstance(shape, str) or not isinstance(shape, Sequence):
            raise TypeError(f"input_shapes[{name!r}] must be a shape, got {type(shape).__name__}")
        shapes[name] = tuple(
            None if size is None else check_integer(f"input_shapes[{name!r}][{i}]", size, minimum=1)
            for i, size in enumerate(shape)
        )
    return shapes


def given_constants(constants, graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """constants, checked: the array of each named input, of the type and shape that it has in the file."""
    if constants is None:
        return {}
    if not isinstance(constants, Mapping):
        raise TypeError(
            f"constants must be a dict of name to array such as {{'h': zeros}}, "
            f"got {type(constants).__name__}"
        )
    inputs, arrays = {value.name: value for value in graph.input}, {}
    for name, given in constants.items():
        if name not in inputs:
            listed = ", ".join(cut(name) for name in list(inputs)[:8])
            raise ArgumentError(f"constants must be of inputs of the file, {listed}, got {name!r}")
        tensor = inputs[name].type.tensor_type
        array = np.asarray(given)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"constants[{name!r}] must hold numbers, got {array.dtype}")
        dtype = np.float32 if tensor.elem_type in FLOATS else np.int64
        if tensor.elem_type == _types.BOOL:
            dtype = np.bool_
        elif tensor.elem_type not in (*FLOATS, *INTEGERS):
            raise UnsupportedError(f"the input {cut(name)} must hold numbers, got type {tensor.elem_type}")
        with np.errstate(all="ignore"):
            made = array.astype(dtype)
        if (made != array).any() and dtype != np.float32:
            raise ArgumentError(f"constants[{name!r}] must hold {np.dtype(dtype)}, got {array.dtype}")
        if not np.isfinite(made).all():
            raise ArgumentError(f"constants[{name!r}] must be finite")
        dims = dims_of(inputs[name], None) if tensor.HasField("shape") else (None,) * array.ndim
        if len(dims) != array.ndim or any(d not in (None, n) for d, n in zip(dims, array.shape, strict=True)):
            raise ArgumentError(f"constants[{name!r}] must have shape {_shown(dims)}, got {array.shape}")
        arrays[name] = made
    return arrays


def dims_of(value: onnx.ValueInfoProto, given: Dims | None) -> Dims:
    """The shape of an input, batch included, as the file declares it and as it is given beside it."""
    tensor = value.type.tensor_type
    dims = tuple(
        dim.dim_value
        if dim.HasField("dim_value") and dim.dim_value != -1
        else None  # -1: of older converters
        for dim in tensor.shape.dim
    )
    if not tensor.HasField("shape"):
        dims = (None, None) if given is None else (None,) * len(given)
    if given is not None:
        if len(given) != len(dims) or any(
            None not in (one, other) and one != other for one, other in zip(given, dims, strict=True)
        ):
            raise ArgumentError(
                f"input_shapes[{value.name!r}] must fit the shape of the file, {_shown(dims)}, got {given}"
            )
        dims = tuple(one if other is None else other for one, other in zip(given, dims, strict=True))
    if any(dim is not None and dim < 0 for dim in dims):
        raise FormatError(f"the input {cut(value.name)} must have sizes of at least 0, got {dims[:8]}")
    return dims


def batch_behind(inputs: list) -> set[str]:
    """The names of inputs with the batch in dimension 1: of the name that others have in dimension 0."""
    names = {
        value.name: [as_text(dim.dim_param) for dim in value.type.tensor_type.shape.dim][:2]
        for value in inputs
    }
    first = {own[0] for own in names.values() if own and own[0].strip("?")}
    return {name for name, own in names.items() if len(own) == 2 and own[1] in first and own[0] != own[1]}


def split_batch(value: onnx.ValueInfoProto, dims: Dims, axis: int, *, most: int) -> tuple[int | None, Dims]:
    """The batch, and the sizes of a sample, of an input that has the batch in axis.

    most  dimensions, where that is 1
    """
    if len(dims) < 2 or (axis == 1 and len(dims) > most):
        problem = UnsupportedError if axis == 0 else BatchAxisError
        raise problem(
            f"the input {cut(value.name)} must have shape (batch, ...), got {len(dims)} dimensions; where it "
            f"is the same in every run, give constants={{name: value}}"
        )
    sizes = dims[:axis] + dims[axis + 1 :]
    if 0 in sizes or (None not in sizes and math.prod(sizes) >= LARGEST):
        raise UnsupportedError(f"the input {cut(value.name)} must have in [1, 2^31) features, got {sizes}")
    return dims[axis], sizes


def hint(inputs: list, dims: dict[str, Dims]) -> str:
    """What to give where sizes are not known; nothing where all are."""
    return open_shapes({value.name: dims[value.name] for value in inputs})


def _shown(dims: Dims) -> str:
    first, *rest = ("None" if i == 0 else "?" if dim is None else str(dim) for i, dim in enumerate(dims))
    return f"({', '.join((first, *rest))})"
