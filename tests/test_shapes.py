"""Plans of models whose dims come with each run: bits of plans of fixed dims, few kept, for many callers."""

import pickle
import threading

import numpy as np
import pytest

import sparsenn as snn

SIZES = [(8, 5), (1, 1), (16, 33), (7, 7), (21, 12)]


def network(height=None, width=None) -> snn.Model:
    """A residual network on images (3, height, width): a map of twice the half size, and five numbers."""
    rng = np.random.default_rng(5)

    def weight(outputs, columns, zeros):
        made = rng.standard_normal((outputs, columns)).astype(np.float32) / np.sqrt(columns)
        made[rng.random(made.shape) < zeros] = 0
        return made

    x = snn.Input((3, height, width), name="image")
    h = snn.ReLU()(snn.Conv2d(weight(16, 27, 0), kernel_size=3, stride=2, padding=1)(x))
    skip = snn.Conv2d(weight(24, 16, 0.8), kernel_size=1)(h)
    h = snn.SiLU()(snn.Add()(snn.Conv2d(weight(24, 216, 0.9), kernel_size=3, padding=1)(skip), skip))
    upper = snn.Resize(2, scale=2.0)(h)
    mean = snn.Flatten()(snn.ReduceMean(axes=(2, 3))(h))
    return snn.Model(inputs=x, outputs={"map": upper, "classes": snn.Linear(weight(5, 24, 0.5))(mean)})


def images(batch, size, seed=0):
    return np.random.default_rng([seed, batch, *size]).standard_normal((batch, 3, *size), dtype=np.float32)


def plan_of(model, **options):
    return snn.compile(model, **{"tune": "off", "cache": False, "threads": 1, **options})


def assert_same(got, wanted):
    assert got.keys() == wanted.keys()
    for name in got:
        assert np.array_equal(got[name], wanted[name], equal_nan=True), name


@pytest.mark.parametrize("isa", ["scalar", "avx2"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_shape_has_the_bits_of_a_plan_of_its_own(isa, threads):
    if isa not in snn.cpu_info()["isas_usable"]:
        pytest.skip(f"{isa} kernels cannot run here")
    plan = plan_of(network(), isa=isa, threads=threads, kept_shapes=2)
    for size in SIZES:
        fixed = plan_of(network(*size), isa=isa)
        for batch in range(10):
            x = images(batch, size)
            assert_same(plan.run(x), fixed.run(x))
        x = images(3, size)
        x[1, 0, 0, 0] = np.nan
        got = plan.run(x)
        assert_same(got, fixed.run(x))
        assert np.isnan(got["classes"][1]).any() and not np.isnan(got["classes"][0]).any()
    assert len(plan.report()["shapes"]) == 2


def test_values_are_those_of_the_reference():
    model = network()
    plan = snn.compile(model, threads=2, cache=False)
    for size in SIZES:
        x = images(2, size)
        wanted = model.predict(x)
        for name, got in plan.run(x).items():
            np.testing.assert_allclose(got, wanted[name], rtol=0, atol=1e-5 * np.abs(wanted[name]).max())


def test_callers_of_one_plan_have_shapes_of_their_own():
    plan = plan_of(network(), threads=2, kept_shapes=2)
    wanted = {size: plan_of(network(*size)).run(images(2, size)) for size in SIZES}
    failed = []

    def call(number):
        for i in range(30):
            size = SIZES[(number + i * (1 + number % 2)) % len(SIZES)]
            got = plan.run(images(2, size))
            failed.extend(name for name in got if not np.array_equal(got[name], wanted[size][name]))

    callers = [threading.Thread(target=call, args=(number,)) for number in range(5)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failed


def test_reports_of_a_plan_that_others_run():
    plan = plan_of(network(), kept_shapes=4)
    stop = threading.Event()

    def call():
        for number in range(60):
            plan.specialise((3, 4 + number, 10 ** (number % 3)))
        stop.set()

    caller = threading.Thread(target=call)
    caller.start()
    while not stop.is_set():
        assert len(plan.report()["shapes"]) <= 5
    caller.join()


def test_the_shapes_used_last_are_kept():
    plan = plan_of(network(), kept_shapes=2)
    assert plan.report()["shapes"] == [] and plan.report()["layers"] == []
    plan.specialise((3, 8, 8))
    plan.specialise({"image": (3, 6, 4)})
    assert plan.report()["shapes"] == [[[3, 6, 4]], [[3, 8, 8]]]
    plan.run(images(1, (8, 8)))
    plan.run(images(1, (5, 5)))
    assert plan.report()["shapes"] == [[[3, 5, 5]], [[3, 8, 8]]]
    assert plan_of(network(8, 5)).report()["shapes"] == [[[3, 8, 5]]]


def test_dims_are_told():
    plan = plan_of(network())
    assert plan.input_dims == {"image": (3, None, None)}
    assert plan.output_dims == {"map": (24, None, None), "classes": (5,)}
    with pytest.raises(ValueError, match="plan must have one input of"):
        plan.inputs  # noqa: B018
    assert "None" in repr(plan)


def test_explain_and_profile_ask_for_a_shape():
    plan = plan_of(network())
    for ask in (plan.explain, plan.profile):
        with pytest.raises(
            ValueError, match=r"ready, got none: run it, or call specialise\(dims\).*None, None"
        ):
            ask()
    plan.specialise((3, 16, 16))
    assert "conv2d 3x3/2" in plan.explain()
    assert len(plan.profile()) == len(plan.report()["layers"])


def test_a_pickle_takes_any_shape():
    plan = plan_of(network(), kept_shapes=3)
    plan.run(images(1, (8, 5)))
    again = pickle.loads(pickle.dumps(plan))
    assert again.input_dims == plan.input_dims
    for size in SIZES:
        assert_same(again.run(images(3, size)), plan.run(images(3, size)))
    assert len(again.report()["shapes"]) == 3


def test_a_file_keeps_them_open(tmp_path):
    snn.save(network(), tmp_path / "open.safetensors")
    plan = plan_of(snn.load(tmp_path / "open.safetensors"))
    assert_same(plan.run(images(2, (9, 4))), plan_of(network()).run(images(2, (9, 4))))


def test_what_does_not_fit_is_refused_by_name():
    plan = plan_of(network())
    with pytest.raises(ValueError, match=r"x must have shape \(batch, 3, any, any\), got \(1, 4, 8, 8\)"):
        plan.run(np.zeros((1, 4, 8, 8), np.float32))
    with pytest.raises(
        ValueError, match=r'"image": dims must fit \(batch, 3, \?, \?\), got \(batch, 3, 0, 8\)'
    ):
        plan.run(np.zeros((1, 3, 0, 8), np.float32))
    with pytest.raises(ValueError, match=r'"image": dims must fit .* got \(batch, 4, 8, 8\)'):
        plan.specialise((4, 8, 8))
    with pytest.raises(ValueError, match=r"has more than 2147483647 features"):
        plan.specialise((3, 2**30, 2**30))
    with pytest.raises(ValueError, match=r'input "image" \(batch, 3, 26000, 26000\): conv2d: .* more than'):
        plan.specialise((3, 26000, 26000))
    with pytest.raises(ValueError, match="must have 3 dims behind the batch"):
        plan.specialise((3, 8))
    with pytest.raises(ValueError, match="dims must be a dict with dims for each of the inputs"):
        plan.specialise({"picture": (3, 8, 8)})
    with pytest.raises(TypeError, match="dims of 'image' must be a tuple of integers, got 8"):
        plan.specialise(8)
    with pytest.raises(ValueError, match="dims of 'image' must be at least 1, got -1"):
        plan.specialise((3, -1, 8))
    with pytest.raises(ValueError, match="kept_shapes must be at least 1, got 0"):
        plan_of(network(), kept_shapes=0)
    small = snn.Input((2, None, None), name="small")
    window = snn.Conv2d(np.ones((1, 18), np.float32), kernel_size=3)(small)
    narrow = plan_of(snn.Model(inputs=small, outputs=window))
    with pytest.raises(
        ValueError, match=r'input "small" \(batch, 2, 2, 9\): conv2d: kernel_h must fit into 2'
    ):
        narrow.run(np.zeros((1, 2, 2, 9), np.float32))
    assert narrow.run(np.ones((1, 2, 3, 3), np.float32)).item() == 18


def test_models_without_windows():
    x = snn.Input((None,), name="x")
    plan = plan_of(snn.Model(inputs=x, outputs=snn.Tanh()(x)))
    for features in (1, 7, 64):
        data = np.linspace(-1, 1, 3 * features, dtype=np.float32).reshape(3, features)
        np.testing.assert_allclose(plan.run(data), np.tanh(data), atol=1e-6)


SLICES = [
    snn.Slice(2, 1, None, 2),
    snn.Slice(3, -4, -1),
    snn.Slice(3, -7),
    snn.Slice(2, 2, -1),
    snn.Slice(3, 1, 90),
    snn.Slice(2, -3, 9, 3),
]


@pytest.mark.parametrize("slices", [[layer] for layer in SLICES] + [SLICES[:2]], ids=str)
def test_slices_of_open_dims(slices, tmp_path):
    def made(height, width):
        x = h = snn.Input((2, height, width), name="x")
        for layer in slices:
            h = layer(h)
        return snn.Model(inputs=x, outputs=snn.Conv2d(np.arange(6).reshape(3, 2), kernel_size=1)(h))

    model = made(None, None)
    snn.save(model, tmp_path / "slices.safetensors")
    again = snn.load(tmp_path / "slices.safetensors")
    assert [node.layer for node in again.nodes[:-1]] == [node.layer for node in model.nodes[:-1]]
    plan = plan_of(again, threads=2)
    for size in ((8, 9), (5, 6), (11, 4)):
        x = np.random.default_rng(0).standard_normal((3, 2, *size)).astype(np.float32)
        wanted = x
        for layer in slices:
            places = slice(layer.start, layer.end, layer.step)
            wanted = wanted[:, :, places] if layer.axis == 2 else wanted[:, :, :, places]
        got = plan.run(x)
        assert got.shape == (3, 3, *wanted.shape[2:])
        assert np.array_equal(got, plan_of(made(*size)).run(x))
        np.testing.assert_allclose(got[:, 1], 2 * wanted[:, 0] + 3 * wanted[:, 1], atol=1e-5)
    with pytest.raises(ValueError, match="slice: must take at least one"):
        plan_of(snn.Model(inputs=(x := snn.Input((1, None), name="x")), outputs=snn.Slice(2, 3)(x))).run(
            np.zeros((1, 1, 3))
        )


def test_files_have_negative_numbers_for_slices_alone(tmp_path):
    x = snn.Input((2, None, 6), name="x")
    halves = snn.Concat(2)(snn.Slice(2, -2)(x), snn.Slice(2, 0, -2)(x))
    snn.save(snn.Model(inputs=x, outputs=halves), tmp_path / "good.safetensors")
    header = (tmp_path / "good.safetensors").read_bytes()[8:].rstrip()
    assert header.count(rb"\"start\":-2") == header.count(rb"\"end\":-2") == 1

    def load(old, new):
        assert header.count(old) == 1
        made = header.replace(old, new)
        made += b" " * (-len(made) % 8)
        (tmp_path / "made.safetensors").write_bytes(len(made).to_bytes(8, "little") + made)
        return snn.load(tmp_path / "made.safetensors")

    assert load(rb"\"start\":-2", rb"\"start\":-3").nodes[0].layer == snn.Slice(2, -3)
    with pytest.raises(snn.FormatError, match=r"node \d \(concat\): axis: wanted a whole number, 0 or more"):
        load(rb"\"axis\":2}]", rb"\"axis\":-2}]")
    with pytest.raises(snn.FormatError, match="wanted a value"):
        load(rb"\"start\":-2", rb"\"start\":-")
    with pytest.raises(snn.FormatError, match="wanted a whole number"):
        load(rb"\"start\":-2", rb"\"start\":-2.5")


def test_channels_are_pruned_through_slices_of_open_dims():
    rng = np.random.default_rng(0)
    x = snn.Input((2, None, None), name="x")
    h = snn.Conv2d(rng.standard_normal((8, 18)), kernel_size=3, padding=1)(x)
    h = snn.Concat(1)(snn.Slice(2, 1, None, 2)(h), snn.Slice(2, 0, -1, 2)(h))
    model = snn.Model(inputs=x, outputs=snn.Conv2d(rng.standard_normal((3, 16)), kernel_size=1)(h))
    pruned = snn.prune(model, sparsity=0.5, structure="channel")
    assert pruned.linear_layers[0].shape[0] == 4
    data = rng.standard_normal((1, 2, 6, 5)).astype(np.float32)
    np.testing.assert_allclose(plan_of(pruned).run(data), pruned.predict(data), atol=1e-5)


def tuned(model, shape, cache):
    """Problems that a plan of the model, made ready for a shape, had to time."""
    plan = snn.compile(model, threads=1, cache=cache)
    plan.specialise(shape)
    return plan.report()["problems"]["tuned"]


def test_a_second_plan_tunes_nothing(tmp_path):
    assert tuned(network(), (3, 16, 16), tmp_path) > 0
    # What something else disturbed is not kept, and is timed again.
    assert any(tuned(network(), (3, 16, 16), tmp_path) == 0 for _ in range(30))
    assert tuned(network(16, 16), (3, 16, 16), tmp_path) == 0
