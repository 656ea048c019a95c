"""from_torch against PyTorch itself, in float64, on random modules of every supported kind."""

from __future__ import annotations

import numpy as np
import pytest

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from networks import assert_near, assert_same_weights  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, prune  # noqa: E402

from sparsenn.torch import SparseLinear  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")


@pytest.fixture(autouse=True)
def same_weights_every_time():
    torch.manual_seed(7)


def random_module(rng: np.random.Generator) -> tuple[nn.Module, int]:
    """A module in evaluation mode with trained-looking normalisation, and its number of inputs."""
    activations = (
        *(nn.ReLU, nn.ReLU6, nn.Tanh, nn.Sigmoid, nn.GELU, nn.Identity, nn.Dropout),
        lambda: nn.Hardtanh(-0.5, 1.5),
        lambda: nn.LeakyReLU(0.1),
        lambda: nn.ELU(0.75),
    )
    inputs = width = int(rng.integers(1, 40))
    layers: list = [nn.Flatten()] if rng.random() < 0.2 else []
    if rng.random() < 0.2:
        layers.append(nn.BatchNorm1d(width))
    for _ in range(rng.integers(1, 4)):
        outputs = int(rng.integers(1, 40))
        linear = nn.Linear(width, outputs, bias=bool(rng.random() < 0.7))
        kind = rng.integers(6)
        if kind == 0:
            prune.l1_unstructured(linear, "weight", amount=0.8)
        elif kind == 1:
            parametrizations.weight_norm(linear)
        elif kind == 2:
            weight = linear.weight.detach() * (torch.rand_like(linear.weight) < 0.3)
            linear.weight = nn.Parameter(weight.to_sparse_csr())
        layers.append(linear)
        if rng.random() < 0.3:
            layers.append(nn.BatchNorm1d(outputs, affine=bool(rng.random() < 0.7)))
        layers.append(activations[rng.integers(len(activations))]())
        width = outputs
    if rng.random() < 0.3:
        layers.append(nn.Softmax(dim=1))
    module = nn.Sequential(*layers)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            if part.affine:
                nn.init.uniform_(part.weight, -1, 2)
                nn.init.normal_(part.bias)
    return module.eval(), inputs


def has_csr(module: nn.Module) -> bool:
    return any(parameter.layout != torch.strided for parameter in module.parameters())


def exact(module: nn.Module, x: torch.Tensor) -> np.ndarray:
    """What module gives in float64, from the weights as they are in its own dtype.

    Parametrised weights are fixed before the conversion; CSR weights, which torch cannot convert, filled in.
    """
    for part in list(module.modules()):
        if parametrize.is_parametrized(part):
            parametrize.remove_parametrizations(part, "weight")
        if isinstance(part, nn.Linear) and has_csr(part):
            part.weight = nn.Parameter(part.weight.detach().to_dense())
    with torch.no_grad():
        return module.double()(x.double()).numpy()


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_random_modules(start):
    for seed in range(start, start + 20):
        rng = np.random.default_rng(seed)
        module, inputs = random_module(rng)
        dtype = (torch.float32, torch.float32, torch.float64, torch.float16, torch.bfloat16)[rng.integers(5)]
        if not has_csr(module):
            module = module.to(dtype)
        model = snn.from_torch(module)
        x = torch.randn(int(rng.integers(1, 9)), inputs)
        assert_near(model, x.numpy(), exact(module, x))


class Plain(nn.Module):
    """As people write it: functions, methods, a view."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(12, 9), nn.Linear(9, 8)
        self.third, self.fourth = nn.Linear(8, 7), nn.Linear(7, 5, bias=False)
        self.norm = nn.BatchNorm1d(9)

    def forward(self, x):
        x = x.view(x.size(0), -1)
        x = functional.dropout(functional.relu(self.norm(self.first(x))), 0.5, training=self.training)
        x = torch.tanh(self.second(x)).clamp(-0.5, max=0.5)
        x = functional.gelu(functional.linear(x, self.third.weight, bias=self.third.bias))
        x = functional.elu(self.fourth(torch.flatten(x, 1)), 0.5)
        return functional.softmax(functional.elu(x).sigmoid(), dim=-1)


def test_plain_module_and_its_modes():
    module = Plain()
    for _ in range(3):
        module(torch.randn(30, 3, 4))
    assert module.training and module.norm.training
    model = snn.from_torch(module)
    assert module.training and module.norm.training
    x = torch.randn(6, 3, 4)
    assert_near(model, x.reshape(6, 12).numpy(), exact(module.eval(), x))


def test_other_ways_to_write_it():
    class Others(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 6), nn.Sequential(nn.Identity(), nn.Linear(6, 4)))

        def forward(self, x):
            x = x.reshape(x.shape[0], 6)
            x = functional.hardtanh(self.body(x), min_val=-1.0, max_val=2.0)
            return torch.clamp(functional.relu6(x.relu().tanh()), min=0.0).contiguous().flatten(1)

    module = Others().eval()
    x = torch.randn(5, 2, 3)
    assert_near(snn.from_torch(module), x.reshape(5, 6).numpy(), exact(module, x))


def test_the_mask_is_that_of_the_next_call():
    linear = nn.Linear(8, 6)
    prune.random_unstructured(linear, "weight", amount=0.75)
    with torch.no_grad():
        linear.weight_orig += 1  # linear.weight is out of date until the next call
    layer = snn.from_torch(linear).layers[0]
    assert layer.sparse and layer.nnz == 12
    np.testing.assert_array_equal(
        layer.weight.toarray(), (linear.weight_orig * linear.weight_mask).detach().numpy()
    )


@pytest.mark.parametrize("layout", ["to_sparse_csr", "to_sparse_csc", "to_sparse_coo"])
def test_sparse_weights(layout):
    weight = torch.randn(6, 8) * (torch.rand(6, 8) < 0.5)
    linear = nn.Linear(8, 6)
    linear.weight = nn.Parameter(getattr(weight, layout)())
    layer = snn.from_torch(linear).layers[0]
    assert layer.sparse
    np.testing.assert_array_equal(layer.weight.toarray(), weight.numpy())


def test_state_dict():
    module = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
    prune.l1_unstructured(module[3], "weight", amount=0.5)
    model = snn.from_torch(module.state_dict(), layers=["0", "1", "relu", "3", snn.Softmax()])
    x = torch.randn(4, 5)
    assert_near(model, x.numpy(), exact(nn.Sequential(*module, nn.Softmax(1)).eval(), x))
    with pytest.raises(TypeError, match="layers must be given with a state_dict"):
        snn.from_torch(module.state_dict())
    with pytest.raises(ValueError, match=r"layers\[1\] must name a layer .* got 'relo'"):
        snn.from_torch(module.state_dict(), layers=["0", "relo"])


def test_own_sparse_layer():
    module = nn.Sequential(SparseLinear.from_dense(nn.Linear(20, 10), sparsity=0.9), nn.ReLU())
    model = snn.from_torch(module)
    assert model.layers[0].nnz == 20
    assert_same_weights(model, snn.from_torch(nn.Sequential(module[0].to_dense(), nn.ReLU())))


def test_weights_are_copied():
    linear = nn.Linear(3, 2)
    model = snn.from_torch(linear)
    before = model.layers[0].weight.copy()
    with torch.no_grad():
        linear.weight.zero_()
    np.testing.assert_array_equal(model.layers[0].weight, before)


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return self.linear(x) if x.sum() > 0 else x


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            nn.Sequential(nn.Linear(3, 3), nn.Conv3d(3, 3, 1)),
            r"1 \(Conv3d\) is not supported; supported are Linear",
        ),
        (nn.Sequential(nn.LSTMCell(3, 3)), r"0 \(LSTMCell\) is not supported"),
        (nn.Sequential(nn.Linear(3, 3), nn.ELU(-0.5)), "must have a finite alpha above 0, got -0.5"),
        (nn.Sequential(nn.Linear(3, 3), nn.Softmax(dim=0)), "must leave the batch alone, got axis 0"),
        (nn.Flatten(0), "must keep the batch"),
        (nn.BatchNorm1d(3, track_running_stats=False), "must track running statistics"),
        (Branch(), "must be traceable by torch.fx"),
        (nn.Sequential(nn.ReLU()), "must know the features of its input 'input': give example="),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_is_not_supported(module, message):
    with pytest.raises(snn.UnsupportedError, match=message):
        snn.from_torch(module)


def test_hooks_and_bad_weights():
    hooked = nn.Linear(3, 3)
    hooked.register_forward_hook(lambda module, x, y: 2 * y)
    with pytest.raises(snn.UnsupportedError, match="has forward hooks"):
        snn.from_torch(hooked)
    broken = nn.Linear(3, 3)
    nn.init.constant_(broken.bias, float("inf"))
    with pytest.raises(ValueError, match="the bias must be finite as float32, got inf"):
        snn.from_torch(nn.Sequential(broken))
    large = nn.Linear(3, 3).double()
    nn.init.constant_(large.weight, 1e300)
    with pytest.raises(ValueError, match="the weight must be finite as float32, got 1e.300"):
        snn.from_torch(large)
    with pytest.raises(TypeError, match=r"module must be a torch.nn.Module or a state_dict, got list"):
        snn.from_torch([nn.Linear(3, 3)])
