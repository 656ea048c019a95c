"""Recurrent layers of torch and ONNX: against torch, ONNX Runtime and each other's exports, random ones too.

`make conv-check`, or pytest --conv-check with this file, runs 300 random layers of each.
"""

import io
import warnings
from importlib.util import find_spec

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import sparsenn as snn  # noqa: E402
from sparsenn.layers import Recurrent  # noqa: E402
from sparsenn.reference import reference_with_bound  # noqa: E402

EPS = float(np.finfo(np.float32).eps)
SPARE = 16.0  # others add up in another order, and come near to sigmoid and tanh in their own way
HAS_RUNTIME, HAS_TORCH = (find_spec(name) is not None for name in ("onnxruntime", "torch"))
ACTIVATIONS = ("Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softplus", "Elu", "LeakyRelu", "Affine")
NUMBERS = {"HardSigmoid": (0.2, 0.5), "Elu": (1.0,), "LeakyRelu": (0.01,), "Affine": (1.0, 0.0)}
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
COUNTS = {"LSTM": 3, "GRU": 2, "RNN": 1}  # of activations


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(300 if metafunc.config.getoption("conv_check") else 24))


def as_dict(model: snn.Model, y) -> dict:
    return y if isinstance(y, dict) else {model.output_values[0].name: y}


def assert_agrees(model: snn.Model, x: np.ndarray | dict, others: list[np.ndarray]) -> None:
    """The plan is within the bound, and others, samples first, within SPARE times that."""
    exact, bound = (as_dict(model, part) for part in reference_with_bound(model, x))
    got = as_dict(model, snn.compile(model, threads=2, tune="off", cache=False).run(x))
    assert len(got) == len(others)
    for (name, y), other in zip(got.items(), others, strict=True):
        assert y.shape == exact[name].shape == other.shape
        assert (abs(y - exact[name]) <= bound[name]).all()
        excess = abs(other - exact[name]) - SPARE * (bound[name] + EPS)
        assert not (excess > 0).any(), f"{name}: over the bound by {excess.max():g}"


# ---- ONNX ----


def random_node(seed: int, *, layout: int = 0) -> tuple[onnx.ModelProto, np.ndarray]:
    """A recurrent node with everything that it may have, and x (batch, steps, inputs)."""
    rng = np.random.default_rng(seed)
    op = ("LSTM", "GRU", "RNN")[seed % 3]
    gates, count = GATES[op], COUNTS[op]
    steps, batch, inputs, hidden = (int(rng.integers(1, most)) for most in (9, 5, 20, 20))
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    ways = 2 if direction == "bidirectional" else 1

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
        array = (rng.standard_normal(shape) * scale).astype(np.float32)
        return np.where(rng.random(shape) < rng.choice([0, 0.8]), 0, array).astype(np.float32)

    arrays = {
        "W": normal(ways, gates * hidden, inputs, scale=inputs**-0.5),
        "R": normal(ways, gates * hidden, hidden, scale=hidden**-0.5),
    }
    if rng.random() < 0.7:
        arrays["B"] = normal(ways, 2 * gates * hidden)
    if rng.random() < 0.4:
        arrays["L"] = np.full(batch, rng.integers(1, steps + 1), np.int32)
    for name in ("H", "C")[: (2 if op == "LSTM" else 1) if rng.random() < 0.5 else 0]:
        state = np.repeat(normal(ways, 1, hidden), batch, axis=1)
        arrays[name] = state.transpose(1, 0, 2) if layout else state
    if op == "LSTM" and rng.random() < 0.4:
        arrays["P"] = normal(ways, 3 * hidden)
    attributes = {"direction": direction, "hidden_size": hidden}
    if layout:
        attributes["layout"] = 1
    if rng.random() < 0.3:
        attributes["clip"] = 1.5
    if rng.random() < 0.4:
        gate = rng.choice(
            ["Sigmoid", "HardSigmoid"] if count > 1 else ACTIVATIONS, 1
        )  # so that states stay small
        attributes["activations"] = [*gate, *rng.choice(ACTIVATIONS, count - 1)] * ways
        for place, name in enumerate(("activation_alpha", "activation_beta")):
            numbers = [NUMBERS.get(own, ())[place:][:1] for own in attributes["activations"]]
            if "Affine" in attributes["activations"]:
                attributes[name] = [number for own in numbers for number in own]
    if op == "GRU":
        attributes["linear_before_reset"] = int(rng.random() < 0.5)
    if op == "LSTM":
        attributes["input_forget"] = int(rng.random() < 0.3)
    places = {"LSTM": "XWRBLHCP", "GRU": "XWRBLH", "RNN": "XWRBLH"}[op]
    names = [name if name == "X" or name in arrays else "" for name in places]
    outputs = {"Y": None, "Y_h": None, **({"Y_c": None} if op == "LSTM" else {})}
    kept = [name for name in outputs if rng.random() < 0.7] or ["Y"]
    shape = [batch, steps, inputs] if layout else [steps, batch, inputs]
    graph = helper.make_graph(
        [helper.make_node(op, names, [name if name in kept else "" for name in outputs], **attributes)],
        "recurrent",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in kept],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return proto, rng.standard_normal((batch, steps, inputs), dtype=np.float32)


def run_onnx(proto: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})


@pytest.mark.skipif(not HAS_RUNTIME, reason="onnxruntime is not installed: pip install 'sparsenn-cpu[bench]'")
def test_onnx_runtime_gives_the_same(seed):
    proto, x = random_node(seed)
    made = run_onnx(proto, x.transpose(1, 0, 2))
    assert_agrees(snn.from_onnx(proto), x, [np.moveaxis(y, 2 if y.ndim == 4 else 1, 0) for y in made])


@pytest.mark.skipif(not HAS_RUNTIME, reason="onnxruntime is not installed: pip install 'sparsenn-cpu[bench]'")
@pytest.mark.parametrize("op", GATES)
def test_first_states_that_are_inputs(op):
    """Of both directions, cut out of one input, other ones for each sample; the model has the batch first."""
    import onnxruntime

    rng = np.random.default_rng(len(op))
    rows, states = GATES[op] * 4, ("H", "C") if op == "LSTM" else ("H",)
    arrays = {
        "W": rng.standard_normal((2, rows, 3)).astype(np.float32),
        "R": rng.standard_normal((2, rows, 4)).astype(np.float32) / 2,
        "B": rng.standard_normal((2, 2 * rows)).astype(np.float32),
        **{name: np.array(ends, np.int64) for name, ends in (("zero", [0]), ("two", [2]), ("four", [4]))},
    }
    ends = {"H": ["zero", "two"], "C": ["two", "four"]}
    nodes = [helper.make_node("Slice", ["S", *ends[name], "zero"], [name]) for name in states]
    outputs = ["Y", "Y_h", "Y_c"][: 1 + len(states)]
    options = {"linear_before_reset": 1} if op == "GRU" else {}
    nodes.append(
        helper.make_node(
            op,
            ["X", "W", "R", "B", "", *states],
            outputs,
            hidden_size=4,
            direction="bidirectional",
            **options,
        )
    )
    graph = helper.make_graph(
        nodes,
        "states",
        [
            helper.make_tensor_value_info("X", TensorProto.FLOAT, [5, 3, 3]),
            helper.make_tensor_value_info("S", TensorProto.FLOAT, [4, 3, 4]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    x, state = (rng.standard_normal(shape).astype(np.float32) for shape in ((5, 3, 3), (4, 3, 4)))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"X": x, "S": state})
    model = snn.from_onnx(proto)
    given = {"X": x.transpose(1, 0, 2), "S": state.transpose(1, 0, 2)}
    assert_agrees(model, given, [np.moveaxis(y, 2 if y.ndim == 4 else 1, 0) for y in wanted])


def test_both_layouts_are_the_same(seed):
    (one, x), (other, _) = (random_node(seed, layout=layout) for layout in (0, 1))
    first, second = (as_dict(model, model.predict(x)) for model in map(snn.from_onnx, (one, other)))
    assert list(first) == list(second)
    for name, y in first.items():
        np.testing.assert_array_equal(y, second[name])


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"input_forget": 1, "activations": ["Tanh", "Tanh", "Tanh"]},
            "must have a gate of sigmoid, hard_sigmoid with input_forget, got tanh",
        ),
        ({"activations": ["ScaledTanh"] * 3}, "must have activations of Sigmoid, Tanh"),
        ({"activations": ["Sigmoid"]}, "must have 3 activations, got 1"),
        ({"activations": ["Elu", "Tanh", "Tanh"], "activation_alpha": [0.5]}, "usual activation_alpha"),
        ({"activations": ["Affine", "Tanh", "Tanh"]}, "must have the activation_alpha of Affine"),
        ({"direction": "sideways"}, "must have direction forward, reverse or bidirectional"),
        ({"hidden_size": 5}, "must have hidden_size 3 like its weight, got 5"),
        ({"clip": -1.0}, "must have a clip of at least 0, got -1"),
        ({"direction": "bidirectional"}, "must have a weight of 2 directions as input 1"),
        ({"layout": 1}, "must take .batch, steps, features., got"),
    ],
)  # fmt: skip
def test_nodes_that_are_no_layer_of_ours_say_why(change, message):
    arrays = {"W": np.ones((1, 12, 2), np.float32), "R": np.ones((1, 12, 3), np.float32)}
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["X"], ["T"], perm=[1, 0, 2]),
            helper.make_node("LSTM", ["T", "W", "R"], ["Y"], **{"hidden_size": 3, **change}),
        ],
        "lstm",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 4, 2])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    with pytest.raises(snn.SparsennError, match=message):
        snn.from_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8))


def test_states_and_lengths_of_single_samples_are_refused():
    for name, array, message in [
        ("H", np.arange(12, dtype=np.float32).reshape(1, 2, 6), "begin with the same state for every sample"),
        ("L", np.array([1, 2], np.int32), "the same number of steps for every sample"),
    ]:
        arrays = {"W": np.ones((1, 6, 2), np.float32), "R": np.ones((1, 6, 6), np.float32), name: array}
        places = [key if key == "X" or key in arrays else "" for key in "XWRBLH"]
        graph = helper.make_graph(
            [
                helper.make_node("Transpose", ["T"], ["X"], perm=[1, 0, 2]),
                helper.make_node("RNN", places, ["Y"], hidden_size=6),
            ],
            "rnn",
            [helper.make_tensor_value_info("T", TensorProto.FLOAT, [2, 4, 2])],
            [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(own, key) for key, own in arrays.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
        with pytest.raises(snn.UnsupportedError, match=message):
            snn.from_onnx(made)


# ---- torch ----

needs_torch = pytest.mark.skipif(
    not HAS_TORCH, reason="torch is not installed: pip install 'sparsenn-cpu[torch]'"
)


def random_module(seed: int):
    """A module around an nn.LSTM, GRU or RNN, and x (batch, steps, inputs)."""
    import torch

    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    kind = (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)[seed % 3]
    inputs, hidden, layers = (int(rng.integers(1, most)) for most in (20, 20, 4))
    options = {
        "num_layers": layers,
        "bidirectional": bool(rng.random() < 0.5),
        "bias": bool(rng.random() < 0.7),
    }
    options["batch_first"] = bool(rng.random() < 0.5)
    if kind is torch.nn.RNN:
        options["nonlinearity"] = str(rng.choice(["tanh", "relu"]))
    begins, takes = bool(rng.random() < 0.4), str(rng.choice(["all", "last step", "last state", "both"]))
    given = hidden
    if kind is torch.nn.LSTM and hidden > 2 and rng.random() < 0.4:
        given = options["proj_size"] = int(rng.integers(1, hidden))

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = kind(inputs, hidden, **options)
            ways = layers * (2 if options["bidirectional"] else 1)
            self.start = torch.nn.Parameter(torch.randn(ways, 1, hidden), requires_grad=False)
            self.last = torch.nn.Linear(given * (2 if options["bidirectional"] else 1), 3)

        def forward(self, x):
            x = x if options["batch_first"] else x.transpose(0, 1)
            given = (x,)
            if begins:
                start = self.start.repeat(1, x.shape[0 if options["batch_first"] else 1], 1)
                h = start[:, :, : options.get("proj_size", hidden)]
                given = (x, (h, start * 0.5) if kind is torch.nn.LSTM else start)
            y, states = self.layers(*given)
            y = y if options["batch_first"] else y.transpose(0, 1)
            h = states[0] if kind is torch.nn.LSTM else states
            if takes == "all":
                return y
            if takes == "last step":
                return self.last(y[:, -1])
            if takes == "last state":
                return h[-1]
            return y, (states[1] if kind is torch.nn.LSTM else h)[0]

    x = rng.standard_normal((3, int(rng.integers(1, 9)), inputs), dtype=np.float32)
    return Network().eval(), x


@needs_torch
def test_torch_gives_the_same(seed):
    import torch

    module, x = random_module(seed)
    with torch.no_grad():
        made = module(torch.from_numpy(x))
    made = [part.numpy() for part in (made if isinstance(made, tuple) else (made,))]
    model = snn.from_torch(module, torch.from_numpy(x))
    kinds = {type(layer) for layer in model.layers if isinstance(layer, Recurrent)}
    assert kinds == {{"LSTM": snn.LSTM, "GRU": snn.GRU, "RNN": snn.RNN}[type(module.layers).__name__]}
    assert_agrees(model, x, made)


@needs_torch
@pytest.mark.parametrize("index", range(6))
def test_what_torch_exports_is_the_same(index):
    """Two layers of both directions, as torch writes them to ONNX with an open number of steps."""
    import torch

    kind = (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)[index % 3]
    torch.manual_seed(index)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = kind(4, 6, num_layers=2, bidirectional=index > 2, batch_first=True)
            self.last = torch.nn.Linear(12 if index > 2 else 6, 3)

        def forward(self, x):
            return self.last(self.layers(x)[0][:, -1])

    module, content = Network().eval(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.randn(2, 5, 4),), content, dynamo=False, input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "batch", 1: "steps"}},
        )  # fmt: skip
    model = snn.from_onnx(content.getvalue())
    assert model.input_values[0].dims == (None, None, 4)
    for steps in (1, 7):
        x = np.random.default_rng(index).standard_normal((3, steps, 4)).astype(np.float32)
        with torch.no_grad():
            assert_agrees(model, x, [module(torch.from_numpy(x)).numpy()])


@needs_torch
@pytest.mark.parametrize("kind", GATES)
def test_layers_alone_give_their_states(kind):
    """What torch gives: the result, then the last states, which have the batch in dimension 1 there."""
    import torch

    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(4, 3, num_layers=2, bidirectional=True, batch_first=True).eval()
    x = np.random.default_rng(1).standard_normal((3, 5, 4)).astype(np.float32)
    model = snn.from_torch(module, torch.from_numpy(x))
    assert [value.dims for value in model.output_values][1:] == [(None, 4, 3)] * (2 if kind == "LSTM" else 1)
    with torch.no_grad():
        y, states = module(torch.from_numpy(x))
    states = states if kind == "LSTM" else (states,)
    assert_agrees(model, x, [y.numpy(), *(own.numpy().transpose(1, 0, 2) for own in states)])


@needs_torch
def test_open_steps_of_torch():
    import torch

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers, self.last = torch.nn.GRU(4, 6, batch_first=True), torch.nn.Linear(6, 2)

        def forward(self, x):
            return self.last(self.layers(x)[1][-1])

    module = Network().eval()
    model = snn.from_torch(module, input_shapes={"x": (None, None, 4)})
    x = np.random.default_rng(0).standard_normal((2, 11, 4)).astype(np.float32)
    with torch.no_grad():
        assert_agrees(model, x, [module(torch.from_numpy(x)).numpy()])


@needs_torch
@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch_first": False}, r"must take \(steps, batch, features\), as batch_first=False says"),
    ],
)
def test_modules_that_are_no_layer_of_ours_say_why(options, message):
    import torch

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.LSTM(4, 6, **{"batch_first": True, **options})

        def forward(self, x):
            return self.layers(x)[0]

    with pytest.raises(snn.UnsupportedError, match=message):
        snn.from_torch(Network().eval(), torch.randn(2, 5, 4))
