"""ONNX networks that hold images with channels last and turn them for each window, as tf2onnx writes them.

They agree with ONNX Runtime, and the transposes between windows are gone.
"""

import numpy as np
import pytest

import sparsenn as snn

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]  # where channels go


class ChannelsLast:
    """A network under construction: values (n, height, width, channels)."""

    def __init__(self, seed: int, *, open_sizes: bool = False):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights = [], []
        self.sizes = ("h", "w") if open_sizes else (12, 16)
        self.channels = {"x": 3}

    def add(self, op: str, *inputs: str, channels: int, **attributes) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        self.channels[name] = channels
        return name

    def constant(self, values) -> str:
        array = np.asarray(values)
        name = f"c{len(self.weights)}"
        array = array.astype(np.float32) if array.dtype.kind == "f" else array.astype(np.int64)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def turned(self, op: str, x: str, *weights: str, channels: int, **attributes) -> str:
        """The op between a transpose to channels first and one back."""
        first = self.add("Transpose", x, channels=self.channels[x], perm=FIRST)
        made = self.add(op, first, *weights, channels=channels, **attributes)
        return self.add("Transpose", made, channels=channels, perm=LAST)

    def convolution(self, x: str, channels: int, kernel: int = 3) -> str:
        weight = self.rng.standard_normal((channels, self.channels[x], kernel, kernel)) / kernel
        pads = [kernel // 2] * 4
        made = self.turned("Conv", x, self.constant(weight), channels=channels, pads=pads)
        return self.add("Add", made, self.constant(self.rng.standard_normal(channels)), channels=channels)

    def activation(self, x: str) -> str:
        return self.add(str(self.rng.choice(["Relu", "Sigmoid", "Tanh"])), x, channels=self.channels[x])

    def scaled(self, x: str) -> str:
        scale = self.constant(self.rng.standard_normal(self.channels[x]))
        return self.add("Mul", x, scale, channels=self.channels[x])

    def padded(self, x: str) -> str:
        """By hand, and a convolution that takes it away again."""
        pads = self.constant([0, 1, 2, 0, 0, 1, 0, 0])
        around = self.add("Pad", x, pads, channels=self.channels[x])
        weight = self.constant(self.rng.standard_normal((4, self.channels[x], 3, 3)) / 3)
        return self.turned("Conv", around, weight, channels=4)

    def gated(self, x: str) -> str:
        """Squeeze and excitation."""
        channels = self.channels[x]
        mean = self.add("ReduceMean", x, channels=channels, axes=[1, 2], keepdims=1)
        gate = self.add("Sigmoid", self.convolution(mean, channels, 1), channels=channels)
        return self.add("Mul", x, gate, channels=channels)

    def pooled(self, x: str) -> str:
        op = str(self.rng.choice(["MaxPool", "AveragePool"]))
        more = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        return self.turned(op, x, channels=self.channels[x], **more)

    def residual(self, x: str) -> str:
        return self.add(
            "Add", x, self.activation(self.convolution(x, self.channels[x])), channels=self.channels[x]
        )

    def joined(self, x: str) -> str:
        other = self.activation(self.convolution(x, 4))
        return self.add("Concat", x, other, channels=self.channels[x] + 4, axis=3)

    def sliced(self, x: str) -> str:
        """All channels but the first."""
        at = (self.constant([value]) for value in (1, 10**6, 3))
        return self.add("Slice", x, *at, channels=self.channels[x] - 1)

    def chosen(self, x: str) -> str:
        largest = self.add("Max", x, self.convolution(x, self.channels[x], 1), channels=self.channels[x])
        return self.add("Softmax", largest, channels=self.channels[x], axis=3)

    STEPS = ("activation", "scaled", "padded", "gated", "pooled", "residual", "joined", "sliced", "chosen")

    def random(self, count: int) -> str:
        x = self.convolution("x", 6)
        for step in self.rng.choice(self.STEPS, count):
            x = getattr(self, step)(x) if self.channels[x] > 2 or step != "sliced" else x
        return self.activation(self.convolution(x, 5))

    def proto(self, *outputs: str):
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *self.sizes, 3))],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            initializer=self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def transposes(model: snn.Model) -> int:
    return sum(isinstance(node.layer, snn.Transpose) for node in model.nodes)


def assert_agrees(model: snn.Model, proto, sizes=((12, 16),)) -> None:
    """A plan, with ONNX Runtime; and it runs as many transposes as the model has."""
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    for size in sizes:
        x = np.random.default_rng([1, *size]).standard_normal((2, *size, 3), dtype=np.float32)
        got = plan.run(x)
        for array, wanted in zip(
            got.values() if isinstance(got, dict) else [got], session.run(None, {"x": x}), strict=True
        ):
            assert array.shape == wanted.shape
            np.testing.assert_allclose(array, wanted, rtol=0, atol=2e-5 * max(1, np.abs(wanted).max()))
    assert str(plan.explain()).lower().count("transpose") == transposes(model)


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed):
    """One transpose is left of the input and one of the output, whatever is between."""
    network = ChannelsLast(seed)
    proto = network.proto(network.random(1 + seed % 6))
    assert sum(node.op_type == "Transpose" for node in proto.graph.node) >= 4
    model = snn.from_onnx(proto)
    assert transposes(model) == 2
    assert_agrees(model, proto)


@pytest.mark.parametrize("sparsity", [0.8, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_of_any_size_and_pruned(seed, sparsity):
    network = ChannelsLast(100 + seed, open_sizes=True)
    proto = network.proto(network.random(4))
    model = snn.from_onnx(proto)
    assert model.input_values[0].dims == (None, None, None, 3)
    assert transposes(model) == 2
    assert_agrees(model, proto, [(12, 16), (7, 9), (3, 20)])
    pruned = snn.prune(model, sparsity=sparsity, scope="layer")
    assert_agrees(pruned, snn.to_onnx(pruned), [(12, 16), (7, 9), (3, 20)])


def test_a_classifier_has_one_transpose():
    """Of the input; the mean over height and width has channels alone."""
    network = ChannelsLast(0)
    x = network.residual(network.activation(network.convolution("x", 6)))
    mean = network.add("ReduceMean", x, channels=6, axes=[1, 2], keepdims=0)
    weight = network.constant(network.rng.standard_normal((6, 4)))
    proto = network.proto(network.add("MatMul", mean, weight, channels=4))
    model = snn.from_onnx(proto)
    assert transposes(model) == 1
    assert_agrees(model, proto)


def test_bits_are_those_of_channels_first():
    """What is moved computes the same: a network written with channels first gives the same bits."""
    network = ChannelsLast(3)
    h = network.pooled(network.activation(network.convolution("x", 6)))
    proto = network.proto(network.padded(network.joined(h)))
    got = snn.from_onnx(proto)
    first = [node for node in proto.graph.node if node.op_type != "Transpose"]
    names = {}
    for node in proto.graph.node:
        if node.op_type == "Transpose":
            names[node.output[0]] = names.get(node.input[0], node.input[0])
    for node in first:
        node.input[:] = [names.get(name, name) for name in node.input]
        if node.op_type == "Concat":
            node.attribute[0].i = 1
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.ndim == 1 and array.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(array[:, None, None], tensor.name))
        elif array.shape == (8,):
            tensor.CopyFrom(numpy_helper.from_array(np.array([0, 0, 1, 2, 0, 0, 1, 0]), tensor.name))
    output = names[proto.graph.output[0].name]
    del proto.graph.node[:]
    proto.graph.node.extend(first)
    proto.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 12, 16)))
    proto.graph.output[0].name = output
    wanted = snn.from_onnx(proto)
    assert transposes(wanted) == 0
    x = np.random.default_rng(0).standard_normal((3, 12, 16, 3), dtype=np.float32)
    plans = [snn.compile(model, threads=1, tune="off", cache=False) for model in (got, wanted)]
    y = plans[1].run(np.ascontiguousarray(x.transpose(FIRST)))
    np.testing.assert_array_equal(plans[0].run(x), y.transpose(LAST))


def test_those_that_do_not_cancel_stay():
    """A view over positions and channels reads them in the order of the source."""
    network = ChannelsLast(1)
    h = network.activation(network.convolution("x", 6))
    shape = network.constant([0, 12 * 6, 16])
    flat = network.add("Reshape", h, shape, channels=16)
    proto = network.proto(flat, network.convolution(h, 4))
    model = snn.from_onnx(proto)
    assert transposes(model) == 3
    assert_agrees(model, proto)
