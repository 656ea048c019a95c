"""from_onnx on graphs: what to_onnx wrote, and graphs of others against ONNX Runtime."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from graphs import MODELS, assert_same_outputs, perceptron  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from test_export_graph import assert_near, run_onnx  # noqa: E402

import sparsenn as snn  # noqa: E402

RNG = np.random.default_rng(5)
WEIGHTS = {
    "w": RNG.standard_normal((6, 6)).astype(np.float32),
    "v": RNG.standard_normal((6, 3)).astype(np.float32),
    "b": RNG.standard_normal(6).astype(np.float32),
    "k": RNG.standard_normal((2, 3)).astype(np.float32),
}


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def make(nodes, *, inputs=None, outputs=("y",), opset=17, **constants) -> onnx.ModelProto:
    """inputs: shapes by name; constants: arrays, or a list of integers for a shape."""
    read = {name for n in nodes for name in n.input}
    constants = {k: v for k, v in (WEIGHTS | constants).items() if k in read}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
         for name, shape in (inputs or {"x": ("n", 6)}).items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        initializer=[numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def samples(model: snn.Model, batch: int) -> dict:
    rng = np.random.default_rng(batch)
    return {
        value.name: rng.standard_normal((batch, *value.dims[1:])).astype(np.float32)
        for value in model.input_values
    }


def check(proto: onnx.ModelProto, *, layers: str | None = None, **options) -> snn.Model:
    """The model gives what ONNX Runtime gives, by the reference and compiled; layers: what it is made of."""
    model = snn.from_onnx(proto, **options)
    if layers is not None:
        assert [type(n.layer).__name__ for n in model.nodes] == layers.split()
    for batch in (1, 5):
        x = samples(model, batch)
        declared = {
            i.name: [d.dim_value for d in i.type.tensor_type.shape.dim[1:]] for i in proto.graph.input
        }
        shapes = declared | {name: shape[1:] for name, shape in options.get("input_shapes", {}).items()}
        made = run_onnx(proto, {name: x[name].reshape(batch, *shapes[name]) for name in x})
        wanted = {value.name: made[value.name] for value in model.output_values}
        assert_near(model, x, wanted)
        got = snn.compile(model, tune="off").run(x if len(x) > 1 else next(iter(x.values())))
        assert_near(model, x, got if isinstance(got, dict) else {model.output_values[0].name: got})
    return model


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_there_and_back(model, sparse):
    """The same names, dims and values; a layer at several nodes is one again."""
    again = snn.from_onnx(snn.to_onnx(model, sparse=sparse))
    for ours, theirs in (
        (again.input_values, model.input_values),
        (again.output_values, model.output_values),
    ):
        assert [(value.name, value.dims) for value in ours] == [(value.name, value.dims) for value in theirs]
    assert len(again.linear_layers) == len(model.linear_layers)
    assert len(again.nodes) <= len(model.nodes)
    assert_same_outputs(again, model)


RESIDUAL = [node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("Add", "r x", "y")]
THREE = {"x": ("n", 2, 3)}
GRAPHS = {
    "residual": (make(RESIDUAL), "Linear ReLU Add"),
    "the same twice": (make([node("MatMul", "x w", "h"), node("Add", "h h", "y")]), "Linear Add"),
    "difference": (make([node("MatMul", "x w", "h"), node("Sub", "x h", "y")]), "Linear Sub"),
    "a gate": (
        make([node("MatMul", "x w", "h"), node("Sigmoid", "h", "s"), node("Mul", "s x", "y")]),
        "Linear Sigmoid Mul",
    ),
    "SiLU": (make([node("MatMul", "x w", "h"), node("Sigmoid", "h", "s"), node("Mul", "s h", "y")]),
             "Linear SiLU"),
    "data as the bias of Gemm": (
        make([node("MatMul", "x w", "h"), node("Gemm", "h w x", "y", alpha=0.5, beta=2.0)]), None,
    ),
    "one weight twice": (make([node("Gemm", "x w", "h"), node("Gemm", "h w", "g"), node("Add", "h g", "y")]),
                         "Linear Linear Add"),
    "Sum of three": (make([node("MatMul", "x w", "h"), node("Sum", "h x b", "y")]), None),
    "Neg": (make([node("Neg", "x", "h"), node("Add", "h x", "g"), node("Sub", "g b", "y")]), None),
    "scales that other nodes read": (
        make([node("MatMul", "x w", "h"), node("Mul", "h c", "s"), node("Tanh", "s", "t"),
              node("Add", "t s", "y")], c=np.float32(0.5)), "Linear Tanh Add",
    ),
    "split": (
        make([node("MatMul", "x w", "h"), node("Split", "h s", "p q", axis=1), node("Mul", "p q", "y")],
             s=[3, 3]), "Linear Slice Slice Mul",
    ),
    "split in equal parts": (
        make([node("Split", "x", "p q", axis=-1, num_outputs=2), node("Concat", "q p", "y", axis=1)],
             opset=18), "Slice Slice Concat",
    ),
    "slices": (
        make([node("Slice", "x s e a t", "p"), node("Concat", "p x", "y", axis=1)],
             s=[-5], e=[2**62], a=[-1], t=[2]), "Slice Concat",
    ),
    "slices of old": (
        make([node("Slice", "x", "y", starts=[1], ends=[4], axes=[1])], opset=9), "Slice",
    ),
    "gather": (make([node("Gather", "x i", "y", axis=1)], i=[4, 5, 0, -3]), "Slice Slice Slice Concat"),
    "one place": (
        make([node("Gather", "x i", "y", axis=1)], i=np.int64(-1), inputs=THREE), "Slice Reshape",
    ),
    "turned": (
        make([node("Transpose", "x", "t", perm=[0, 2, 1]), node("Reshape", "t s", "f"),
              node("MatMul", "f w", "y")], s=[0, -1], inputs=THREE), None,
    ),
    "dims of one": (
        make([node("Unsqueeze", "x a", "u"), node("Transpose", "u", "t", perm=[0, 2, 1]),
              node("Squeeze", "t b", "y")], a=[1], b=[2]), None,
    ),
    "transposed and back": (
        make([node("Transpose", "x", "t", perm=[1, 2, 0]), node("Mul", "t k", "m"),
              node("Transpose", "m", "y", perm=[2, 0, 1])], k=np.ones((2, 3, 1), np.float32) * 3,
             inputs=THREE), None,
    ),
    "constants of several dims": (
        make([node("Mul", "x k", "m"), node("Add", "m c", "y")], c=np.float32([[1], [2]]), inputs=THREE),
        "Mul Add",
    ),
    "arithmetic on shapes": (
        make([node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n axis", "m"),
              node("Concat", "m rest", "t", axis=0), node("Reshape", "x t", "y")],
             zero=np.int64(0), axis=[0], rest=[3, 2]), "Reshape",
    ),
    "sizes multiplied": (
        make([node("Shape", "x", "s", start=1), node("ReduceProd", "s", "p", keepdims=1),
              node("Concat", "m p", "t", axis=0), node("Reshape", "x t", "f"), node("MatMul", "f w", "y")],
             m=[-1], inputs=THREE), "Linear",
    ),
    "constants made on the way": (
        make([node("ConstantOfShape", "s", "c", value=helper.make_tensor("v", TensorProto.FLOAT, [1], [2])),
              node("Expand", "b t", "e"), node("Range", "lo hi one", "r"), node("Mul", "c r", "m"),
              node("Mul", "x m", "h"), node("Add", "h e", "y")],
             s=[6], t=[1, 6], lo=np.float32(0), hi=np.float32(6), one=np.float32(1)), None,
    ),
    "two inputs": (
        make([node("MatMul", "a w", "h"), node("MatMul", "z v", "g"), node("Concat", "h g", "j", axis=1),
              node("Tanh", "j", "y")], inputs={"a": ("n", 6), "z": ("n", 6)}), "Linear Linear Concat Tanh",
    ),
    "broadcast": (make([node("Add", "a z", "y")], inputs={"a": ("n", 2, 3), "z": ("n", 2, 1)}), "Add"),
    "two outputs": (
        make([node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("MatMul", "r v", "y")],
             outputs=("r", "y")), "Linear ReLU Linear",
    ),
    "an input as an output": (make([node("Identity", "x", "y")]), "Linear"),
    "an output twice": (
        make([node("MatMul", "x w", "y"), node("Identity", "y", "z")], outputs=("y", "z")), "Linear Linear",
    ),
    "no weights": (make([node("Relu", "x", "h"), node("Tanh", "h", "y")], inputs=THREE), "ReLU Tanh"),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_against_onnx_runtime(name):
    proto, layers = GRAPHS[name]
    model = check(proto, layers=layers)
    if name == "one weight twice":
        assert len(model.linear_layers) == 1


def test_gelu_in_a_block():
    """The formula as torch writes it, beside a residual connection; also where x is itself a multiple."""
    for factor in (1.0, 2.0):
        proto = make(
            [node("MatMul", "x w", "u"), node("Mul", "u f", "h"), node("Mul", "h r", "d"),
             node("Erf", "d", "e"), node("Add", "e one", "p"), node("Mul", "h p", "m"),
             node("Mul", "m half", "g"), node("Add", "g u", "y")],
            f=np.float32(factor), r=np.float32(np.sqrt(0.5)), one=np.float32(1), half=np.float32(0.5),
        )  # fmt: skip
        model = check(proto)
        assert "GELU" in [type(n.layer).__name__ for n in model.nodes]


def test_output_chooses_and_orders():
    proto = make(
        [node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("MatMul", "r v", "y")], outputs=("r", "y")
    )
    assert [value.name for value in snn.from_onnx(proto, output=["y", "r"]).output_values] == ["y", "r"]
    check(proto, output=["y", "r"])
    assert snn.from_onnx(proto, output="y").is_chain
    for output, error, words in (
        (["y", "y"], ValueError, "output must name each output once, got 'y' twice"),
        ([], ValueError, "output must name at least one output, got none"),
        (["z"], ValueError, "output must be one of 'r', 'y', got 'z'"),
        (3, TypeError, "output must be a name, a list of names or None, got 3"),
    ):
        with pytest.raises(error, match=words):
            snn.from_onnx(proto, output=output)


def test_sizes_that_the_file_leaves_open():
    """A weight tells the features of (batch, ?); anything else is asked for, and given in input_shapes."""
    open_residual = make(RESIDUAL, inputs={"x": ("n", "features")})
    assert snn.from_onnx(open_residual).input_values[0].dims == (None, 6)
    turned = make(
        [node("Transpose", "x", "t", perm=[0, 2, 1]), node("Reshape", "t s", "f"),
         node("MatMul", "f w", "y")], s=[0, -1], inputs={"x": ("n", "h", "w")},
    )  # fmt: skip
    with pytest.raises(
        snn.UnsupportedError, match=r"give input_shapes=\{'x': \(None, \?, \?\)\} with numbers"
    ):
        snn.from_onnx(turned)
    check(turned, input_shapes={"x": (None, 2, 3)})
    for shapes, error, words in (
        ({"x": (None, 2)}, ValueError, r"input_shapes\['x'\] must fit the shape of the file"),
        ({"x": (None, 2, 0)}, ValueError, r"input_shapes\['x'\]\[2\] must be at least 1, got 0"),
        ({"z": (None, 2, 3)}, ValueError, "input_shapes must be of inputs that are used, 'x', got 'z'"),
        ({"x": "23"}, TypeError, "must be a shape, got str"),
        ([(None, 2, 3)], TypeError, "input_shapes must be a dict of name to shape"),
    ):
        with pytest.raises(error, match=words):
            snn.from_onnx(turned, input_shapes=shapes)
    fixed = make([node("MatMul", "x w", "y")], inputs={"x": ("n", 6)})
    with pytest.raises(ValueError, match=r"must fit the shape of the file, \(None, 6\), got \(None, 5\)"):
        snn.from_onnx(fixed, input_shapes={"x": (None, 5)})


REFUSED = {
    "a product of two": (make([node("MatMul", "x x", "y")]), "two tensors of data cannot be multiplied"),
    "samples mixed": (make([node("Reshape", "x s", "y")], s=[-1, 3]), "keep the 6 features"),
    "samples counted": (
        make([node("Shape", "x", "s"), node("Cast", "s", "f", to=1), node("ReduceSum", "f", "m", keepdims=0),
              node("Mul", "x m", "y")]), "the same for any number of samples",
    ),
    "samples joined": (make([node("Concat", "x x", "y", axis=0)]), "leave the batch alone, got axis 0"),
    "a part of the samples": (make([node("Slice", "x s e", "y")], s=[0], e=[2]), "take whole batches"),
    "a sample": (make([node("Gather", "x i", "y")], i=np.int64(0)), "leave the batch alone"),
    "the batch last": (make([node("Transpose", "x", "y", perm=[1, 2, 0])], inputs=THREE), "the batch first"),
    "shapes that do not fit": (
        make([node("MatMul", "x v", "h"), node("Add", "h x", "y")]), "fit as numpy broadcasts",
    ),
    "a weight a sample": (
        make([node("MatMul", "x s", "y")], inputs={"x": ("n", 4, 6)}, s=np.ones((4, 6, 2), np.float32)),
        "do the same to every sample",
    ),
    "more than the file holds": (
        make([node("ConstantOfShape", "s", "c"), node("ReduceSum", "c", "m", keepdims=0),
              node("Mul", "x m", "y")], s=[1 << 20, 1 << 20]), "in proportion to the file",
    ),
    "spread too far": (
        make([node("Expand", "b t", "c"), node("ReduceSum", "c", "m", keepdims=0),
              node("Mul", "x m", "y")], t=[1 << 30, 1 << 20, 6]), "in proportion to the file",
    ),
    "too many parts": (
        make([node("Gather", "x i", "y", axis=1)], i=[0, 2] * 200), "at most 256 runs of neighbours",
    ),
    "more inputs than the op has": (
        make([node("Sub", "b b x", "h"), node("Mul", "h x", "y")]), "must have 2 inputs, got 3",
    ),
    "two batches": (
        make([node("Add", "a z", "y")], inputs={"a": (2, 6), "z": (3, 6)}), "must have one number of samples",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    proto, words = REFUSED[name]
    with pytest.raises((snn.UnsupportedError, snn.FormatError), match=words):
        snn.from_onnx(proto)


def test_a_graph_that_was_pruned_survives_the_journey():
    """Import, prune, compile, export, import: the zeros stay zeros."""
    model = snn.prune(snn.from_onnx(snn.to_onnx(perceptron(width=40))), sparsity=0.9)
    again = snn.from_onnx(snn.to_onnx(model, sparse=True))
    assert [layer.nnz for layer in again.linear_layers] == [layer.nnz for layer in model.linear_layers]
    x = samples(model, 3)["x"]
    ours, theirs = (snn.compile(m, tune="off").run(x) for m in (again, model))
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array)
