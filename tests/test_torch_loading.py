"""state_dicts of another pattern: the layer after them, optimizers that hold it, what is refused."""

from __future__ import annotations

import copy

import pytest

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch_layers import each_kind, same_weights_every_time  # noqa: E402

pytestmark = pytest.mark.usefixtures(same_weights_every_time.__name__)

WEIGHTS = 12 * 7
# nnz of the layer, and of the state_dict that it loads.
SIZES = [(25, 67), (67, 25), (25, 25), (1, 67), (67, 1), (25, WEIGHTS), (WEIGHTS, 25)]


def layer_of(kind, nnz: int):
    sparse, _ = kind.pair(sparsity=1 - nnz / WEIGHTS)
    assert sparse.nnz == nnz
    return sparse


def step(layer, optimizer, x):
    optimizer.zero_grad()
    layer(x).pow(2).sum().backward()
    optimizer.step()


@each_kind
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_an_optimizer_made_before_trains_what_was_loaded(kind, before, after):
    layer, source = layer_of(kind, before), layer_of(kind, after)
    data, bias = layer.data, layer.bias
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    x = kind.x(5)
    step(layer, optimizer, x)
    assert layer.load_state_dict(source.state_dict()).missing_keys == []
    assert layer.data is data and layer.bias is bias and layer.nnz == after
    wanted = source.to_dense()(x)
    torch.testing.assert_close(layer(x), wanted)
    step(layer, optimizer, x)
    step(source, torch.optim.SGD(source.parameters(), lr=0.01), x)
    assert torch.equal(layer.data, source.data) and torch.equal(layer.bias, source.bias)


OPTIMIZERS = {
    "Adam": lambda p: torch.optim.Adam(p),
    "Adam, one by one": lambda p: torch.optim.Adam(p, foreach=False),
    "Adam, fused": lambda p: torch.optim.Adam(p, fused=True),
    "AdamW, fused": lambda p: torch.optim.AdamW(p, fused=True),
    "Adagrad, fused": lambda p: torch.optim.Adagrad(p, fused=True),
    "SGD with momentum": lambda p: torch.optim.SGD(p, momentum=0.9),
    "SGD with momentum, fused": lambda p: torch.optim.SGD(p, momentum=0.9, fused=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p),
}


@each_kind
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_state_of_another_size_is_refused(kind, optimizer, before, after):
    """Nothing changes by the step; with the state_dict of an optimizer of the loaded layer it works."""
    layer, source = layer_of(kind, before), layer_of(kind, after)
    x = kind.x(5)
    made = OPTIMIZERS[optimizer](nn.Sequential(nn.Linear(3, 3), layer).parameters())
    other = OPTIMIZERS[optimizer](nn.Sequential(nn.Linear(3, 3), source).parameters())
    step(layer, made, x)
    step(source, other, x)
    layer.load_state_dict(source.state_dict())
    if before != after:
        with pytest.raises(snn.ArgumentError, match=rf"as long as .* loaded \({after}\), got {before}"):
            step(layer, made, x)
        assert torch.equal(layer.data, source.data)
    made.load_state_dict(copy.deepcopy(other.state_dict()))
    step(layer, made, x)
    step(source, other, x)
    torch.testing.assert_close(layer.data, source.data)


@each_kind
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_loading_between_forward_and_backward_is_caught(kind, before, after):
    for needs_x in (False, True):
        layer, source = layer_of(kind, before), layer_of(kind, after)
        y = layer(kind.x(5).requires_grad_(needs_x))
        layer.load_state_dict(source.state_dict())
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


@each_kind
@pytest.mark.parametrize("made_in", [True, False])
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_loading_in_inference_mode(kind, made_in, before, after):
    x = kind.x(5)
    with torch.inference_mode(made_in):
        layer = layer_of(kind, before)
    source = layer_of(kind, after)
    with torch.inference_mode():
        layer(x)
        layer.load_state_dict(source.state_dict())
        assert torch.equal(layer(x), source(x))
    if not made_in:
        layer(x).sum().backward()
        assert layer.data.grad.shape == (after,)


@each_kind
def test_frozen_layers_stay_frozen_and_assign_takes_the_tensors(kind):
    layer, source = layer_of(kind, 25), layer_of(kind, 67)
    layer.data.requires_grad_(False)
    layer.load_state_dict(source.state_dict())
    assert (layer.data.requires_grad, layer.bias.requires_grad) == (False, True)
    for made in (layer_of(kind, 25), layer_of(kind, 25).to("meta")):
        state = source.state_dict()
        made.load_state_dict(state, assign=True)
        assert made.data.data_ptr() == state["data"].data_ptr()
        x = kind.x(2)
        assert torch.equal(made(x), source(x))


@each_kind
def test_loading_where_parameters_are_swapped(kind, monkeypatch):
    monkeypatch.setattr(torch.__future__, "_swap_module_params_on_conversion", True)
    layer, source = layer_of(kind, 25), layer_of(kind, 67)
    x = kind.x(2)
    optimizer = torch.optim.Adam(layer.parameters(), fused=True)
    step(layer, optimizer, x)
    layer.load_state_dict(source.state_dict())
    assert torch.equal(layer(x), source(x))
    with pytest.raises(snn.ArgumentError, match="must be as long as"):
        step(layer, optimizer, x)


def without(state, *names):
    return {name: part for name, part in state.items() if name not in names}


WRONG = {
    "of nn.Linear": (lambda state: nn.Linear(12, 7, bias=False).state_dict(), "Missing key.*data"),
    "no indices": (lambda state: without(state, "indices"), "must come together"),
    "indices alone": (lambda state: without(state, "data", "indptr"), "must come together"),
    "another indptr": (lambda state: {**state, "indptr": state["indptr"][:-1]}, "size mismatch for indptr"),
    "an index beyond": (lambda state: {**state, "indices": state["indices"] + 99}, "column|index|indices"),
    "64-bit indices": (lambda state: {**state, "indices": state["indices"].long()}, "indices .* int32"),
    "fewer values": (
        lambda state: {**state, "data": state["data"][1:]},
        r"indices \(67\), got 66",
    ),
    "complex values": (
        lambda state: {**state, "data": state["data"].to(torch.complex64)},
        "data must hold real numbers, got torch.complex64",
    ),
    "a complex bias": (
        lambda state: {**state, "bias": torch.ones(7, dtype=torch.complex64)},
        "bias must hold real numbers",
    ),
    "a matrix": (lambda state: {**state, "data": state["data"][None]}, "must hold data"),
}


@each_kind
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_pattern_is_refused_and_changes_nothing(kind, wrong):
    change, message = WRONG[wrong]
    layer, source = layer_of(kind, 25), layer_of(kind, 67)
    x = kind.x(2)
    y, data = layer(x).detach(), layer.data
    with pytest.raises((RuntimeError, snn.CSRError), match=message):
        layer.load_state_dict(change(source.state_dict()))
    assert layer.data is data and layer.nnz == 25
    assert torch.equal(layer(x), y)
