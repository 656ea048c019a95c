"""from_torch on modules with branches, several inputs and outputs, and arithmetic on shapes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from graphs import MODELS, assert_same_outputs  # noqa: E402
from test_export_graph import assert_near  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import sparsenn as snn  # noqa: E402


@pytest.fixture(autouse=True)
def same_weights_every_time():
    torch.manual_seed(7)


class Calls(nn.Module):
    """Calls function on itself and its inputs; it has three layers."""

    def __init__(self, function):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3, bias=False)
        self.gain = nn.Parameter(torch.randn(2, 3))
        self.register_buffer("mean", torch.randn(1, 6))
        self.norm = nn.BatchNorm1d(2)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def only(arrays: dict):
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def check(module: nn.Module, example=None, *, layers: str | None = None) -> snn.Model:
    """The model gives what the module gives; layers: what it is made of."""
    module.eval()
    model = snn.from_torch(module, example)
    if layers is not None:
        assert [type(node.layer).__name__ for node in model.nodes] == layers.split()
    names = [value.name for value in model.output_values]
    shapes = [value.dims[1:] for value in model.input_values]
    if example is not None and not isinstance(example, (dict, tuple)):
        shapes = [tuple(example.shape[1:])]
    for batch in (1, 5):
        rng = np.random.default_rng(batch)
        arrays = [rng.standard_normal((batch, *shape)).astype(np.float32) for shape in shapes]
        given = [torch.from_numpy(array) for array in arrays]
        with torch.no_grad():
            if isinstance(example, dict):
                made = module(**dict(zip(example, given, strict=True)))
            else:
                made = module(*given)
        if isinstance(made, torch.Tensor):
            made = [made]
        made = [part.numpy() for part in (made.values() if isinstance(made, dict) else made)]
        x = {
            value.name: array.reshape(batch, *value.dims[1:])
            for value, array in zip(model.input_values, arrays, strict=True)
        }
        wanted = dict(zip(names, made, strict=True))
        assert_near(model, x, wanted)
        got = snn.compile(model, tune="off").run(only(x))
        assert_near(model, x, got if isinstance(got, dict) else {names[0]: got})
    return model


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_there_and_back(model, sparse):
    example = {value.name: torch.zeros(2, *value.dims[1:]) for value in model.input_values}
    module = snn.to_torch(model, sparse=sparse)
    again = snn.from_torch(module, tuple(example.values()))
    assert [value.dims for value in again.input_values] == [value.dims for value in model.input_values]
    assert [value.dims for value in again.output_values] == [value.dims for value in model.output_values]
    assert len(again.linear_layers) <= len(model.linear_layers) + 2 * sparse
    assert_same_outputs(again, model)


def chunks(m, x):
    first, second = m.a(x).chunk(2, dim=-1)
    return first * torch.tanh(second)


FLAT = {
    "residual": (lambda m, x: F.relu(m.a(x)) + x, "Linear ReLU Add"),
    "difference": (lambda m, x: x - m.a(x), "Linear Sub"),
    "two from one": (lambda m, x: m.a(x) * m.b(x), "Linear Linear Mul"),
    "a gate": (lambda m, x: torch.sigmoid(m.a(x)) * x, "Linear Sigmoid Mul"),
    "SiLU": (lambda m, x: (h := m.a(x)) * h.sigmoid(), "Linear SiLU"),
    "one layer twice": (lambda m, x: m.a(x) + m.a(m.b(x)), "Linear Linear Linear Add"),
    "numbers": (lambda m, x: 2 * m.a(x) - x / 4 + 1, None),
    "one minus": (lambda m, x: (1 - torch.sigmoid(m.a(x))) * x, None),
    "alpha": (lambda m, x: torch.sub(m.a(x), x, alpha=0.5), None),
    "a buffer": (lambda m, x: (x - m.mean) * m.a(x), None),
    "cat": (lambda m, x: torch.cat([m.c(x), m.a(x)], dim=1), "Linear Linear Concat"),
    "cat, last": (lambda m, x: torch.cat((x, m.c(x)), -1).tanh(), "Linear Concat Tanh"),
    "chunk": (chunks, None),
    "split": (lambda m, x: torch.cat(torch.split(m.a(x), [2, 4], dim=1)[::-1], 1), None),
    "split by size": (lambda m, x: m.a(x).split(4, 1)[1], "Linear Slice"),
    "slices": (lambda m, x: m.a(x)[:, 1:6:2] + x[..., :3], None),
    "one place": (lambda m, x: m.a(x)[:, 2:3] * x, None),
    "places": (lambda m, x: m.a(x)[:, [3, 4, 0]], None),
    "select": (lambda m, x: m.a(x).view(-1, 2, 3)[:, 1], None),
    "unbind": (lambda m, x: (p := m.a(x).unflatten(1, (2, 3)).unbind(1))[0] + p[1], None),
    "stack": (lambda m, x: torch.stack([m.a(x), m.b(x)], dim=1), None),
    "stack and flatten": (lambda m, x: torch.stack([m.a(x), m.b(x)], 2).flatten(1), None),
    "a size": (lambda m, x: m.a(x).view(x.size(0), x.shape[1] // 2, -1), "Linear Reshape"),
    "permuted": (lambda m, x: m.a(x).reshape(-1, 2, 3).permute(0, 2, 1).flatten(1), None),
    "transposed": (
        lambda m, x: m.c(m.a(x).view(-1, 2, 3).transpose(1, 2).reshape(len(m.mean) * -1, 6)),
        None,
    ),
    "squeezed": (lambda m, x: m.a(x).unsqueeze(1).unsqueeze(-1).squeeze(1).squeeze(-1), None),
    "squeezed in vain": (lambda m, x: m.a(x).squeeze(1), "Linear"),
    "a parameter by dims": (lambda m, x: m.a(x).view(-1, 2, 3) * m.gain, None),
    "normalised channels": (lambda m, x: m.norm(m.a(x).view(-1, 2, 3)), None),
    "matmul": (lambda m, x: x @ m.c.weight.T, "Linear"),
    "addmm": (lambda m, x: torch.addmm(m.a.bias, x, m.b.weight.t(), alpha=2), None),
    "weights from the left": (lambda m, x: (m.c.weight @ x.T).T, "Linear"),
    "two outputs": (lambda m, x: (m.a(x), m.c(m.b(x))), None),
    "named outputs": (lambda m, x: {"logits": m.c(x), "hidden": m.a(x)}, None),
    "the input again": (lambda m, x: (x, m.a(x)), None),
    "unused": (lambda m, x: (m.a(x), x)[1], "Linear"),
    "in place": (lambda m, x: m.a(x).relu_().add_(1).mul_(x), None),
    "dropout": (lambda m, x: F.dropout(m.a(x), 0.5, m.training) + x, "Linear Add"),
    "to a type": (lambda m, x: m.a(x).to(x.dtype).float() + x.to(x.device), "Linear Add"),
}


@pytest.mark.parametrize("name", FLAT)
def test_against_torch(name):
    """The features of the input follow from the weights."""
    function, layers = FLAT[name]
    model = check(Calls(function), layers=layers)
    if name == "one layer twice":
        assert len(model.linear_layers) == 2


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(3, 5)

    def forward(self, left, right, scale=2.0):
        return {"sum": self.a(left) + scale * self.b(right), "first": self.a(left)}


def test_several_inputs_and_outputs():
    model = check(Two())
    assert [(value.name, value.dims) for value in model.input_values] == [
        ("left", (None, 4)),
        ("right", (None, 3)),
    ]
    assert [value.name for value in model.output_values] == ["sum", "first"]
    check(Two(), (torch.zeros(2, 4), torch.zeros(2, 3)))
    check(Two(), {"left": np.zeros((2, 4), np.float32), "right": np.zeros((2, 3))})
    assert len(model.linear_layers) == 2


def test_an_example_tells_the_shapes():
    images = torch.zeros(3, 2, 4, 3)

    class Pool(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(12, 4)

        def forward(self, x):
            first, second = x[:, 0], x[:, 1]
            return self.linear(first.flatten(1)) + self.linear(second.reshape(x.shape[0], -1))

    with pytest.raises(snn.UnsupportedError, match="give example=, an input or inputs to see their shapes"):
        snn.from_torch(Pool())
    model = check(Pool(), images)
    assert model.input_values[0].dims == (None, 2, 4, 3) and len(model.linear_layers) == 1
    check(nn.Sequential(nn.ReLU(), nn.Tanh()), torch.zeros(1, 3, 2), layers="ReLU Tanh")
    assert check(nn.Sequential(nn.Flatten(), nn.Linear(24, 3)), images).is_chain


def test_a_block_as_people_write_them():
    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm = nn.BatchNorm1d(width)
            self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(width, width)
            self.drop = nn.Dropout(0.1)

        def forward(self, x):
            gate, value = self.up(self.norm(x)).chunk(2, dim=-1)
            return x + self.drop(self.down(F.silu(gate) * value))

    blocks = nn.Sequential(
        nn.Linear(8, 16), *(Block(16) for _ in range(3)), nn.ReLU(inplace=True), nn.Linear(16, 3)
    )
    for part in blocks.modules():
        if isinstance(part, nn.BatchNorm1d):
            nn.init.normal_(part.running_mean)
    model = check(blocks)
    assert len(model.linear_layers) == 8
    sparse = snn.prune(model, sparsity=0.8)
    x = np.random.default_rng(0).standard_normal((7, 8)).astype(np.float32)
    np.testing.assert_allclose(
        snn.compile(sparse, tune="off").run(x), snn.reference(sparse, x), rtol=1e-4, atol=1e-5
    )


REFUSED = {
    "two tensors multiplied": (lambda m, x: m.a(x) @ m.b(x).T, "matrix|parameter"),
    "samples mixed": (lambda m, x: m.a(x).view(-1, 3), "must keep the 6 features"),
    "samples joined": (lambda m, x: torch.cat([x, m.a(x)]), "leave the batch alone"),
    "a part of the samples": (lambda m, x: m.a(x)[:2], "take whole batches"),
    "a sample": (lambda m, x: m.a(x)[0], "leave the batch alone"),
    "samples counted": (lambda m, x: m.a(x) * x.shape[0], "the same for any number of samples"),
    "samples last": (lambda m, x: m.a(x).T, "with the batch first"),
    "read after a write": (lambda m, x: ((h := m.a(x)).relu_(), h + x)[1], "written in place"),
    "a view after a write": (lambda m, x: ((h := m.a(x)).view(-1, 2, 3).relu_(), h)[1], "in place"),
    "no tensor": (lambda m, x: (m.a(x), 3), "must return tensors that depend on its inputs, got int"),
    "nothing": (lambda m, x: (), "must return a tensor, got none"),
    "integers": (lambda m, x: m.a(x).to(torch.int32), "keep data floating-point"),
    "a function": (lambda m, x: m.a(x).cumsum(1), r"\(cumsum\) is not supported; supported are Linear"),
    "no dimension left": (lambda m, x: m.a(x).sum(1), "keep a dimension beside the batch"),
    "two lists": (lambda m, x: m.a(x).view(-1, 2, 3)[:, [0, 1], [0, 1]], "one list of indices"),
    "too many axes": (lambda m, x: m.a(x)[:, :, 0], "must have an axis in"),
    "wrong arguments": (lambda m, x: m.a(x).chunk(2, 1, 3), "must have arguments that are supported"),
    "an index of data": (lambda m, x: m.a(x)[:, x], "an integer index, got data"),
    "another parameter": (lambda m, x: m.a(x) * torch.arange(4.0), "keep the sizes"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    function, words = REFUSED[name]
    with pytest.raises((snn.UnsupportedError, snn.ArgumentError), match=words):
        snn.from_torch(Calls(function).eval())


@pytest.mark.parametrize(
    ("example", "error", "words"),
    [
        (3, TypeError, "example must be a tensor or an array, got int"),
        (torch.zeros(4), ValueError, r"example must have shape \(batch, ...\) of .*, got \(4,\)"),
        (torch.zeros(2, 4, dtype=torch.bool), ValueError, "example must hold floats or integers, got"),
        ([torch.zeros(2, 4), "x"], TypeError, r"example\[1\] must be a tensor or an array, got str"),
        ([torch.zeros(2, 4)] * 4, ValueError, "example must have at most 3 inputs like forward, got 4"),
        ({"left": torch.zeros(2, 4), "up": torch.zeros(2, 4)}, ValueError, "inputs of forward, .*got 'up'"),
        ([], ValueError, "example must hold at least one input"),
        ({"left": torch.zeros(2, 7), "right": torch.zeros(2, 3)}, ValueError, "must have a weight for 7"),
    ],
)  # fmt: skip
def test_wrong_examples(example, error, words):
    with pytest.raises(error, match=words):
        snn.from_torch(Two(), example)


def test_an_example_is_of_modules_alone():
    with pytest.raises(TypeError, match="example must be given with a module alone"):
        snn.from_torch({"a.weight": torch.ones(3, 4)}, torch.zeros(2, 4), layers=["a"])
