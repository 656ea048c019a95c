"""from_torch and from_onnx on convolutional networks, against PyTorch and ONNX Runtime."""

import io
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from test_export_graph import assert_near, run_onnx  # noqa: E402
from test_import_torch_graph import check  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import sparsenn as snn  # noqa: E402


@pytest.fixture(autouse=True)
def same_weights_every_time():
    torch.manual_seed(5)


class Calls(nn.Module):
    def __init__(self, function, *parts):
        super().__init__()
        self.parts, self.function = nn.ModuleList(parts), function

    def forward(self, x):
        return self.function(x, *self.parts)


def trained(module: nn.Module) -> nn.Module:
    """With normalisations that do something."""
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, -1, 2)
    return module.eval()


class Block(nn.Module):
    """Of a ResNet."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.last = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.down = None
        if stride > 1 or inputs != outputs:
            self.down = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        identity = x
        out = self.relu(self.norm(self.first(x)))
        out = self.last(self.second(out))
        if self.down is not None:
            identity = self.down(x)
        out += identity
        return self.relu(out)


def residual_network() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
        *(nn.MaxPool2d(3, 2, 1), Block(8, 8), Block(8, 16, 2), Block(16, 16)),
        *(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 5)),
    )


def mobile_network() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6()),
        *(nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6()),
        *(
            nn.Conv2d(8, 12, 1),
            nn.SiLU(),
            nn.Dropout2d(0.2),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(108, 3),
        ),
    )


IMAGES, SOUND = torch.zeros(2, 3, 12, 11), torch.zeros(2, 3, 30)
NETWORKS = {
    "residual": (residual_network, torch.zeros(1, 3, 33, 40)),
    "mobile": (mobile_network, torch.zeros(1, 3, 12, 12)),
    "in one dimension": (
        lambda: nn.Sequential(
            *(nn.Conv1d(3, 8, 9, 2, 4), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(3)),
            *(nn.Conv1d(8, 6, 3, groups=2, dilation=2), nn.AvgPool1d(1), nn.AdaptiveAvgPool1d(1)),
            *(nn.Flatten(), nn.Linear(6, 4)),
        ),
        torch.zeros(1, 3, 40),
    ),
    "a bottleneck with a concat": (
        lambda: Calls(
            lambda x, a, b, c: c(torch.cat([F.silu(a(x)), F.leaky_relu(b(x), 0.1)], 1)),
            *(nn.Conv2d(3, 4, 1), nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(10, 2, 1)),
        ),
        IMAGES,
    ),
    "same": (lambda: nn.Conv2d(3, 4, (4, 3), padding="same", dilation=(1, 2)), IMAGES),
    "valid": (lambda: nn.Conv2d(3, 4, 3, padding="valid"), IMAGES),
    "same in one dimension": (lambda: nn.Conv1d(3, 4, 6, padding="same"), SOUND),
    "functions": (
        lambda: Calls(
            lambda x, a: F.avg_pool2d(F.max_pool2d(F.conv2d(x, a.weight, a.bias, 1, 1), 2), 3, 1, 1),
            nn.Conv2d(3, 4, 3),
        ),
        IMAGES,
    ),
    "rounded up": (lambda: nn.Sequential(nn.Conv2d(3, 2, 1), nn.MaxPool2d(3, 2, 1, ceil_mode=True)), IMAGES),
    "rounded up in vain": (lambda: nn.AvgPool2d((4, 11), ceil_mode=True), IMAGES),
    "a mean that is rounded up": (lambda: nn.AvgPool2d(5, 2, 1, ceil_mode=True), IMAGES),
    "a mean of sound, rounded up": (lambda: nn.AvgPool1d(4, 3, 2, ceil_mode=True), SOUND),
    "padding does not count": (lambda: nn.Sequential(nn.AvgPool2d(3, 2, 1, count_include_pad=False)), IMAGES),
    "parts": (lambda: nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d((3, 11))), IMAGES),
    "parts of the height": (lambda: nn.AdaptiveAvgPool2d((4, None)), IMAGES),
    "channels last": (
        lambda: Calls(
            lambda x, a, b: b(a(x.permute(0, 3, 1, 2)).movedim(1, -1).relu().moveaxis((3, 1), (1, 2)))
            .swapdims(1, 3)
            .flatten(1),
            *(nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 5, 1)),
        ),
        torch.zeros(2, 12, 11, 3),
    ),
    "channels last in memory": (
        lambda: residual_network().to(memory_format=torch.channels_last),
        torch.zeros(1, 3, 33, 40).to(memory_format=torch.channels_last),
    ),
    "mean": (lambda: Calls(lambda x, a: a(x).mean((2, 3)), nn.Conv2d(3, 4, 2)), IMAGES),
    "mean, kept": (lambda: Calls(lambda x: x * x.mean([-1, -2], keepdim=True)), IMAGES),
    "mean of sound": (lambda: Calls(lambda x, a: a(x).mean(-1), nn.Conv1d(3, 4, 2)), SOUND),
    "padded": (lambda: nn.Sequential(nn.ZeroPad2d((1, 2, 0, 3)), nn.Conv2d(3, 4, 3, padding=1)), IMAGES),
    "padded by a function": (
        lambda: Calls(lambda x, a: a(F.pad(x, (0, 1, 0, 1))), nn.Conv2d(3, 4, 3, 2)),
        IMAGES,
    ),
    "normalised twice": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4)
        ),
        IMAGES,
    ),
    "padded in one dimension": (
        lambda: nn.Sequential(nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(3, 4, 3)), SOUND,
    ),
    "normalised first": (lambda: nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3, padding=1)), IMAGES),
    "read before it is normalised": (
        lambda: Calls(lambda x, a, n: (lambda h: n(h) + h)(a(x)), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)),
        IMAGES,
    ),
    "one layer twice": (
        lambda: Calls(lambda x, a: a(F.relu(a(x))), nn.Conv2d(3, 3, 3, padding=1)),
        IMAGES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_against_torch(name):
    make, example = NETWORKS[name]
    model = check(trained(make()), example)
    if name in ("residual", "normalised twice"):
        kinds = [type(node.layer).__name__ for node in model.nodes]
        assert kinds.count("Mul") == (name == "normalised twice")  # folded but for the one behind the ReLU
    if name == "one layer twice":
        assert len(model.linear_layers) == 1


@pytest.mark.parametrize(
    "name", ["residual", "mobile", "in one dimension", "a bottleneck with a concat", "parts"]
)
@pytest.mark.parametrize("opset", [9, 13, 18])
def test_exported_by_torch(name, opset):
    make, example = NETWORKS[name]
    module = trained(make())
    file = io.BytesIO()
    axes = {"x": {0: "batch"}, "y": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (example,), file, dynamo=False, opset_version=opset, dynamic_axes=axes, input_names=["x"],
            output_names=["y"],
        )  # fmt: skip
    onnx = pytest.importorskip("onnx")
    proto = onnx.load_from_string(file.getvalue())
    model = snn.from_onnx(proto)
    for batch in (1, 4):
        x = np.random.default_rng(batch).standard_normal((batch, *example.shape[1:])).astype(np.float32)
        made = run_onnx(proto, {"x": x})["y"]
        assert_near(model, {"x": x}, {"y": made})
        assert_near(model, {"x": x}, {"y": snn.compile(model, tune="off").run(x)})


REFUSED = {
    "reflected": (lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), "must pad with zeros"),
    "three dimensions": (lambda: nn.Conv3d(3, 4, 3), r"\(Conv3d\) is not supported"),
    "volumes, transposed": (lambda: nn.ConvTranspose3d(3, 4, 3), "ConvTranspose3d. is not supported"),
    "indices": (lambda: nn.MaxPool2d(2, return_indices=True), "must return no indices"),
    "another divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), "divide by the size of its window"),
    "unequal parts": (lambda: nn.AdaptiveAvgPool2d(5), "into equal parts, got .5, 5."),
    "too small": (lambda: nn.Conv2d(3, 4, 13), "a window that fits.*height 12"),
    "other channels": (lambda: nn.Conv2d(4, 4, 3), "must have a weight for 3 channels"),
    "one dim moved twice": (lambda: Calls(lambda x: x.movedim((1, 1), (2, 3))), "as many destinations as so"),
    "mean over samples": (lambda: Calls(lambda x: x.mean(0)), "leave the batch alone, got axis 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    make, words = REFUSED[name]
    with pytest.raises((snn.UnsupportedError, snn.ArgumentError), match=words):
        snn.from_torch(make().eval(), torch.zeros(1, 3, 12, 11))


def test_an_example_is_needed():
    with pytest.raises(snn.UnsupportedError, match="take .batch, channels, height, width.*|give example="):
        snn.from_torch(nn.Conv2d(3, 4, 3))


def test_pruned_in_torch_then_compiled():
    """The way of most users: masks of torch.nn.utils.prune, imported, compiled."""
    from torch.nn.utils import prune

    module = trained(residual_network())
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            prune.l1_unstructured(part, "weight", amount=0.9)
    model = check(module, torch.zeros(1, 3, 33, 40))
    assert all(layer.sparse for layer in model.linear_layers[:-1]) and model.sparsity > 0.88
