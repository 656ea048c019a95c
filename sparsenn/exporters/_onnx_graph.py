"""The ONNX graph that an exporter fills layer by layer."""

from __future__ import annotations

import numpy as np


class Graph:
    """Nodes and constants; values are named after the layer that gives them."""

    def __init__(self, onnx, opset: int):
        self.onnx, self.opset = onnx, opset
        self.nodes: list = []
        self.constants: list = []
        self.layer = 0  # the index of the one that is being written

    def node(self, op: str, *inputs: str, **attributes) -> str:
        """Appends a node of one output -> that output's name."""
        name = f"{self.layer}.{op}"
        if any(node.name == name for node in self.nodes[-8:]):
            name += f".{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def over_axes(self, op: str, x: str, axes) -> str:
        """A node that takes its axes as an input from opset 18 on, as an attribute before."""
        if self.opset < 18:
            return self.node(op, x, axes=list(axes))
        return self.node(op, x, self.integers("axes", axes))

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

    def shared_constant(self, name: str, value: np.ndarray) -> str:
        """An initialiser float32 under that name, once however often it is read."""
        if all(tensor.name != name for tensor in self.constants):
            self._store(name, value)
        return name

    def _store(self, label: str, array: np.ndarray) -> str:
        self.constants.append(self.onnx.numpy_helper.from_array(array, label))
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
