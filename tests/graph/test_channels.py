"""Channels go in groups that hang together: what is left computes what the whole did without them."""

import warnings
from functools import partial

import numpy as np
import pytest
from channel_networks import NETWORKS, Maker, mean, mobilenet, resnet
from conv_networks import conv, model_of
from graphs import linear

import sparsenn as snn
from sparsenn.prune.criteria import find_criterion
from sparsenn.prune.criteria.random import importance
from sparsenn.prune.narrow import remove_units
from sparsenn.prune.unit_scores import unit_scores
from sparsenn.prune.units import units_of


@pytest.fixture(autouse=True)
def no_word_of_cuts():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "pruned too far")
        yield


def given(model: snn.Model, batch: int = 3, seed: int = 0) -> np.ndarray:
    dims = [dim or 11 for dim in model.input_values[0].dims[1:]]
    return np.random.default_rng(seed).standard_normal((batch, *dims)).astype(np.float32)


def assert_same(one: snn.Model, other: snn.Model, *, seed: int = 0) -> None:
    x = given(one, seed=seed)
    wanted = snn.reference(one, x)
    np.testing.assert_allclose(snn.reference(other, x), wanted, rtol=0, atol=2e-6 * (1 + abs(wanted).max()))


def shapes(model: snn.Model) -> list:
    return [layer.shape for layer in model.linear_layers]


def unread(model: snn.Model, gone: np.ndarray) -> snn.Model:
    """The whole model, in which no weight reads the groups that are gone."""
    units, whole = units_of(model), model.copy()
    for index, layer in enumerate(whole.linear_layers):
        weight = layer.weight.toarray() if layer.sparse else layer.weight.copy()
        weight[:, gone[units.column_groups(index, layer)]] = 0
        layer.weight = weight
    return whole


def gone_of(model: snn.Model, pruned: snn.Model) -> np.ndarray:
    """Which groups were removed, told by the biases, all of which differ."""
    units = units_of(model)
    gone = np.zeros(units.count + 1, bool)
    for rows, before, after in zip(units.rows, model.linear_layers, pruned.linear_layers, strict=True):
        gone[rows[~np.isin(before.bias, after.bias)]] = True
    return gone


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sparsity", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_the_rest_computes_the_same_without_what_went(name, sparsity, scope):
    model = NETWORKS[name]
    for seed in range(3):
        pruned = snn.prune(
            model,
            sparsity=sparsity,
            structure="channel",
            scope=scope,
            criterion=partial(importance, seed=seed),
        )
        assert pruned.nnz < model.nnz
        gone = gone_of(model, pruned)
        count = units_of(model).count
        if sparsity < 0.9:
            assert abs(gone.sum() - sparsity * count) <= 0.15 * count
        assert_same(unread(model, gone), pruned)
        x = given(model)
        np.testing.assert_allclose(
            snn.compile(pruned, tune="off", cache=False).run(x),
            snn.reference(pruned, x),
            rtol=1e-4,
            atol=1e-4,
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_torch_and_onnx_runtime_agree(name, tmp_path):
    torch, runtime = pytest.importorskip("torch"), pytest.importorskip("onnxruntime")
    model = NETWORKS[name]
    pruned = snn.prune(model, sparsity=0.4, structure="channel")
    x = given(model)
    with torch.no_grad():
        wanted = snn.to_torch(unread(model, gone_of(model, pruned)))(torch.from_numpy(x)).numpy()
    got = snn.compile(pruned, tune="off", cache=False).run(x)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    snn.to_onnx(pruned, tmp_path / "pruned.onnx")
    session = runtime.InferenceSession(tmp_path / "pruned.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sparse", [False, True])
def test_what_nothing_reads_goes_by_itself(name, sparse):
    model = NETWORKS[name]
    pruned = snn.prune(model, sparsity=0.4, structure="channel", criterion="random")
    whole = unread(model, gone_of(model, pruned))
    dropped = snn.drop_dead_neurons(snn.prune(whole, sparsity=0) if sparse else whole)
    smaller = [
        one[0] <= other[0] and one[1] <= other[1]
        for one, other in zip(shapes(dropped), shapes(pruned), strict=True)
    ]
    assert all(smaller) and shapes(snn.drop_dead_neurons(dropped)) == shapes(dropped)
    assert_same(whole, dropped)


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_without_weights_go_where_nothing_is_missed(name):
    """Half of all rows are zero, biases too: by all activations but a Sigmoid these stay zero."""
    rng = np.random.default_rng(1)
    model = NETWORKS[name].copy()
    for layer in model.linear_layers[:-1]:
        weight = layer.weight.toarray() if layer.sparse else layer.weight.copy()
        out = rng.random(layer.shape[0]) < 0.5
        weight[out], bias = 0, np.where(out, 0, layer.bias)
        layer.weight, layer.bias = weight, bias
    dropped = snn.drop_dead_neurons(model)
    assert dropped.nnz < 0.8 * model.nnz and shapes(dropped)[-1][0] == shapes(model)[-1][0]
    assert_same(model, dropped)


def random_network(seed: int) -> snn.Model:
    """Convolutions, pools, joins and cuts at random places, some rows zero, some with a bias all the same."""
    rng = np.random.default_rng(seed)
    make = Maker(1000 * seed)
    x = snn.Input((4, 9, 8), name="x")
    values = [x]
    activations = (snn.ReLU(), snn.Tanh(), snn.Sigmoid(), snn.SiLU(), snn.ClippedReLU(-1, 1))
    for _ in range(10):
        h = values[rng.integers(len(values))]
        channels, height, width = h.dims[1:]
        kind = rng.integers(9)
        alike = [one for one in values if one.dims == h.dims]
        fits = [one for one in values if one.dims[2:] == h.dims[2:]]
        if kind == 0:
            h = snn.Add()(h, alike[rng.integers(len(alike))])
        elif kind == 1:
            h = snn.Mul()(h, alike[rng.integers(len(alike))])
        elif kind == 2 and channels < 20:
            h = snn.Concat(axis=1)(h, fits[rng.integers(len(fits))])
        elif kind == 3 and channels > 2:
            h = snn.Slice(axis=1, start=1, end=int(rng.integers(2, channels + 1)))(h)
        elif kind == 4 and height > 4:
            h = (snn.MaxPool2d(3, 2, 1), snn.AvgPool2d(3, 1, 1), snn.AvgPool2d(2, 2))[rng.integers(3)](h)
        elif kind == 5:
            h = snn.Mul()(h, rng.standard_normal((channels, 1, 1)).astype(np.float32))
        elif kind == 6:
            gate = snn.Sigmoid()(make.linear(mean(h), channels))
            h = snn.Mul()(h, snn.Reshape((channels, 1, 1))(gate))
        size = int(rng.choice([1, 2, 3]))
        groups = channels if rng.random() < 0.25 else 1
        options = {
            "padding": int(rng.integers(0, 2)),
            "stride": 1 if h.dims[2] < 6 else int(rng.integers(1, 3)),
        }
        if min(h.dims[2:]) < size:
            size, options = 1, {}
        channels = h.dims[1]
        groups = channels if groups > 1 else 1
        rows = channels if groups > 1 else int(rng.integers(2, 9))
        h = make.conv(h, rows, size, groups=groups, sparsity=0.5 if rng.random() < 0.3 else 0.0, **options)
        values.append(activations[rng.integers(len(activations))](h))
    last = values[-2:]
    outputs = {"a": make.linear(snn.Flatten()(last[0]), 3), "b": make.linear(mean(last[1]), 2)}
    model = snn.Model(inputs=x, outputs=outputs)
    for layer in model.linear_layers:
        weight = layer.weight.toarray() if layer.sparse else layer.weight.copy()
        weight[rng.random(layer.shape[0]) < 0.3] = 0
        weight[:, rng.random(layer.shape[1]) < 0.1] = 0
        layer.weight = weight
        layer.bias = np.where(rng.random(layer.shape[0]) < 0.3, 0, layer.bias)
    return model


def test_dropping_changes_nothing_in_random_networks():
    removed = 0
    for seed in range(40):
        model = random_network(seed)
        dropped = snn.drop_dead_neurons(snn.prune(model, sparsity=0) if seed % 2 else model)
        x = given(model, seed=seed)
        before, after = snn.reference(model, x), snn.reference(dropped, x)
        for name, wanted in before.items():
            np.testing.assert_allclose(after[name], wanted, rtol=0, atol=2e-6 * (1 + abs(wanted).max()))
        removed += sum(a[0] - b[0] for a, b in zip(shapes(model), shapes(dropped), strict=True))
    assert removed > 200


def test_any_groups_go_from_random_networks():
    rng, removed = np.random.default_rng(0), 0
    for seed in range(40):
        model = random_network(seed)
        units = units_of(model)
        gone = rng.random(units.count + 1) < rng.choice([0.2, 0.5, 0.9])
        gone[0] = False
        units.leave_one(gone, rng.random(units.count + 1))
        removed += gone.sum()
        pruned = remove_units(model, units, gone, [np.zeros(layer.shape[1]) for layer in model.linear_layers])
        x = given(model, seed=seed)
        wanted, got = snn.reference(unread(model, gone), x), snn.reference(pruned, x)
        run = snn.compile(pruned, tune="off", cache=False).run(x)
        for name, values in wanted.items():
            np.testing.assert_allclose(got[name], values, rtol=0, atol=2e-6 * (1 + abs(values).max()))
            np.testing.assert_allclose(run[name], values, rtol=0, atol=1e-4 * (1 + abs(values).max()))
    assert removed > 300


@pytest.mark.parametrize("kind", [snn.ReduceMean, snn.ReduceMax, snn.ReduceMin, snn.ReduceSum])
def test_channels_through_reductions(kind):
    """Over the positions a channel stays a channel; over the channels all are needed."""
    make = Maker()
    x = snn.Input((3, 7, 6), name="x")
    h = make.conv(x, 6, 3)
    h.producer.layer.weight = h.producer.layer.weight * (np.arange(6) != 2)[:, None]
    y = make.linear(snn.Flatten()(kind((2, 3))(snn.Sigmoid()(h))), 4)
    model = snn.Model(inputs=x, outputs=y)
    dropped = snn.drop_dead_neurons(model)
    assert shapes(dropped) == [(5, 27), (4, 5)]
    assert_same(model, dropped)
    pruned = snn.prune(model, structure="channel", sparsity=0.5)
    assert shapes(pruned) == [(3, 27), (4, 3)]
    rows = make.linear(snn.Flatten()(kind(2)(h)), 4)
    assert shapes(snn.drop_dead_neurons(snn.Model(inputs=x, outputs=rows))) == [(5, 27), (4, 5 * 4)]
    over = make.linear(snn.Flatten()(kind(1)(h)), 4)
    obstacle = units_of(snn.Model(inputs=x, outputs=over)).obstacles[0]
    assert obstacle == f"before a {kind.__name__}"


def padded(padding: int, bias: float, activation=snn.Sigmoid) -> snn.Model:
    first = conv(4, 3, 3, 3, seed=0)
    weight = first.weight.copy()
    weight[1] = 0
    first.weight, first.bias = weight, [1.0, bias, 2.0, 3.0]
    x = snn.Input((3, 7, 6), name="x")
    return snn.Model(inputs=x, outputs=conv(2, 4, 3, 3, seed=1, padding=padding)(activation()(first(x))))


@pytest.mark.parametrize(
    "padding, bias, activation, left",
    [(0, 0.7, snn.Sigmoid, 3), (1, 0.7, snn.Sigmoid, 4), (1, 0.0, snn.Sigmoid, 4), (1, -2.0, snn.ReLU, 3),
     (1, 0.0, snn.Tanh, 3), ((1, 0, 0, 0), 0.7, snn.ReLU, 4)],
)  # fmt: skip
def test_a_constant_channel_goes_into_the_bias_where_padding_allows(padding, bias, activation, left):
    model = padded(padding, bias, activation)
    dropped = snn.drop_dead_neurons(model)
    assert shapes(dropped) == [(left, 27), (2, 9 * left)]
    assert_same(model, dropped)


def test_constants_through_pools_and_depthwise_convolutions():
    """0.5 stays 0.5 in a mean that counts no padding; a depthwise filter makes another constant of it."""
    first, deep = conv(3, 2, 1, 1, seed=0), conv(3, 1, 2, 2, seed=1, groups=3)
    weight = first.weight.copy()
    weight[2] = 0
    first.weight, first.bias = weight, [1, 2, 0.5]
    for pool, left in (
        (snn.AvgPool2d(3, 2, 1, count_include_pad=False), 2),
        (snn.MaxPool2d(3, 2, 1), 2),
        (snn.AvgPool2d(3, 2), 2),
        (snn.AvgPool2d(3, 2, 1), 3),
    ):
        x = snn.Input((2, 9, 8), name="x")
        h = snn.Tanh()(deep(pool(first(x))))
        model = snn.Model(inputs=x, outputs=linear(2, h.dims[1] * h.dims[2] * h.dims[3], 3)(snn.Flatten()(h)))
        dropped = snn.drop_dead_neurons(model)
        assert [layer.shape[0] for layer in dropped.linear_layers] == [left, left, 2]
        assert_same(model, dropped)


def test_sizes_that_are_known_only_when_it_runs():
    make = Maker()
    x = snn.Input((3, None, None), name="x")
    h = snn.ReLU()(make.conv(x, 6, 3, padding=1))
    h = snn.Add()(make.conv(h, 6, 3, padding=1), h)
    h = snn.MaxPool2d(2)(snn.Concat(axis=1)(h, make.conv(x, 4, 3, padding=1)))
    flat = snn.Reshape((10, -1))(h)
    model = snn.Model(inputs=x, outputs={"maps": make.conv(h, 3, 1), "rows": snn.Mul()(flat, 2.0)})
    assert set(units_of(model).obstacles) == {"of an output"}
    model = snn.Model(inputs=x, outputs=make.conv(snn.Concat(axis=2)(h, snn.Tanh()(h)), 3, 1))
    pruned = snn.prune(model, structure="channel", sparsity=0.5)
    assert pruned.linear_layers[-1].shape[1] < 10
    assert_same(unread(model, gone_of(model, pruned)), pruned)
    mixed = snn.Reshape((-1, 10))(h)
    model = snn.Model(inputs=x, outputs=snn.Mul()(mixed, mixed))
    assert units_of(model).obstacles[0] == "before a Reshape"


def test_residual_and_depthwise_channels_go_together():
    pruned = snn.prune(model_of((3, 20, 20), resnet), structure="channel", sparsity=0.5, scope="layer")
    widths = [layer.shape[0] for layer in pruned.linear_layers]
    assert widths[0] == widths[2] == widths[4] == 4 and widths[6] == widths[7] == widths[9] == 8
    pruned = snn.prune(model_of((3, 20, 20), mobilenet), structure="channel", sparsity=0.5, scope="layer")
    for before, deep in zip(pruned.linear_layers[3:10:3], pruned.linear_layers[4:11:3], strict=True):
        assert deep.window.kernel == (3, 3) and deep.nnz == 9 * deep.channels
        assert before.shape[0] == deep.channels == deep.shape[0]


def test_what_a_group_of_channels_counts():
    """A channel that a depthwise and a grouped convolution read: a weight counts among its own group's."""
    make = Maker()
    x = snn.Input((3, 9, 8), name="x")
    h = make.conv(make.conv(x, 4, 3), 4, 3, groups=4)
    model = snn.Model(inputs=x, outputs=make.conv(h, 6, 1, groups=2))
    first, deep, last = (abs(layer.dense_kernel.astype(np.float64)) for layer in model.linear_layers)
    units = units_of(model)
    assert [rows.tolist() for rows in units.rows] == [[1, 2, 3, 4], [1, 2, 3, 4], [0] * 6]
    score = unit_scores(model, units, find_criterion("magnitude")(model, None))
    own = deep[range(4), range(4)].mean(axis=(1, 2))
    incoming = (first.mean(axis=(1, 2, 3)) + own) / 2
    outgoing = (own + last[:, :, 0, 0].sum(axis=0) / 3) / 2
    np.testing.assert_allclose(score[1:], incoming + outgoing, rtol=1e-6)


def test_what_is_asked_for_by_layer():
    model = NETWORKS["resnet"]
    pruned = snn.prune(model, structure="channel", sparsity={1: 0.5, 5: 0.25})
    widths = [layer.shape[0] for layer in pruned.linear_layers]
    assert widths == [8, 4, 8, 8, 8, 12, 16, 16, 16, 16, 5]
    widths = [
        layer.shape[0] for layer in snn.prune(model, structure="channel", sparsity={2: 0.5}).linear_layers
    ]
    assert widths == [4, 8, 4, 8, 4, 16, 16, 16, 16, 16, 5]
    kept = snn.prune(model, structure="channel", sparsity=0.9, keep=(2, 9))
    assert [kept.linear_layers[i].shape[0] for i in (0, 2, 4, 6, 7, 9)] == [8, 8, 8, 16, 16, 16]
    with pytest.raises(
        ValueError, match=r"layers whose channels go together, got 0.5 for layer 0 and 0.1 for"
    ):
        snn.prune(model, structure="channel", sparsity={0: 0.5, 2: 0.1})
    with pytest.raises(ValueError, match="got 10, whose are those of an output"):
        snn.prune(model, structure="channel", sparsity={10: 0.5})
    with pytest.raises(ValueError, match="must have a hidden layer that keep does not name, got none"):
        snn.prune(model, structure="channel", keep=range(10))


def test_the_mean_over_data_goes_into_the_biases():
    """Nothing but the mean of what a channel holds is lost where it goes into a mean over all positions."""
    model = model_of((3, 8, 8), lambda x: linear(4, 6, 1)(mean(conv(6, 3, 3, 3, padding=1)(x))))
    x = given(model, 50)
    pruned = snn.prune(model, structure="channel", sparsity=0.5, data=x)
    assert shapes(pruned) == [(3, 27), (4, 3)]
    np.testing.assert_allclose(pruned.predict(x).mean(axis=0), model.predict(x).mean(axis=0), atol=1e-5)
    deep = model_of((3, 8, 8), lambda x: mean(conv(4, 6, 3, 3, seed=1, padding=1)(conv(6, 3, 3, 3)(x))))
    pruned = snn.prune(deep, structure="channel", sparsity=0.5, data=x)
    np.testing.assert_allclose(pruned.predict(x).mean(axis=0), deep.predict(x).mean(axis=0), atol=1e-4)


@pytest.mark.parametrize(
    "criterion", ["magnitude", "contribution", "gradient", "taylor", "hessian", "random"]
)
def test_every_criterion_ranks_channels(criterion, rng):
    model = NETWORKS["mobilenet"]
    x, y = given(model, 12), rng.integers(0, 5, 12)
    pruned = snn.prune(model, structure="channel", sparsity=0.3, criterion=criterion, data=(x, y))
    assert pruned.nnz < model.nnz
    snn.compile(pruned, tune="off", cache=False).run(x)
