"""Files of one sample: a dimension of steps first, a batch that is dropped; inputs that never change; If."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import sparsenn as snn

EPS = np.finfo(np.float32).eps
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def node(op: str, inputs: str, outputs: str, **attributes) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), outputs.split(), name=f"n_{outputs.split()[0]}", **attributes)


def value(name: str, shape, kind=FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def graph_of(nodes, inputs=(), outputs=(), arrays=None, name="g") -> onnx.GraphProto:
    stored = [numpy_helper.from_array(np.asarray(array), key) for key, array in (arrays or {}).items()]
    return helper.make_graph(list(nodes), name, list(inputs), list(outputs), stored)


def file_of(*args, **options) -> onnx.ModelProto:
    proto = helper.make_model(
        graph_of(*args, **options), opset_imports=[helper.make_opsetid("", 16)], ir_version=8
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def weights(rng, *shape, by=3.0) -> np.ndarray:
    return (rng.standard_normal(shape) / by).astype(np.float32)


def steps_first(steps="steps") -> onnx.ModelProto:
    """x (steps, 40) through a front end of each step and an LSTM of (steps, 1, 6): p (steps,), hn and cn."""
    rng = np.random.default_rng(0)
    arrays = {
        "pads": np.array([0, 4, 0, 4]), "one": np.array([1]), "flat": np.array([-1]),
        "w": weights(rng, 5, 1, 8), "v": weights(rng, 6, 5, 6), "b": weights(rng, 6), "two": np.float32(2),
        "gain": weights(rng, 1, 6, 1), "wi": weights(rng, 1, 24, 6), "wh": weights(rng, 1, 24, 6),
        "o": weights(rng, 1, 6, 1),
    }  # fmt: skip
    nodes = [
        node("Pad", "x pads", "x1", mode="reflect"),
        node("Unsqueeze", "x1 one", "x2"),
        node("Conv", "x2 w", "x3", strides=[8]),
        node("Pow", "x3 two", "x4"),
        node("Conv", "x4 v b", "x5"),
        node("Mul", "x5 gain", "x6"),
        node("Transpose", "x6", "x7", perm=[0, 2, 1]),
        node("LSTM", "x7 wi wh _ _ h c", "y hn cn", hidden_size=6),
        node("Squeeze", "y one", "y1"),
        node("Transpose", "y1", "y2", perm=[1, 2, 0]),
        node("Conv", "y2 o", "y3"),
        node("Sigmoid", "y3", "y4"),
        node("Reshape", "y4 flat", "p"),
    ]
    nodes[7].input[3:5] = ["", ""]
    inputs = [value("x", [steps, 40]), value("h", [1, 1, 6]), value("c", [1, 1, 6])]
    outputs = [value("p", [steps]), value("hn", [1, 1, 6]), value("cn", [1, 1, 6])]
    return file_of(nodes, inputs, outputs, arrays)


def runtime(proto: onnx.ModelProto):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    return onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


def of_model(model: snn.Model, given):
    return snn.compile(model, threads=2, tune="off", cache=False).run(given)


@pytest.mark.parametrize("steps", ["steps", 9])
def test_steps_may_stand_where_the_batch_does(steps):
    proto = steps_first(steps)
    model, session, rng = snn.from_onnx(proto), runtime(proto), np.random.default_rng(1)
    open_steps = None if steps == "steps" else steps
    assert [v.dims for v in model.input_values] == [(None, open_steps, 40), (None, 1, 6), (None, 1, 6)]
    assert [v.dims for v in model.output_values] == [(None, open_steps), (None, 1, 6), (None, 1, 6)]
    for count in (9,) if steps == 9 else (1, 2, 9, 33):
        x, h, c = (weights(rng, 3, *shape, by=1) for shape in ((count, 40), (1, 6), (1, 6)))
        y = of_model(model, {"x": x, "h": h, "c": c})
        for i in range(3):  # any number of what the file takes one of
            wanted = session.run(None, {"x": x[i], "h": h[i : i + 1], "c": c[i : i + 1]})
            for got, right in zip(y.values(), wanted, strict=True):
                np.testing.assert_allclose(got[i].ravel(), right.ravel(), rtol=0, atol=4e2 * EPS)


def test_they_come_bit_by_bit_with_first_states_that_never_change():
    zeros = np.zeros((1, 1, 6), np.float32)
    model = snn.from_onnx(steps_first(), output="p", constants={"h": zeros, "c": zeros + 0.5})
    assert [v.name for v in model.input_values] == ["x"]
    x = weights(np.random.default_rng(2), 2, 11, 40, by=1)
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    given = {"x": x, "h": np.zeros((2, 1, 6)), "c": np.full((2, 1, 6), 0.5)}
    whole, stream = plan.run(x), plan.stream(2)
    np.testing.assert_array_equal(whole, of_model(snn.from_onnx(steps_first(), output="p"), given))
    parts = [stream.feed(x[:, start:end]) for start, end in [(0, 1), (1, 6), (6, 7), (7, 11)]]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_a_batch_of_one_may_be_dropped():
    """By Squeeze, by Reshape, and parts of what is left joined along what was the batch's place."""
    rng = np.random.default_rng(3)
    arrays = {
        "wi": weights(rng, 1, 9, 4), "wh": weights(rng, 1, 9, 3), "s": np.array([0]), "e": np.array([2]),
        "n": np.array([3]), "flat": np.array([-1]), "k": np.float32([1, 2, 3]),
    }  # fmt: skip
    nodes = [
        node("GRU", "x wi wh _ _ h", "y hn", hidden_size=3),
        node("Squeeze", "hn", "a"),
        node("Slice", "a s e s", "b"),
        node("Slice", "a e n s", "c"),
        node("Add", "a k", "a1"),
        node("Concat", "c b a1", "d", axis=0),
        node("Reshape", "y flat", "z"),
    ]
    nodes[0].input[3:5] = ["", ""]
    inputs = [value("x", [5, "batch", 4]), value("h", [1, 1, 3])]
    proto = file_of(nodes, inputs, [value("d", ["n"]), value("z", ["m"])], arrays)
    x, h = weights(rng, 5, 1, 4, by=1), weights(rng, 1, 1, 3, by=1)
    y = of_model(snn.from_onnx(proto), {"x": x.transpose(1, 0, 2), "h": h})
    for got, right in zip(y.values(), runtime(proto).run(None, {"x": x, "h": h}), strict=True):
        np.testing.assert_allclose(got, right[np.newaxis], rtol=0, atol=32 * EPS)


def test_a_number_a_sample_is_a_vector_of_one():
    nodes = [node("ReduceSum", "x a", "y", keepdims=0)]
    proto = file_of(nodes, [value("x", ["b", 4])], [value("y", ["b"])], {"a": np.array([1])})
    x = weights(np.random.default_rng(4), 3, 4, by=1)
    np.testing.assert_allclose(of_model(snn.from_onnx(proto), x), x.sum(1, keepdims=True), atol=8 * EPS)


# ---- If ----


def choosing(condition: list, inputs=(), arrays=None, kind=16000) -> onnx.ModelProto:
    """y: x @ w and a bias of one branch, or of the other, which has an If of a shape inside; z: x + 1."""
    rng = np.random.default_rng(5)
    inner = node("If", "small", "k")
    for name, by in (("then_branch", 2), ("else_branch", 3)):
        made = graph_of([node("Mul", "u by", "t")], outputs=[value("t", None)], arrays={"by": np.float32(by)})
        inner.attribute.append(helper.make_attribute(name, made))
    small = [
        node("Shape", "u", "shape"), node("Gather", "shape one", "width"), node("Less", "width ten", "small"),
    ]  # fmt: skip
    then = [node("MatMul", "x w", "m"), node("Add", "m b", "t"), node("Identity", "m", "t2")]
    other = [node("MatMul", "x w", "u"), *small, inner, node("Identity", "u", "t2")]
    choice = node("If", "chosen", "y y2")
    for name, nodes, last, own in (
        ("then_branch", then, "t", {"b": weights(rng, 3)}),
        ("else_branch", other, "k", {"one": np.array(1), "ten": np.array(10)}),
    ):
        outputs = [value(last, None), value("t2", None)]
        choice.attribute.append(helper.make_attribute(name, graph_of(nodes, outputs=outputs, arrays=own)))
    outputs = [value("y", ["batch", 3]), value("y2", ["batch", 3])]
    stored = {"w": weights(rng, 4, 3), "rate": np.array(kind), **(arrays or {})}
    return file_of([*condition, choice], [value("x", ["batch", 4]), *inputs], outputs, stored)


@pytest.mark.parametrize("rate", [16000, 8000])
def test_a_constant_chooses_a_branch(rate):
    """Which both read values from outside, and have some of their own."""
    proto = choosing([node("Equal", "sr rate", "chosen")], [value("sr", [], INT64)])
    x = weights(np.random.default_rng(6), 5, 4, by=1)
    model = snn.from_onnx(proto, constants={"sr": rate})
    assert [v.name for v in model.input_values] == ["x"]
    y = of_model(model, x)
    for got, right in zip(
        y.values(), runtime(proto).run(None, {"x": x, "sr": np.array(rate)}), strict=True
    ):  # fmt: skip
        np.testing.assert_allclose(got, right, rtol=0, atol=16 * EPS)


BAD = {
    "a condition that an input gives": (
        {}, snn.UnsupportedError, "op 'If' of node 'n_y' must have a condition that is a constant.*constants",
    ),
    "no such input": (
        {"rate": 3}, snn.ArgumentError, "constants must be of inputs of the file, 'x', 'sr', got 'rate'",
    ),
    "another shape": (
        {"sr": [1, 2]}, snn.ArgumentError, r"constants\['sr'\] must have shape \(None, 1\), got \(2,\)",
    ),
    "two conditions": ({"sr": [[1], [2]]}, snn.FormatError, r"must have one condition, got shape \(2, 1\)"),
    "another type": ({"sr": [[0.5]]}, snn.ArgumentError, r"constants\['sr'\] must hold int64, got float64"),
    "text": ({"sr": [["a"]]}, TypeError, r"constants\['sr'\] must hold numbers"),
    "not finite": ({"x": np.full((1, 4), np.nan)}, snn.ArgumentError, r"constants\['x'\] must be finite"),
    "everything": (
        {"sr": [[1]], "x": np.ones((1, 4))}, snn.UnsupportedError, "'y' must depend on the input",
    ),
    "a list": ([1], TypeError, "constants must be a dict"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_constants_are_refused(case):
    constants, error, message = BAD[case]
    proto = choosing(
        [node("Equal", "sr rate", "e"), node("Identity", "e", "chosen")], [value("sr", ["batch", 1], INT64)]
    )
    with pytest.raises(error, match=message):
        snn.from_onnx(proto, constants=constants)


def test_branches_that_contradict_themselves_are_refused():
    proto = choosing([node("Equal", "rate rate", "chosen")])
    for change, message in (
        (lambda own: own.attribute.pop(), "must have two branches of 2 outputs"),
        (lambda own: own.attribute[0].g.output.pop(), "must have two branches of 2 outputs"),
        (lambda own: own.input.pop(), "must have one input, got 0"),
        (lambda own: own.attribute[0].g.node[0].input.append("nowhere"), "'nowhere'.* must be made before"),
    ):
        bad = onnx.ModelProto()
        bad.CopyFrom(proto)
        change(next(own for own in bad.graph.node if own.op_type == "If"))
        with pytest.raises(snn.FormatError, match=message):
            snn.from_onnx(bad)
