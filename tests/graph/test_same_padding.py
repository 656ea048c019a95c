"""Padding by a rule, as many places as strides in the size: against ONNX Runtime, torch and numbers."""

import numpy as np
import pytest

import sparsenn as snn

RULES = ["same_upper", "same_lower"]
SIZES = [(9, 7), (8, 8), (1, 3), (14, 5)]


def pads_of(size: int, kernel: int, stride: int, dilation: int, upper: bool) -> tuple[int, int]:
    """Before and behind: one more at a time, in turn, until there is a place for each stride."""
    before = behind = 0
    places = (size + stride - 1) // stride
    while size + before + behind < (places - 1) * stride + dilation * (kernel - 1) + 1:
        if (before + behind) % 2 == upper:
            before += 1
        else:
            behind += 1
    return before, behind


def random_window(rng, *, dilated: bool) -> dict:
    """kernel, stride and dilation, two numbers each."""
    return {
        "kernel": tuple(map(int, rng.integers(1, 5, 2))),
        "stride": tuple(map(int, rng.integers(1, 5, 2))),
        "dilation": tuple(map(int, rng.integers(1, 3 if dilated else 2, 2))),
    }


def layer_of(op: str, window: dict, padding, rng):
    kernel, stride, dilation = window["kernel"], window["stride"], window["dilation"]
    if op == "conv":
        weight = rng.standard_normal((5, 3, *kernel)) * (rng.random((5, 3, *kernel)) < 0.5)
        return snn.Conv2d(weight, rng.standard_normal(5), stride=stride, dilation=dilation, padding=padding)
    if op == "max":
        return snn.MaxPool2d(kernel, stride, padding)
    return snn.AvgPool2d(kernel, stride, padding, op == "mean and padding")


OPS = ["conv", "max", "mean", "mean and padding"]


def model_of(op: str, window: dict, padding, sizes, seed: int = 0) -> snn.Model:
    x = snn.Input((3, *sizes), name="x")
    h = layer_of(op, window, padding, np.random.default_rng(seed))(x)
    return snn.Model(inputs=x, outputs=h)


def numbers_of(window: dict, rule: str, size) -> tuple[int, ...]:
    """(top, left, bottom, right)."""
    rows, columns = (
        pads_of(
            size[i], window["kernel"][i], window["stride"][i], window["dilation"][i], rule == "same_upper"
        )
        for i in (0, 1)
    )
    return rows[0], columns[0], rows[1], columns[1]


def images(*shape) -> np.ndarray:
    return np.random.default_rng(list(shape)).standard_normal(shape, dtype=np.float32)


def run(model: snn.Model, x: np.ndarray) -> np.ndarray:
    return snn.compile(model, threads=2, tune="off", cache=False).run(x)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(4))
def test_as_with_numbers(op, rule, seed, tmp_path):
    """Bit for bit, open and fixed, also from a file."""
    window = random_window(np.random.default_rng(seed), dilated=op == "conv")
    opened = model_of(op, window, rule, (None, None))
    snn.save(opened, tmp_path / "m.safetensors")
    opened = snn.load(tmp_path / "m.safetensors")
    plan = snn.compile(opened, threads=2, tune="off", cache=False)
    for size in SIZES:
        x = images(3, 3, *size)
        named = model_of(op, window, numbers_of(window, rule, size), size)
        wanted = run(named, x)
        assert wanted.shape[2:] == tuple(
            -(-own // step) for own, step in zip(size, window["stride"], strict=True)
        )
        np.testing.assert_array_equal(plan.run(x), wanted)
        fixed = model_of(op, window, rule, size)
        np.testing.assert_array_equal(run(fixed, x), wanted)
        np.testing.assert_array_equal(opened.predict(x), named.predict(x))
        snn.save(fixed, tmp_path / "fixed.safetensors")
        snn.save(named, tmp_path / "named.safetensors")
        assert (tmp_path / "fixed.safetensors").read_bytes() == (tmp_path / "named.safetensors").read_bytes()


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("rule", RULES)
def test_onnx_runtime_agrees(op, rule):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    for seed in range(6):  # with an auto_pad it takes no dilation, and no stride beyond the kernel
        window = random_window(np.random.default_rng(seed), dilated=False)
        window["kernel"] = tuple(map(max, window["kernel"], window["stride"]))
        model = model_of(op, window, rule, (None, None))
        session = onnxruntime.InferenceSession(snn.to_onnx(model).SerializeToString())
        back = snn.from_onnx(snn.to_onnx(model))
        for size in SIZES:
            x = images(2, 3, *size)
            wanted = session.run(None, {"x": x})[0]
            np.testing.assert_allclose(run(model, x), wanted, rtol=0, atol=1e-5)
            np.testing.assert_array_equal(run(back, x), run(model, x))


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("rule", RULES)
def test_torch_gives_the_same(op, rule):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    for seed in range(2):
        window = random_window(np.random.default_rng(seed), dilated=op == "conv")
        opened = model_of(op, window, rule, (None, None))
        module = snn.to_torch(opened)
        for size in SIZES:
            x, fixed = images(2, 3, *size), model_of(op, window, rule, size)
            for own in (module, snn.to_torch(fixed)):
                got = own(torch.from_numpy(x)).detach().numpy()
                np.testing.assert_allclose(got, opened.predict(x), rtol=0, atol=1e-5)
            if op == "mean":  # written with ones_like, which is not imported
                continue
            back = snn.from_torch(snn.to_torch(fixed), torch.from_numpy(x))
            np.testing.assert_allclose(back.predict(x), opened.predict(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("op", OPS)
def test_it_trains_as_with_numbers(op):
    window = {"kernel": (3, 4), "stride": (2, 3), "dilation": (1, 1)}
    size, rng = (7, 8), np.random.default_rng(0)
    x, y = images(40, 3, *size), rng.integers(0, 2, 40)
    results = []
    for padding in ("same_upper", numbers_of(window, "same_upper", size)):
        start = snn.Input((3, *size), name="x")
        h = snn.Conv2d(np.random.default_rng(1).standard_normal((3, 3, 3, 3)), padding=1)(start)
        h = layer_of(op, window, padding, np.random.default_rng(2))(h)
        flat = snn.Flatten()(h)
        logits = snn.Linear(np.random.default_rng(3).standard_normal((2, flat.dims[1])) / 8)(flat)
        model = snn.Model(inputs=start, outputs=logits)
        snn.train(model, x, y, epochs=2, batch_size=16, seed=0, threads=1)
        results.append(run(model, x))
    np.testing.assert_array_equal(*results)


def test_bad_padding_is_refused(tmp_path):
    weight = np.ones((1, 1, 3, 3))
    with pytest.raises(
        ValueError, match="padding must be numbers or one of same_upper, same_lower, got 'same'"
    ):
        snn.Conv2d(weight, padding="same")
    with pytest.raises(ValueError, match="padding must be at least 0, got -1"):
        snn.Conv2d(weight, padding=(-1, -1, -1, -1))
    path = tmp_path / "m.safetensors"
    snn.save(model_of("max", {"kernel": 3, "stride": 2, "dilation": 1}, "same_upper", (None, None)), path)
    good = path.read_bytes()
    for old, new, words in (
        (b'"format_version":"2.3"', b'"format_version":"2.1"', "such numbers came with version 2.3"),
        (b'"pad_left\\":-1', b'"pad_left\\": 0', "pad_left must be -1 as pad_top is, got 0"),
        (b'"pad_top\\":-1', b'"pad_top\\":-3', r"pad_top must be in \[0, 1048576\], got -3"),
        (b'"stride_h\\":2', b'"stride_h\\":0', r"stride_h must be in \[1, 1048576\], got 0"),
    ):
        assert good.count(old) == 1
        path.write_bytes(good.replace(old, new))
        with pytest.raises(snn.FormatError, match=words):
            snn.load(path)
    with pytest.raises(ValueError, match="padding of MaxPool2d must leave a value in every window"):
        snn.MaxPool2d(2, 2, "same_upper", dilation=2)(snn.Input((1, 1, 4)))
