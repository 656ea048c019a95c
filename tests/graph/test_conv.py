"""Convolutional networks: plans against the reference and PyTorch, the same bits, NaN, files, pruning."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from graphs import images, only
from test_export_graph import assert_near

import sparsenn as snn
from sparsenn.layers.window import Window


def random_window(rng, size) -> Window | None:
    """None where it does not fit."""
    kernel, stride, dilation = rng.integers(1, 6, 2), rng.integers(1, 4, 2), rng.integers(1, 3, 2)
    padding = [int(n) for n in rng.integers(0, 4, 4)]
    window = Window(*map(int, (*kernel, *stride, *padding, *dilation)))
    room = [
        size[i] + padding[i] + padding[i + 2] - window.dilation[i] * (window.kernel[i] - 1) - 1
        for i in (0, 1)
    ]
    return window if min(room) >= 0 else None


def random_model(seed: int) -> tuple[snn.Model, np.ndarray]:
    """One to four convolutions with pools, activations and skips between, and x."""
    rng = np.random.default_rng(seed)
    dims = tuple(int(n) for n in (rng.integers(1, 7), rng.integers(1, 18), rng.integers(1, 18)))
    x = snn.Input(dims, name="x")
    h = x
    for _ in range(rng.integers(1, 5)):
        channels, size = h.dims[1], h.dims[2:]
        window = random_window(rng, size)
        if window is None:
            continue
        rows = int(rng.integers(1, 20))
        weight = rng.standard_normal((rows, channels * window.kernel_h * window.kernel_w), dtype=np.float32)
        weight[rng.random(weight.shape) < rng.choice([0, 0.5, 0.95])] = 0
        if rng.random() < 0.7:
            weight = scipy.sparse.csr_array(weight)
        h = snn.Conv2d.of_window(weight, rng.standard_normal(rows) if rng.random() < 0.7 else None, window)(h)
        if rng.random() < 0.6:
            h = (snn.ReLU(), snn.SiLU(), snn.ClippedReLU())[rng.integers(3)](h)
        if rng.random() < 0.3:
            h = snn.Add()(h, h)
        if rng.random() < 0.3 and min(h.dims[2:]) > 2:
            h = (snn.MaxPool2d(3, 2, 1), snn.AvgPool2d(2), snn.AvgPool2d(3, 1, 1, False))[rng.integers(3)](h)
    if h is x:
        h = snn.Conv2d(np.ones((2, dims[0], 1, 1)))(x)
    batch = int(rng.integers(1, 6))
    return snn.Model(inputs=x, outputs=h), rng.standard_normal((batch, *dims), dtype=np.float32)


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_random_networks_against_the_reference(start, isa):
    for seed in range(start, start + 20):
        model, x = random_model(seed)
        plan = snn.compile(model, threads=1 + seed % 3, isa=isa, tune="off", cache=False)
        assert_near(model, {"x": x}, {model.output_values[0].name: plan.run(x)})


@pytest.mark.parametrize("start", range(0, 100, 20))
def test_random_networks_against_torch(start):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    for seed in range(start, start + 20):
        model, x = random_model(seed)
        module = snn.to_torch(model)
        with torch.no_grad():
            assert_near(model, {"x": x}, {model.output_values[0].name: module(torch.from_numpy(x)).numpy()})
            again = snn.from_torch(module, torch.from_numpy(x))
        y, z = (snn.reference(m, x) for m in (model, again))
        np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-12)


def test_the_same_bits_for_any_threads_batch_and_tuning(isa):
    case = images()
    x = case.inputs(7)["x"]
    plans = [
        snn.compile(case.model, threads=threads, isa=isa, tune=tune, cache=False)
        for threads in (1, 2, 3, 8)
        for tune in ("off", "measure")
    ]
    first = plans[0].run(x)
    for plan in [*plans, pickle.loads(pickle.dumps(plans[2]))]:
        for name, array in plan.run(x).items():
            np.testing.assert_array_equal(array, first[name])
        for k in range(3):
            for name, array in plan.run(x[k : k + 1]).items():
                np.testing.assert_array_equal(array, first[name][k : k + 1])


def test_nan_reaches_what_reads_it_and_nothing_else(isa):
    case = images()
    plan = snn.compile(case.model, threads=2, isa=isa, tune="off", cache=False)
    rng = np.random.default_rng(0)
    for bad in (np.nan, np.inf, -np.inf):
        for _ in range(20):
            x = case.inputs(3)["x"]
            plain = plan.run(x)
            where = tuple(int(rng.integers(n)) for n in x.shape)
            x[where] = bad
            with np.errstate(invalid="ignore"):
                wanted, got = snn.reference(case.model, x), plan.run(x)
            for name, array in got.items():
                np.testing.assert_array_equal(np.isnan(array), np.isnan(wanted[name]))
                others = [k for k in range(3) if k != where[0]]
                np.testing.assert_array_equal(array[others], plain[name][others])
                fine = np.isfinite(wanted[name])
                np.testing.assert_allclose(array[fine], wanted[name][fine], rtol=1e-4, atol=1e-4)


def reach(mask: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """The places (out, height, width) that read one of mask (channels, height, width) by a weight, not 0."""
    outputs, channels, size, _ = weight.shape
    height, width = ((n + 2 * padding - size) // stride + 1 for n in mask.shape[1:])
    made = np.zeros((outputs, height, width), bool)
    for o, i, j, c, a, b in np.ndindex(outputs, height, width, channels, size, size):
        row, column = i * stride + a - padding, j * stride + b - padding
        inside = 0 <= row < mask.shape[1] and 0 <= column < mask.shape[2]
        made[o, i, j] |= weight[o, c, a, b] != 0 and inside and mask[c, row, column]
    return made


@pytest.mark.parametrize("dense", [False, True])
def test_a_nan_goes_as_far_as_windows_and_weights_reach(isa, dense):
    """Through a product, a depthwise convolution, pools and one more product; place by place."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(shape) for shape in ((5, 3, 3, 3), (5, 1, 3, 3), (4, 5, 3, 3))]
    for weight, share in zip(weights, (0.25, 0.6, 0.15), strict=True):
        weight[rng.random(weight.shape) > share] = 0
    own = np.zeros((5, 5, 3, 3))
    own[range(5), range(5)] = weights[1][:, 0]
    every = np.zeros((5, 5, 3, 3))
    every[range(5), range(5)] = 1

    def layer(weight, **options):
        rows = weight.reshape(len(weight), -1)
        return snn.Conv2d(rows if dense else scipy.sparse.csr_array(rows), kernel_size=3, **options)

    x = snn.Input((3, 11, 13), name="x")
    h = snn.ReLU()(layer(weights[0], stride=2, padding=1)(x))
    h = snn.SiLU()(snn.Conv2d(weights[1], groups=5, padding=1)(h))
    first = snn.MaxPool2d(3, 1, 1)(h)
    second = snn.AvgPool2d(3, 2, 1, count_include_pad=False)(first)
    model = snn.Model(inputs=x, outputs={"max": first, "mean": second, "y": layer(weights[2])(second)})
    plans = [snn.compile(model, threads=n, isa=isa, tune="off", cache=False) for n in (1, 3)]
    images = rng.standard_normal((3, 3, 11, 13), dtype=np.float32)
    plain = plans[0].run(images)
    for place in ((0, 0, 0), (1, 5, 6), (2, 10, 12), (0, 3, 7)):
        mask = np.zeros((3, 11, 13), bool)
        mask[place] = True
        wanted = {}
        made = reach(reach(mask, weights[0], 2, 1), own, 1, 1)
        wanted["max"] = reach(made, every, 1, 1)
        wanted["mean"] = reach(wanted["max"], every, 2, 1)
        wanted["y"] = reach(wanted["mean"], weights[2], 1, 0)
        assert made.any() and not wanted["max"].all()
        spoiled = images.copy()
        spoiled[(1, *place)] = np.nan
        for plan in plans:
            for name, array in plan.run(spoiled).items():
                np.testing.assert_array_equal(np.isnan(array[1]), wanted[name], err_msg=f"{name} {place}")
                np.testing.assert_array_equal(array[[0, 2]], plain[name][[0, 2]])
                np.testing.assert_array_equal(array[1][~wanted[name]], plain[name][1][~wanted[name]])


@pytest.mark.parametrize("sparsity", [0.5, 0.9])
def test_pruned_networks_stay_what_they_are(sparsity, tmp_path):
    case = images()
    pruned = snn.prune(case.model, sparsity=sparsity)
    kinds = [(type(layer), layer.shape) for layer in case.model.linear_layers]
    assert [(type(layer), layer.shape) for layer in pruned.linear_layers] == kinds
    assert abs(pruned.sparsity - max(sparsity, case.model.sparsity)) < 0.03
    snn.save(pruned, tmp_path / "m.safetensors")
    again = snn.load(tmp_path / "m.safetensors")
    x = case.inputs(4)
    for model in (again, pickle.loads(pickle.dumps(pruned))):
        assert [repr(layer) for layer in model.linear_layers] == [
            repr(layer) for layer in pruned.linear_layers
        ]
        for name, array in snn.reference(model, only(x)).items():
            np.testing.assert_array_equal(array, snn.reference(pruned, only(x))[name])


@pytest.mark.parametrize(
    "groups, outputs, channels", [(1, 6, 4), (2, 6, 4), (3, 6, 3), (5, 5, 5), (4, 8, 12)]
)
def test_exports_have_the_groups_of_the_weights(groups, outputs, channels):
    kernel = np.random.default_rng(groups).standard_normal((outputs, channels // groups, 3, 2))
    layer = snn.Conv2d(kernel.astype(np.float32), groups=groups, padding=1)
    assert layer.groups == groups
    np.testing.assert_array_equal(layer.group_kernel, kernel.astype(np.float32))
    x = snn.Input((channels, 5, 6))
    model = snn.Model(inputs=x, outputs=layer(x))
    images = np.random.default_rng(0).standard_normal((2, channels, 5, 6), np.float32)
    torch = pytest.importorskip("torch")
    module = snn.to_torch(model)
    assert [part.groups for part in module.modules() if isinstance(part, torch.nn.Conv2d)] == [groups]
    wanted = snn.compile(model).run(images)
    np.testing.assert_allclose(module(torch.from_numpy(images)).detach(), wanted, atol=1e-5)
    pytest.importorskip("onnx")
    conv = next(node for node in snn.to_onnx(model).graph.node if node.op_type == "Conv")
    assert [a.i for a in conv.attribute if a.name == "group"] == [groups]


def test_groups_are_a_block_diagonal():
    kernel = np.random.default_rng(0).standard_normal((6, 2, 3, 3)).astype(np.float32)
    layer = snn.Conv2d(kernel, groups=3)
    assert layer.shape == (6, 54) and layer.nnz == kernel.size and layer.channels == 6
    for row in range(6):
        group = row // 2
        np.testing.assert_array_equal(layer.dense_kernel[row, 2 * group : 2 * group + 2], kernel[row])


ONES = np.ones((2, 3, 1, 1))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: snn.Conv2d(np.ones((2, 3))), ValueError, "must have shape .out, channels, height, width."),
        (lambda: snn.Conv2d(ONES, stride=0), ValueError, "stride must be at least 1, got 0"),
        (lambda: snn.Conv2d(ONES, padding=-1), ValueError, "padding must be at least 0, got -1"),
        (lambda: snn.Conv2d(ONES, padding=(1, 2, 3)), ValueError, "padding must be a number"),
        (lambda: snn.Conv2d(ONES, dilation=1.5), TypeError, "dilation must be an integer"),
        (lambda: snn.Conv2d(ONES, stride=1 << 30), ValueError, "stride must be at most 1048576"),
        (lambda: snn.Conv2d(ONES, groups=4), ValueError, "groups must divide the 2 output"),
        (lambda: snn.Conv2d(np.ones((2, 3)), kernel_size=2), ValueError, "have 4 columns a channel"),
        (lambda: snn.Conv2d(ONES)(snn.Input((4, 5, 5))), ValueError, "for 3 channels must have"),
        (lambda: snn.Conv2d(ONES)(snn.Input((3,))), ValueError, "None, channels, height, width"),
        (lambda: snn.Conv2d(np.ones((2, 3, 4, 4)))(snn.Input((3, 3, 5))), ValueError, "into the height 3"),
        (lambda: snn.MaxPool2d(2, padding=2)(snn.Input((3, 4, 4))), ValueError, "a value in every window"),
        (lambda: snn.AvgPool2d(2, padding=2), ValueError, "padding must be below the kernel's height 2"),
        (lambda: snn.MaxPool2d((2, 2, 2)), ValueError, "kernel_size must be a number or .height, width."),
    ],
)
def test_wrong_arguments(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, x: snn.train(m, x, np.zeros(4), epochs=1), "training takes outputs of"),
        (
            lambda m, x: snn.prune(m, sparsity=0.5, criterion="hessian", data=(x, np.zeros(4))),
            "one output of",
        ),
    ],
)
def test_what_takes_outputs_of_features_alone_says_so(call, words):
    case = images()
    with pytest.raises((snn.UnsupportedError, snn.ArgumentError), match=words):
        call(case.model, case.inputs(4)["x"])
