"""An ONNX graph as steps: the nodes that an output needs, whether all are supported, their evaluation.

Every value is a constant (ndarray or csr_array), Sizes (part of a shape) or Data (computed from the input).
The ops are in _onnx_ops.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx

from ..errors import FormatError, SparsennError, UnsupportedError
from ._onnx_file import as_text, cut, read_sparse_tensor, read_tensor
from ._onnx_ops import LISTED, OPS
from ._onnx_values import BatchAxisError, Data, Node, steps_after

OLDEST_OPSET = 9
DOMAINS = {"": "", "ai.onnx": "", "ai.onnx.ml": "ai.onnx.ml"}
LARGEST_INPUT = 1 << 31
_types = onnx.TensorProto
FLOATS = (_types.FLOAT, _types.DOUBLE, _types.FLOAT16, _types.BFLOAT16)
INTEGERS = (_types.INT8, _types.INT16, _types.INT32, _types.INT64, _types.UINT8, _types.UINT16, _types.UINT32)


@dataclass(frozen=True)
class Chosen:
    """The part of a graph that an output needs."""

    output: str
    nodes: list
    input: object  # onnx.ValueInfoProto


class Graph:
    """A checked graph. Making one raises UnsupportedError or FormatError where it cannot be imported."""

    def __init__(self, proto: onnx.ModelProto, folder: str | None, *, output: str | None):
        self.folder, self.file_bytes = folder, proto.ByteSize()
        self.graph = proto.graph
        self.opset = _opset(proto)
        self.initializers = {tensor.name: tensor for tensor in self.graph.initializer}
        self.sparse = {tensor.values.name: tensor for tensor in self.graph.sparse_initializer}
        _check_names(self.graph)
        self.functions = {(DOMAINS.get(f.domain, f.domain), f.name) for f in proto.functions}
        self.chosen = self._choose(_choose_output(self.graph, output))
        self.read = {name for node in self.chosen.nodes for name in node.input} | {self.chosen.output}

    def steps(self) -> tuple[list, int | None]:
        """The steps from the input to the output, and the number of input features where it is declared."""
        try:
            return self._evaluate(batch_axis=0)
        except BatchAxisError as error:
            try:  # a graph that keeps features in rows and the batch in columns
                return self._evaluate(batch_axis=1)
            except SparsennError:
                raise UnsupportedError(str(error)) from None

    def _choose(self, output: str) -> Chosen:
        """The nodes that output needs, in order, and the input; all ops are known."""
        needed, wanted, seen = [], {output}, set()
        for node in reversed(self.graph.node):
            if wanted.intersection(node.output):
                needed.append(node)
                wanted.update(name for name in node.input if name)
                seen.update(node.output)
        needed.reverse()
        for node in needed:
            op = DOMAINS.get(node.domain, node.domain), node.op_type
            if op in self.functions or node.overload:
                what = f"op {cut(node.op_type)} of node {_label(node)}"
                raise UnsupportedError(f"{what} is not supported: it is a function of the file")
            if op not in OPS:
                raise UnsupportedError(
                    f"op {cut(node.op_type)} of node {_label(node)} is not supported; supported are {LISTED}"
                )
        constants = self.initializers.keys() | self.sparse.keys()
        inputs = [value for value in self.graph.input if value.name in wanted and value.name not in constants]
        missing = wanted - seen - constants - {value.name for value in inputs}
        if missing:
            raise FormatError(f"the value {cut(min(missing, key=as_text))} must be made before it is used")
        if len(inputs) != 1:
            names = ", ".join(cut(value.name) for value in inputs[:8])
            raise UnsupportedError(f"the graph must have one input, got {len(inputs)}: {names}")
        _check_input_type(inputs[0], needed)
        return Chosen(output, needed, inputs[0])

    def _evaluate(self, *, batch_axis: int) -> tuple[list, int | None]:
        data = _input(self.chosen.input, batch_axis)
        values = {self.chosen.input.name: data}
        for node in self.chosen.nodes:
            arguments = [self._value(name, values) if name else None for name in node.input]
            view = Node(
                label=_label(node),
                op=as_text(node.op_type),
                inputs=arguments,
                outputs=list(node.output),
                used=[name in self.read for name in node.output],
                attributes=_Attributes(node, self.folder, self.file_bytes),
                opset=self.opset,
            )
            result = OPS[DOMAINS[node.domain], node.op_type](view)
            if node.output[0]:  # of the supported ops' outputs only the first can be used
                values[node.output[0]] = result
        result = self._value(self.chosen.output, values)
        if not isinstance(result, Data):
            raise UnsupportedError(f"the output {cut(self.chosen.output)} must depend on the input")
        return steps_after(result.chain), data.features

    def _value(self, name: str, values: dict):
        if name not in values:
            if name in self.initializers:
                values[name] = read_tensor(self.initializers[name], self.folder)
            elif name in self.sparse:
                values[name] = read_sparse_tensor(self.sparse[name], self.folder, self.file_bytes)
            else:
                raise FormatError(f"the value {cut(name)} must be made before it is used")
        return values[name]


class _Attributes:
    """The attributes of a node, read by name with the type that is expected."""

    def __init__(self, node, folder: str | None, file_bytes: int):
        self.node, self.folder, self.file_bytes = node, folder, file_bytes
        self.by_name = {as_text(attribute.name): attribute for attribute in node.attribute}
        if len(self.by_name) != len(node.attribute):
            raise FormatError(f"node {_label(node)} must have each attribute once")
        if any(attribute.ref_attr_name for attribute in node.attribute):
            raise FormatError(f"node {_label(node)} must have attributes with values, got one of a function")

    def get(self, name: str, default):
        """The value of an int, float, string or ints attribute of the type of default, or default."""
        if name not in self.by_name:
            return default
        attribute, kinds = self.by_name[name], onnx.AttributeProto
        wanted = {int: kinds.INT, float: kinds.FLOAT, str: kinds.STRING, tuple: kinds.INTS}[type(default)]
        if attribute.type != wanted:
            raise FormatError(f"attribute {cut(name)} of node {_label(self.node)} is of the wrong type")
        if wanted == kinds.INTS:
            return tuple(attribute.ints)
        if wanted == kinds.STRING:
            return attribute.s.decode("utf-8", "replace")
        return attribute.i if wanted == kinds.INT else attribute.f

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def names(self) -> list[str]:
        return sorted(self.by_name)

    def tensor(self, name: str):
        """A tensor attribute as an array, a sparse one as a csr_array."""
        attribute = self.by_name[name]
        if attribute.type == onnx.AttributeProto.TENSOR:
            return read_tensor(attribute.t, self.folder)
        if attribute.type == onnx.AttributeProto.SPARSE_TENSOR:
            return read_sparse_tensor(attribute.sparse_tensor, self.folder, self.file_bytes)
        raise FormatError(f"attribute {cut(name)} of node {_label(self.node)} must hold a tensor")

    def numbers(self, name: str) -> list:
        """The numbers of an ints or floats attribute."""
        attribute = self.by_name[name]
        return list(attribute.ints if attribute.type == onnx.AttributeProto.INTS else attribute.floats)


def _opset(proto: onnx.ModelProto) -> int:
    """The version of the default operator set; within what is supported."""
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    newest = onnx.defs.onnx_opset_version()
    if len(versions) != 1:
        raise FormatError(f"the file must name one version of the default operator set, got {versions[:8]}")
    if not OLDEST_OPSET <= versions[0] <= newest:
        raise UnsupportedError(f"the opset must be in [{OLDEST_OPSET}, {newest}], got {versions[0]}")
    return versions[0]


def _choose_output(graph: onnx.GraphProto, name: str | None) -> str:
    names = [value.name for value in graph.output]
    listed = ", ".join(cut(name) for name in names[:8])
    if name is not None:
        if name not in names:
            raise FormatError(f"output must be one of {listed}, got {name!r}")
        return name
    maps = {name for node in graph.node if node.op_type == "ZipMap" for name in node.output}
    floats = [value.name for value in graph.output if _may_be_float(value, maps)]
    if len(names) == 1 or len(floats) == 1:
        return names[0] if len(names) == 1 else floats[0]
    raise UnsupportedError(
        f"the graph must have one output of floats, got {len(names)}: choose with output= one of {listed}"
    )


def _may_be_float(value, maps: set) -> bool:
    """Whether an output holds floats: a tensor of them, or what ZipMap makes of one (maps)."""
    if value.type.WhichOneof("value") == "tensor_type":
        return value.type.tensor_type.elem_type in FLOATS
    return value.name in maps


def _check_names(graph: onnx.GraphProto) -> None:
    """FormatError where two things make one value; an initialiser may be the default of an input."""
    made = [name for node in graph.node for name in node.output if name]
    stored = [tensor.name for tensor in graph.initializer]
    stored += [tensor.values.name for tensor in graph.sparse_initializer]
    inputs = [value.name for value in graph.input]
    for names, others in ((made, {*stored, *inputs}), (stored, set()), (inputs, set())):
        for name in names:
            if name in others:
                raise FormatError(f"the value {cut(name)} must be made once, got two that make it")
            others.add(name)


def _check_input_type(value: onnx.ValueInfoProto, nodes: list) -> None:
    """The input must hold floats, or numbers that are made floats first."""
    if value.type.WhichOneof("value") != "tensor_type":
        raise UnsupportedError(f"the input {cut(value.name)} must be a tensor")
    kind = value.type.tensor_type.elem_type
    first = {node.op_type for node in nodes if value.name in node.input}
    if kind not in FLOATS and not (kind in INTEGERS and first == {"Cast"}):
        raise UnsupportedError(f"the input {cut(value.name)} must hold floats, got type {kind}")


def _input(value: onnx.ValueInfoProto, batch_axis: int) -> Data:
    """The graph's input: shape (batch, ...), or (features, batch) for batch_axis 1."""
    tensor = value.type.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    if not tensor.HasField("shape"):
        dims = [None, None]
    if len(dims) < 2 or (batch_axis == 1 and len(dims) != 2):
        problem = UnsupportedError if batch_axis == 0 else BatchAxisError
        raise problem(f"the input {cut(value.name)} must have shape (batch, ...), got {len(dims)} dimensions")
    if any(dim is not None and dim < 0 for dim in dims):
        raise FormatError(f"the input {cut(value.name)} must have sizes of at least 0, got {dims}")
    batch = dims.pop(batch_axis)
    if None not in dims and not 1 <= math.prod(dims) < LARGEST_INPUT:
        raise UnsupportedError(f"the input {cut(value.name)} must have in [1, 2^31) features, got {dims}")
    return Data(chain=None, sizes=tuple(dims), batch=batch, batch_axis=batch_axis)


def _label(node) -> str:
    """A node in a message: its name, or what it makes."""
    return cut(node.name) if node.name else f"that makes {cut(next(iter(node.output), ''))}"
