"""from_torch on convolutional modules that compute something else than their class says."""

from __future__ import annotations

import numpy as np
import pytest

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.utils import parametrizations, prune  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated", "ignore:Please use quant_min")


class Masked(nn.Conv2d):
    def forward(self, x):
        return functional.conv2d(x, self.weight * (self.weight > 0), self.bias, self.stride, self.padding)


class Standardized(nn.Conv2d):
    def forward(self, x):
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        weight = (self.weight - mean) / (self.weight.std((1, 2, 3), keepdim=True) + 1e-5)
        return functional.conv2d(x, weight, self.bias)


class Flipped(nn.Conv1d):
    def forward(self, x):
        return super().forward(2 * x)


class Shifted(nn.BatchNorm2d):
    def forward(self, x):
        mean, variance = self.running_mean, self.running_var
        return functional.batch_norm(x, mean, variance, self.weight, self.bias, False, 0, self.eps) + 1


class Twice(nn.BatchNorm2d):
    def forward(self, x):
        return 2 * super().forward(x)


class OnTraining(nn.BatchNorm2d):
    def train(self, mode: bool = True):
        return super().train(True)


class Smallest(nn.MaxPool2d):
    def forward(self, x):
        return -functional.max_pool2d(-x, self.kernel_size, self.stride)


class Largest(nn.AdaptiveAvgPool2d):
    def forward(self, x):
        return x.amax((2, 3), keepdim=True)


class Tripled(nn.ConvTranspose2d):
    def forward(self, x, output_size=None):
        return 3 * super().forward(x)


class DoubledUpsample(nn.Upsample):
    def forward(self, x):
        return 2 * super().forward(x)


class ColumnsFirst(nn.Flatten):
    def forward(self, x):
        return super().forward(x.transpose(2, 3))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x):
        return functional.relu(x + self.norm(self.conv(x)))


def replaced(module: nn.Module) -> nn.Module:
    forward = module.forward
    module.forward = lambda x: forward(functional.relu(x))
    return module


def changed(module: nn.Module, change) -> nn.Module:
    change(module)
    return module


def hooked(module: nn.Module, path: str, *, before: bool = False) -> nn.Module:
    part = module.get_submodule(path)
    if before:
        part.register_forward_pre_hook(lambda m, x: (2 * x[0],))
    else:
        part.register_forward_hook(lambda m, x, y: 2 * y)
    return module


def conv(**options) -> nn.Conv2d:
    return nn.Conv2d(3, 4, 3, **options)


IMPORTED = {
    "masked": lambda: Masked(3, 4, 3, padding=1),
    "masked part": lambda: nn.Sequential(Masked(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
    "standardized": lambda: nn.Sequential(Standardized(3, 4, 3)),
    "in one dimension": lambda: nn.Sequential(nn.Flatten(2), Flipped(3, 4, 5)),
    "normalisation": lambda: nn.Sequential(conv(), Shifted(4)),
    "maximum": lambda: nn.Sequential(conv(), Smallest(2)),
    "mean": lambda: nn.Sequential(conv(), Largest(1)),
    "transposed": lambda: nn.Sequential(Tripled(3, 4, 2, stride=2)),
    "upsampling": lambda: nn.Sequential(DoubledUpsample(scale_factor=2), conv()),
    "flatten": lambda: nn.Sequential(ColumnsFirst(), nn.Linear(126, 3)),
    "forward of the instance": lambda: nn.Sequential(conv(), replaced(nn.Conv2d(4, 2, 1))),
    "forward of a block": lambda: nn.Sequential(replaced(Block())),
    "weight_norm": lambda: nn.Sequential(parametrizations.weight_norm(conv())),
    "prune": lambda: changed(conv(), lambda m: prune.l1_unstructured(m, "weight", 0.5)),
}


@pytest.mark.parametrize("keep_batch_norm", [False, True])
@pytest.mark.parametrize("name", IMPORTED)
def test_what_is_computed_is_imported(name, keep_batch_norm):
    torch.manual_seed(3)
    module, x = settled(IMPORTED[name]()).eval(), torch.randn(2, 3, 6, 7)
    model = snn.from_torch(module, x, keep_batch_norm=keep_batch_norm)
    got = snn.compile(model, tune="off", cache=False).run(x.numpy())
    with torch.no_grad():
        wanted = module.double()(x.double()).numpy()
    np.testing.assert_allclose(got, wanted, atol=1e-5, rtol=1e-5)


def settled(module: nn.Module) -> nn.Module:
    """module with statistics that change something."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
    return module


def quantisation_aware(*, fused: bool) -> nn.Module:
    quantization = torch.ao.quantization
    module = nn.Sequential(conv(), nn.BatchNorm2d(4), nn.ReLU()).train()
    if fused:
        module = quantization.fuse_modules_qat(module, ["0", "1", "2"])
    module.qconfig = quantization.get_default_qat_qconfig("x86")
    return quantization.prepare_qat(module)


def complex_statistics(norm: nn.BatchNorm2d) -> None:
    norm.running_mean = torch.ones(4, dtype=torch.complex64)


def complex_weight(layer: nn.Conv2d) -> None:
    layer.weight = nn.Parameter(layer.weight.detach().to(torch.complex64))


def of_layout(layout: str) -> nn.Conv2d:
    """A convolution whose weight is a sparse tensor of four dimensions."""
    module = nn.Conv2d(4, 4, 2)
    blocks = {"blocksize": (2, 2)} if layout in ("sparse_bsr", "sparse_bsc") else {}
    weight = module.weight.detach().to_sparse(layout=getattr(torch, layout), **blocks)
    module.weight = nn.Parameter(weight, requires_grad=False)
    return module


REFUSED = {
    "normalisation": (lambda: nn.Sequential(conv(), Twice(4)), "must be traceable"),
    "normalisation replaced": (lambda: nn.Sequential(conv(), replaced(nn.BatchNorm2d(4))), "be traceable"),
    "normalisation in training": (lambda: nn.Sequential(conv(), OnTraining(4)), r"\(OnTraining\) must leave"),
    "no statistics": (
        lambda: nn.Sequential(conv(), nn.BatchNorm2d(4, track_running_stats=False)),
        "must track running statistics",
    ),
    "hook": (lambda: hooked(nn.Sequential(conv()), "0"), r"0 \(Conv2d\) has forward hooks"),
    "pre-hook": (lambda: hooked(nn.Sequential(conv()), "0", before=True), r"0 \(Conv2d\) has forward hooks"),
    "hook of a normalisation": (lambda: hooked(Block(), "norm"), r"norm \(BatchNorm2d\) has forward hooks"),
    "hook of a pool": (
        lambda: hooked(nn.Sequential(conv(), nn.MaxPool2d(2)), "1"),
        r"1 \(MaxPool2d\) has forward hooks",
    ),
    "hook deep inside": (
        lambda: hooked(nn.Sequential(nn.Sequential(Block())), "0.0.conv"),
        r"0\.0\.conv \(Conv2d\) has forward hooks",
    ),
    "hook of the module": (lambda: hooked(Block(), ""), r"module \(Block\) has forward hooks"),
    "quantisation-aware": (lambda: quantisation_aware(fused=False), "has forward hooks"),
    "quantisation-aware, fused": (lambda: quantisation_aware(fused=True), "has forward hooks"),
    "quantisation-aware, alone": (
        lambda: nn.Sequential(
            torch.ao.nn.qat.Conv2d(3, 4, 3, qconfig=torch.ao.quantization.get_default_qat_qconfig("x86"))
        ),
        "not supported",
    ),
    "complex weight": (
        lambda: nn.Sequential(changed(conv(), complex_weight)),
        r"0 \(Conv2d\): the weight must hold real numbers",
    ),
    **{
        f"weight as {layout}": (
            lambda layout=layout: nn.Sequential(conv(), of_layout(layout)),
            rf"1 \(Conv2d\): the weight must be dense, or a matrix where it is sparse, got torch.{layout} of "
            r"shape \(4, 4, 2, 2\): to_dense",
        )
        for layout in ("sparse_bsr", "sparse_bsc", "sparse_csr", "sparse_csc", "sparse_coo")
    },
    "complex statistics": (
        lambda: nn.Sequential(conv(), changed(nn.BatchNorm2d(4), complex_statistics)),
        r"1 \(BatchNorm2d\): the running_mean must hold real numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_imported_is_named(name):
    make, message = REFUSED[name]
    with pytest.raises(snn.UnsupportedError, match=message):
        snn.from_torch(make(), torch.randn(2, 3, 6, 7))
