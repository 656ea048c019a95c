"""Exports of recurrent networks: by ONNX Runtime and torch, and back again."""

import numpy as np
import pytest
from recurrent_networks import KINDS, random_case, sequence_model
from test_export_graph import assert_near, run_onnx, run_torch
from test_train_graph import gradients

import sparsenn as snn


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(150 if metafunc.config.getoption("conv_check") else 24))


@pytest.mark.parametrize("sparse", [False, True])
def test_onnx_has_every_option(seed, sparse):
    """Outputs of ONNX Runtime; the product of the input goes into the operator."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    case = random_case(seed)
    if "lengths" in case.given:  # ONNX Runtime gives zeros as the last states of a sample without steps
        case.given["lengths"] = np.maximum(case.given["lengths"], 1)
    proto = snn.to_onnx(case.model, sparse=sparse)
    onnx.checker.check_model(proto, full_check=True)
    assert not any(node.op_type == "Conv" for node in proto.graph.node)
    assert_near(case.model, case.given, run_onnx(proto, case.given))
    batch = {name: array[:2] for name, array in case.given.items()}
    assert_near(case.model, batch, run_onnx(proto, batch))


@pytest.mark.parametrize("build", [snn.lstm, snn.gru, snn.rnn])
@pytest.mark.parametrize("options", [{}, {"output": "mean", "lengths": True}, {"output": "every"}])
def test_networks_with_open_steps_come_out_of_onnx(build, options):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    model = build([3, 6, 5, 2], bidirectional=True, **options)
    proto = snn.to_onnx(model)
    rng = np.random.default_rng(0)
    for batch, steps in ((1, 1), (3, 7)):
        x = {"x": rng.standard_normal((batch, steps, 3)).astype(np.float32)}
        if options.get("lengths"):
            x["lengths"] = rng.integers(1, steps + 1, (batch, 1)).astype(np.float32)
        assert_near(model, x, run_onnx(proto, x))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sparse", [False, True])
def test_back_from_onnx(kind, sparse):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    model = snn.prune(sequence_model(kind, 6, reverse=True), sparsity=0.9, scope="layer")
    again = snn.from_onnx(snn.to_onnx(model, sparse=sparse))
    x = np.random.default_rng(0).standard_normal((4, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(again.predict(x), model.predict(x), atol=1e-5)
    cells = [[layer for layer in own.layers if isinstance(layer, kind)] for own in (model, again)]
    assert [layer.options for layer in cells[0]] == [layer.options for layer in cells[1]]
    assert [layer.nnz for layer in again.linear_layers] == [layer.nnz for layer in model.linear_layers]


def test_what_else_reads_the_product_keeps_it():
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    rng = np.random.default_rng(0)
    x = snn.Input((4, 3), name="x")
    z = snn.StepwiseLinear(rng.standard_normal((5, 3)), rng.standard_normal(5))(x)
    h = snn.RNN(rng.standard_normal((5, 5)) / 3)(z)
    model = snn.Model(inputs=x, outputs=snn.Add()(h, z))
    proto = snn.to_onnx(model)
    given = {"x": rng.standard_normal((2, 4, 3)).astype(np.float32)}
    assert any(node.op_type == "Conv" for node in proto.graph.node)
    assert_near(model, given, run_onnx(proto, given))


def as_torch_has_it(seed: int):
    """A random case without what torch's modules have not."""
    case = random_case(seed)
    layer = case.layer
    options = {
        name: value for name, value in layer.options.items() if name in ("reverse", "initial", "states")
    }
    own = type(layer)(layer.weight, layer.bias, **options)
    if isinstance(layer, snn.RNN) and seed % 2:
        own = snn.RNN(layer.weight, layer.bias, activations=("relu",), **options)
    node = next(node for node in case.model.nodes if node.layer is layer)
    z, *others = node.inputs
    y = own(z, *others[: own.state_count if own.initial else 0])
    inputs = [value for value in case.model.input_values if value.name != "lengths"]
    given = {name: array for name, array in case.given.items() if name != "lengths"}
    return snn.Model(inputs=inputs, outputs={"y": y}), given


@pytest.mark.parametrize("sparse", [False, True])
def test_torch(seed, sparse):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    model, given = as_torch_has_it(seed)
    module = snn.to_torch(model, sparse=sparse)
    assert not any(isinstance(part, torch.nn.Conv2d) for part in module.modules())
    assert_near(model, given, run_torch(torch, module, model, given))


@pytest.mark.parametrize("build", [snn.lstm, snn.gru, snn.rnn])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_there_and_back_with_the_gradients_of_torch(build, bidirectional):
    """Two directions become one module; its gradients are those of training here."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    rng = np.random.default_rng(0)
    model = build([3, 6, 5, 2], bidirectional=bidirectional, output="every", steps=4)
    X, y = rng.standard_normal((9, 4, 3)).astype(np.float32), rng.standard_normal((9, 4, 2))
    module = snn.to_torch(model)
    layers = [part for part in module.modules() if isinstance(part, torch.nn.RNNBase)]
    assert len(layers) == 2 and all(part.bidirectional == bidirectional for part in layers)
    again = snn.from_torch(module, torch.zeros(2, 4, 3))
    np.testing.assert_allclose(again.predict(X), model.predict(X), atol=1e-5)
    module = module.double()
    ((module(torch.from_numpy(X).double()) - torch.from_numpy(y)) ** 2).mean().backward()
    got = gradients(model, {"x": X}, {"y": y}, "mse", threads=2)
    # All values of the gradients of weights, whose rows torch has in another order.
    every = np.concatenate([slope.reshape(-1) for slope in got if slope.ndim == 2])
    wanted = np.concatenate([p.grad.numpy().reshape(-1) for p in module.parameters() if p.dim() >= 2])
    np.testing.assert_allclose(np.sort(every), np.sort(wanted), atol=1e-6)


@pytest.mark.parametrize("kind", [snn.LSTM, snn.GRU])
def test_sparse_modules_of_pruned_layers(kind):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    from sparsenn.torch import SparseGRU, SparseLSTM

    model = snn.prune(sequence_model(kind, 6), sparsity=0.9, scope="layer")
    module = snn.to_torch(model, sparse=True)
    own = [part for part in module.modules() if isinstance(part, (SparseLSTM, SparseGRU))]
    assert len(own) == 2 and sum(part.nnz for part in own) + model.linear_layers[-1].nnz == model.nnz
    x = {"x": np.random.default_rng(0).standard_normal((4, 6, 3)).astype(np.float32)}
    assert_near(model, x, run_torch(torch, module, model, x))


def test_what_torch_has_not_is_refused():
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    weight = np.ones((6, 2))
    for layer, given, message in [
        (snn.GRU(weight, reset_after=False), [], "got reset_after=False"),
        (snn.GRU(weight, clip=2.0), [], "a GRU as torch.nn.GRU computes it, got clip=2"),
        (snn.GRU(weight, lengths=True), [np.ones(1)], "got lengths"),
        (snn.GRU(weight, activations=("sigmoid", "relu")), [], "got activations sigmoid, relu"),
        (snn.LSTM(np.ones((8, 2)), peepholes=True), [np.ones(6)], "got peepholes"),
    ]:
        x = snn.Input((3, layer.shape[0]))
        with pytest.raises(snn.UnsupportedError, match=message):
            snn.to_torch(snn.Model(inputs=x, outputs=layer(x, *given)))
