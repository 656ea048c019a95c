"""sparsify: which layers stay dense, with a warning that names them. The clock is replaced."""

from __future__ import annotations

import warnings

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, spectral_norm  # noqa: E402
from torch.nn.utils.weight_norm import weight_norm  # noqa: E402
from torch_layers import same_weights_every_time  # noqa: E402

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


class Doubled(nn.Module):
    def forward(self, weight):
        return weight * 2


def with_state_hook(linear, register):
    getattr(linear, register)(lambda *arguments: None)
    return linear


def tied() -> nn.Module:
    module = nn.Sequential(nn.Embedding(7, 12), nn.Linear(12, 7))
    module[1].weight = module[0].weight
    return module


def tied_biases() -> nn.Module:
    module = nn.Sequential(nn.Linear(12, 7), nn.Linear(12, 7))
    module[1].bias = module[0].bias
    return module


def replaced_forward(linear):
    linear.forward = lambda x: x
    return linear


def with_attribute(linear):
    linear.data = [1, 2]
    return linear


def with_buffer(linear):
    linear.register_buffer("scale", torch.ones(1))
    return linear


def parametrized(linear):
    parametrize.register_parametrization(linear, "weight", Doubled())
    return linear


DENSE = {
    "parametrization": (lambda: parametrized(nn.Linear(12, 7)), "it has parametrizations"),
    "parametrized weight_norm": (lambda: parametrizations.weight_norm(nn.Linear(12, 7)), "parametrizations"),
    "orthogonal": (lambda: parametrizations.orthogonal(nn.Linear(12, 7)), "it has parametrizations"),
    "weight_norm": (lambda: weight_norm(nn.Linear(12, 7)), "its weight is computed by WeightNorm"),
    "spectral_norm": (lambda: spectral_norm(nn.Linear(12, 7)), "its weight is computed by SpectralNorm"),
    "buffer": (lambda: with_buffer(nn.Linear(12, 7)), "it has parts of its own: scale"),
    "forward": (lambda: replaced_forward(nn.Linear(12, 7)), "a SparseLinear needs: forward"),
    "attribute": (lambda: with_attribute(nn.Linear(12, 7)), "a SparseLinear needs: data"),
    "float64": (lambda: nn.Linear(12, 7).double(), "it is torch.float64 on cpu"),
    "bfloat16": (lambda: nn.Linear(12, 7).bfloat16(), "it is torch.bfloat16 on cpu"),
    "meta": (lambda: nn.Linear(12, 7, device="meta"), "it is torch.float32 on meta"),
    "no outputs": (lambda: nn.Linear(12, 0), r"its weight has shape \(0, 12\)"),
    "no inputs": (lambda: nn.Linear(0, 7), r"its weight has shape \(7, 0\)"),
    "embedding": (tied, "it shares a parameter with another module"),
    "biases": (tied_biases, "it shares a parameter with another module"),
    **{
        name: (lambda name=name: with_state_hook(nn.Linear(12, 7), name), "it has state_dict hooks")
        for name in (
            "register_state_dict_pre_hook",
            "register_state_dict_post_hook",
            "register_load_state_dict_pre_hook",
            "register_load_state_dict_post_hook",
        )
    },
}


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors", "ignore:.*weight_norm. is deprecated")
@pytest.mark.parametrize("kind", DENSE)
def test_layers_that_stay_dense_are_named(kind):
    make, reason = DENSE[kind]
    module = nn.Sequential(make())
    with pytest.warns(UserWarning, match=rf"0(\.\d)? \(Linear\) stays dense: .*{reason}"):
        made = sparsify(module)
    assert not any(isinstance(part, SparseLinear) for part in made.modules())
    assert [type(p).__name__ for p in made.modules()] == [type(p).__name__ for p in module.modules()]
    for name, value in module.state_dict().items():
        assert value.is_meta or torch.equal(made.state_dict()[name], value)
    if kind == "embedding":
        assert made[0][0].weight is made[0][1].weight


def test_other_kinds_of_linear_layers_are_left_alone():
    class Mine(nn.Linear):
        pass

    module = nn.Sequential(Mine(12, 7), nn.LazyLinear(3), nn.Bilinear(2, 2, 2), nn.Conv1d(2, 2, 1))
    made = quietly(module)
    assert [type(part) for part in made] == [type(part) for part in module]
