"""The ONNX graph that an exporter fills layer by layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


class Graph:
    """Nodes and constants; values are named after the layer that gives them."""

    def __init__(self, onnx, opset: int):
        self.onnx, self.opset = onnx, opset
        self.nodes: list = []
        self.constants: list = []
        self._names: set[str] = set()  # of nodes
        self.layer = 0  # the index of the one that is being written
        self.names: list[str] = []  # of its operands
        self.dims: list[tuple] = []  # theirs, as they stand in the file

    def node(self, op: str, *inputs: str, **attributes) -> str:
        """Appends a node of one output -> that output's name."""
        name = f"{self.layer}.{op}"
        if name in self._names:
            name += f".{len(self.nodes)}"
        self._names.add(name)
        self.nodes.append(self.onnx.helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def several(self, op: str, inputs, count: int, **attributes) -> list[str]:
        """Appends a node of several outputs -> their names; trailing inputs that are none are left out."""
        inputs = list(inputs)
        while inputs and not inputs[-1]:
            inputs.pop()
        first = self.node(op, *inputs, **attributes)
        names = [first, *(f"{first}.{i}" for i in range(1, count))]
        self.nodes[-1].output.extend(names[1:])
        return names

    def over_axes(self, op: str, x: str, axes) -> str:
        """A node that takes its axes as an input from opset 18 on, as an attribute before."""
        if self.opset < 18:
            return self.node(op, x, axes=list(axes))
        return self.node(op, x, self.integers("axes", axes))

    def along_last(self, x: str, axis: int, make: Callable[[str], str]) -> str:
        """What make writes of x along its last axis, for another axis of the first operand."""
        rank = len(self.dims[0])
        if axis == rank - 1:
            return make(x)
        order = list(range(rank))
        order[axis], order[-1] = order[-1], order[axis]  # its own inverse
        return self.node("Transpose", make(self.node("Transpose", x, perm=order)), perm=order)

    def last_two_turned(self, x: str, rank: int) -> str:
        return self.node("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2])

    def heads_repeated(self, x: str, dims: tuple, times: int) -> str:
        """x (batch, heads, rows, tokens), each head that often."""
        mark = f"of{len(self.constants)}"
        apart = self.node("Unsqueeze", x, self.integers(f"axis_{mark}", [2]))
        copies = self.node("Expand", apart, self.integers(f"copies_{mark}", [1, 1, times, 1, 1]))
        shape = [0, dims[1] * times, dims[2], -1]
        return self.node("Reshape", copies, self.integers(f"heads_{mark}", shape))

    def later_hidden(self, x: str) -> str:
        """x (..., queries, keys), minus infinity where a key stands behind the query."""
        value = self.onnx.numpy_helper.from_array(np.array([-np.inf], np.float32))
        full = self.node("ConstantOfShape", self.sizes_behind(x, 2), value=value)
        return self.node("Add", x, self.node("Trilu", full, self.integers("above", 1), upper=1))

    def constant(self, name: str, value) -> str:
        """An initialiser float32 -> its name."""
        return self._store(f"{self.layer}.{name}", np.asarray(value, np.float32))

    def integers(self, name: str, values) -> str:
        """An initialiser int64 -> its name."""
        return self._store(f"{self.layer}.{name}", np.asarray(values, np.int64))

    def joined(self, *lists: str) -> str:
        """Lists of integers one after the other."""
        return self.node("Concat", *lists, axis=0)

    def sizes_behind(self, x: str, axis: int) -> str:
        """The sizes of a value from an axis on, known when it runs."""
        ends = self.integers("start", [axis]), self.integers("end", [2**31 - 1])
        return self.node("Slice", self.node("Shape", x), *ends)

    def repeated(self, x: str, index: int) -> str:
        """An operand as it is; a constant, which stands in the file without a batch, once for each sample."""
        value = next(i for i, dims in enumerate(self.dims) if dims and dims[0] is None)
        if index == value or self.dims[index][:1] == (None,):
            return x
        mark = f"of{len(self.constants)}"
        one = self.node("Unsqueeze", x, self.integers(f"front_{mark}", [0]))
        rest = self.integers(f"rest_{mark}", [1] * len(self.dims[index]))
        return self.node("Expand", one, self.joined(self.size_at(self.names[value], 0), rest))

    def size_at(self, x: str, axis: int) -> str:
        """The size of a value along an axis, a list of one."""
        mark = f"of{len(self.constants)}"
        ends = self.integers(f"from_{mark}", [axis]), self.integers(f"to_{mark}", [axis + 1])
        return self.node("Slice", self.node("Shape", x), *ends)

    def shared_constant(self, name: str, value: np.ndarray) -> str:
        """An initialiser float32 under that name, once however often it is read."""
        if all(tensor.name != name for tensor in self.constants):
            self._store(name, value)
        return name

    def _store(self, label: str, array: np.ndarray) -> str:
        """Once, where a layer asks for the same again."""
        made = self.onnx.numpy_helper.from_array(array, label)
        if any(tensor == made for tensor in self.constants if tensor.name == label):
            return label
        self.constants.append(made)
        return label

    def value_info(self, value):
        """The name and the dims of an input or output; a dim that is known only when it runs has a name."""
        dims = [
            "batch",
            *(f"{value.name}.{i}" if dim is None else dim for i, dim in enumerate(value.dims[1:], 1)),
        ]
        return self.onnx.helper.make_tensor_value_info(value.name, self.onnx.TensorProto.FLOAT, dims)

    def sparse_constant(self, name: str, weight) -> str:
        """A csr_array (out, in) as a Constant node, values with their positions row by row -> its name."""
        label = f"{self.layer}.{name}"
        rows, columns = weight.shape
        places = np.repeat(np.arange(rows, dtype=np.int64), np.diff(weight.indptr)) * columns + weight.indices
        tensor = self.onnx.helper.make_sparse_tensor(
            self.onnx.numpy_helper.from_array(weight.data, label),
            self.onnx.numpy_helper.from_array(places, f"{label}.positions"),
            [rows, columns],
        )
        self.nodes.append(self.onnx.helper.make_node("Constant", [], [label], sparse_value=tensor))
        return label

    def rename_last(self, output: str) -> str:
        """Gives the output of the last node another name -> that name."""
        self.nodes[-1].output[0] = output
        return output
