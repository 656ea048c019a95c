"""Functions, pairs and formulas of them, from ONNX and torch: what they become and what they give."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sparsenn-cpu[torch]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

import test_import_onnx_graph as of_onnx  # noqa: E402
import test_import_torch_graph as of_torch  # noqa: E402
from test_import_onnx_graph import make, node  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import sparsenn as snn  # noqa: E402

IMAGES = {"x": ("n", 3, 4, 5)}
SLOPES = np.float32([0.25, -0.5, 2]).reshape(3, 1, 1)


def hard_swish(*, divided_last):
    """As MobileNetV3 is written: x clip(x + 3, 0, 6) / 6."""
    start = [node("MatMul", "x w", "h"), node("Add", "h three", "a"), node("Clip", "a zero six", "c")]
    if divided_last:
        end = [node("Mul", "h c", "p"), node("Div", "p six", "y")]
    else:
        end = [node("Div", "c six", "p"), node("Mul", "p h", "y")]
    return make([*start, *end], three=np.float32(3), zero=np.float32(0), six=np.float32(6))


def positive(nodes, **options):
    """nodes of |x| + 1/2, which they read as a."""
    start = [node("Abs", "x", "s"), node("Add", "s half", "a")]
    return make([*start, *nodes], half=np.float32(0.5), **options)


def power(exponent):
    return positive([node("Pow", "a e", "y")], e=np.float32(exponent))


FROM_ONNX = {
    "HardSigmoid": (make([node("MatMul", "x w", "h"), node("HardSigmoid", "h", "y")]), "Linear HardSigmoid"),
    "HardSwish": (make([node("MatMul", "x w", "h"), node("HardSwish", "h", "y")]), "Linear HardSwish"),
    "HardSwish by a gate": (
        make([node("MatMul", "x w", "h"), node("HardSigmoid", "h", "s", alpha=1 / 6),
              node("Mul", "h s", "y")]),
        "Linear HardSwish",
    ),
    "HardSwish, x first": (hard_swish(divided_last=True), "Linear HardSwish"),
    "HardSwish, gate first": (hard_swish(divided_last=False), "Linear HardSwish"),
    "Softplus": (make([node("MatMul", "x w", "h"), node("Softplus", "h", "y")]), "Linear Softplus"),
    "Softplus written out": (
        make([node("MatMul", "x w", "h"), node("Exp", "h", "e"), node("Add", "e one", "s"),
              node("Log", "s", "y")], one=np.float32(1)), "Linear Softplus",
    ),
    "Mish": (make([node("MatMul", "x w", "h"), node("Mish", "h", "y")], opset=18), "Linear Mish"),
    "Mish by a gate": (
        make([node("MatMul", "x w", "h"), node("Softplus", "h", "s"), node("Tanh", "s", "t"),
              node("Mul", "t h", "y")]),
        "Linear Mish",
    ),
    "Selu": (make([node("MatMul", "x w", "h"), node("Selu", "h", "y")]), None),
    "Celu": (make([node("MatMul", "x w", "h"), node("Celu", "h", "y", alpha=0.5)]), None),
    "Softsign": (make([node("Softsign", "x", "y")]), "Abs Add Div"),
    "Exp": (make([node("Exp", "x", "y")]), "Exp"),
    "Log": (positive([node("Log", "a", "y")]), "Abs Add Log"),
    "Sqrt": (positive([node("Sqrt", "a", "y")]), "Abs Add Sqrt"),
    "Reciprocal": (positive([node("Reciprocal", "a", "y")]), "Abs Add Div"),
    "Div": (positive([node("Div", "x a", "y")]), "Abs Add Div"),
    "Div of a constant": (positive([node("Div", "b a", "y")]), "Abs Add Div"),
    "Sub from a constant": (make([node("Sub", "b x", "y")]), "Sub"),
    "Min": (make([node("MatMul", "x w", "h"), node("Min", "x h", "y")]), "Linear Min"),
    "Max of three": (make([node("MatMul", "x w", "h"), node("Max", "b x h", "y")]), "Linear Max Max"),
    "Max of 0": (make([node("MatMul", "x w", "h"), node("Max", "h z", "y")], z=np.float32(0)), "Linear ReLU"),
    "Mean of three": (make([node("MatMul", "x w", "h"), node("Mean", "b x h", "y")]), None),
    "Min of one": (make([node("MatMul", "x w", "h"), node("Min", "h", "y")]), "Linear"),
    "PRelu": (make([node("MatMul", "x w", "h"), node("PRelu", "h b", "y")]), "Linear PReLU"),
    "PRelu of one slope": (
        make([node("MatMul", "x w", "h"), node("PRelu", "h s", "y")], s=np.float32([0.3])),
        "Linear LeakyReLU",
    ),
    "PRelu of channels": (make([node("PRelu", "x s", "y")], s=SLOPES, inputs=IMAGES), "PReLU"),
    "PRelu of slopes that are data": (
        make([node("MatMul", "x w", "h"), node("PRelu", "h x", "y")]), "Linear PReLU",
    ),
    "PRelu as tf2onnx writes it": (
        make([node("Relu", "x", "r"), node("Neg", "x", "n"), node("Relu", "n", "m"), node("Mul", "m s", "p"),
              node("Sub", "r p", "y")], s=SLOPES, inputs=IMAGES), "PReLU",
    ),
    "Gelu by tanh": (
        make([node("MatMul", "x w", "h"), node("Gelu", "h", "y", approximate="tanh")], opset=20), None,
    ),
    "a power of data": (make([node("Pow", "c x", "y")], c=np.float32(1.5)), "Mul Exp"),
    "1": (make([node("MatMul", "x w", "h"), node("Pow", "h e", "y")], e=np.float32(1)), "Linear"),
    "2": (make([node("Pow", "x e", "y")], e=np.int64(2)), "Mul"),
    "3": (make([node("Pow", "x e", "y")], e=np.float32([3])), "Mul Mul"),
    "7": (make([node("Pow", "x e", "y")], e=np.float32([[7]])), None),
    "-1": (power(-1), "Abs Add Div"),
    "-2": (power(-2), "Abs Add Mul Div"),
    "0.5": (power(0.5), "Abs Add Sqrt"),
    "-0.5": (power(-0.5), "Abs Add Sqrt Div"),
    "1.5": (power(1.5), "Abs Add Sqrt Mul"),
    "2.9": (power(2.9), "Abs Add Log Mul Exp"),
    "-0.3": (power(-0.3), "Abs Add Log Mul Exp"),
}  # fmt: skip


@pytest.mark.parametrize("name", FROM_ONNX)
def test_against_onnx_runtime(name):
    pytest.importorskip("onnxruntime", reason="NOT TESTED here: onnxruntime is not installed")
    proto, layers = FROM_ONNX[name]
    of_onnx.check(proto, layers=layers)


FROM_TORCH = {
    "hardsigmoid": (lambda m, x: F.hardsigmoid(m.a(x)), "Linear HardSigmoid"),
    "hardswish": (lambda m, x: F.hardswish(m.a(x)), "Linear HardSwish"),
    "hardswish of relu6": (lambda m, x: (h := m.a(x)) * F.relu6(h + 3) / 6, "Linear HardSwish"),
    "softplus": (lambda m, x: F.softplus(m.a(x)), "Linear Softplus"),
    "softplus of beta": (lambda m, x: F.softplus(m.a(x), beta=2.0), "Linear Softplus Linear"),
    "mish": (lambda m, x: F.mish(m.a(x)), "Linear Mish"),
    "logsigmoid": (lambda m, x: F.logsigmoid(m.a(x)), None),
    "softsign": (lambda m, x: F.softsign(m.a(x)), None),
    "celu": (lambda m, x: F.celu(m.a(x), 0.7), None),
    "selu": (lambda m, x: F.selu(m.a(x)), None),
    "gelu by tanh": (lambda m, x: F.gelu(m.a(x), approximate="tanh"), None),
    "threshold": (lambda m, x: F.threshold(m.a(x), -0.5, -0.5), "Linear Max"),
    "threshold of 0": (lambda m, x: F.threshold(m.a(x), 0.0, 0.0), "Linear ReLU"),
    "prelu": (lambda m, x: F.prelu(m.a(x), m.mean[0]), "Linear PReLU"),
    "prelu of channels": (
        lambda m, x: torch.prelu(m.a(x).view(-1, 2, 3), m.gain[:, 0]), "Linear Reshape PReLU",
    ),
    "prelu of one": (lambda m, x: F.prelu(m.a(x), m.gain[0, :1]), "Linear LeakyReLU"),
    "abs": (lambda m, x: x.abs() + abs(m.a(x)), "Linear Abs Abs Add"),
    "exp": (lambda m, x: x.exp() + torch.exp(m.a(x)), "Linear Exp Exp Add"),
    "log": (lambda m, x: torch.log(m.a(x).abs() + 1), "Linear Abs Add Log"),
    "sqrt": (lambda m, x: (m.a(x).abs() + 1).sqrt(), "Linear Abs Add Sqrt"),
    "rsqrt": (lambda m, x: torch.rsqrt(m.a(x).abs() + 1), "Linear Abs Add Sqrt Div"),
    "reciprocal": (lambda m, x: 1 / (m.a(x).abs() + 1) + torch.reciprocal(x.abs() + 2), None),
    "quotient": (lambda m, x: x / (m.a(x).abs() + 1), "Linear Abs Add Div"),
    "square": (lambda m, x: m.a(x) ** 2 + torch.square(x), None),
    "powers": (lambda m, x: torch.pow(x, 3) + x.pow(4) - 2 ** m.a(x) + (x.abs() + 1) ** 0.3, None),
    "minimum": (lambda m, x: torch.minimum(m.a(x), x), "Linear Min"),
    "max": (lambda m, x: torch.max(m.a(x), x), "Linear Max"),
    "in place": (lambda m, x: m.a(x).abs_().add_(1).sqrt_(), "Linear Abs Add Sqrt"),
}  # fmt: skip


@pytest.mark.parametrize("name", FROM_TORCH)
def test_against_torch(name):
    function, layers = FROM_TORCH[name]
    of_torch.check(of_torch.Calls(function), layers=layers)


MODULES = [
    *(nn.Hardsigmoid(), nn.Hardswish(), nn.Softplus(), nn.Softplus(beta=0.5), nn.Mish(), nn.LogSigmoid()),
    *(
        nn.Softsign(),
        nn.CELU(0.5),
        nn.SELU(),
        nn.GELU(approximate="tanh"),
        nn.Threshold(0.25, 0.25),
        nn.ReLU6(),
    ),
    *(nn.PReLU(), nn.PReLU(3, init=0.4), nn.Hardtanh(-2, 0.5), nn.Hardswish(inplace=True)),
]


@pytest.mark.parametrize("module", MODULES, ids=repr)
def test_modules_behind_a_convolution(module):
    """One step with the convolution where it is one layer."""
    network = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), module, nn.Flatten(), nn.Linear(60, 4))
    of_torch.check(network, torch.zeros(1, 2, 4, 5))


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda m, x: F.softplus(m.a(x), threshold=5.0), "a threshold of at least 15, got 1 and 5"),
        (lambda m, x: F.threshold(m.a(x), 0.5, 0.0), "have a value that is its threshold, got 0 and 0.5"),
        (lambda m, x: m.a(x) ** x, "have a constant base, got data"),
        (lambda m, x: m.a(x) ** 0, "have a finite exponent other than 0, got 0"),
        (lambda m, x: (-2.0) ** m.a(x), "have a finite base above 0, got -2"),
        (lambda m, x: torch.max(m.a(x), 1), r"\(max\) must take two tensors"),
        (lambda m, x: F.prelu(m.a(x), m.mean[0, :4]), "must keep the sizes"),
    ],
)
def test_what_is_refused(function, words):
    with pytest.raises((snn.UnsupportedError, snn.ArgumentError), match=words):
        snn.from_torch(of_torch.Calls(function).eval())
