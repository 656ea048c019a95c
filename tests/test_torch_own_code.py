"""from_dense takes no layer that computes something else than its class of torch; says what it empties."""

from __future__ import annotations

import pytest

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, prune  # noqa: E402
from torch_code import DoubledByCall, DoubledByCallImpl, Masked, changed, quantisation_aware, replaced  # noqa: E402

from sparsenn.torch import SparseConv2d, SparseLinear  # noqa: E402


class MaskedConv2d(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, self.weight * (self.weight > 0), self.bias)


class StandardizedConv2d(nn.Conv2d):
    def _conv_forward(self, x, weight, bias):
        return super()._conv_forward(x, weight - weight.mean(), bias)


def quantisation_aware_convolution() -> nn.Module:
    config = torch.ao.quantization.get_default_qat_qconfig("x86")
    return torch.ao.nn.qat.Conv2d(3, 4, 2, qconfig=config)


class Same(nn.Conv2d):
    """A subclass that changes nothing."""


def pruned(layer: nn.Module) -> nn.Module:
    return changed(layer, lambda m: prune.l1_unstructured(m, "weight", 0.5))


OWN = {
    "masked": (lambda: Masked(4, 3), "got a Masked with a forward of its own"),
    "forward of the instance": (lambda: replaced(nn.Linear(4, 3)), "got a Linear with a forward of its own"),
    "__call__": (lambda: DoubledByCall(4, 3), "__call__ of its own"),
    "_call_impl": (lambda: DoubledByCallImpl(4, 3), "_call_impl of its own"),
    "quantisation-aware": (lambda: quantisation_aware()[0], "forward of its own"),
    "pruned and masked": (lambda: pruned(Masked(4, 3)), "forward of its own"),
    "masked convolution": (lambda: MaskedConv2d(3, 4, 2), "got a MaskedConv2d with a forward of its own"),
    "standardized weight": (lambda: StandardizedConv2d(3, 4, 2), "_conv_forward of its own"),
    "convolution replaced": (lambda: replaced(nn.Conv2d(3, 4, 2)), "got a Conv2d with a forward of its own"),
    "quantisation-aware convolution": (quantisation_aware_convolution, "forward of its own"),
}


@pytest.mark.filterwarnings("ignore:.*deprecated")
@pytest.mark.parametrize("name", OWN)
def test_code_of_its_own_is_refused(name):
    make, message = OWN[name]
    layer = make()
    kind = SparseConv2d if isinstance(layer, nn.Conv2d) else SparseLinear
    with pytest.raises(snn.UnsupportedError, match=f"^(conv|linear) must compute what torch.nn.*{message}"):
        kind.from_dense(layer)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Same(3, 4, 2),
        lambda: pruned(nn.Conv2d(3, 4, 2)),
        lambda: parametrizations.weight_norm(nn.Conv2d(3, 4, 2)),
        lambda: changed(nn.Conv2d(3, 4, 2), lambda m: m.compile(backend="eager")),
    ],
)
def test_what_computes_the_same_is_taken(make):
    layer, x = make(), torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(SparseConv2d.from_dense(layer)(x), layer(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [nn.Linear(4, 3), nn.Conv2d(1, 3, 2)])
def test_a_layer_that_is_emptied_is_said(layer):
    kind = SparseConv2d if isinstance(layer, nn.Conv2d) else SparseLinear
    with pytest.warns(UserWarning, match="sparsity=0.99 leaves a layer of 12 weights none"):
        assert kind.from_dense(layer, sparsity=0.99).nnz == 0
