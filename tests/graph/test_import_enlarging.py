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
    "a size that stays": nn.Upsample(scale_factor=(1.2, 1.1)),
    "a size that doubles": nn.Upsample(scale_factor=(2.2, 2.1)),
    "scales of no whole numbers": nn.Upsample(scale_factor=(5 / 3, 0.7)),
    "scales anew": nn.Upsample(scale_factor=(1.8, 1.2), recompute_scale_factor=True),
}


@pytest.mark.parametrize("name", RESIZED)
def test_resized(name):
    check(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), RESIZED[name], nn.ReLU()), (3, 4, 6))


def test_resized_by_any_factor():
    rng = np.random.default_rng(0)
    for _ in range(60):
        sizes = rng.integers(1, 15, 2)
        factors = [
            float(f) for f in (rng.integers(1, 25, 2) / sizes if rng.random() < 0.5 else rng.random(2) * 3)
        ]
        if min(np.floor(sizes * factors)) < 1:
            continue
        module = nn.Upsample(scale_factor=tuple(factors), mode=str(rng.choice(["nearest", "nearest-exact"])))
        x = torch.randn(2, 3, *map(int, sizes))
        got = snn.reference(snn.from_torch(module, x), x.numpy())
        np.testing.assert_array_equal(got, module(x).numpy(), err_msg=f"{module} of {sizes}")


def onnx_resize(sizes, coordinates: str, rounding: str, *, scales=None, made=None, **attributes):
    """A file of one Resize of (1, 1, ...)."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    given = np.array(
        [1, 1, *(made if scales is None else scales)], np.int64 if scales is None else np.float32
    )
    node = onnx.helper.make_node(
        "Resize", ["x", "", "", "given"] if scales is None else ["x", "", "given"], ["y"], mode="nearest",
        coordinate_transformation_mode=coordinates, nearest_mode=rounding, **attributes,
    )  # fmt: skip
    graph = onnx.helper.make_graph(
        [node], "g",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 1, *map(int, sizes)])],
        [onnx.helper.make_tensor_value_info("y", 1, [None] * 4)],
        [onnx.numpy_helper.from_array(given, "given")],
    )  # fmt: skip
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8
    ).SerializeToString()


def test_resized_as_onnx_runtime_does(tmp_path):
    """Sizes and places for any factors; its way of align_corners is not the standard's."""
    runtime = pytest.importorskip(
        "onnxruntime", reason="ONNX Runtime is not installed: pip install onnxruntime"
    )
    rng, path = np.random.default_rng(0), tmp_path / "m.onnx"
    runtime.set_default_logger_severity(3)
    for _ in range(80):
        sizes, made = rng.integers(1, 9, 2), rng.integers(1, 13, 2)
        way = {"made": made} if rng.random() < 0.5 else {"scales": made / sizes}
        modes = (
            str(rng.choice(["half_pixel", "pytorch_half_pixel", "asymmetric"])),
            str(rng.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])),
        )
        file = onnx_resize(sizes, *modes, **way)
        path.write_bytes(file)
        x = rng.standard_normal((1, 1, *sizes), dtype=np.float32)
        (wanted,) = runtime.InferenceSession(file).run(None, {"x": x})
        got = snn.reference(snn.from_onnx(path), x)
        np.testing.assert_array_equal(got, wanted, err_msg=f"{sizes}, {modes}, {way}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"made": [1 << 40, 2]}, r"sizes in \[1, 2\^24\], got 1099511627776"),
        ({"made": [2, 2], "axes": [0, 1, 2, 7]}, r"axes in \[-4, 4\), got \[0, 1, 2, 7\]"),
        ({"scales": [np.nan, 2]}, "have scales above 0"),
        ({"scales": [1e-9, 2]}, r"sizes in \[1, 2\^24\], got 0"),
    ],
)
def test_resizes_that_make_no_sense(options, words, tmp_path):
    (tmp_path / "m.onnx").write_bytes(onnx_resize((3, 4), "asymmetric", "floor", **options))
    with pytest.raises((snn.ArgumentError, snn.FormatError, snn.UnsupportedError), match=words):
        snn.from_onnx(tmp_path / "m.onnx")


def test_what_is_refused():
    x = torch.zeros(1, 3, 4, 6)
    with pytest.raises(snn.UnsupportedError, match="have a mode of nearest, .* got 'bicubic'"):
        snn.from_torch(nn.Upsample(scale_factor=2, mode="bicubic"), x)
    module = nn.ConvTranspose2d(3, 2, 2)
    module.forward = lambda x: nn.ConvTranspose2d.forward(module, x, output_size=(5, 7))
    with pytest.raises(snn.UnsupportedError):
        snn.from_torch(module, x)
