"""Reductions and softmaxes over axes: plans against the reference, NaN, files, imports, exports."""

import numpy as np
import pytest
from test_export_graph import assert_near

import sparsenn as snn

KINDS = (snn.ReduceSum, snn.ReduceMean, snn.ReduceMax, snn.ReduceMin)
DIMS = [(1,), (33,), (3, 7), (9, 16), (20, 4, 4), (1, 17, 2), (2, 3, 2, 9)]


def runs(rank: int) -> list[tuple[int, ...]]:
    return [tuple(range(first, last)) for first in range(1, rank + 1) for last in range(first + 1, rank + 2)]


def layers_for(rank: int) -> list:
    axes = runs(rank)
    return [kind(axes) for axes in axes for kind in KINDS] + [
        snn.AxisSoftmax(axis) for axis in range(1, rank + 1)
    ]


def models(dims: tuple[int, ...], windows: bool) -> list[tuple]:
    """The layer, and a model of it that runs in tiles, or by sample, as windows make it."""
    made = []
    for layer in layers_for(len(dims)):
        x = snn.Input(dims, name="x")
        outputs = {"y": layer(x)}
        if windows:
            image = snn.Reshape((1, 1, -1))(x)
            outputs["z"] = snn.MaxPool2d((1, 1))(image)
        made.append((layer, snn.Model(inputs=x, outputs=outputs)))
    return made


@pytest.mark.parametrize("windows", [False, True], ids=["tiles", "samples"])
@pytest.mark.parametrize("dims", DIMS, ids=str)
def test_plans_against_the_reference(dims, windows, isa):
    rng = np.random.default_rng(sum(dims))
    for layer, model in models(dims, windows):
        x = rng.standard_normal((70, *dims), dtype=np.float32) * np.float32(rng.choice([1e-3, 1, 30]))
        exact = layer.value(np.moveaxis(x.astype(np.float64), 0, -1))
        bits = None
        for threads, batch in ((1, 70), (3, 70), (2, 3)):
            plan = snn.compile(model, threads=threads, isa=isa, tune="off", cache=False)
            got = plan.run(x[:batch])
            assert_near(model, {"x": x[:batch]}, got if isinstance(got, dict) else {"y": got})
            got = got["y"] if windows else got
            np.testing.assert_allclose(got, np.moveaxis(exact, -1, 0)[:batch], rtol=1e-3, atol=1e-3)
            bits = got if batch == 70 and bits is None else bits
            if bits is not None:
                np.testing.assert_array_equal(got, bits[:batch])


@pytest.mark.parametrize("windows", [False, True], ids=["tiles", "samples"])
def test_a_nan_is_kept_and_infinities_are_what_they_are(windows, isa):
    x = np.random.default_rng(3).standard_normal((20, 3, 10, 2), dtype=np.float32)
    x[4, 1, 2, 0] = x[7, 0, 0, 0] = x[8, 2, 9, 1] = np.nan
    x[5, 1, 3, 1] = np.inf
    x[6, 1, 3, 1] = -np.inf
    for layer, model in models((3, 10, 2), windows):
        if isinstance(layer, snn.AxisSoftmax):
            continue
        plan = snn.compile(model, threads=2, isa=isa, tune="off", cache=False)
        got = plan.run(x)
        got = got["y"] if windows else got
        exact = np.moveaxis(layer.value(np.moveaxis(x.astype(np.float64), 0, -1)), -1, 0)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))
        np.testing.assert_allclose(got, exact, rtol=1e-4, atol=1e-5)


def test_axes_that_are_refused():
    x = snn.Input((3, 4, 5))
    with pytest.raises(ValueError, match=r"axes of ReduceSum must stand next to each other, got \(1, 3\)"):
        snn.ReduceSum((1, 3))(x)
    with pytest.raises(ValueError, match="axis of ReduceMean must be behind the batch, 1 to 3 of .*, got 0"):
        snn.ReduceMean((0, 1))(x)
    with pytest.raises(ValueError, match="axis of AxisSoftmax must be behind the batch"):
        snn.AxisSoftmax(4)(x)
    with pytest.raises(ValueError, match="axes of ReduceMax must name an axis, got none"):
        snn.ReduceMax(())
    with pytest.raises(TypeError, match="axes.0. must be an integer"):
        snn.ReduceMin("a")


def test_files_hold_them(tmp_path):
    for layer, model in models((3, 4, 5), False):
        snn.save(model, tmp_path / "m.safetensors")
        assert b'"format_version":"2.2"' in (tmp_path / "m.safetensors").read_bytes().replace(b" ", b"")
        again = snn.load(tmp_path / "m.safetensors")
        assert list(again.layers) == [layer]


def test_torch_gives_the_same():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    x = torch.randn(6, 3, 4, 5)
    for layer, model in models((3, 4, 5), False):
        module = snn.to_torch(model)
        assert_near(model, {"x": x.numpy()}, {"y": module(x).numpy()})
        assert list(snn.from_torch(module, x).layers) == [layer]


FUNCTIONS = {
    "mean": (lambda x: x.mean((1, -1)), "ReduceMean ReduceMean Reshape"),
    "sum": (lambda x: x.sum(1, keepdim=True) * 2, "ReduceSum Mul"),
    "amax": (lambda x: x.amax((2, 3)) + 1, "ReduceMax Reshape Add"),
    "amin": (lambda x: x.amin(dim=1), "ReduceMin Reshape"),
    "softmax": (lambda x: x.softmax(1), "AxisSoftmax"),
    "attention": (lambda x: (x.softmax(-1) * x).sum(-1), "AxisSoftmax Mul ReduceSum Reshape"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_torch_functions(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    function, layers = FUNCTIONS[name]

    class Module(torch.nn.Module):
        def forward(self, x):
            return function(x)

    x = torch.randn(5, 3, 4, 6)
    model = snn.from_torch(Module(), x)
    assert [type(layer).__name__ for layer in model.layers] == layers.split()
    value = model.input_values[0].name, model.output_values[0].name
    assert_near(model, {value[0]: x.numpy()}, {value[1]: function(x).numpy()})


def test_torch_refuses_what_mixes_the_batch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

    class Module(torch.nn.Module):
        def forward(self, x):
            return x - x.mean(0)

    with pytest.raises(snn.UnsupportedError, match="leave the batch alone, got axis 0"):
        snn.from_torch(Module(), torch.randn(5, 3, 4))
