"""from_onnx: random graphs against float64 and ONNX Runtime, the package's own tests, graphs of others."""

from __future__ import annotations

import importlib
import io
import warnings

import numpy as np
import pytest

import sparsenn as snn

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from networks import assert_near, assert_same_weights  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_graphs import RandomGraph  # noqa: E402


def shaped(model: snn.Model, x: np.ndarray) -> np.ndarray:
    """x as the model takes it: a chain of layers takes the features of a sample row by row."""
    return x.reshape(len(x), *model.input_values[0].dims[1:])


def run_elsewhere(proto: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """What ONNX Runtime makes of x; skips where it is not installed."""
    onnxruntime = pytest.importorskip(
        "onnxruntime", reason="onnxruntime is not installed: nothing to compare with"
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {proto.graph.input[0].name: x})[0]


@pytest.mark.parametrize("start", range(0, 300, 30))
def test_random_graphs(start):
    for seed in range(start, start + 30):
        graph = RandomGraph(seed)
        model = snn.from_onnx(graph.proto)
        assert_near(model, shaped(model, graph.x), graph.exact, own_bound=graph.bound)


@pytest.mark.parametrize("start", range(0, 300, 30))
def test_random_graphs_against_onnx_runtime(start):
    for seed in range(start, start + 30):
        graph = RandomGraph(seed)
        model, other = snn.from_onnx(graph.proto), run_elsewhere(graph.proto, graph.x)
        assert_near(model, shaped(model, graph.x), other, own_bound=2 * graph.bound)


def make(nodes, constants, *, inputs=("batch", 4), outputs=("batch", 3), opset=13) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, outputs)],
        initializer=[numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def weight(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        ([helper.make_node("Gemm", ["x", "w", "c"], ["y"], transA=1)], (4, "batch")),
        ([helper.make_node("Gemm", ["x", "w", "c"], ["y"], transA=1, alpha=0.5, beta=2.0)], (4, "batch")),
        (
            [helper.make_node("MatMul", ["v", "x"], ["h"]), helper.make_node("Transpose", ["h"], ["y"])],
            (4, "batch"),
        ),
        (
            [
                *(
                    helper.make_node("Gemm", ["v", "x", "d"], ["h"], transB=1),
                    helper.make_node("Relu", ["h"], ["r"]),
                ),
                helper.make_node("Transpose", ["r"], ["y"]),
            ],
            ("batch", 4),
        ),
    ],
    ids=["transA", "transA with alpha and beta", "weight times data", "weight times transposed data"],
)
def test_features_in_rows(nodes, shape):
    constants = {"w": weight(4, 3), "c": weight(3), "v": weight(3, 4), "d": weight(3, 1)}
    proto = make(nodes, constants, inputs=shape)
    x = weight(5, 4)
    other = run_elsewhere(proto, x if shape[0] == "batch" else np.ascontiguousarray(x.T))
    model = snn.from_onnx(proto)
    assert_near(model, x, other, own_bound=1e-5 * np.abs(other) + 1e-5)


def test_float_types_and_fields():
    for kind in (np.float16, np.float64, np.float32):
        values = weight(4, 3).astype(kind)
        for raw in (True, False):
            proto = make([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": values})
            if not raw:
                data_type = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
                proto.graph.initializer[0].CopyFrom(
                    helper.make_tensor("w", data_type, (4, 3), values.reshape(-1))
                )
                assert not proto.graph.initializer[0].HasField("raw_data")
            got = snn.from_onnx(proto).layers[0].weight
            np.testing.assert_array_equal(got, values.astype(np.float32).T)
    exact = np.array([[1.5, -2.0, 0.0, 3.0]], np.float32).T
    proto = make([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": exact})
    bits = (exact.view(np.uint32) >> 16).astype(np.uint16)
    tensor = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=(4, 1), raw_data=bits.tobytes())
    proto.graph.initializer[0].CopyFrom(tensor)
    np.testing.assert_array_equal(snn.from_onnx(proto).layers[0].weight, exact.T)


def test_zeros_become_csr_above_the_break_even():
    for zeros, sparse in ((0.5, False), (0.75, True)):
        values = weight(10, 8)
        values.reshape(-1)[: int(80 * zeros)] = 0
        proto = make([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": values}, inputs=("batch", 10))
        layer = snn.from_onnx(proto).layers[0]
        assert layer.sparse == sparse
    assert layer.nnz == 20


def test_path_bytes_and_proto(tmp_path):
    proto = RandomGraph(2).proto
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    models = [snn.from_onnx(source) for source in (path, str(path), path.read_bytes(), proto)]
    for model in models[1:]:
        assert_same_weights(model, models[0])


def test_external_data(tmp_path):
    values = weight(40, 30)
    proto = make([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": values}, inputs=("batch", 40))
    onnx.save(
        proto,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="w.bin",
        size_threshold=0,
        convert_attribute=True,
    )
    assert (tmp_path / "w.bin").stat().st_size == values.nbytes
    np.testing.assert_array_equal(snn.from_onnx(tmp_path / "m.onnx").layers[0].weight, values.T)
    with pytest.raises(snn.UnsupportedError, match="is in another file: give the path"):
        snn.from_onnx((tmp_path / "m.onnx").read_bytes())


def test_choice_of_output():
    nodes = [
        *(helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])),
        helper.make_node("Hardmax", ["h"], ["other"]),
    ]
    proto = make(nodes, {"w": weight(4, 3)})
    proto.graph.output.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, ("batch", 3)))
    both = snn.from_onnx(proto)
    assert [value.name for value in both.output_values] == ["y", "h"]
    assert len(snn.from_onnx(proto, output="y").layers) == 2
    assert len(snn.from_onnx(proto, output="h").layers) == 1
    with pytest.raises(ValueError, match="output must be one of 'y', 'h', got 'z'"):
        snn.from_onnx(proto, output="z")


WINDOWS = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
# Operators that work on each element: their tests get a batch of one sample.
ELEMENTWISE = (
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Relu",
    "LeakyRelu",
    "Clip",
    "Tanh",
    "Sigmoid",
    "Elu",
    "Gelu",
    "Identity",
    "Dropout",
)
OTHERS = ("Gemm", "MatMul", "Softmax", "Flatten", "Reshape", "Transpose", "BatchNormalization", *WINDOWS)
# Tests of these operators that no Model can pass, by what their names hold.
REFUSED = {
    "gemm_default_matrix_bias": "a bias a sample",
    "matmul_3d": "a weight a sample",
    "matmul_4d": "a weight a sample",
    "matmul_bcast": "a weight a sample",
    "matmul_1d": "no batch",
    "int": "integers",
    "min_greater_than_max": "an empty range",
    "gelu_tanh": "an approximation",
    "softmax_axis_0": "over the batch",
    "softmax_axis_1": "over a part of the features",
    "flatten_axis0": "over the batch",
    "flatten_axis2": "over the batch",
    "flatten_axis3": "over the batch",
    "flatten_negative_axis1": "over the batch",
    "flatten_negative_axis2": "over the batch",
    "flatten_negative_axis4": "over the batch",
    "pool_3d": "three dimensions",
    "averagepool_2d_ceil": "a last window that is not whole",
    "averagepool_2d_dilations": "a mean with holes",
    "identity_sequence": "a sequence",
    "identity_opt": "an optional",
    "training": "training",
    "mask": "a mask",
    "reshape_reordered_all": "over the batch",
    "reshape_one_dim": "over the batch",
    "reshape_negative_extended": "over the batch",
    "reshape_allowzero": "no samples",
    "transpose_default": "of the batch",
    "transpose_all_permutations": "of the batch",
}


# The modules that define them; collecting all of the package's tests takes much longer.
MODULES = (
    *(op.lower() for op in (*ELEMENTWISE, *OTHERS) if op not in ("BatchNormalization", *WINDOWS[1:])),
    *("batch_normalization", "maxpool", "averagepool", "globalaveragepool", "globalmaxpool"),
)


def node_tests() -> list:
    from onnx.backend.test.case import node

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in MODULES:
            importlib.import_module(f"onnx.backend.test.case.node.{name}")
    wanted = [[op] for op in (*ELEMENTWISE, *OTHERS)]
    return [case for case in node._NodeTestCases if [n.op_type for n in case.model.graph.node] in wanted]


def as_network(case) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """The graph of a test with all inputs but the first as initialisers, x (batch, ...), and the outputs."""
    (inputs, outputs), *_ = case.data_sets
    proto = onnx.ModelProto()
    proto.CopyFrom(case.model)
    graph, x, y = proto.graph, inputs[0], outputs[0]
    for value, array in zip(graph.input[1:], inputs[1:], strict=True):
        graph.initializer.append(numpy_helper.from_array(np.asarray(array), value.name))
    op = graph.node[0].op_type
    if op in ELEMENTWISE and isinstance(x, np.ndarray):
        x, y = x[np.newaxis], y[np.newaxis]
    elif op == "Softmax" and "axis_0" not in case.name and "axis_1" not in case.name and x.ndim > 2:
        x, y = (part.reshape(-1, part.shape[-1]) for part in (x, y))
        del graph.node[0].attribute[:]  # the last axis is the default
    if graph.input[0].type.HasField("tensor_type"):
        kind = graph.input[0].type.tensor_type.elem_type
        graph.input[0].CopyFrom(helper.make_tensor_value_info(graph.input[0].name, kind, np.shape(x)))
    return proto, x, y


def test_the_packages_own_node_tests():
    passed, refused = {}, {}
    for case in node_tests():
        proto, x, y = as_network(case)
        op = proto.graph.node[0].op_type
        if op == "Gemm" and "transposeA" in case.name or "all_attributes" in case.name:
            x = x.T  # the model takes samples in rows
        try:
            model = snn.from_onnx(proto, output=proto.graph.output[0].name)
        except snn.UnsupportedError as error:
            refused[case.name] = str(error)
            continue
        got = snn.compile(model, tune="off").run(shaped(model, x))
        np.testing.assert_allclose(got.reshape(y.shape), y, rtol=case.rtol, atol=1e-6, err_msg=case.name)
        passed[case.name] = op
    unexplained = {name: why for name, why in refused.items() if not any(part in name for part in REFUSED)}
    assert not unexplained
    assert set(passed.values()) >= {*ELEMENTWISE, *OTHERS}
    assert len(passed) >= 50


def test_graphs_exported_by_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    from test_import_torch import Plain, exact

    module = Plain().eval()
    x = torch.randn(6, 3, 4)
    protos = []
    for opset, axes in ((9, None), (13, {"x": {0: "batch"}}), (17, {"x": {0: "batch"}})):
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, (x,), file, dynamo=False, opset_version=opset, dynamic_axes=axes, input_names=["x"]
            )
        protos.append(onnx.load_from_string(file.getvalue()))
    models = [snn.from_onnx(proto) for proto in protos]
    wanted = exact(module, x)
    for model in models:
        assert_near(model, x.reshape(6, 12).numpy(), wanted)


def test_graphs_exported_by_torch_dynamo():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    pytest.importorskip("onnxscript", reason="onnxscript, which torch.onnx.export needs, is not installed")
    from test_import_torch import Plain, exact

    module = Plain().eval()
    x = torch.randn(6, 3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = ({0: torch.export.Dim("batch")},)
        proto = torch.onnx.export(module, (x,), dynamo=True, dynamic_shapes=shapes, verbose=False).model_proto
    model = snn.from_onnx(proto)
    assert_near(model, x.reshape(6, 12).numpy(), exact(module, x))


def test_graphs_exported_by_skl2onnx():
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    for load, kind in (
        (load_iris, MLPClassifier),
        (load_breast_cancer, MLPClassifier),
        (load_diabetes, MLPRegressor),
    ):
        X, y = load(return_X_y=True)
        X = (X / np.abs(X).max(axis=0)).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimator = kind(max_iter=10, random_state=0).fit(X, y)
        classifier = kind is MLPClassifier
        wanted = estimator.predict_proba(X) if classifier else estimator.predict(X)[:, np.newaxis]
        for options in ({id(estimator): {"zipmap": False}}, {}) if classifier else ({},):
            model = snn.from_onnx(skl2onnx.to_onnx(estimator, X[:1], options=options))
            np.testing.assert_allclose(snn.compile(model).run(X), wanted, rtol=2e-5, atol=1e-5)
