"""Exports of recurrent networks: by ONNX Runtime and torch, and back again."""

import numpy as np
import pytest
from recurrent_networks import KINDS, random_case, sequence_model
from test_export_graph import assert_near, run_onnx

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
