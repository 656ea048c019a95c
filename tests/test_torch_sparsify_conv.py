"""sparsify of convolutions: timed at the size of an example, or left as they are. The clock is replaced."""

from __future__ import annotations

import copy
import warnings

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, prune  # noqa: E402
from torch_layers import same_weights_every_time  # noqa: E402

from sparsenn.torch import SparseConv2d, SparseLinear, sparsify  # noqa: E402

pytestmark = pytest.mark.usefixtures(same_weights_every_time.__name__)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.body = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.unused = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, x, gain):
        x = self.body(input=self.norm(self.stem(x)).relu())
        return self.head(self.body(x).mean((2, 3))) * gain


@pytest.fixture
def timed(monkeypatch) -> list:
    """What is timed: (type of the layer, size of its input); sparse ones are faster."""
    log: list = []

    def seconds(layer, x, backward):
        log.append((type(layer), tuple(x.shape)))
        return 2.0 - isinstance(layer, (SparseConv2d, SparseLinear))

    monkeypatch.setattr("sparsenn.torch.timing.seconds", seconds)
    return log


EXAMPLE = (torch.zeros(1, 3, 12, 10), torch.ones(()))


def test_an_example_tells_the_sizes(timed):
    module = Net()
    state = copy.deepcopy(module.state_dict())
    with pytest.warns(
        UserWarning, match=r"unused \(Conv2d\) stays dense: the size of its images is not known"
    ):
        made = sparsify(module, batch_size=7, example=EXAMPLE)
    assert isinstance(made.stem, SparseConv2d) and isinstance(made.body, SparseConv2d)
    assert type(made.unused) is nn.Conv2d and isinstance(made.head, SparseLinear)
    assert {size for kind, size in timed if kind is SparseConv2d} == {(7, 3, 12, 10), (7, 8, 12, 10)}
    assert {size for kind, size in timed if kind is nn.Linear} == {(7, 8)}
    assert module.training and made.training
    for name, value in state.items():
        assert torch.equal(module.state_dict()[name], value)
    assert torch.equal(made.norm.running_mean, module.norm.running_mean)
    assert not made.stem._forward_pre_hooks and not made.unused._forward_pre_hooks
    x = torch.randn(4, 3, 12, 10)
    torch.testing.assert_close(made.eval()(x, 2.0), module.eval()(x, 2.0))


def test_without_an_example_convolutions_stay_dense(timed):
    module = nn.Sequential(nn.Conv2d(3, 4, 1))
    with pytest.warns(UserWarning, match=r"0 \(Conv2d\) stays dense: .* give an example of the input"):
        made = sparsify(module, sparsity=0.5)
    assert type(made[0]) is nn.Conv2d and torch.equal(made[0].weight, module[0].weight)
    assert not timed


def test_masks_are_baked_in_and_parametrizations_stay(timed):
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), parametrizations.weight_norm(nn.Conv2d(8, 8, 1)))
    prune.l1_unstructured(module[0], "weight", amount=0.75)
    module[0].register_forward_pre_hook(lambda m, a: (a[0] * 2,))
    with pytest.warns(UserWarning, match=r"2 \(.*Conv2d\) stays dense: it has parametrizations"):
        made = sparsify(module, example=torch.zeros(2, 3, 6, 6))
    assert made[0].nnz == 54
    x = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(made(x), module(x))
    alone = sparsify(nn.Conv2d(3, 2, 1, bias=False), example=torch.zeros(3, 6, 6))
    assert isinstance(alone, SparseConv2d) and alone.bias is None


def test_a_convolution_of_its_own_stays_dense(timed):
    conv = nn.Conv2d(3, 2, 1)
    conv._conv_forward = lambda x, weight, bias: x
    with pytest.warns(UserWarning, match="attributes of its own that a SparseConv2d needs: _conv_forward"):
        assert type(sparsify(conv, example=torch.zeros(1, 3, 2, 2))) is nn.Conv2d

    class Mine(nn.Conv2d):
        pass

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(sparsify(Mine(3, 2, 1), example=torch.zeros(1, 3, 2, 2))) is Mine


@pytest.mark.parametrize("backward", [True, False])
def test_both_are_measured(backward):
    module = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.Conv2d(64, 1, 1))
    options = {"batch_size": 4, "threads": 1, "backward": backward}
    made = sparsify(module, sparsity=0.9, example=torch.zeros(1, 64, 8, 8), **options)
    for before, after in zip(module, made, strict=True):
        assert type(after) in (type(before), SparseConv2d)
    dense = nn.Sequential(*(part.to_dense() if isinstance(part, SparseConv2d) else part for part in made))
    x = torch.randn(3, 64, 8, 8)
    torch.testing.assert_close(made(x), dense(x))


def test_what_is_no_example_is_refused():
    with pytest.raises(
        TypeError, match="example must be a tensor or a sequence of a module's inputs, got int"
    ):
        sparsify(nn.Conv2d(3, 2, 1), example=3)
