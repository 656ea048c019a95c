"""LSTM, GRU and RNN: against their definition, in plans, files and pruning."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from graphs import only
from recurrent_networks import KINDS, random_case, sequence_model

import sparsenn as snn
from sparsenn.reference import reference_with_bound

ISAS = snn.cpu_info()["isas_usable"]


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(300 if metafunc.config.getoption("conv_check") else 24))


def assert_within(got, exact, bound) -> None:
    assert got.shape == exact.shape
    excess = abs(got - exact) - bound
    assert not (excess > 0).any(), f"over the bound by {excess.max():g}"


def test_the_reference_is_the_definition(seed):
    case = random_case(seed)
    np.testing.assert_allclose(
        snn.reference(case.model, only(case.given)), case.exact(), rtol=1e-7, atol=1e-9
    )


def test_plans_agree_with_the_definition_in_any_batch(seed):
    """Within the bound; with the same bits on any threads and beside any samples."""
    case = random_case(seed)
    exact, (_, bound) = case.exact(), reference_with_bound(case.model, only(case.given))
    bound = np.minimum(bound, 1e-2 * (1 + abs(exact).max()))  # a looser one would show nothing
    options = {"isa": ISAS[seed % len(ISAS)], "tune": ("off", "model")[seed // 2 % 2], "cache": False}
    first = None
    for threads in (1, 2, 3):
        plan = snn.compile(case.model, threads=threads, **options)
        y = plan.run(only(case.given))
        first = y if first is None else first
        assert_within(y, exact, bound)
        np.testing.assert_array_equal(y, first)
        for batch in (1, 2):
            part = only({name: array[-batch:] for name, array in case.given.items()})
            np.testing.assert_array_equal(plan.run(part), first[-batch:])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("builder", (snn.lstm, snn.gru, snn.rnn))
def test_bounds_stay_finite_over_long_sequences(builder):
    """An error is multiplied at each step, but a gate cannot be off by more than it is wide."""
    model = builder([3, 40, 2], output="every", steps=300, seed=0)
    for layer in model.linear_layers:
        layer.weight *= 8
    x = np.random.default_rng(0).standard_normal((2, 300, 3), dtype=np.float32)
    exact, bound = reference_with_bound(model, x)
    assert np.isfinite(bound).all() and (bound >= 0).all()
    assert_within(snn.compile(model, threads=1, tune="off", cache=False).run(x), exact, bound)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("isa", ISAS)
def test_threads_share_the_steps_of_large_cells(kind, isa):
    """Products long enough for it: one sample at a time on two and three threads, to the bit of one."""
    for seed in range(KINDS.index(kind), 12, 3):
        case = random_case(seed, hidden=(331, 336)[seed % 2], batch=3)
        layer = case.layer.with_weight(
            np.random.default_rng(seed).standard_normal(case.layer.shape) / 25, case.layer.bias
        )
        model = case.model.with_layers(
            lambda own, case=case, layer=layer: layer if own is case.layer else own
        )
        plans = [snn.compile(model, threads=n, isa=isa, tune="off", cache=False) for n in (1, 2, 3)]
        first = plans[0].run(only(case.given))
        exact, bound = reference_with_bound(model, only(case.given))
        assert_within(first, exact, bound)
        for plan in plans[1:]:
            for i in range(3):
                one = only({name: array[i : i + 1] for name, array in case.given.items()})
                np.testing.assert_array_equal(plan.run(one), first[i : i + 1])


@pytest.mark.parametrize("isa", ISAS)
def test_infinities_and_nan_reach_what_reads_them(isa):
    """No further than by weights other than zero; a length that is NaN makes all of its sample NaN."""
    for seed in range(30):
        case = random_case(seed, batch=6)
        rng = np.random.default_rng(seed)
        for name, array in case.given.items():
            if name != "lengths" or rng.random() < 0.5:
                bad = rng.random(array.shape) < 0.3 / array[0].size
                array[:4][bad[:4]] = np.nan if name == "lengths" else rng.choice([np.nan, np.inf, -np.inf])
        with np.errstate(all="ignore"):
            wanted = case.model.predict(only(case.given))
        for threads in (1, 2):
            got = snn.compile(case.model, threads=threads, isa=isa, tune="off", cache=False).run(
                only(case.given)
            )
            np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted), err_msg=f"seed {seed}")
            finite = np.isfinite(wanted)
            np.testing.assert_allclose(got[finite], wanted[finite], rtol=1e-3, atol=1e-4)


def test_files_and_pickles_keep_all(seed, tmp_path):
    case = random_case(seed)
    path = tmp_path / "model.safetensors"
    snn.save(case.model, path)
    for again in (snn.load(path), pickle.loads(pickle.dumps(case.model))):
        assert [repr(layer) for layer in again.layers] == [repr(layer) for layer in case.model.layers]
        layer = again.layers[-1]
        assert type(layer) is type(case.layer) and layer.options == case.layer.options
        np.testing.assert_array_equal(again.predict(only(case.given)), case.model.predict(only(case.given)))
    plan = snn.compile(case.model, threads=1, tune="off", cache=False)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(plan)).run(only(case.given)), plan.run(only(case.given))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_steps(kind):
    model = sequence_model(kind)
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    for steps in (1, 2, 17):
        x = np.random.default_rng(steps).standard_normal((4, steps, 3)).astype(np.float32)
        exact, bound = reference_with_bound(model, x)
        assert_within(plan.run(x), exact, bound)
        fixed = snn.compile(sequence_model(kind, steps), threads=1, tune="off", cache=False)
        np.testing.assert_array_equal(plan.run(x), fixed.run(x))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "criterion", ["magnitude", "random", "contribution", "gradient", "taylor", "hessian"]
)
def test_every_criterion_prunes_both_matrices(kind, criterion):
    model = sequence_model(kind, 6)
    rng = np.random.default_rng(0)
    data = rng.standard_normal((20, 6, 3)).astype(np.float32), rng.integers(0, 2, 20)
    pruned = snn.prune(model, sparsity=0.8, criterion=criterion, data=data, scope="layer")
    for layer in pruned.linear_layers[:-1]:
        assert layer.sparse and abs(layer.sparsity - 0.8) < 0.02
    x = data[0]
    exact, bound = reference_with_bound(pruned, x)
    assert_within(snn.compile(pruned, threads=1, tune="off", cache=False).run(x), exact, bound)


@pytest.mark.parametrize(
    "kind, options", [*((kind, {}) for kind in KINDS), (snn.GRU, {"reset_after": False})]
)
def test_taylor_is_the_gradient_times_the_weight(kind, options):
    """The gradient of the mean loss by each weight of the state, by finite differences."""
    model = sequence_model(kind, 4, hidden=3, **options)
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((5, 4, 3)).astype(np.float32), rng.standard_normal((5, 2)).astype(np.float32)
    from sparsenn.prune.slopes import at_weights, layer_slopes

    ((pairs, samples),) = layer_slopes(model, (x, y, "mse"), "taylor")
    for index, layer in enumerate(model.linear_layers):
        if not isinstance(layer, kind):
            continue
        got = sum(at_weights(layer.weight, dy, columns) for columns, dy in pairs[index]) / samples
        weight = layer.weight.astype(np.float64)

        def loss(change, layer=layer, weight=weight):
            moved = layer.with_weight(weight, layer.bias)
            moved._weight = weight + change  # in float64
            other = model.with_layers(lambda own: moved if own is layer else own)
            return np.mean((snn.reference(other, x) - y) ** 2)

        for _ in range(4):
            move, h = rng.standard_normal(weight.shape), 1e-5
            slope = (loss(h * move) - loss(-h * move)) / (2 * h)
            np.testing.assert_allclose((got * move).sum(), slope, rtol=2e-3, atol=1e-4)


def test_units_of_recurrent_layers_stay():
    model = sequence_model(snn.LSTM, 6)
    with pytest.raises(snn.SparsennError, match="LSTM"):
        snn.prune(model, sparsity=0.5, structure="neuron")


def test_what_does_not_fit_is_refused():
    weight = np.zeros((12, 3))
    z = snn.Input((5, 12))
    for make, message in [
        (
            lambda: snn.LSTM(np.zeros((9, 3))),
            r"weight of LSTM must have shape \(4 \* hidden, hidden\), got \(9, 3\)",
        ),
        (lambda: snn.LSTM(weight, clip=-1.0), "clip"),
        (lambda: snn.LSTM(weight, clip=np.inf), "clip"),
        (lambda: snn.LSTM(weight, activations=("tanh",)), "activations of LSTM must be 3 of sigmoid, tanh"),
        (lambda: snn.LSTM(weight, activations=("tanh", "tanh", "sin")), "activations of LSTM must be 3 of"),
        (lambda: snn.LSTM(weight)(snn.Input((12,))), r"must be a Value of dims \(None, steps, 12\)"),
        (lambda: snn.LSTM(weight)(snn.Input((5, 9))), r"must be a Value of dims \(None, steps, 12\)"),
        (
            lambda: snn.LSTM(weight, initial=True)(z),
            "LSTM must be called on 3 operands as it was made, got 1",
        ),
        (lambda: snn.LSTM(weight, initial=True)(z, np.zeros(3), np.zeros(2)), "initial state of LSTM must"),
        (lambda: snn.LSTM(weight, lengths=True)(z, snn.Input((2,))), "lengths of LSTM must have dims"),
        (lambda: snn.StepwiseLinear(weight)(z), "must have dims"),
    ]:
        with pytest.raises(snn.SparsennError, match=message):
            make()
    with pytest.raises(TypeError, match="StepwiseLinear must be called on a Value, got ndarray"):
        snn.StepwiseLinear(weight)(weight)


def test_the_core_refuses_what_does_not_fit():
    from sparsenn import _core

    good = dict.fromkeys(("reverse", "initial", "lengths", "states", "f", "g", "h", "peepholes"), 0)
    for changes, rows, operands, message in [
        ({"clip": -1.0}, 12, 1, "clip must be finite and at least 0"),
        ({"clip": float("nan")}, 12, 1, "clip must be finite"),
        ({"reverse": 2}, 12, 1, r"reverse must be in \[0, 1\], got 2"),
        ({"g": 8}, 12, 1, r"g must be in \[0, 7\], got 8"),
        ({"g": -1}, 12, 1, r"g must be in \[0, 7\], got -1"),
        ({"initial": 1}, 12, 1, "must have 3 operands as it says, got 1"),
        ({}, 12, 2, "must have 1 operands as it says, got 2"),
        ({}, 9, 1, "must have 4 rows for each of its 3 columns, got 9"),
        ({"lengths": 1}, 12, 2, r"lengths must have dims \(batch, 1\)"),
        ({"peepholes": 1}, 12, 2, "peepholes must be a constant of 9"),
    ]:
        model = _core.Model.graph()
        values = [model.add_input("x", [5, 12]), model.add_input("other", [2])][:operands]
        with pytest.raises(snn.SparsennError, match=message):
            model.add_node(
                "lstm", values, {"clip": 0.0, **good, **changes}, weight=np.zeros((rows, 3), np.float32)
            )


def test_reports_name_the_steps():
    plan = snn.compile(sequence_model(snn.GRU, 6), threads=1, tune="off", cache=False)
    found = [layer for layer in plan.report()["layers"] if layer["type"] == "gru"]
    assert len(found) == 2 and all(layer["positions"] == 6 for layer in found)
    assert "gru" in plan.explain()


def test_reports_give_the_times_of_all_steps():
    """Of a plan without convolutions too."""
    layer = snn.RNN(np.ones((40, 40)))
    times = []
    for steps in (1, 50):
        x = snn.Input((steps, 40))
        plan = snn.compile(snn.Model(inputs=x, outputs=layer(x)), threads=1, tune="off", cache=False)
        times.append(plan.report()["layers"][0]["choices"][0]["chosen"]["estimate_us"])
        assert "40 x 40" in plan.explain()
    assert times[1] == pytest.approx(50 * times[0], rel=1e-2)


def test_a_sparse_weight_is_one():
    weight = scipy.sparse.random_array((40, 10), density=0.2, format="csr", rng=np.random.default_rng(0))
    layer = snn.LSTM(weight, reverse=True)
    assert layer.sparse and layer.nnz == 80 and repr(layer) == "LSTM(10, sparsity=0.8000, no bias, reverse)"
    assert layer.with_weight(layer.weight * 2, None).options == layer.options


@pytest.mark.parametrize(
    "old, new, message",
    [
        (b'\\"f\\":3', b'\\"f\\":9', r"f must be in \[0, 7\], got 9"),
        (b'\\"reverse\\":1', b'\\"reverse\\":3', r"reverse must be in \[0, 1\], got 3"),
        (b'\\"reverse\\":1,', b"", 'no key "reverse"'),
        (b'\\"peepholes\\":1', b'\\"peepholes\\":0', "must have 4 operands as it says, got 5"),
        (b'\\"clip\\":2.5', b'\\"clip\\":-25', "clip must be finite and at least 0"),
        (b'\\"clip\\":2.5', b'\\"clip\\":2.5,\\"low\\":1', 'key "low" does not belong there'),
        (b'\\"operands\\":[0,2,3,1,4]', b'\\"operands\\":[0,2,4,1,3]', "the initial c must have dims"),
        (
            b'\\"inputs\\":2,\\"outputs\\":8',
            b'\\"inputs\\":2,\\"outputs\\":6',
            r"shape\[0\] must be 7, got 9",
        ),
        (b'"2.3"', b'"2.2"', "came with version 2.3"),
    ],
)
def test_files_that_say_something_else_are_refused(old, new, message):
    """A model file with cells, altered in one place; the header keeps its length."""
    content = (Path(__file__).parents[1] / "golden" / "graph-2.3-recurrent.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size]
    assert header.count(old) == 1
    header = header.replace(old, new).rstrip(b" ")
    header += b" " * (-len(header) % 8)
    from sparsenn import _core

    with pytest.raises(snn.SparsennError, match=message):
        _core.Model.load_memory(len(header).to_bytes(8, "little") + header + content[8 + size :])
