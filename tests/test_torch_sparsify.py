"""sparsify: what goes over with a layer. The clock is replaced."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402
from torch_layers import at_pattern, same_weights_every_time  # noqa: E402

from sparsenn.torch import SparseConv2d, SparseLinear, sparsify  # noqa: E402

pytestmark = pytest.mark.usefixtures(same_weights_every_time.__name__, "sparse_is_faster")


@pytest.fixture
def sparse_is_faster(monkeypatch):
    monkeypatch.setattr(
        "sparsenn.torch.timing.seconds",
        lambda layer, x, backward: 2.0 - isinstance(layer, (SparseConv2d, SparseLinear)),
    )


def quietly(module, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return sparsify(module, **options)


def call_hooks(log: list):
    """name -> how a hook of that kind is put on a layer; each notes its call, most change what they see."""

    def note(name, result=None):
        log.append(name)
        return result

    return {
        "pre": lambda m: m.register_forward_pre_hook(lambda m, a: note("pre", (a[0] * 2,))),
        "pre with kwargs": lambda m: m.register_forward_pre_hook(
            lambda m, a, k: note("pre with kwargs", ((a[0] + 1,), k)), with_kwargs=True
        ),
        "pre that reads the weight": lambda m: m.register_forward_pre_hook(
            lambda m, a: note("pre that reads the weight", (a[0] * m.weight.detach().abs().sum(),))
        ),
        "forward": lambda m: m.register_forward_hook(lambda m, a, y: note("forward", y + 1)),
        "forward in place": lambda m: m.register_forward_hook(lambda m, a, y: note("in place", y.relu_())),
        "forward with kwargs": lambda m: m.register_forward_hook(
            lambda m, a, k, y: note("forward with kwargs", y * 2), with_kwargs=True
        ),
        "always": lambda m: m.register_forward_hook(lambda m, a, y: note("always"), always_call=True),
        "full backward pre": lambda m: m.register_full_backward_pre_hook(
            lambda m, g: note("bpre", (g[0] * 3,))
        ),
        "full backward": lambda m: m.register_full_backward_hook(
            lambda m, gi, go: note("full", (gi[0] * 5,))
        ),
        "backward": lambda m: m.register_backward_hook(lambda m, gi, go: note("backward")),
    }


LAYERS = {
    "linear": (lambda: nn.Linear(12, 7), SparseLinear, (5, 12), {}),
    "conv": (lambda: nn.Conv2d(3, 7, 2), SparseConv2d, (5, 3, 4, 5), {"example": torch.zeros(1, 3, 4, 5)}),
}


@pytest.mark.filterwarnings("ignore:Using a non-full backward hook")  # which dense layers have as well
@pytest.mark.parametrize("layer_kind", LAYERS)
@pytest.mark.parametrize("kind", call_hooks([]))
@pytest.mark.parametrize("alone", [True, False])
def test_hooks_on_calls_go_over(kind, alone, layer_kind):
    log: list = []
    make, sparse_kind, size, options = LAYERS[layer_kind]
    linear = make()
    handle = call_hooks(log)[kind](linear)
    module = linear if alone else nn.Sequential(linear, nn.Tanh())
    made = quietly(module, **options)
    log.clear()  # what the example left
    layer = made if alone else made[0]
    assert isinstance(layer, sparse_kind)
    results = []
    for part, weight in ((made, layer.data), (module, linear.weight)):
        torch.manual_seed(0)
        x = torch.randn(size, requires_grad=True)
        y = part(x)
        y.sum().backward()
        grad = weight.grad if weight is layer.data else at_pattern(layer, weight.grad)
        results.append(([y, x.grad, grad], list(log)))
        log.clear()
    # A weight's gradient is a sum over places of x times a slope: k * eps * |x| |dy|, where a hook may scale
    # x by the weights and with it what the slope is taken of.
    scale = float(linear.weight.detach().abs().sum()) if "reads" in kind else 1.0
    channels = scale * x.detach().abs().transpose(0, 1).flatten(1)
    terms = channels.shape[1] + linear.weight[0].numel() * scale
    bound = terms * float(torch.finfo(x.dtype).eps) / 2 * float(channels.sum(1).max())
    torch.testing.assert_close(results[0][0][:2], results[1][0][:2])
    torch.testing.assert_close(results[0][0][2], results[1][0][2], rtol=0, atol=bound)
    assert results[0][1] == results[1][1] != []
    handle.remove()  # of the original alone: a copy has hooks of its own
    made(x)
    assert bool(log) == ("backward" not in kind)


def test_state_goes_over():
    linear = nn.Linear(12, 7).eval()
    linear.weight.requires_grad_(False)
    linear.note = ["mine"]
    made = quietly(nn.Sequential(nn.Linear(12, 12), linear))
    assert [part.training for part in made] == [True, False]
    assert [p.requires_grad for p in made.parameters()] == [True, True, False, True]
    assert made[1].note == ["mine"] and made[1].note is not linear.note
    frozen = quietly(linear.requires_grad_(False), sparsity=0.5)
    assert not any(p.requires_grad for p in frozen.parameters())
    assert quietly(nn.Linear(3, 2, bias=False)).bias is None
    assert made[1].to_dense().weight.requires_grad is False


def test_pruned_layers_bake_their_masks_in():
    linear = nn.Linear(12, 7)
    prune.l1_unstructured(linear, "weight", amount=0.5)
    prune.random_unstructured(linear, "bias", amount=3)
    linear.weight_orig.requires_grad_(False)
    linear.register_forward_pre_hook(lambda m, a: (a[0] * 2,))
    made = quietly(nn.Sequential(linear))
    x = torch.randn(3, 12)
    torch.testing.assert_close(made(x), linear(x))
    assert made[0].nnz == 42 and list(made[0].state_dict()) == ["data", "bias", "indices", "indptr"]
    assert (made[0].data.requires_grad, made[0].bias.requires_grad) == (False, True)
    assert len(made[0]._forward_pre_hooks) == 1 and len(linear._forward_pre_hooks) == 3


def test_shared_modules_stay_shared():
    shared = nn.Linear(8, 8)
    module = nn.ModuleDict({"a": shared, "b": nn.Sequential(shared, nn.ReLU()), "c": nn.ModuleList([shared])})
    made = quietly(module)
    assert isinstance(made["a"], SparseLinear) and made["a"] is made["b"][0] is made["c"][0]
    assert len(list(made.parameters())) == 2


@pytest.mark.parametrize("training", [True, False])
def test_transformers(training):
    """Their fused path, which reads linear1.weight, leaves sparse layers alone."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True).train(training)
    made = quietly(layer)
    called = []
    made.linear1.register_forward_hook(lambda *arguments: called.append(1))
    x = torch.randn(2, 3, 16)
    with torch.inference_mode(not training):
        torch.testing.assert_close(made(x), layer(x))
    assert isinstance(made.linear1, SparseLinear) and called


def test_a_pre_hook_that_changes_the_weight_is_refused_when_it_runs():
    linear = nn.Linear(12, 7)
    linear.register_forward_pre_hook(lambda m, a: m.weight.data.clamp_(-0.1, 0.1) and None)
    made = quietly(linear)
    with pytest.raises(ValueError, match="weight of a sparse layer is a copy"):
        made(torch.randn(2, 12))


def test_the_module_is_left_as_it_was():
    module = nn.Sequential(nn.Linear(12, 7), nn.Tanh())
    module(torch.randn(2, 12)).sum().backward()
    state, gradient = copy.deepcopy(module.state_dict()), module[0].weight.grad.clone()
    quietly(module, sparsity=0.5, backward=True)
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in state.items())
    assert torch.equal(module[0].weight.grad, gradient) and type(module[0]) is nn.Linear
    np.testing.assert_array_equal(module.training, True)
