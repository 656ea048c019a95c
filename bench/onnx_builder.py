"""Builds ONNX graphs of convolutions with random weights; see make_networks.py."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SPREAD = 0.5  # sigma of the log-normal scale of each filter


class Network:
    """An ONNX graph under construction: every method adds a node, takes values by name and gives its own.

    The batch is not fixed. Normalisations count as folded: each convolution has a bias.
    """

    def __init__(self, name: str, *input_dims: int, seed: int = 0):
        self.name, self.random = name, np.random.default_rng(seed)
        self.nodes: list = []
        self.weights: list = []
        self.channels = {"x": input_dims[0]}
        self.ranks = {"x": len(input_dims) - 1}
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *input_dims])

    def node(self, op: str, *inputs: str, channels: int | None = None, **attributes) -> str:
        output = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        self.channels[output] = self.channels[inputs[0]] if channels is None else channels
        self.ranks[output] = self.ranks[inputs[0]]
        return output

    def convolution(self, x: str, channels: int, kernel: int, stride: int = 1, *, groups=1, scale=1.0) -> str:
        """Padded so that stride 1 keeps the size (odd kernels) or adds one (even ones)."""
        rank = self.ranks[x]
        weight = self.filters((channels, self.channels[x] // groups, *[kernel] * rank), scale)
        parameters = [self.constant(weight), self.constant(self.random.normal(0, 0.1, channels))]
        return self.node(
            "Conv", x, *parameters, channels=channels, kernel_shape=[kernel] * rank,
            strides=[stride] * rank, pads=[kernel // 2] * 2 * rank, group=groups,
        )  # fmt: skip

    def linear(self, x: str, outputs: int) -> str:
        weight = self.filters((outputs, self.channels[x]), 1.0)
        bias = self.constant(self.random.normal(0, 0.1, outputs))
        return self.node("Gemm", x, self.constant(weight), bias, channels=outputs, transB=1)

    def relu(self, x: str) -> str:
        return self.node("Relu", x)

    def relu6(self, x: str) -> str:
        return self.node("Clip", x, self.constant(0.0), self.constant(6.0))

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def add(self, a: str, b: str) -> str:
        return self.node("Add", a, b)

    def concat(self, *values: str) -> str:
        return self.node("Concat", *values, channels=sum(self.channels[v] for v in values), axis=1)

    def max_pool(self, x: str, kernel: int, stride: int) -> str:
        rank = self.ranks[x]
        sizes = {"kernel_shape": [kernel] * rank, "strides": [stride] * rank}
        return self.node("MaxPool", x, **sizes, pads=[kernel // 2] * 2 * rank)

    def global_average(self, x: str) -> str:
        """(batch, channels)."""
        return self.node("Flatten", self.node("GlobalAveragePool", x))

    def upsample(self, x: str) -> str:
        """Twice as high and wide, nearest."""
        scales = self.constant([1.0, 1.0, 2.0, 2.0])
        modes = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        return self.node("Resize", x, "", scales, **modes)

    def filters(self, shape: tuple[int, ...], scale: float) -> np.ndarray:
        """Normal weights that keep the size of what they are given, each filter times a log-normal number."""
        weight = self.random.normal(0, scale * np.sqrt(2 / np.prod(shape[1:])), shape)
        factors = self.random.lognormal(-(SPREAD**2), SPREAD, shape[0])  # of which the mean square is 1
        return weight * factors.reshape(-1, *[1] * (len(shape) - 1))

    def constant(self, value) -> str:
        name = f"constant{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def finish(self, *outputs: str) -> onnx.ModelProto:
        """Shapes of outputs are left to inference."""
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, self.name, [self.input], values, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model, full_check=True)
        return model
