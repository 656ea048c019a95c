"""Random ONNX graphs, each with its value in float64 and how far a float32 runtime may be from it.

The bound goes along with the value, op by op: a sum of k products rounds by (k + 2) eps (|W| |x| + |b|), and
an error that enters an op leaves it no larger than its steepest slope makes it. Runtimes approximate tanh,
sigmoid, erf and exp to within 8 eps of the largest value of the function.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from scipy.special import erf, expit, softmax

EPS = float(np.finfo(np.float32).eps)


class RandomGraph:
    """proto, x (batch, ...) float32, exact and bound (batch, outputs) float64."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.opset = int(self.rng.choice([9, 11, 13, 15, 18, 20, min(21, onnx.defs.onnx_opset_version())]))
        self.nodes, self.initializers, self.sparse, self.count = [], [], [], 0
        batch = int(self.rng.integers(1, 6))
        sizes = [int(n) for n in self.rng.integers(1, 8, 3 if self.rng.random() < 0.3 else 1)]
        self.x = self.rng.standard_normal((batch, *sizes)).astype(np.float32)
        self.exact, self.bound = self.x.astype(np.float64), np.zeros(self.x.shape)
        self.name = "x"
        if len(sizes) > 1:
            self.flatten()
        for _ in range(self.rng.integers(1, 7)):
            ops = [
                self.gemm,
                self.gemm,
                self.matmul,
                self.scale,
                self.activation,
                self.activation,
                self.nothing,
                self.norm,
            ]
            ops[self.rng.integers(len(ops))]()
        if self.rng.random() < 0.2:
            self.softmax()
        self.proto = self.model(sizes)

    def model(self, sizes: list[int]) -> onnx.ModelProto:
        self.node("Identity", [self.name], output="y")
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *sizes])]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", self.exact.shape[1]])]
        graph = helper.make_graph(
            self.nodes, "g", inputs, outputs, initializer=self.initializers, sparse_initializer=self.sparse
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def node(self, op: str, inputs: list[str], output: str | None = None, **attributes) -> str:
        self.count += 1
        name = output or f"v{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"n{self.count}", **attributes))
        self.name = name
        return name

    def constant(self, values) -> str:
        """An initialiser, or the output of a Constant node."""
        self.count += 1
        name = f"c{self.count}"
        tensor = numpy_helper.from_array(np.asarray(values), name)
        if self.rng.random() < 0.3:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.initializers.append(tensor)
        return name

    def weight(self, rows: int, columns: int) -> tuple[str, np.ndarray]:
        values = self.rng.standard_normal((rows, columns)).astype(np.float32)
        kind = self.rng.random()
        if kind < 0.3:
            values *= self.rng.random(values.shape) < 0.2
        if kind > 0.15:
            return self.constant(values), values
        self.count += 1
        places = np.flatnonzero(values)
        data = numpy_helper.from_array(values.reshape(-1)[places], f"s{self.count}")
        index = numpy_helper.from_array(places.astype(np.int64), "")
        self.sparse.append(helper.make_sparse_tensor(data, index, values.shape))
        return f"s{self.count}", values

    def product(self, weight: np.ndarray, bias) -> None:
        """weight (in, out) float64 and bias: exact and bound of x weight + bias."""
        size = np.abs(self.exact) @ np.abs(weight) + np.abs(bias)
        self.bound = self.bound @ np.abs(weight) * (1 + 9 * EPS) + (len(weight) + 5) * EPS * size
        self.exact = self.exact @ weight + bias

    def gemm(self) -> None:
        rows = int(self.rng.integers(1, 20))
        transposed = bool(self.rng.random() < 0.5)
        shape = (rows, self.exact.shape[1]) if transposed else (self.exact.shape[1], rows)
        inputs, attributes, bias, beta = [self.name], {}, np.zeros(1), 1.0
        name, weight = self.weight(*shape)
        inputs.append(name)
        if self.rng.random() < 0.6 or self.opset < 11:
            shapes = [(rows,), (1, rows), (1,), (), (1, 1)]
            bias = self.rng.standard_normal(shapes[self.rng.integers(len(shapes))]).astype(np.float32)
            inputs.append(self.constant(bias))
        alpha = 1.0
        if self.rng.random() < 0.3:
            attributes["alpha"] = alpha = float(np.float32(self.rng.uniform(-2, 2)))
        if self.rng.random() < 0.3:
            attributes["beta"] = beta = float(np.float32(self.rng.uniform(-2, 2)))
        if transposed:
            attributes["transB"] = 1
        self.node("Gemm", inputs, **attributes)
        weight = weight.astype(np.float64) * alpha
        self.product(weight.T if transposed else weight, np.asarray(bias, np.float64) * beta)

    def matmul(self) -> None:
        rows, data = int(self.rng.integers(1, 20)), self.name
        name, weight = self.weight(self.exact.shape[1], rows)
        if self.rng.random() < 0.3 and name.startswith("c"):
            other = self.constant(np.ascontiguousarray(weight.T))
            name = self.node("Transpose", [other], perm=[1, 0])
        self.node("MatMul", [data, name])
        bias = (
            self.rng.standard_normal(rows).astype(np.float32)
            if self.rng.random() < 0.7
            else np.zeros(1, np.float32)
        )
        if self.rng.random() < 0.5:
            self.node("Add", [self.name, self.constant(bias)])
        else:
            data = self.name
            self.node("Add", [self.constant(bias), data])
        self.product(weight.astype(np.float64), bias.astype(np.float64))

    def scale(self) -> None:
        width, data = self.exact.shape[1], self.name
        op = ("Add", "Sub", "Mul", "Div")[self.rng.integers(4)]
        shape = [(width,), (1, width), (1,), ()][self.rng.integers(4)]
        values = (self.rng.uniform(0.5, 2, shape) * self.rng.choice([-1, 1], shape)).astype(np.float32)
        name = self.constant(values)
        turned = op != "Div" and self.rng.random() < 0.3
        self.node(op, [name, data] if turned else [data, name])
        left, right = (
            (values.astype(np.float64), self.exact) if turned else (self.exact, values.astype(np.float64))
        )
        size = np.abs(left) + np.abs(right) if op in ("Add", "Sub") else None
        if op in ("Mul", "Div"):
            factor = np.abs(values) if op == "Mul" else 1 / np.abs(values)
            self.bound = self.bound * factor
        self.exact = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[op](
            left, right
        )
        self.bound = self.bound + 2 * EPS * (np.abs(self.exact) if size is None else size)

    def norm(self) -> None:
        """BatchNormalization."""
        width = self.exact.shape[1]
        gain, offset, mean = (self.rng.standard_normal(width).astype(np.float32) for _ in range(3))
        variance = self.rng.uniform(0.5, 2, width).astype(np.float32)
        names = [self.constant(part) for part in (gain, offset, mean, variance)]
        data = self.nodes_input()
        self.node("BatchNormalization", [data, *names], epsilon=1e-3)
        factor = gain.astype(np.float64) / np.sqrt(variance.astype(np.float64) + float(np.float32(1e-3)))
        size = np.abs(factor) * (np.abs(self.exact) + np.abs(mean)) + np.abs(offset)
        self.exact = factor * (self.exact - mean) + offset
        self.bound = np.abs(factor) * self.bound * (1 + 9 * EPS) + 8 * EPS * size

    def nodes_input(self) -> str:
        return self.name

    def activation(self) -> None:
        kind = ("relu", "leaky", "clip", "tanh", "sigmoid", "elu", "gelu", "erf")[self.rng.integers(8)]
        x = self.exact
        if kind == "relu":
            self.node("Relu", [self.name])
            self.exact = np.maximum(x, 0)
        elif kind == "leaky":
            self.node("LeakyRelu", [self.name], alpha=0.25)
            self.exact = np.where(x > 0, x, 0.25 * x)
        elif kind == "clip":
            self.clip()
        elif kind in ("tanh", "sigmoid"):
            self.node(kind.capitalize(), [self.name])
            self.exact = np.tanh(x) if kind == "tanh" else expit(x)
            self.bound = self.bound + 8 * EPS
        elif kind == "elu":
            alpha = float(self.rng.choice([0.5, 1.0]))
            self.node("Elu", [self.name], **({} if alpha == 1 else {"alpha": alpha}))
            self.exact = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
            self.bound = self.bound + 8 * EPS
        else:
            self.gelu(formula=kind == "erf" or self.opset < 20)

    def clip(self) -> None:
        low, high = [(-1.0, 1.0), (0.0, 6.0), (0.0, None), (None, 0.5), (-0.5, None)][self.rng.integers(5)]
        if self.opset < 11:
            limits = {"min": low, "max": high}
            self.node("Clip", [self.name], **{k: v for k, v in limits.items() if v is not None})
        else:
            data = self.name
            names = ["" if v is None else self.constant(np.float32(v)) for v in (low, high)]
            self.node("Clip", [data, *(names if names[1] else names[:1])])
        self.exact = np.clip(self.exact, low, high)

    def gelu(self, *, formula: bool) -> None:
        data, x = self.name, self.exact
        if formula:
            half = self.rng.random() < 0.5
            first = self.node("Mul", [data, self.constant(np.float32(0.5))]) if half else data
            self.node("Div", [data, self.constant(np.float32(np.sqrt(2)))])
            self.node("Erf", [self.name])
            inner = self.node("Add", [self.name, self.constant(np.float32(1))])
            self.node("Mul", [first, inner] if self.rng.random() < 0.5 else [inner, first])
            if not half:
                last = self.name
                self.node("Mul", [last, self.constant(np.float32(0.5))])
        else:
            self.node("Gelu", [data])
        self.exact = 0.5 * x * (1 + erf(x / np.sqrt(2)))
        self.bound = 1.13 * self.bound + 16 * EPS * np.abs(x)

    def softmax(self) -> None:
        self.node(
            "Softmax",
            [self.name],
            **({"axis": [1, -1][self.rng.integers(2)]} if self.rng.random() < 0.7 else {}),
        )
        exponent = np.minimum(2 * self.bound.max(axis=1, keepdims=True), 700.0)
        self.exact = softmax(self.exact, axis=1)
        self.bound = self.exact * np.expm1(exponent) + 16 * EPS

    def flatten(self) -> None:
        flat = int(np.prod(self.exact.shape[1:]))
        data, kind = self.name, self.rng.integers(3)
        if kind == 0:
            self.node("Flatten", [data])
        else:
            shape = [[0, -1], [-1, flat]][kind - 1]
            self.node("Reshape", [data, self.constant(np.array(shape, np.int64))])
        self.exact, self.bound = (part.reshape(len(part), -1) for part in (self.exact, self.bound))

    def nothing(self) -> None:
        """An op that does nothing."""
        kind = self.rng.integers(4)
        if kind == 0:
            self.node("Dropout", [self.name])
        elif kind == 1:
            self.node("Cast", [self.name], to=TensorProto.FLOAT)
        elif kind == 2:
            self.node("Transpose", [self.name], perm=[1, 0])
            self.node("Transpose", [self.name])
        else:
            self.node("Identity", [self.name])
