"""An ONNX graph as wires: the nodes that the outputs need, whether all are supported, their evaluation.

Every value is a constant (ndarray or csr_array) or Data (computed from the inputs). The number of samples of
Data is a number that stands for any, so that the arithmetic on shapes is plain arithmetic on constants.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, MutableMapping

import onnx

from ..errors import FormatError, SparsennError, UnsupportedError
from ._data import STAND_INS, BatchAxisError, Data, LearnedSizeError
from ._onnx_attributes import Attributes
from ._onnx_branches import chosen, is_if, read_by, spread
from ._onnx_file import as_text, cut, read_sparse_tensor, read_tensor
from ._onnx_fold import FOLDED, Folder
from ._onnx_fused import switch
from ._onnx_inputs import (
    batch_behind,
    chosen_outputs,
    dims_of,
    given_constants,
    given_shapes,
    hint,
    holds_integers,
    split_batch,
)
from ._onnx_integers import check_counted, counted_values, whole_values
from ._onnx_ops import ALWAYS, LISTED, OPS
from ._onnx_recurrent import first_states, lengths
from ._onnx_values import Node
from ._wires import Wire, same

OLDEST_OPSET = 9
DOMAINS = {"": "", "ai.onnx": "", "ai.onnx.ml": "ai.onnx.ml"}
FUSED_DOMAINS = frozenset({"com.microsoft", "com.microsoft.nchwc", "com.microsoft.nhwc"})
RECURRENT = frozenset({"LSTM", "GRU", "RNN"})  # take and give the batch in dimension 1
MERGED = frozenset(
    {"Gather", "MatMul", "Reshape", "Shape", "Softmax", "Transpose"}
)  # take heads that are one with it
READS_BATCH = frozenset({"Shape", "Size", "Reshape", "Expand"})  # what may depend on the number of samples

Named = list[tuple[str, Wire]]


class Graph:
    """A checked graph. Making one raises UnsupportedError or FormatError where it cannot be imported."""

    def __init__(
        self, proto: onnx.ModelProto, folder: str | None, *, output=None, input_shapes=None, constants=None
    ):
        self.folder, self.file_bytes = folder, proto.ByteSize()
        self.graph, self.opset = proto.graph, _opset(proto)
        self.initializers = {tensor.name: tensor for tensor in self.graph.initializer}
        self.sparse = {tensor.values.name: tensor for tensor in self.graph.sparse_initializer}
        self.constants = given_constants(constants, self.graph)
        self.tensors: dict = dict(self.constants)  # those that were read
        _check_names(self.graph)
        self.functions = {(DOMAINS.get(f.domain, f.domain), f.name) for f in proto.functions}
        self.outputs = chosen_outputs(self.graph, output)
        self.nodes = self._needed()
        self.spread = list(spread(self.nodes))
        self.recurrent = not RECURRENT.isdisjoint(node.op_type for node in self.spread)
        self.states = first_states(self.spread)
        self.lone = False  # whether it is read as of one sample
        self.inputs = self._inputs()
        self.states |= batch_behind(self.inputs)
        given = given_shapes(input_shapes, self.inputs)
        self.dims = {value.name: dims_of(value, given.get(value.name)) for value in self.inputs}
        self.read = {name for node in self.spread for name in node.input} | set(self.outputs)

    def read_alone(self) -> bool:
        """Reads the graph from now on as of one sample, with the steps first; whether that can be.

        Inputs but for first states have an axis more then, that of the samples.
        """
        if self.lone or not self.recurrent or self.lengths:
            return False
        if any(name in self.states and len(dims) > 1 and dims[1] not in (None, 1)
               for name, dims in self.dims.items()):  # fmt: skip
            return False
        self.lone = True
        self.dims = {
            name: (*dims[:1], 1, *dims[2:]) if name in self.states else (None, *dims)
            for name, dims in self.dims.items()
        }
        return True

    def wires(self) -> tuple[Named, Named]:
        """The inputs and the outputs by name."""
        if self.lone:
            return self._learning(1, axis=0)
        inputs, outputs = self._either_way(STAND_INS[0])
        fixed = all(dims[0] is not None for dims in self.dims.values())
        if not fixed and not READS_BATCH.isdisjoint(node.op_type for node in self.nodes):
            _, others = self._either_way(STAND_INS[1])
            if not same([wire for _, wire in outputs], [wire for _, wire in others]):
                raise UnsupportedError("the graph must compute the same for any number of samples")
        return inputs, outputs

    def size_names(self) -> dict[tuple[str, int], str]:
        """The names of sizes in the file, by input and axis: those of one name are the same."""
        sizes = (
            ((value.name, axis + (self.lone and value.name not in self.states)), dim.dim_param)
            for value in self.inputs
            for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        )
        return {place: name for place, name in sizes if name.strip("?")}

    def hint(self) -> str:
        """What to give for the sizes that are not known."""
        return hint(self.inputs, self.dims)

    def _either_way(self, stand_in: int) -> tuple[Named, Named]:
        """With the batch in dimension 0, else in dimension 1 of a graph that keeps features or steps in rows.

        Inputs that are first states of recurrent layers have it in dimension 1 in any case. All inputs and
        outputs of models have the samples first.
        """
        try:
            return self._learning(stand_in, axis=0)
        except BatchAxisError as error:
            try:
                return self._learning(stand_in, axis=1)
            except SparsennError:
                raise UnsupportedError(str(error)) from None

    def _learning(self, stand_in: int, *, axis: int) -> tuple[Named, Named]:
        """Again with each number of features that a weight tells."""
        while True:
            try:
                return self._evaluate(stand_in, axis=axis)
            except LearnedSizeError as learned:
                name = next(name for name, wire in self.starts if wire is learned.wire)
                self.dims[name] = tuple(
                    learned.size if place != axis else dim for place, dim in enumerate(self.dims[name])
                )

    def _needed(self) -> list:
        """The nodes that the outputs need, in order; all ops are known."""
        needed, wanted, seen = [], set(self.outputs), set()
        for node in reversed(self.graph.node):
            if wanted.intersection(node.output):
                needed.append(node)
                wanted.update(read_by(node))
                seen.update(node.output)
        needed.reverse()
        for node in needed:
            self._check_op(node)
        constants = self.initializers.keys() | self.sparse.keys() | self.constants.keys()
        stored = constants | {value.name for value in self.graph.input}
        if missing := wanted - seen - stored:
            raise FormatError(f"the value {cut(min(missing, key=as_text))} must be made before it is used")
        self.wanted = wanted - constants
        return needed

    def _check_op(self, node: onnx.NodeProto) -> None:
        """UnsupportedError for an op that is not known."""
        op, what = (DOMAINS.get(node.domain, node.domain), node.op_type), f"op {cut(node.op_type)} of node"
        if op in self.functions or node.overload:
            raise UnsupportedError(f"{what} {_label(node)} is not supported: it is a function of the file")
        if op[0] in FUSED_DOMAINS:
            raise UnsupportedError(
                f"{what} {_label(node)} is not supported: {cut(node.domain)} has the fused operators that "
                f"ONNX Runtime's optimizer makes: export without it (optimum-cli without --optimize), or "
                f"with onnxruntime.transformers.optimizer and {switch(op[1])}"
            )
        if op not in OPS and not (op[0] == "" and op[1] in FOLDED) and not is_if(node):
            raise UnsupportedError(f"{what} {_label(node)} is not supported; supported are {LISTED}")

    def _inputs(self) -> list:
        """The inputs that the outputs need."""
        inputs = [value for value in self.graph.input if value.name in self.wanted]
        if not inputs:
            raise UnsupportedError(f"the output {cut(self.outputs[0])} must depend on the input")
        self.lengths = lengths(self.spread, inputs)
        integers = [value for value in inputs if holds_integers(value) and value.name not in self.lengths]
        self.whole = whole_values(integers, self.spread, self.outputs)
        self.counted = counted_values(self.spread)
        return inputs

    def _evaluate(self, stand_in: int, *, axis: int) -> tuple[Named, Named]:
        axes = {value.name: 1 if value.name in self.states else axis for value in self.inputs}
        axes.update(dict.fromkeys(self.lengths, 0))
        most = 3 if self.recurrent or self.states else 2
        lone = {name for name in axes if self.lone and name not in self.states}
        parts = [
            split_batch(value, self._dims_of(value.name), axes[value.name], most=most)
            for value in self.inputs
        ]
        batches = {batch for batch, _ in parts if batch is not None}
        if len(batches) > 1:
            problem = BatchAxisError if self.states else UnsupportedError  # steps, perhaps
            raise problem(f"the inputs must have one number of samples, got {sorted(batches)[:8]}")
        batch = stand_in if self.lone or not batches else batches.pop()
        self.starts = [
            (value.name, Wire(None, (), sizes)) for value, (_, sizes) in zip(self.inputs, parts, strict=True)
        ]
        values: dict = {
            name: Data(wire, batch, None if name in lone else axes[name]) for name, wire in self.starts
        }
        self._run(self.nodes, values, Folder(self.file_bytes), hint(self.inputs, self.dims))
        outputs = []
        if axis == 1 and any(None in wire.sizes for _, wire in self.starts):
            raise UnsupportedError("an input with the batch in dimension 1 must have a known dimension 0")
        for name in self.outputs:
            value = self._value(name, values)
            if not isinstance(value, Data):
                raise UnsupportedError(f"the output {cut(name)} must depend on the input")
            if name in self.counted:
                raise UnsupportedError(f"the output {cut(name)} must hold floats, got integers")
            if value.axis and value.rank > 2 and most == 2:
                raise UnsupportedError(f"the output {cut(name)} must have the batch first, got {value}")
            outputs.append((name, value.wire))
        return self.starts, outputs

    def _run(self, nodes: Iterable, values: MutableMapping, folder: Folder, advice: str) -> None:
        """Adds what the nodes make to values."""
        for proto in nodes:
            if is_if(proto):
                made = self._branch(proto, values, folder, advice)
            else:
                made = self._of_node(proto, values, folder, advice)
            values.update((name, value) for name, value in zip(proto.output, made, strict=False) if name)

    def _of_node(self, proto: onnx.NodeProto, values: MutableMapping, folder: Folder, advice: str) -> list:
        node = Node(
            _label(proto),
            as_text(proto.op_type),
            [self._value(name, values) if name else None for name in proto.input],
            list(proto.output),
            [name in self.read for name in proto.output],
            Attributes(proto, _label(proto), self.folder, self.file_bytes),
            self.opset,
            advice,
            whole=any(name in self.whole for name in proto.input),
        )
        check_counted(node, (name in self.counted for name in proto.input))
        return _made(node, proto, folder)

    def _branch(self, proto: onnx.NodeProto, values: MutableMapping, folder: Folder, advice: str) -> list:
        """The outputs of the branch that is chosen."""
        if len(proto.input) != 1:
            raise FormatError(f"op 'If' of node {_label(proto)} must have one input, got {len(proto.input)}")
        graph = chosen(proto, self._value(proto.input[0], values), _label(proto))
        inner: MutableMapping = ChainMap({}, values)
        inner.update((tensor.name, read_tensor(tensor, self.folder)) for tensor in graph.initializer)
        for tensor in graph.sparse_initializer:
            inner[tensor.values.name] = read_sparse_tensor(tensor, self.folder, self.file_bytes)
        for node in graph.node:
            self._check_op(node)
        self._run(graph.node, inner, folder, advice)
        return [self._value(value.name, inner) for value in graph.output]

    def _dims_of(self, name: str) -> tuple:
        """Those of an input; of numbers of steps with an axis behind the batch."""
        return (*self.dims[name], 1) if name in self.lengths else self.dims[name]

    def _value(self, name: str, values: MutableMapping):
        if name in values:
            return values[name]
        if name not in self.tensors:
            if name in self.initializers:
                self.tensors[name] = read_tensor(self.initializers[name], self.folder)
            elif name in self.sparse:
                self.tensors[name] = read_sparse_tensor(self.sparse[name], self.folder, self.file_bytes)
            else:
                raise FormatError(f"the value {cut(name)} must be made before it is used")
        return self.tensors[name]


def _made(node: Node, proto: onnx.NodeProto, folder: Folder) -> list:
    """The outputs of a node."""
    key = DOMAINS[proto.domain], proto.op_type
    _check_inputs(node, *key)
    folds = key[0] == "" and key[1] in FOLDED
    if folds and not any(isinstance(value, Data) for value in node.inputs) and any(proto.input):
        return folder.outputs(node, proto)
    if key not in OPS:
        raise node.fail("have constant inputs alone")
    if key not in ALWAYS:
        node.data(next((i for i, value in enumerate(node.inputs) if isinstance(value, Data)), 0))
    if any(isinstance(value, Data) and value.lead for value in node.inputs) and proto.op_type not in MERGED:
        raise node.fail("have the batch in a dimension of its own")
    result = OPS[key](node)
    return result if isinstance(result, list) else [result]


def _check_inputs(node: Node, domain: str, op: str) -> None:
    """FormatError for a node of more or fewer inputs than ONNX says."""
    try:
        schema = onnx.defs.get_schema(op, *([node.opset] if domain == "" else []), domain=domain)
    except onnx.defs.SchemaError:  # newer than the file's opset
        return
    if not schema.min_input <= len(node.inputs) <= schema.max_input:
        count = " to ".join(map(str, sorted({schema.min_input, schema.max_input})))
        raise node.bad(f"have {count} inputs, got {len(node.inputs)}")


def _opset(proto: onnx.ModelProto) -> int:
    """The version of the default operator set; within what is supported."""
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    newest = onnx.defs.onnx_opset_version()
    if len(versions) != 1:
        raise FormatError(f"the file must name one version of the default operator set, got {versions[:8]}")
    if not OLDEST_OPSET <= versions[0] <= newest:
        raise UnsupportedError(f"the opset must be in [{OLDEST_OPSET}, {newest}], got {versions[0]}")
    return versions[0]


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


def _label(node) -> str:
    """A node in a message: its name, or what it makes."""
    return cut(node.name) if node.name else f"that makes {cut(next(iter(node.output), ''))}"
