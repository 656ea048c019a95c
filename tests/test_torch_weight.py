"""The weight of a sparse layer: a dense copy that is read, differentiated and not changed."""

from __future__ import annotations

import operator

import pytest

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch_layers import at_pattern, each_kind, pair, same_weights_every_time  # noqa: E402

pytestmark = pytest.mark.usefixtures(same_weights_every_time.__name__)

INPUTS, OUTPUTS = 12, 7
CHANGES_OF_WEIGHT = {
    "mul_": lambda w: w.mul_(2),
    "operator": lambda w: operator.imul(w, 2),
    "item": lambda w: w.__setitem__(0, 1.0),
    "data": lambda w: w.data.clamp_(-1, 1),
    "set data": lambda w: setattr(w, "data", torch.zeros(w.shape)),
    "init": lambda w: nn.init.zeros_(w),
    "out": lambda w: torch.zeros(w.shape, out=w),
    "foreach": lambda w: torch._foreach_mul_([w], 2),
    "inplace": lambda w: functional.relu(w, inplace=True),
    "hook": lambda w: w.register_hook(lambda g: g),
    "grad": lambda w: w.grad,
}


@each_kind
@pytest.mark.parametrize("change", CHANGES_OF_WEIGHT)
def test_the_weight_is_read_only(kind, change):
    sparse, dense = kind.pair()
    for mode in (torch.no_grad, torch.enable_grad):
        with (
            mode(),
            pytest.raises(snn.UnsupportedError, match="weight .* is a copy, which .* in vain"),
        ):
            CHANGES_OF_WEIGHT[change](sparse.weight)
    torch.testing.assert_close(sparse.weight.detach(), dense.weight.detach())
    with pytest.raises((AttributeError, KeyError)):
        sparse.weight = nn.Parameter(dense.weight)


def test_the_weight_is_differentiable():
    """As a decoder reads that of another layer."""
    results = []
    layers = pair(INPUTS, OUTPUTS)
    for layer in layers:
        torch.manual_seed(1)
        functional.linear(torch.randn(3, INPUTS), layer.weight).pow(2).sum().backward()
        weight = next(layer.parameters()).grad
        results.append(weight if layer is layers[0] else at_pattern(layers[0], weight))
        assert type(layer.weight.t()) is torch.Tensor
        assert type(torch.zeros(OUTPUTS, INPUTS).copy_(layer.weight)) is torch.Tensor
    torch.testing.assert_close(*results)
