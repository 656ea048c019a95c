"""Transposed convolutions and resizing of imported networks, against torch and ONNX Runtime."""

import numpy as np
import pytest
from test_export_graph import assert_near

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402


def check(module: nn.Module, sizes: tuple[int, ...], *, batch: int = 3) -> snn.Model:
    """A plan of the imported module gives what the module gives."""
    x = torch.randn(batch, *sizes)
    model = snn.from_torch(module.eval(), x[:1])
    with torch.no_grad():
        y = module(x).numpy()
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    names = model.input_values[0].name, model.output_values[0].name
    got = plan.run(x.numpy())
    assert got.shape == y.shape
    assert_near(model, {names[0]: x.numpy()}, {names[1]: got})
    assert_near(model, {names[0]: x.numpy()}, {names[1]: y})
    return model


def random_transposed(rng, dimensions: int) -> tuple[nn.Module, tuple[int, ...]]:
    """One that has a result, on images or lines of a few sizes."""
    while True:
        groups = int(rng.choice([1, 1, 2, 3]))
        kernel, stride, dilation, size = (rng.integers(1, top, dimensions) for top in (6, 5, 4, 7))
        padding = rng.integers(0, 4, dimensions)
        more = [int(rng.integers(0, max(a, b))) for a, b in zip(stride, dilation, strict=True)]
        made = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + more
        if (made > 0).all():
            break
    kind = nn.ConvTranspose2d if dimensions == 2 else nn.ConvTranspose1d
    parts = (tuple(map(int, part)) for part in (kernel, stride, padding, more))
    module = kind(groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4)), *parts,
                  groups=groups, bias=bool(rng.integers(2)), dilation=tuple(map(int, dilation)))  # fmt: skip
    with torch.no_grad():
        module.weight[torch.rand_like(module.weight) < rng.choice([0, 0.9])] = 0
    return module, (module.in_channels, *map(int, size))


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("start", range(0, 60, 20))
def test_random_transposed_convolutions(start, dimensions):
    torch.manual_seed(start)
    for seed in range(start, start + 20):
        check(*random_transposed(np.random.default_rng(seed), dimensions))


def test_weights_stay_as_many():
    module = nn.ConvTranspose2d(4, 6, 3, 2, 1, bias=False)
    with torch.no_grad():
        module.weight[torch.rand_like(module.weight) < 0.8] = 0
    stored = int((module.weight != 0).sum())
    model = check(module, (4, 5, 6))
    (layer,) = (layer for layer in model.layers if isinstance(layer, snn.Conv2d))
    assert layer.sparse and layer.nnz == stored


RESIZED = {
    "twice": nn.Upsample(scale_factor=2),
    "three times": nn.Upsample(scale_factor=3, mode="nearest-exact"),
    "one way": nn.Upsample(scale_factor=(1, 2)),
    "to a size": nn.Upsample((7, 12)),
    "smaller": nn.Upsample((2, 3)),
    "by a half": nn.Upsample(scale_factor=0.5),
    "uneven, exact": nn.Upsample((7, 11), mode="nearest-exact"),
}


@pytest.mark.parametrize("name", RESIZED)
def test_resized(name):
    check(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), RESIZED[name], nn.ReLU()), (3, 4, 6))


def test_what_is_refused():
    x = torch.zeros(1, 3, 4, 6)
    with pytest.raises(snn.UnsupportedError, match="have mode 'nearest' or 'nearest-exact', got 'bilinear'"):
        snn.from_torch(nn.Upsample(scale_factor=2, mode="bilinear"), x)
    module = nn.ConvTranspose2d(3, 2, 2)
    module.forward = lambda x: nn.ConvTranspose2d.forward(module, x, output_size=(5, 7))
    with pytest.raises(snn.UnsupportedError):
        snn.from_torch(module, x)
