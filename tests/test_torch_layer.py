"""Sparse layers in the place of dense ones: outputs, gradients, changes in place."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch_layers import at_pattern, each_kind, gradients, pair, same_weights_every_time  # noqa: E402

pytestmark = pytest.mark.usefixtures(same_weights_every_time.__name__)

INPUTS, OUTPUTS = 12, 7
SHAPES = {
    "one sample": lambda: torch.randn(INPUTS),
    "batch": lambda: torch.randn(5, INPUTS),
    "batch of one": lambda: torch.randn(1, INPUTS),
    "four dimensions": lambda: torch.randn(2, 3, 4, INPUTS),
    "no samples": lambda: torch.zeros(0, INPUTS),
    "an empty dimension": lambda: torch.zeros(3, 0, 2, INPUTS),
    "transposed": lambda: torch.randn(INPUTS, 5).t(),
    "dimensions swapped": lambda: torch.randn(3, 4, INPUTS).transpose(0, 1),
    "features apart": lambda: torch.randn(5, 2 * INPUTS)[:, ::2],
    "expanded": lambda: torch.randn(1, INPUTS).expand(5, INPUTS),
    "negative view": lambda: torch._neg_view(torch.randn(5, INPUTS)),
    "at an offset": lambda: torch.randn(7, INPUTS)[2:],
}
# What is done to the output: what nn.Linear's allows, this one's allows too.
AFTERWARDS = {
    "nothing": lambda y: y * 2,
    "relu_": lambda y: functional.relu(y, inplace=True),
    "dropout_": lambda y: functional.dropout(y, 0.0, inplace=True),
    "mul_": lambda y: y.mul_(3),
    "add_ to a part": lambda y: y[..., 1:].add_(1),
    "view": lambda y: y.view(-1),
    "view_as_strided": lambda y: y.as_strided((y.numel(),), (1,)),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("after", AFTERWARDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_gradients(shape, after, bias):
    sparse, dense = pair(INPUTS, OUTPUTS, bias=bias)
    x = SHAPES[shape]()
    results = []
    for layer in (sparse, dense):
        leaf = x.detach().requires_grad_()  # stored as x is
        found = AFTERWARDS[after](layer(leaf))
        found.sum().backward()
        results.append([found.detach(), leaf.grad, *gradients(layer, sparse)])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_are_fresh(shape):
    sparse, _ = pair(INPUTS, OUTPUTS)
    x = SHAPES[shape]()
    y, other = sparse(x), sparse(x)
    assert y.is_contiguous() and not y._is_view()
    assert not y.numel() or y.data_ptr() != other.data_ptr()


def change_input(layer, x, h):
    h.mul_(3)


def change_part_of_input(layer, x, h):
    h[0, 0] = 1


def change_weight(layer, x, h):
    with torch.no_grad():
        next(layer.parameters()).mul_(2)


def step(layer, x, h):
    torch.optim.SGD([next(layer.parameters())], lr=0.1).step()


def change_bias(layer, x, h):
    with torch.no_grad():
        layer.bias.mul_(2)


def outcome(layer, x, change, frozen):
    """The gradients of bias and x where change is made before the backward pass, or "refused"."""
    layer.zero_grad()
    weight = next(layer.parameters())
    weight.grad = torch.ones_like(weight)
    weight.requires_grad_(frozen != "weight")
    x = x.detach().requires_grad_(frozen != "input")
    h = x * 1
    y = layer(h)
    change(layer, x, h)
    try:
        y.sum().backward()
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
        return "refused"
    return [layer.bias.grad, x.grad]


@each_kind
@pytest.mark.parametrize("change", [change_input, change_part_of_input, change_weight, step, change_bias])
@pytest.mark.parametrize("frozen", [None, "weight", "input"])
def test_changes_between_forward_and_backward(kind, change, frozen):
    """The error of the dense layer, or the right gradients where what was changed is not needed."""
    sparse, dense = kind.pair()
    x = torch.ones_like(kind.x(5))
    unchanged = outcome(dense, x, lambda *arguments: None, frozen)
    got, wanted = (outcome(layer, x, change, frozen) for layer in (sparse, dense))
    if got == "refused":
        assert wanted == "refused"
        return
    torch.testing.assert_close(got, unchanged)
    # nn.Conv2d holds on to both, also where one is frozen and the other is not needed.
    assert wanted != "refused" or (frozen and isinstance(dense, nn.Conv2d))


@each_kind
def test_a_pattern_written_to_before_the_backward_pass_is_caught(kind):
    sparse, _ = kind.pair()
    y = sparse(torch.ones_like(kind.x(2), requires_grad=True))
    sparse.indices.copy_(sparse.indices.clone())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@each_kind
def test_a_second_backward_pass_needs_the_graph(kind):
    for layer in kind.pair():
        y = layer(kind.x(2)).sum()
        y.backward(retain_graph=True)
        y.backward()
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            y.backward()


@each_kind
@pytest.mark.parametrize("bias", [True, False])
def test_second_derivatives(kind, bias):
    results = []
    sparse, dense = kind.pair(bias=bias)
    for layer in (sparse, dense):
        torch.manual_seed(0)
        x = kind.x(3).requires_grad_()
        y = layer(x).pow(3).sum()
        weight = next(layer.parameters())
        first = torch.autograd.grad(y, [x, weight], create_graph=True)
        of_weight = first[1] if layer is sparse else at_pattern(sparse, first[1])
        second = torch.autograd.grad(first[0].pow(2).sum() + of_weight.pow(2).sum(), [x, weight])
        kept = second[1] if layer is sparse else at_pattern(sparse, second[1])
        results.append([first[0], of_weight, second[0], kept])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-3)
