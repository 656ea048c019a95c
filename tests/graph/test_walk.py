"""The oracle over graphs: against plain float64 numpy, its bound, and the walk itself."""

import numpy as np
import pytest
from graphs import only, residual, several

import sparsenn as snn
from sparsenn.graph.walk import walk, walk_back
from sparsenn.layers import GRAPH_TYPES
from sparsenn.reference import reference_with_bound


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_reference_is_what_numpy_gives(case, batch):
    x = case.inputs(batch)
    exact = case.exact({name: array.astype(np.float64) for name, array in x.items()})
    got = snn.reference(case.model, only(x))
    assert isinstance(got, dict) == (len(exact) > 1)
    got = got if isinstance(got, dict) else {next(iter(exact)): got}
    assert list(got) == [value.name for value in case.model.output_values]
    for value in case.model.output_values:
        assert got[value.name].shape == (batch, *value.dims[1:]) and got[value.name].flags.c_contiguous
        np.testing.assert_allclose(got[value.name], exact[value.name], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_float32_is_within_the_bound(case, scale):
    x = {name: array * np.float32(scale) for name, array in case.inputs(40).items()}
    got = case.model.predict(only(x))
    exact, bound = reference_with_bound(case.model, only(x))
    for name in exact if isinstance(exact, dict) else [None]:
        y, z, b = (part if name is None else part[name] for part in (got, exact, bound))
        assert y.dtype == np.float32 and b.dtype == np.float64 and b.shape == z.shape
        assert (abs(y - z) <= b).all()
        assert (b <= 1e-2 * (1 + abs(z).max())).all(), "a bound this loose would show nothing"


def test_the_bound_holds_for_operands_that_are_off_by_theirs():
    rng = np.random.default_rng(0)
    for layer in (snn.Add(), snn.Mul(), snn.Sub(), snn.Div(), snn.Min(), snn.Max(), snn.PReLU()):
        x, y = rng.standard_normal((2, 5, 400))
        x_bound, y_bound = 10.0 ** rng.uniform(-8, 0, (2, 5, 400))
        if isinstance(layer, snn.Div):
            y_bound *= abs(y) / 2
        a = layer.value(x, y)
        bound = layer.bound(x, y, a, x_bound, y_bound)
        for _ in range(20):
            e, f = rng.choice([-1, 1], (2, 5, 400))
            got = layer.value((x + e * x_bound).astype(np.float32), (y + f * y_bound).astype(np.float32))
            rounded = 1e-7 * (abs(x) + abs(y) + 2) * (1 + abs(x) + abs(y))  # of the operands as float32
            if isinstance(layer, snn.Div):
                rounded *= 4 * (1 + 1 / abs(y)) ** 2
            assert (abs(got - a) <= bound + rounded).all()
        if isinstance(layer, (snn.Add, snn.Mul)):
            assert (bound >= (x_bound if isinstance(layer, snn.Add) else abs(y) * x_bound)).all()


# Of a recurrent layer: most units are not read by most gates.
PATTERN = np.where(np.arange(36).reshape(12, 3) % 5 == 1, (np.arange(36).reshape(12, 3) - 17) / 20, 0)

LAYERS = [
    (snn.Add(), [(4, 3), (4, 3)]),
    (snn.Add(), [(4, 1), (1, 3)]),
    (snn.Mul(), [(4, 3), (4, 3)]),
    (snn.Mul(), [(1, 3), (4, 1)]),
    (snn.Sub(), [(4, 1), (1, 3)]),
    (snn.Div(), [(4, 3), (1, 3)]),
    (snn.Min(), [(4, 1), (4, 3)]),
    (snn.Max(), [(4, 3), (4, 3)]),
    (snn.PReLU(), [(4, 3), (4, 1)]),
    (snn.Abs(), [(4, 3)]),
    (snn.Exp(), [(4, 3)]),
    (snn.Log(), [(4, 3)]),
    (snn.Sqrt(), [(2, 4, 3)]),
    (snn.Concat(axis=2), [(4, 3), (4, 2), (4, 1)]),
    (snn.Concat(axis=1), [(2, 3)]),
    (snn.Slice(axis=1, start=1, end=6, step=2), [(7, 2)]),
    (snn.Reshape((3, 2, 2)), [(4, 3)]),
    (snn.Transpose((3, 1, 2)), [(2, 3, 4)]),
    (snn.Conv2d(np.arange(24.0).reshape(2, 3, 2, 2) - 9, padding=(1, 0, 0, 2), stride=(1, 2)), [(3, 4, 3)]),
    (snn.Conv2d(np.arange(18.0).reshape(2, 1, 3, 3) - 8, groups=2, dilation=(1, 2), padding=1), [(2, 3, 5)]),
    (snn.MaxPool2d((2, 3), stride=(1, 2), padding=(1, 1, 0, 1)), [(2, 4, 5)]),
    (snn.AvgPool2d(3, stride=2, padding=1), [(2, 5, 4)]),
    (snn.AvgPool2d((3, 2), padding=(2, 0, 1, 1), count_include_pad=False), [(2, 4, 5)]),
    (snn.BatchNorm([1.0, -2.0, 0.5], [0.5, 0.0, -1.0], [0.1, 0.2, 0.3], [1.0, 0.5, 2.0]), [(3, 4, 2)]),
    (snn.ReduceSum((1, 2)), [(3, 4, 2)]),
    (snn.ReduceMean(2), [(3, 4, 2)]),
    (snn.ReduceMax((2, 3)), [(3, 2, 4)]),
    (snn.ReduceMin(1), [(4, 3)]),
    (snn.AxisSoftmax(2), [(2, 3, 4)]),
    (snn.LogSoftmax(1), [(3, 4)]),
    (snn.Equal(), [(4, 1), (4, 3)]),
    (snn.Less(), [(4, 3), (4, 3)]),
    (snn.LessEqual(), [(4, 3), (1, 3)]),
    (snn.Where(), [(4, 1), (4, 3), (1, 3)]),
    (snn.Expand((4, 3, -1)), [(1, 3, 2)]),
    *((snn.Pad(2, 2, 1, mode, 0.5), [(2, 4, 3)]) for mode in ("constant", "edge", "reflect", "wrap")),
    (snn.DepthToSpace((2, 3)), [(12, 2, 3)]),
    (snn.DepthToSpace(2, depth_first=True), [(8, 1, 3)]),
    (snn.SpaceToDepth((2, 3), depth_first=True), [(2, 4, 3)]),
    (snn.SpaceToDepth(2), [(3, 2, 4)]),
    (snn.Resize(2, size=7), [(2, 4, 3)]),
    (snn.Resize(1, scale=0.6, coordinates="align_corners"), [(5,)]),
    (snn.Resize(3, scale=2.0, mode="nearest", coordinates="asymmetric", rounding="floor"), [(2, 1, 3)]),
    (snn.LayerNorm(np.linspace(0.5, 2, 4), np.arange(4.0), axis=1, epsilon=0.5), [(4, 3)]),
    (snn.LayerNorm(np.linspace(-1, 2, 3), axis=2, epsilon=0.5), [(4, 3, 2)]),
    (snn.RMSNorm(np.linspace(0.5, 2, 3), axis=2, epsilon=0.5), [(4, 3)]),
    (snn.MatMul(), [(2, 4, 3), (2, 3, 5)]),
    (snn.MatMul(turn_a=True, turn_b=True), [(3, 4), (5, 3)]),
    (snn.MatMul(turn_b=True), [(2, 1, 4, 3), (1, 3, 5, 3)]),
    (snn.Attention(0.7), [(2, 3, 4), (2, 3, 5), (2, 2, 5)]),
    (snn.Attention(0.7, causal=True), [(4, 3, 5), (2, 3, 5), (2, 1, 5)]),
    (snn.Attention(0.7), [(2, 3, 4), (1, 3, 5), (1, 2, 5), (2, 1, 5)]),
    (snn.Attention(-0.7, causal=True), [(2, 3, 4), (2, 3, 4), (2, 2, 4), (1, 4, 4)]),
    (snn.Embedding(np.arange(24.0).reshape(8, 3)), [(2, 4)]),
    (snn.Prefix(axis=2, of=1), [(4, 5, 2), (3, 4)]),
    (snn.Linear(np.arange(12.0).reshape(3, 4) - 5), [(4,)]),
    (snn.LSTM(PATTERN[:12]), [(4, 12)]),
    (
        snn.LSTM(PATTERN[:12], np.arange(12) / 9, initial=True, states=True, reverse=True),
        [(4, 12), (3,), (3,)],
    ),
    (snn.LSTM(PATTERN[:12], initial=True, peepholes=True), [(3, 12), (3,), (3,), (9,)]),
    (snn.GRU(PATTERN[:9], np.arange(9) / 9, states=True), [(4, 9)]),
    (snn.GRU(PATTERN[3:], initial=True, reset_after=False, reverse=True), [(4, 9), (3,)]),
    (snn.RNN(PATTERN[:3], initial=True, activations=("sigmoid",)), [(4, 3), (3,)]),
]


def test_every_layer_of_graphs_is_here():
    assert {type(layer) for layer, _ in LAYERS} >= set(GRAPH_TYPES)


def drawn(rng, layer, shapes):
    """Values at which the layer is defined."""
    if isinstance(layer, snn.Embedding):
        return [rng.integers(-4, 4, shape).astype(float) for shape in shapes]
    z = [rng.standard_normal(shape) for shape in shapes]
    return [abs(own) + 0.5 for own in z] if isinstance(layer, (snn.Log, snn.Sqrt, snn.Div)) else z


@pytest.mark.parametrize("layer, shapes", LAYERS, ids=lambda value: repr(value))
def test_gradients_are_slopes(layer, shapes):
    rng = np.random.default_rng(0)
    z = drawn(rng, layer, [(*shape, 2) for shape in shapes])
    a = layer.value(*z)
    da = rng.standard_normal(a.shape)
    got = layer.gradient(*z, a, da)
    got = got if isinstance(got, tuple) else (got,)
    for operand, slope in zip(z, got, strict=True):
        assert slope.shape == operand.shape
        if isinstance(layer, snn.Embedding):  # of numbers of rows there is none
            assert not slope.any()
            continue
        move, h = rng.standard_normal(operand.shape), 1e-5
        ends = [layer.value(*(own + s * h * move if own is operand else own for own in z)) for s in (1, -1)]
        np.testing.assert_allclose(
            (slope * move).sum(), (da * (ends[0] - ends[1])).sum() / (2 * h), rtol=1e-8
        )


@pytest.mark.parametrize("layer, shapes", LAYERS, ids=lambda value: repr(value))
def test_depends_on_what_changes_it(layer, shapes):
    rng = np.random.default_rng(1)
    share = 0.03 if isinstance(layer, snn.Attention) else 0.4  # a place reads nearly all of a head
    masks = [rng.random((*shape, 1)) < share for shape in shapes]
    z = drawn(rng, layer, [mask.shape for mask in masks])
    far = -10 if isinstance(layer, snn.ReduceMin) else 10  # so that an extreme moves too
    steps = np.ones if isinstance(layer, snn.Embedding) else lambda shape: far + rng.random(shape)
    moved = [np.where(mask, own + steps(own.shape), own) for own, mask in zip(z, masks, strict=True)]
    changed = layer.value(*z) != layer.value(*moved)
    steps = snn.Equal, snn.Less, snn.LessEqual, snn.Where, snn.Attention
    if isinstance(layer, (*steps, snn.Min, snn.Max, snn.PReLU)):  # the other operand may be what counts
        assert (layer.depends(*masks) >= changed).all() and not layer.depends(*masks).all()
        assert changed.any() or isinstance(layer, snn.Equal)
    else:
        np.testing.assert_array_equal(layer.depends(*masks), changed)


def test_dynamic_dims_are_known_when_it_runs():
    x = snn.Input((None, 4), name="x")
    turned = snn.Transpose((2, 1))(snn.Add()(x, np.arange(4)))
    model = snn.Model(inputs=x, outputs=[snn.Softmax()(x), snn.Reshape((2, -1))(turned)])
    for steps in (1, 5):
        given = np.random.default_rng(steps).standard_normal((3, steps, 4))
        soft, shaped = snn.reference(model, given).values()
        powers = np.exp(given)
        np.testing.assert_allclose(soft, powers / powers.sum(axis=-1, keepdims=True), rtol=1e-12)
        np.testing.assert_allclose(
            shaped, (given + np.arange(4)).transpose(0, 2, 1).reshape(3, 2, -1), rtol=1e-15
        )
    with pytest.raises(ValueError, match=r"x must have shape \(batch, any, 4\), got \(3, 4\)"):
        snn.reference(model, np.zeros((3, 4)))


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda x: x["a"], r"an array for each of the inputs \['a', 'b'\], got ndarray"),
        (lambda x: {"a": x["a"]}, r"for each of the inputs \['a', 'b'\], got \['a'\]"),
        (lambda x: {**x, "c": x["a"]}, r"got \['a', 'b', 'c'\]"),
        (lambda x: {**x, "b": x["a"]}, r"x\['b'\] must have shape \(batch, 4\), got \(3, 7\)"),
        (lambda x: {**x, "b": x["b"][:2]}, r"as many samples for each input, got \{'a': 3, 'b': 2\}"),
    ],
)  # fmt: skip
def test_inputs_that_are_refused(change, words):
    case = several()
    for run in (snn.reference, reference_with_bound):
        with pytest.raises(ValueError, match=words):
            run(case.model, change(case.inputs(3)))


def test_the_walk_lets_go_of_what_is_read():
    x = value = snn.Input((2,), name="x")
    for _ in range(9):
        value = snn.ReLU()(value)
    model = snn.Model(inputs=x, outputs=snn.Add()(value, x))
    alive, most = set(), 0

    class Token:
        def __init__(self, name):
            self.name = name
            alive.add(name)

        def __del__(self):
            alive.discard(self.name)

    def step(node, operands):
        nonlocal most
        made = Token(node.output.name)
        most = max(most, len(alive))
        return made

    carried = walk(model, {model.input_values[0]: Token("x")}, step, constant=None)
    assert {value.name for value in carried} == {"y"}
    assert most == 3  # x, which Add reads at the end, an operand and its value
    kept = walk(model, {model.input_values[0]: Token("x")}, step, constant=None, keep=True)
    assert len(kept) == len(model.nodes) + 1


def test_walk_back_adds_up_what_readers_hand_back():
    model = residual().model
    x = np.random.default_rng(0).standard_normal((8, 5))
    values = walk(
        model, {model.input_values[0]: x}, lambda node, z: node.layer.value(*z), constant=None, keep=True
    )
    handed = {}

    def step(node, da):
        slopes = node.layer.gradient(*(values[operand] for operand in node.inputs), values[node.output], da)
        slopes = slopes if isinstance(slopes, tuple) else (slopes,)
        for operand, slope in zip(node.inputs, slopes, strict=True):
            handed[operand] = handed.get(operand, 0) + slope
        return slopes

    output = model.output_values[0]
    walk_back(model, {output: np.ones_like(values[output])}, step)
    h, move = 1e-6, np.random.default_rng(1).standard_normal(x.shape)
    ends = [snn.reference(model, (x + s * h * move).T).sum() for s in (1, -1)]
    slope = (handed[model.input_values[0]] * move).sum()
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * h), rtol=1e-6)
