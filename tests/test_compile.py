"""Plans against the float64 reference, on every kernel set, for awkward shapes and batches."""

import threading

import numpy as np
import pytest
import scipy.sparse
from op_cases import ALL

import sparsenn as snn
from sparsenn.reference import reference_with_bound

BATCHES = [0, 1, 2, 3, 7, 15, 16, 17, 31, 64, 65, 130]
SIZES = [(1, 1), (1, 16, 1), (7, 33, 5), (16, 16, 16), (17, 31, 13), (64, 127, 129, 10), (300, 257, 3)]


@pytest.fixture
def make_model(rng, random_csr):
    """make_model(sizes, sparsity, activation): layers of that sparsity; None leaves them dense."""

    def make(sizes, sparsity, activation=None):
        layers = []
        for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
            weight = random_csr(outputs, inputs, sparsity or 0.0)
            bias = rng.standard_normal(outputs) if len(layers) % 4 == 0 else None
            layers.append(snn.Linear(weight.toarray() if sparsity is None else weight, bias))
            layers += [] if activation is None else [activation]
        return snn.Model(layers)

    return make


def assert_matches(plan, model, x):
    y = plan.run(x)
    wanted, bound = reference_with_bound(model, x)
    assert y.dtype == np.float32 and y.shape == wanted.shape
    assert y.size == 0 or (abs(y - wanted) - bound).max() <= 0, "off by more than rounding explains"
    return y


@pytest.mark.parametrize("sparsity", [None, 0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_shape_batch_and_sparsity(isa, sizes, sparsity, make_model, rng):
    model = make_model(sizes, sparsity, snn.ReLU())
    plan = snn.compile(model, isa=isa, tune="off", cache=False)
    assert (plan.inputs, plan.outputs, plan.isa) == (sizes[0], sizes[-1], isa)
    for batch in BATCHES:
        assert_matches(plan, model, rng.standard_normal((batch, sizes[0])))


@pytest.mark.parametrize("activation", [layer for _, layer in ALL], ids=repr)
@pytest.mark.parametrize("sparsity", [None, 0.8])
def test_every_activation(isa, activation, sparsity, make_model, rng):
    model = make_model((19, 37, 21), sparsity, activation)
    plan = snn.compile(model, isa=isa, tune="off", cache=False)
    for batch in (1, 5, 16, 70):
        assert_matches(plan, model, 3 * rng.standard_normal((batch, 19)))


@pytest.mark.parametrize("tune", ["measure", "model", "off"])
def test_every_way_of_tuning(tune, make_model, rng):
    model = make_model((40, 100, 60, 10), 0.85, snn.ReLU())
    plan = snn.compile(model, batch_sizes=(1, 5, 64), tune=tune)
    for batch in BATCHES:
        assert_matches(plan, model, rng.standard_normal((batch, 40)))


def test_activations_alone_before_between_and_after(rng, random_csr):
    layers = [snn.Tanh(), snn.Linear(random_csr(20, 30, 0.7)), snn.ReLU(), snn.Sigmoid(), snn.Softmax()]
    model = snn.Model([*layers, snn.Softmax(), snn.Linear(rng.standard_normal((3, 20))), snn.GELU()])
    plan = snn.compile(model, tune="off", cache=False)
    for batch in (1, 16, 33):
        assert_matches(plan, model, rng.standard_normal((batch, 30)))


def test_softmax_of_large_logits_neither_overflows_nor_loses_the_sum(rng):
    model = snn.Model([snn.Linear(np.eye(12) * 100), snn.Softmax()])
    plan = snn.compile(model, tune="off", cache=False)
    for batch in (1, 20):
        x = rng.standard_normal((batch, 12))
        y = assert_matches(plan, model, x)
        np.testing.assert_allclose(y.sum(axis=1), 1, atol=14 * np.finfo(np.float32).eps)


def test_same_bits_for_any_number_of_threads(isa, make_model, rng):
    model = make_model((130, 257, 190, 10), 0.9, snn.GELU())
    model.linear_layers[-1].weight = rng.standard_normal((10, 190))
    plans = [snn.compile(model, isa=isa, threads=threads, tune="off", cache=False) for threads in (1, 2, 4)]
    for batch in BATCHES:
        x = rng.standard_normal((batch, 130))
        one, two, four = (plan.run(x) for plan in plans)
        np.testing.assert_array_equal(two, one)
        np.testing.assert_array_equal(four, one)


def test_nan_and_infinity_reach_the_output():
    model = snn.Model([snn.Linear(np.eye(3)), snn.ReLU()])
    plan = snn.compile(model, tune="off", cache=False)
    for batch in (1, 16, 40):
        x = np.tile(np.array([np.nan, -np.inf, np.inf], np.float32), (batch, 1))
        with np.errstate(invalid="ignore"):
            expected = model.predict(x)
        np.testing.assert_array_equal(np.isnan(plan.run(x)), np.isnan(expected))


CONVERSIONS = [np.float16, np.float64, np.int32, np.asfortranarray, lambda x: x[::-1, ::-1]]


@pytest.mark.parametrize("convert", CONVERSIONS)
def test_input_of_any_real_dtype_and_stride(convert, make_model, rng):
    model = make_model((6, 9, 4), 0.5)
    plan = snn.compile(model, tune="off", cache=False)
    x = rng.integers(-5, 6, (8, 6)).astype(np.float32)
    converted = convert(x)
    np.testing.assert_array_equal(plan.run(converted), plan.run(np.array(converted, np.float32, order="C")))


def test_read_only_input_is_taken(make_model, rng):
    plan = snn.compile(make_model((6, 4), 0.5), tune="off", cache=False)
    x = rng.standard_normal((3, 6), dtype=np.float32)
    x.flags.writeable = False
    assert plan.run(x).shape == (3, 4)


def test_result_goes_where_asked(make_model, rng):
    plan = snn.compile(make_model((6, 6), 0.5), tune="off", cache=False)
    x = rng.standard_normal((3, 6), dtype=np.float32)
    out = np.full((3, 6), np.nan, np.float32)
    assert plan.run(x, out=out) is out
    np.testing.assert_array_equal(out, plan.run(x))
    read_only = np.empty((3, 6), np.float32)
    read_only.flags.writeable = False
    for wrong, error, words in [
        (np.empty((3, 6)), TypeError, "float32"),
        ([[0] * 6] * 3, TypeError, "float32"),
        (np.empty((2, 6), np.float32), ValueError, r"shape \(3, 6\)"),
        (np.empty((3, 12), np.float32)[:, ::2], ValueError, "contiguous"),
        (read_only, ValueError, "writeable"),
        (x, ValueError, "share memory"),
    ]:
        with pytest.raises(error, match=words):
            plan.run(x, out=wrong)


@pytest.mark.parametrize("x", [np.zeros(6), np.zeros((2, 5)), np.zeros((1, 2, 6)), np.zeros((0, 5))])
def test_input_of_the_wrong_shape(x, make_model):
    plan = snn.compile(make_model((6, 4), 0.5), tune="off", cache=False)
    with pytest.raises(ValueError, match=r"x must have shape \(batch, 6\)"):
        plan.run(x)


@pytest.mark.parametrize("x", [np.zeros((1, 6), complex), np.array([["a"] * 6]), None])
def test_input_that_is_no_number(x, make_model):
    plan = snn.compile(make_model((6, 4), 0.5), tune="off", cache=False)
    with pytest.raises(TypeError, match="x must"):
        plan.run(x)


def test_a_plan_keeps_nothing_of_the_model(make_model, rng):
    model = make_model((6, 9, 4), 0.5)
    plan = snn.compile(model, tune="off", cache=False)
    x = rng.standard_normal((3, 6))
    before = plan.run(x)
    for layer in model.linear_layers:
        layer.weight.data[:] = 0
    np.testing.assert_array_equal(plan.run(x), before)


def test_many_threads_may_run_one_plan_at_once(make_model, rng):
    model = make_model((60, 120, 40), 0.8, snn.ReLU())
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    inputs = [rng.standard_normal((batch, 60), dtype=np.float32) for batch in (1, 3, 16, 64, 70, 5)]
    wanted = [plan.run(x) for x in inputs]
    wrong = []

    def work(x, y):
        for _ in range(50):
            if not np.array_equal(plan.run(x), y):
                wrong.append(len(x))

    workers = [threading.Thread(target=work, args=pair) for pair in zip(inputs, wanted, strict=True)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_a_second_plan_from_the_cache_gives_the_same_bits(make_model, rng, tmp_path):
    model = make_model((64, 200, 10), 0.9, snn.ReLU())
    x = rng.standard_normal((64, 64))
    first = snn.compile(model, cache=tmp_path / "cache")
    second = snn.compile(model, cache=tmp_path / "cache")
    np.testing.assert_array_equal(first.run(x), second.run(x))


def test_a_second_plan_makes_the_choices_of_the_first(make_model, tmp_path):
    model = make_model((200, 150, 10), 0.9)
    assert not snn.compile(model, cache=tmp_path).report()["cached"]
    for _ in range(20):
        if (first := snn.compile(model, cache=tmp_path).report())["cached"]:
            break
    else:
        pytest.skip("the machine is so busy that no time was believed, so none was kept")
    second = snn.compile(model, cache=tmp_path).report()
    assert second["cached"] and second["buckets"] == first["buckets"]
    for one, other in zip(first["layers"], second["layers"], strict=True):
        for left, right in zip(one["choices"], other["choices"], strict=True):
            assert [left["chosen"][key] for key in ("kernel", "k_block")] == [
                right["chosen"][key] for key in ("kernel", "k_block")
            ]


def test_a_layer_below_break_even_is_named_once(random_csr):
    model = snn.Model([snn.Linear(random_csr(80, 120, 0.0)), snn.ReLU(), snn.Linear(random_csr(80, 80, 0.9))])
    with pytest.warns(UserWarning, match=r"layer 0 \(80 x 120, 0% sparse\)") as caught:
        snn.compile(model, tune="off", cache=False)
    assert len(caught) == 1 and "layer 2" not in str(caught[0].message)


def test_a_damaged_cache_is_ignored(make_model, rng, tmp_path):
    model = make_model((64, 200, 10), 0.9, snn.ReLU())
    snn.compile(model, cache=tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(b"\xff\0 not a tuning result")
    plan = snn.compile(model, cache=tmp_path)
    assert_matches(plan, model, rng.standard_normal((20, 64)))


def test_report_and_explain_name_every_layer(make_model):
    model = make_model((64, 200, 10), 0.9, snn.ReLU())
    plan = snn.compile(model, batch_sizes=(1, 64), tune="off", cache=False)
    report = plan.report()
    assert isinstance(report, dict)
    text = plan.explain()
    assert plan.isa in text and "200 x 64" in text and "10 x 200" in text


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        ({"threads": "2"}, TypeError, "threads must be an integer"),
        ({"batch_sizes": ()}, ValueError, "batch_sizes must hold at least one"),
        ({"batch_sizes": (1, 0)}, ValueError, r"batch_sizes\[1\] must be at least 1"),
        ({"batch_sizes": (1.5,)}, TypeError, r"batch_sizes\[0\] must be an integer"),
        ({"tune": "fast"}, ValueError, "tune must be one of measure, model, off"),
        ({"isa": "sse9"}, snn.ISAError, "sse9"),
        ({"isa": 3}, TypeError, "isa must be a string"),
    ],
)
def test_bad_options(arguments, error, words):
    with pytest.raises(error, match=words):
        snn.compile(snn.mlp([3, 2]), **arguments)


def test_model_must_be_a_model():
    with pytest.raises(TypeError, match="model must be a sparsenn.Model, got list"):
        snn.compile([snn.Linear(np.zeros((2, 3)))])


def test_environment_forces_a_kernel_set(monkeypatch, isa):
    monkeypatch.setenv("SPARSENN_ISA", isa)
    assert snn.cpu_info()["isa"] == isa
    assert snn.compile(snn.mlp([3, 2]), tune="off", cache=False).isa == isa


FOREIGN_ISA = "neon" if "avx2" in snn.cpu_info()["isas_built"] else "avx2"


@pytest.mark.parametrize("name", ["sse9", "AVX2 ", FOREIGN_ISA])
def test_environment_with_a_kernel_set_that_is_not_here(monkeypatch, name):
    monkeypatch.setenv("SPARSENN_ISA", name)
    for call in (snn.cpu_info, lambda: snn.compile(snn.mlp([3, 2]))):
        with pytest.raises(snn.ISAError, match=name.strip()):
            call()


def test_cpu_info_says_what_was_built():
    info = snn.cpu_info()
    assert set(info["isas_usable"]) <= set(info["isas_built"])
    assert info["isa"] in info["isas_usable"] and "scalar" in info["isas_usable"]
    assert info["threads"] >= 1 and isinstance(info["openmp"], bool)


def test_packs_for_named_batches_alone_where_all_would_take_much():
    """Some 7 million weights take 42 MB packed once, and over 64 in the shapes of all batches."""
    rng = np.random.default_rng(3)
    layers = []
    for _ in range(7):
        weight = scipy.sparse.random_array(
            (2048, 2048), density=0.25, rng=rng, dtype=np.float32, format="csr"
        )
        layers += [snn.Linear(weight), snn.ReLU()]
    model = snn.Model(layers)
    plans = {
        batches: snn.compile(model, threads=2, batch_sizes=batches, tune="off", cache=False)
        for batches in [(1,), (64,), (1, 64), (1, 2, 3, 4, 5, 8, 16, 32, 64)]
    }
    shapes = {batches: len(plan.report()["buckets"]) for batches, plan in plans.items()}
    assert shapes[1,] < shapes[1, 2, 3, 4, 5, 8, 16, 32, 64]
    small = snn.compile(snn.Model(layers[:1]), threads=2, tune="off", cache=False)
    assert shapes[1, 64] < len(small.report()["buckets"])
    for batch in (1, 2, 5, 64, 131):
        x = rng.standard_normal((batch, 2048), np.float32)
        outputs = [plan.run(x) for plan in plans.values()]
        assert all(np.array_equal(outputs[0], y) for y in outputs[1:])
    assert_matches(plans[1,], model, x[:3])


def test_the_report_says_what_runs_hold():
    """Values of 4 and 6 channels live at once; a thread has an arena of its own."""
    x = snn.Input((4, 20, 30))
    y = snn.ReLU()(snn.Conv2d(np.ones((6, 4, 3, 3)), padding=1)(x))
    model = snn.Model(inputs=x, outputs=snn.Conv2d(np.ones((2, 6, 3, 3)), padding=1)(y))
    for threads in (1, 3):
        report = snn.compile(model, threads=threads, tune="off", cache=False).report()
        values = 4 * 600 * (4 + 6)
        assert values <= report["arena_bytes"] <= 1.5 * values  # with rows that kernels may write beside
        assert threads * report["arena_bytes"] < report["workspace_bytes"] < (threads + 3) * 1.5 * values


def test_sums_lie_where_one_of_their_parts_did():
    """Of a chain of residual blocks two values live at once: a block's sum takes the place of its input."""

    def convolution():
        return snn.Conv2d(np.ones((8, 8, 3, 3)), padding=1)

    x = snn.Input((8, 20, 30))
    h = convolution()(x)
    for _ in range(3):
        h = snn.ReLU()(snn.Add()(convolution()(snn.ReLU()(convolution()(h))), h))
    report = snn.compile(snn.Model(inputs=x, outputs=h), threads=1, tune="off", cache=False).report()
    assert 2 * 8 * 600 * 4 <= report["arena_bytes"] <= 2.5 * 8 * 600 * 4
