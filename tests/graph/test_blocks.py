"""DepthToSpace and SpaceToDepth: plans, files, exports and imports, against their definition and torch."""

import numpy as np
import pytest

import sparsenn as snn

BLOCKS = [(2, False), (3, True), ((2, 3), False), ((1, 4), True), ((3, 1), False)]


def sides(block) -> tuple[int, int]:
    return (block, block) if isinstance(block, int) else block


def to_space(x: np.ndarray, block, depth_first: bool) -> np.ndarray:
    """Place by place, x (batch, channels, height, width)."""
    rows, columns = sides(block)
    batch, channels, height, width = x.shape
    channels //= rows * columns
    made = np.empty((batch, channels, height * rows, width * columns), x.dtype)
    for c in range(channels):
        for r in range(rows):
            for q in range(columns):
                own = (r * columns + q) * channels + c if depth_first else (c * rows + r) * columns + q
                made[:, c, r::rows, q::columns] = x[:, own]
    return made


def to_depth(x: np.ndarray, block, depth_first: bool) -> np.ndarray:
    rows, columns = sides(block)
    batch, channels, height, width = x.shape
    places = np.arange(x[0].size, dtype=x.dtype).reshape(1, channels * rows * columns, height // rows, -1)
    where = to_space(places, block, depth_first).astype(np.int64).reshape(-1)
    made = np.empty((batch, where.size), x.dtype)
    made[:, where] = x.reshape(batch, -1)
    return made.reshape(batch, *places.shape[1:])


def network(kind, block, depth_first, sizes, *, window: bool):
    """The op alone, or between convolutions of one place, each channel by itself times one."""
    channels = 3 * sides(block)[0] * sides(block)[1] if kind is snn.DepthToSpace else 3
    x = snn.Input((channels, *sizes), name="x")
    h = kind(block, depth_first)(x)
    if window:
        h = snn.MaxPool2d(1)(h)
    return snn.Model(inputs=x, outputs=h), channels


def images(*shape) -> np.ndarray:
    return np.random.default_rng(list(shape)).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("window", [False, True])
@pytest.mark.parametrize("block, depth_first", BLOCKS)
@pytest.mark.parametrize("kind, wanted", [(snn.DepthToSpace, to_space), (snn.SpaceToDepth, to_depth)])
def test_plans_move_as_it_says(kind, wanted, block, depth_first, window, tmp_path):
    rows, columns = sides(block)
    sizes = (4 * rows, 3 * columns)
    fixed, channels = network(kind, block, depth_first, sizes, window=window)
    opened, _ = network(kind, block, depth_first, (None, None), window=window)
    snn.save(opened, tmp_path / "m.safetensors")
    kept = snn.load(tmp_path / "m.safetensors")
    for model in (fixed, opened, kept):
        for threads in (1, 3):
            plan = snn.compile(model, threads=threads, tune="off", cache=False)
            for batch in (1, 3, 16, 21):
                x = images(batch, channels, *sizes)
                np.testing.assert_array_equal(plan.run(x), wanted(x, block, depth_first))
    plan = snn.compile(kept, threads=1, tune="off", cache=False)
    for height, width in ((1, 1), (7, 2)):
        x = images(2, channels, height * rows, width * columns)
        np.testing.assert_array_equal(plan.run(x), wanted(x, block, depth_first))


@pytest.mark.parametrize("block, depth_first", BLOCKS)
@pytest.mark.parametrize("kind", [snn.DepthToSpace, snn.SpaceToDepth])
@pytest.mark.parametrize("sizes", [(6, 12), (None, None)])
def test_the_way_through_onnx(kind, block, depth_first, sizes):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    from onnx.reference import ReferenceEvaluator

    model, channels = network(kind, block, depth_first, sizes, window=False)
    x = images(2, channels, 6, 12)
    proto = snn.to_onnx(model)
    onnx.checker.check_model(proto, full_check=True)
    wanted = model.predict(x)
    got = ReferenceEvaluator(proto).run(None, {"x": x})[0]
    np.testing.assert_array_equal(got, wanted)
    back = snn.from_onnx(proto)
    np.testing.assert_array_equal(back.predict(x), wanted)
    assert [type(node.layer) for node in back.nodes] == [kind]
    assert back.nodes[0].layer == model.nodes[0].layer


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="multiple of 4 channels, got"):
        snn.DepthToSpace(2)(snn.Input((6, 3, 3)))
    with pytest.raises(ValueError, match=r"multiples of \(2, 2\), got"):
        snn.SpaceToDepth(2)(snn.Input((6, 4, 3)))
    with pytest.raises(ValueError, match=r"must have dims \(None, channels, height, width\)"):
        snn.SpaceToDepth(2)(snn.Input((6, 4)))
    with pytest.raises(ValueError, match="block_size must be at least 1, got 0"):
        snn.DepthToSpace(0)
    with pytest.raises(ValueError, match="block_size must be at most 1024, got 1025"):
        snn.DepthToSpace(1025)
    opened, channels = network(snn.SpaceToDepth, 2, False, (None, None), window=True)
    with pytest.raises(ValueError, match="space_to_depth: width must be a multiple of block_w, 2, got 3"):
        snn.compile(opened, threads=1, tune="off", cache=False).run(images(1, channels, 4, 3))


@pytest.mark.parametrize("kind", [snn.DepthToSpace, snn.SpaceToDepth])
@pytest.mark.parametrize("sizes", [(4, 6), (None, None)])
@pytest.mark.parametrize("depth_first", [False, True])
def test_channels_are_pruned_through_it(kind, sizes, depth_first):
    """Whole blocks go, and what is left is what it was with zeros in their place."""
    rng = np.random.default_rng(0)
    x = snn.Input((2, *sizes), name="x")
    h = snn.Conv2d(rng.standard_normal((16, 2, 1, 1)))(x)
    h = kind(2, depth_first)(snn.ReLU()(h))
    channels = 4 if kind is snn.DepthToSpace else 64
    h = snn.Conv2d(rng.standard_normal((3, channels, 3, 3)), padding=1)(h)
    model = snn.Model(inputs=x, outputs=h)
    narrow = snn.prune(model, sparsity=0.5, structure="channel")
    first, last = (node.layer for node in narrow.nodes if isinstance(node.layer, snn.Conv2d))
    assert first.shape[0] == 8
    assert last.channels == channels // 2
    image = images(2, 2, 4, 6)
    kept = [
        index for index, row in enumerate(model.nodes[0].layer.weight) if (first.weight == row).all(1).any()
    ]
    assert len(kept) == 8
    masked = model.nodes[0].layer.weight.copy()
    masked[[row for row in range(16) if row not in kept]] = 0
    y = snn.Input((2, *sizes), name="x")
    h = kind(2, depth_first)(snn.ReLU()(snn.Conv2d(masked, kernel_size=1)(y)))
    h = snn.Conv2d(model.nodes[-1].layer.dense_kernel, padding=1)(h)
    wanted = snn.Model(inputs=y, outputs=h).predict(image)
    np.testing.assert_allclose(narrow.predict(image), wanted, rtol=0, atol=1e-5)


# ---- torch ----


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")


@pytest.mark.parametrize("block, depth_first", BLOCKS)
@pytest.mark.parametrize("kind", [snn.DepthToSpace, snn.SpaceToDepth])
def test_the_way_through_torch(torch, kind, block, depth_first):
    model, channels = network(kind, block, depth_first, (6, 12), window=True)
    module = snn.to_torch(model)
    x = images(2, channels, 6, 12)
    np.testing.assert_array_equal(module(torch.from_numpy(x)).numpy(), model.predict(x))
    for shape in ((None, channels, 6, 12), (None, channels, None, None)):
        back = snn.from_torch(module, input_shapes={"x": shape})
        np.testing.assert_array_equal(back.predict(x), model.predict(x))
        assert back.nodes[0].layer == model.nodes[0].layer


def test_torch_functions_and_modules(torch):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down = torch.nn.PixelShuffle(2), torch.nn.PixelUnshuffle(2)

        def forward(self, x):
            x = torch.nn.functional.pixel_shuffle(self.down(self.up(x)), upscale_factor=2)
            return torch.nn.functional.pixel_unshuffle(x, 4)

    module = Net().eval()
    x = torch.randn(2, 12, 6, 10)
    for shape in ((None, 12, 6, 10), (None, 12, None, None)):
        model = snn.from_torch(module, input_shapes={"x": shape})
        np.testing.assert_array_equal(model.predict(x.numpy()), module(x).numpy())
    with pytest.raises(ValueError, match="must have blocks that fit"):
        snn.from_torch(torch.nn.PixelShuffle(5), torch.zeros(1, 12, 4, 4))


@pytest.mark.parametrize("seed", range(12))
def test_transposed_convolutions_of_open_sizes(torch, seed):
    """Strides, padding, dilation and output_padding of both dimensions, at sizes that were not met."""
    rng = np.random.default_rng(seed)
    kernel, stride, dilation = (tuple(map(int, rng.integers(1, top, 2))) for top in (5, 4, 3))
    padding = tuple(int(rng.integers(0, 2)) if size > 1 else 0 for size in kernel)
    more = tuple(int(rng.integers(0, max(a, b))) for a, b in zip(stride, dilation, strict=True))
    torch.manual_seed(seed)
    module = torch.nn.ConvTranspose2d(4, 6, kernel, stride, padding, more, 2, True, dilation).eval()
    model = snn.from_torch(module, input_shapes={"input": (None, 4, None, None)})
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    for size in ((3, 5), (8, 4), (17, 31)):
        x = images(2, 4, *size)
        with torch.no_grad():
            wanted = module(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(plan.run(x), wanted, rtol=0, atol=1e-5)
