"""Torch modules with convolutions and pooling: imported, and exported again."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from conv_networks import MODELS  # noqa: E402
from graphs import assert_same_outputs  # noqa: E402
from test_export_graph import assert_near  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import sparsenn as snn  # noqa: E402


@pytest.fixture(autouse=True)
def same_weights_every_time():
    torch.manual_seed(7)


class Calls(nn.Module):
    """Calls function on itself and x; it has a convolution."""

    def __init__(self, function):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def shake(module: nn.Module) -> nn.Module:
    """Statistics as a training leaves them; in evaluation mode."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias)
    return module.eval()


def check(module: nn.Module, sizes=(3, 9, 8), *, layers: str | None = None) -> snn.Model:
    """The model gives what the module gives; layers: what it is made of."""
    shake(module)
    model = snn.from_torch(module, torch.zeros(1, *sizes))
    if layers is not None:
        assert [type(node.layer).__name__ for node in model.nodes] == layers.split()
    x = torch.randn(3, *sizes)
    with torch.no_grad():
        wanted = module(x)
    name = model.output_values[0].name
    assert_near(model, {model.input_values[0].name: x.numpy()}, {name: wanted.numpy()})
    return model


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


def resnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1),
        BasicBlock(8, 8, 1), BasicBlock(8, 16, 2),
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip


def test_a_residual_network():
    model = check(resnet(), (3, 37, 32), layers=(
        "Conv2d ReLU MaxPool2d Conv2d ReLU Conv2d Add ReLU Conv2d Conv2d ReLU Conv2d Add ReLU AvgPool2d "
        "Reshape Linear"
    ))  # fmt: skip
    assert len(model.linear_layers) == 7


def test_a_vgg():
    parts = [nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(True), nn.MaxPool2d(2, 2)]
    parts += [nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2), nn.AdaptiveAvgPool2d((4, 4))]
    parts += [nn.Flatten(), nn.Linear(128, 10), nn.ReLU(True), nn.Dropout(), nn.Linear(10, 4)]
    check(nn.Sequential(*parts), (3, 16, 16), layers=(
        "Conv2d ReLU MaxPool2d Conv2d ReLU MaxPool2d Reshape Linear ReLU Linear"
    ))  # fmt: skip


def test_a_small_network_of_functions():
    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3)
            self.drop, self.fc = nn.Dropout2d(), nn.Linear(6 * 5 * 5, 3)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = self.drop(F.relu(F.max_pool2d(self.conv2(x), 2, stride=1)))
            return F.softmax(self.fc(torch.flatten(F.dropout2d(x, training=self.training), 1)), dim=1)

    check(Small(), (1, 18, 18), layers="Conv2d ReLU MaxPool2d Conv2d MaxPool2d ReLU Reshape Linear Softmax")


def test_separable_convolutions_and_attention():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide = nn.Conv2d(3, 6, 1)
            self.deep = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False)
            self.norm = nn.BatchNorm2d(6)
            self.down, self.up = nn.Conv2d(6, 2, 1), nn.Conv2d(2, 6, 1)

        def forward(self, x):
            x = F.silu(self.norm(self.deep(F.relu6(self.wide(x)))))
            return x * torch.sigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))

    model = check(Gate(), layers=(
        "Conv2d ClippedReLU Conv2d SiLU AvgPool2d Conv2d ReLU Conv2d Sigmoid Mul"
    ))  # fmt: skip
    deep = model.linear_layers[1]
    assert deep.sparse and deep.shape == (6, 54) and deep.nnz == 54 and deep.bias is not None


FUNCTIONS = {
    "mean": (lambda m, x: m.conv(x).mean((2, 3)), "Conv2d ReduceMean Reshape"),
    "mean that keeps": (lambda m, x: torch.mean(m.conv(x), dim=[-1, -2], keepdim=True), "Conv2d ReduceMean"),
    "mean of rows": (lambda m, x: m.conv(x).mean(2), "Conv2d ReduceMean Reshape"),
    "same": (lambda m, x: F.conv2d(x, m.conv.weight, m.conv.bias, padding="same", dilation=2), "Conv2d"),
    "valid": (lambda m, x: torch.conv2d(x, m.conv.weight, padding="valid", stride=(2, 1)), "Conv2d"),
    "average": (lambda m, x: F.avg_pool2d(x, 3, 2, 1), "AvgPool2d"),
    "average of what is there": (lambda m, x: F.avg_pool2d(x, 3, 2, 1, False, False), "AvgPool2d"),
    "ceil": (lambda m, x: F.max_pool2d(x, 2, 3, ceil_mode=True), "MaxPool2d"),
    "ceil with padding": (lambda m, x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), "MaxPool2d"),
    "ceil with dilation": (lambda m, x: torch.max_pool2d(x, 3, 2, 1, 2, ceil_mode=True), "MaxPool2d"),
    "average, ceil": (lambda m, x: F.avg_pool2d(x, 2, 3, ceil_mode=True), "AvgPool2d"),
    "average, ceil, uncounted": (
        lambda m, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), "AvgPool2d"
    ),
    "adaptive": (lambda m, x: F.adaptive_avg_pool2d(x, (3, None)), "AvgPool2d"),
    "adaptive maximum": (lambda m, x: F.adaptive_max_pool2d(x, (3, 2)), "MaxPool2d"),
    "nothing to pool": (lambda m, x: F.adaptive_avg_pool2d(m.conv(x), (9, 8)), "Conv2d"),
    "padding": (lambda m, x: m.conv(F.pad(F.pad(x, (1, 0)), (0, 2, 1, 0))), "Conv2d"),
    "padding with infinity": (
        lambda m, x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 2), "MaxPool2d"
    ),
    "padding that is averaged": (lambda m, x: F.avg_pool2d(F.pad(x, (1, 0, 1, 0)), 2), "AvgPool2d"),
    "norm without a convolution": (lambda m, x: m.norm(F.relu(m.conv(x))), "Conv2d ReLU Mul Add"),
    "norm that is not alone": (lambda m, x: (m.norm(y := m.conv(x))) + y, "Conv2d Mul Add Add"),
    "scale before": (lambda m, x: m.conv(x * 2), "Conv2d"),
    "shift before": (lambda m, x: m.conv(x - 0.5), "Add Conv2d"),
    "shift before no padding": (lambda m, x: F.conv2d((x - 0.5) / 3, m.conv.weight), "Conv2d"),
    "channels before": (
        lambda m, x: F.conv2d((x - torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)) / 3, m.conv.weight), "Conv2d"
    ),
    "a plane": (lambda m, x: m.conv(x) + torch.linspace(0, 1, 72).view(9, 8), "Conv2d Add"),
    "twice the same": (lambda m, x: F.relu(m.conv(x)) + m.conv(x), "Conv2d Conv2d ReLU Add"),
}  # fmt: skip


@pytest.mark.parametrize("function, layers", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions(function, layers):
    check(Calls(function), layers=None if "twice" in layers else layers)


def test_a_layer_at_two_nodes_is_one():
    model = check(Calls(lambda m, x: F.relu(m.conv(x)) + m.conv(F.relu(x))))
    assert len(model.linear_layers) == 1 and sum(isinstance(layer, snn.Conv2d) for layer in model.layers) == 2


@pytest.mark.parametrize("module, layers", [
    (nn.Conv2d(3, 4, (5, 3), padding="same"), "Conv2d"),
    (nn.Conv2d(3, 6, 4, padding="same", dilation=2, groups=3), "Conv2d"),
    (nn.Sequential(nn.ZeroPad2d((1, 2, 0, 3)), nn.Conv2d(3, 2, 3, 2)), "Conv2d"),
    (nn.Sequential(nn.ConstantPad2d(1, -np.inf), nn.MaxPool2d(3)), "MaxPool2d"),
    (nn.Sequential(nn.AvgPool2d(2, divisor_override=4), nn.AdaptiveMaxPool2d(1)), "AvgPool2d MaxPool2d"),
    (nn.Conv2d(3, 2, 1, padding_mode="reflect"), "Conv2d"),
    (nn.MaxPool2d(2, ceil_mode=True), "MaxPool2d"),
], ids=str)  # fmt: skip
def test_modules(module, layers):
    check(module, layers=layers)


def test_groups_and_folding_before_them():
    module = nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6))
    check(module, (4, 7, 7), layers="Conv2d")
    module = nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3, groups=2, padding=1))
    check(module, (4, 7, 7), layers="Mul Add Conv2d")


def test_weights_that_are_mostly_zero_become_csr():
    module = nn.Conv2d(3, 8, 3)
    with torch.no_grad():
        module.weight[torch.rand_like(module.weight) < 0.8] = 0
    layer = check(module).linear_layers[0]
    assert layer.sparse and layer.nnz == int((module.weight != 0).sum())
    assert not check(nn.Conv2d(3, 8, 3)).linear_layers[0].sparse


class Own(nn.Conv2d):
    def _conv_forward(self, x, weight, bias):
        return super()._conv_forward(x, weight - weight.mean(), bias)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_there_and_back(model):
    module = snn.to_torch(model)
    x = torch.randn(4, *model.input_values[0].dims[1:])
    with torch.no_grad():
        assert_near(model, {"x": x.numpy()}, {"y": module(x).numpy()})
    again = snn.from_torch(module, x)
    assert_same_outputs(again, model)
    assert [value.dims for value in again.output_values] == [value.dims for value in model.output_values]
    assert sum(layer.nnz for layer in again.linear_layers) == model.nnz


def test_a_mean_without_its_padding_is_exported():
    x = snn.Input((2, 5, 6), name="x")
    model = snn.Model(inputs=x, outputs=snn.AvgPool2d(3, 2, (0, 1, 1, 1), count_include_pad=False)(x))
    given = torch.randn(3, 2, 5, 6)
    assert_near(model, {"x": given.numpy()}, {"y": snn.to_torch(model)(given).numpy()})
