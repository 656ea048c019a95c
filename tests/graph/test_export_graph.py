"""Exports of graphs, run by the other framework and compared with the reference."""

import pickle

import numpy as np
import pytest
from graphs import linear, only

import sparsenn as snn
from sparsenn.reference import reference_with_bound


def assert_near(model, x, got: dict) -> None:
    """got is within the bound of a float32 pass, and 8 eps of what frameworks approximate."""
    exact, bound = reference_with_bound(model, only(x))
    assert list(got) == [value.name for value in model.output_values]
    for name, array in got.items():
        y, b = (part[name] if isinstance(part, dict) else part for part in (exact, bound))
        assert array.dtype == np.float32 and array.shape == y.shape
        excess = abs(array - y) - (2 * b + 1e-6)
        assert not (excess > 0).any(), f"{name}: over the bound by {excess.max():g}"


def run_onnx(proto, x) -> dict:
    onnxruntime = pytest.importorskip(
        "onnxruntime", reason="onnxruntime is not installed: nothing to compare with"
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, x), strict=True))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("batch", [1, 6])
def test_onnx(case, sparse, batch, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    proto = snn.to_onnx(case.model, tmp_path / "m.onnx", sparse=sparse)
    onnx.checker.check_model(proto, full_check=True)
    assert [value.name for value in proto.graph.input] == [value.name for value in case.model.input_values]
    assert [value.name for value in proto.graph.output] == [value.name for value in case.model.output_values]
    assert all(value.type.tensor_type.shape.dim[0].dim_param == "batch" for value in proto.graph.output)
    weights = [
        name for node in proto.graph.node if node.op_type in ("Gemm", "Conv") for name in node.input[1:2]
    ]
    assert len(set(weights)) == len(case.model.linear_layers)  # a shared layer once
    x = case.inputs(batch, seed=batch)
    assert_near(case.model, x, run_onnx(proto, x))


def dynamic() -> snn.Model:
    """A dim that is known only when it runs, and names that are no identifiers."""
    x = snn.Input((None, 4), name="a sequence")
    turned = snn.Transpose((2, 1))(snn.Mul()(x, np.arange(4)))
    outputs = {"soft-max": snn.Softmax()(snn.SiLU()(x)), "2": snn.Reshape((2, -1))(turned)}
    return snn.Model(inputs=x, outputs=outputs)


@pytest.mark.parametrize("steps", [1, 5])
def test_dynamic_dims(steps):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    model = dynamic()
    x = {"a sequence": np.random.default_rng(0).standard_normal((3, steps, 4)).astype(np.float32)}
    assert_near(model, x, run_onnx(snn.to_onnx(model), x))


def run_torch(torch, module, model, x) -> dict:
    with torch.no_grad():
        got = module(*(torch.from_numpy(x[value.name]) for value in model.input_values))
    got = got if isinstance(got, dict) else {model.output_values[0].name: got}
    return {name: tensor.numpy() for name, tensor in got.items()}


@pytest.mark.parametrize("sparse", [False, True])
def test_torch(case, sparse):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    module = snn.to_torch(case.model, sparse=sparse)
    assert not module.training
    for batch in (0, 1, 6):
        x = case.inputs(batch, seed=batch)
        assert_near(case.model, x, run_torch(torch, module, case.model, x))
    kinds = ("Linear", "SparseLinear", "Conv2d", "SparseConv2d")
    linears = sum(type(part).__name__ in kinds for part in module.modules())
    assert linears == len(case.model.linear_layers)  # a shared layer once


def test_torch_dynamic_dims_and_pickles():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    model = dynamic()
    module = pickle.loads(pickle.dumps(snn.to_torch(model)))
    for steps in (1, 5):
        x = {"a sequence": np.random.default_rng(0).standard_normal((3, steps, 4)).astype(np.float32)}
        assert_near(model, x, run_torch(torch, module, model, x))


def test_the_weights_alone(case):
    if any(isinstance(layer, snn.Conv2d) for layer in case.model.layers):
        with pytest.raises(snn.UnsupportedError, match="to_scipy takes Linear layers only, got Conv2d"):
            snn.to_scipy(case.model)
        return
    given = snn.to_scipy(case.model)
    layers = [layer for layer in case.model.layers if isinstance(layer, snn.Linear)]
    for (weight, _), layer in zip(given, layers, strict=True):
        dense = layer.weight.toarray() if layer.sparse else layer.weight
        np.testing.assert_array_equal(weight.toarray(), dense)


def test_sklearn_has_no_graphs(case):
    pytest.importorskip(
        "sklearn", reason="scikit-learn is not installed: pip install 'sparsenn-cpu[sklearn]'"
    )
    with pytest.raises(snn.UnsupportedError, match="to_sklearn takes a chain of layers only, .* got Model"):
        snn.to_sklearn(case.model)


def test_a_chain_with_a_shared_layer_is_exported_whole():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    layer = linear(3, 3, 0)
    model = snn.Model([layer, snn.Tanh(), layer])
    assert len(snn.to_scipy(model)) == 2
    x = {"x": np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)}
    assert_near(model, x, run_torch(torch, snn.to_torch(model), model, x))
