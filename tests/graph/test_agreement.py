"""Random convolutions and small networks: values and gradients against float64, PyTorch and ONNX Runtime.

A few of them here; `make conv-check`, or pytest --conv-check with this file, runs all 500 and 200. Bounds are
derived: of each sum, the number of its terms times eps times the sum of their magnitudes. A seed gives one
case everywhere; numpy is the oracle of all, and torch and ONNX Runtime are asked where they are there.
"""

from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from gradient_bounds import gradients_with_bounds
from random_convolutions import RandomCase, torch_module
from random_networks import random_network
from test_export_graph import run_onnx
from test_train_conv import at_stored
from test_train_graph import gradients

import sparsenn as snn
from sparsenn.reference import reference_with_bound

BATCHES = (1, 7, 8, 9, 15, 16, 17)
HAS_RUNTIME, HAS_TORCH = (find_spec(name) is not None for name in ("onnxruntime", "torch"))


def pytest_generate_tests(metafunc):
    few = {"convolution": (10, 500), "network": (6, 200)}
    for name in few.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(name, range(few[name][metafunc.config.getoption("conv_check")]))


def assert_within(got, exact, bound, spare: float = 1e-30) -> None:
    assert got.shape == exact.shape
    excess = abs(got - exact) - bound
    assert not (excess > spare).any(), f"over the bound by {excess.max():g}, of {bound.max():g}"


def assert_plans(model: snn.Model, x: np.ndarray, exact: np.ndarray, bound: np.ndarray, seed: int) -> None:
    """Plans on 1 to 3 threads give y within the bound, with the same bits in batches of any size."""
    isas = snn.cpu_info()["isas_usable"]
    options = {"isa": isas[seed % len(isas)], "tune": ("off", "model")[seed // 2 % 2], "cache": False}
    first = None
    for threads in (1, 2, 3):
        plan = snn.compile(model, threads=threads, **options)
        y = plan.run(x)
        first = y if first is None else first
        assert_within(y, exact, bound)
        np.testing.assert_array_equal(y, first)
        for batch in BATCHES[:-1]:
            np.testing.assert_array_equal(plan.run(x[-batch:]), first[-batch:], err_msg=f"{batch} samples")


def assert_gradients(model: snn.Model, x: np.ndarray, seed: int) -> None:
    """Those of the mean squared error, against float64 and torch; the same bits on any threads."""
    rng = np.random.default_rng(seed)
    target = rng.standard_normal((len(x), model.outputs))
    wanted = gradients_with_bounds(model, x, target)
    got = gradients(model, {"x": x}, {"y": target}, "mse", threads=1 + seed % 3)
    for mine, (exact, bound) in zip(got, wanted, strict=True):
        assert_within(mine, exact, bound, spare=1e-12)
    again = gradients(model, {"x": x}, {"y": target}, "mse", threads=1 + (seed + 1) % 3)
    assert [part.tobytes() for part in again] == [part.tobytes() for part in got]
    if HAS_TORCH:
        assert_torch_gradients(model, x, target, wanted)


def assert_torch_gradients(model, x, target, wanted) -> None:
    """Of torch in float64, whose places of a Resize are computed otherwise."""
    import torch

    try:
        module = snn.to_torch(model).double().train()
    except snn.UnsupportedError as error:
        assert "interpolate" in str(error) or "Pad" in str(error)
        return
    y = module(torch.tensor(x, dtype=torch.float64))
    torch.nn.functional.mse_loss(y, torch.tensor(target)).backward()
    layers = [
        node.layer for node in model.nodes if hasattr(node.layer, "bias") or hasattr(node.layer, "shift")
    ]
    firsts = [layer for layer in layers for _ in range(1 if getattr(layer, "bias", 0) is None else 2)]
    for layer, parameter, (exact, bound) in zip(firsts, module.parameters(), wanted, strict=True):
        theirs = parameter.grad.numpy()
        if theirs.ndim == 4:
            inside = at_stored(layer, np.ones_like(theirs), layer.groups)  # torch has no weight elsewhere
            theirs, exact = at_stored(layer, theirs, layer.groups), exact * inside
        elif theirs.ndim == 2 and layer.sparse:
            theirs = theirs[layer.weight.tocoo().coords]
        assert_within(theirs, exact, bound, spare=1e-12)


def test_convolutions(convolution):
    case = RandomCase(convolution)
    model, x = snn.from_onnx(case.proto()), case.given
    exact, bound = case.exact()
    assert_plans(model, x, exact, bound, convolution)
    ours, _ = reference_with_bound(model, x)
    rounded = case.op == "AveragePool" and (case.dilation > 1).any()  # a convolution by 1 / count in float32
    assert_within(ours, exact, bound if rounded else 1e-10 * abs(exact) + 1e-11)
    if HAS_RUNTIME:
        assert_within(run_onnx(case.proto(), {"x": x})["y"], exact, bound)


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
def test_convolutions_of_torch(convolution):
    """The same case as torch's module: its values, and what from_torch makes of it."""
    import torch

    case = RandomCase(convolution)
    module = None if case.last else torch_module(case)
    if module is None:
        return
    x = torch.from_numpy(case.x)
    exact, bound = case.exact()
    with torch.no_grad():
        y = module.double()(x.double()).numpy()
        np.testing.assert_allclose(y, exact, rtol=1e-10, atol=1e-11)
        model = snn.from_torch(module.float(), x[:1])
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    assert_within(plan.run(case.x), exact, bound)
    if case.dimensions == 2:
        turned = snn.from_torch(module, x[:1].to(memory_format=torch.channels_last))
        np.testing.assert_array_equal(
            snn.compile(turned, threads=2, tune="off", cache=False).run(case.x), plan.run(case.x)
        )


def test_gradients_of_convolutions(convolution):
    """Behind a 1 x 1 convolution, so that the gradient of the input is needed too."""
    case = RandomCase(convolution)
    front = (
        case.rng.standard_normal((case.channels, 2)).astype(np.float32),
        case.rng.standard_normal(case.channels).astype(np.float32),
    )
    model = snn.from_onnx(case.proto(*front))
    x = case.rng.standard_normal(
        (17, *((*case.sizes, 2) if case.last else (2, *case.sizes))), dtype=np.float32
    )
    assert_gradients(model, x[: BATCHES[convolution % 7]], convolution)


def test_networks(network):
    model, x = random_network(network)
    exact, bound = reference_with_bound(model, x)
    assert_plans(model, x, exact, bound, network)
    proto = snn.to_onnx(model)
    if HAS_RUNTIME:
        assert_within(run_onnx(proto, {"x": x})["y"], exact, bound, spare=1e-6)
    again = snn.from_onnx(proto)
    np.testing.assert_allclose(snn.reference(again, x), exact, rtol=1e-5, atol=1e-6 * abs(exact).max())


def test_gradients_of_networks(network):
    model, x = random_network(network)
    assert_gradients(model, x[: BATCHES[1 + network % 6]], network)
