"""Encoders of random weights as ONNX, node by node as torch's exporter does it; see bench_transformer.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SPREAD = 0.5  # sigma of the log-normal scale of each row of a weight
PLACES = 512  # rows of the table of positions
NAMES = ("input_ids", "attention_mask")


@dataclass(frozen=True)
class Shape:
    """hidden features, heads, features inside the two last layers of a block, blocks, words."""

    hidden: int
    heads: int
    inner: int
    layers: int
    words: int = 30522


SHAPES = {
    "bert-base-2": Shape(768, 12, 3072, 2),
    "bert-base": Shape(768, 12, 3072, 12),
    "minilm-6": Shape(384, 12, 1536, 6),
}


class Encoder:
    """A BERT-like encoder: token ids and a mask (batch, tokens) -> (batch, tokens, hidden).

    sparsity  of every weight of the blocks, by magnitude
    """

    def __init__(self, shape: Shape, sparsity: float):
        self.shape, self.sparsity = shape, sparsity
        self.random = np.random.default_rng(0)
        self.nodes: list = []
        self.weights: list = []
        self.output = self._build()

    def proto(self, batch: int | str = "batch", tokens: int | str = "tokens") -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, [batch, tokens]) for name in NAMES]
        dims = [batch, tokens, self.shape.hidden]
        output = helper.make_tensor_value_info(self.output, TensorProto.FLOAT, dims)
        graph = helper.make_graph(self.nodes, "encoder", inputs, [output], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)

    def _build(self) -> str:
        shape = self.shape
        size = self.node("Slice", self.node("Shape", NAMES[0]), self.whole(1), self.whole(2))
        places = self.node("Slice", self.whole(*range(PLACES)), self.whole(0), size)
        words = self.node("Gather", self.table(shape.words), NAMES[0])
        x = self.norm(self.node("Add", words, self.node("Gather", self.table(PLACES), places)))
        seen = self.node("Cast", self.node("Unsqueeze", NAMES[1], self.whole(1, 2)), to=TensorProto.FLOAT)
        away = self.node("Sub", self.constant(1.0), seen)
        mask = self.node("Mul", away, self.constant(np.finfo(np.float32).min))
        for _ in range(shape.layers):
            x = self.block(x, mask)
        return x

    def block(self, x: str, mask: str) -> str:
        shape, size = self.shape, self.shape.hidden // self.shape.heads
        q, k, v = (
            self.split(self.linear(x, shape.hidden, shape.hidden), order)
            for order in ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3))
        )
        scores = self.node("Div", self.node("MatMul", q, k), self.constant(size**0.5))
        weights = self.node("Softmax", self.node("Add", scores, mask), axis=-1)
        mixed = self.node("Transpose", self.node("MatMul", weights, v), perm=(0, 2, 1, 3))
        mixed = self.node("Reshape", mixed, self.whole(0, 0, shape.hidden))
        x = self.norm(self.node("Add", self.linear(mixed, shape.hidden, shape.hidden), x))
        up = self.linear(x, shape.inner, shape.hidden)
        gate = self.node("Erf", self.node("Div", up, self.constant(2**0.5)))
        gate = self.node("Add", gate, self.constant(1.0))
        gelu = self.node("Mul", self.node("Mul", up, gate), self.constant(0.5))
        return self.norm(self.node("Add", self.linear(gelu, shape.hidden, shape.inner), x))

    def split(self, x: str, order: tuple[int, ...]) -> str:
        sizes = self.whole(0, 0, self.shape.heads, self.shape.hidden // self.shape.heads)
        return self.node("Transpose", self.node("Reshape", x, sizes), perm=order)

    def linear(self, x: str, rows: int, columns: int) -> str:
        weight = self.random.normal(0, columns**-0.5, (columns, rows))
        weight *= self.random.lognormal(-(SPREAD**2), SPREAD, rows)
        weight[abs(weight) < np.quantile(abs(weight), self.sparsity)] = 0
        product = self.node("MatMul", x, self.constant(weight))
        return self.node("Add", self.constant(self.random.normal(0, 0.1, rows)), product)

    def norm(self, x: str) -> str:
        off = self.node("Sub", x, self.node("ReduceMean", x, axes=[-1]))
        square = self.node("ReduceMean", self.node("Pow", off, self.constant(2.0)), axes=[-1])
        root = self.node("Sqrt", self.node("Add", square, self.constant(1e-12)))
        scale = self.constant(self.random.uniform(0.5, 1.5, self.shape.hidden))
        shift = self.constant(self.random.normal(0, 0.1, self.shape.hidden))
        return self.node("Add", self.node("Mul", self.node("Div", off, root), scale), shift)

    def table(self, rows: int) -> str:
        return self.constant(self.random.normal(0, 1, (rows, self.shape.hidden)))

    def node(self, op: str, *inputs: str, **attributes) -> str:
        output = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, value, dtype=np.float32) -> str:
        name = f"constant{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def whole(self, *values: int) -> str:
        return self.constant(values, np.int64)
