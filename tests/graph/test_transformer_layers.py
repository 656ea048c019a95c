"""Attention, products of values, normalisations and embeddings: plans, NaN, files, exports, errors."""

import numpy as np
import pytest
from test_export_graph import assert_near, run_onnx, run_torch

import sparsenn as snn
from sparsenn.reference import reference_with_bound

RNG = np.random.default_rng(5)
PRODUCTS = [
    (snn.MatMul(), [(3, 7, 5), (3, 5, 33)]),
    (snn.MatMul(turn_a=True), [(3, 5, 7), (1, 5, 16)]),
    (snn.MatMul(turn_b=True), [(1, 2, 13, 5), (3, 1, 33, 5)]),
    (snn.MatMul(True, True), [(1, 1), (17, 1)]),
    (snn.MatMul(), [(101, 530), (530, 9)]),
]
ATTENTIONS = [
    (snn.Attention(), [(3, 8, 7), (3, 8, 9), (3, 5, 9)]),
    (snn.Attention(), [(2, 64, 1), (2, 64, 1), (2, 64, 1)]),
    (snn.Attention(0.5), [(4, 8, 33), (2, 8, 70), (2, 5, 70), (4, 33, 70)]),
    (snn.Attention(), [(2, 16, 128), (1, 16, 300), (1, 16, 300), (1, 1, 300)]),
    (snn.Attention(causal=True), [(2, 5, 40), (2, 5, 40), (2, 6, 40)]),
    (snn.Attention(causal=True), [(1, 5, 290), (1, 5, 290), (1, 6, 290), (1, 290, 1)]),
]
NORMS = [
    (kind(*(RNG.standard_normal(dims[axis - 1]) for _ in kind.constants), axis=axis), [dims])
    for dims, axis in (((5,), 1), ((33, 70), 1), ((33, 70), 2), ((9, 3, 20), 2), ((1, 4), 1))
    for kind in (snn.LayerNorm, snn.RMSNorm)
]
TABLE = RNG.standard_normal((50, 6)).astype(np.float32)
EMBEDDINGS = [(snn.Embedding(TABLE), [(7,)]), (snn.Embedding(TABLE), [(2, 3)])]
LAYERS = [*PRODUCTS, *ATTENTIONS, *NORMS, *EMBEDDINGS]


def model_of(layer, dims: list) -> snn.Model:
    inputs = [snn.Input(own, name=f"x{i}") for i, own in enumerate(dims)]
    return snn.Model(inputs=inputs, outputs={"y": layer(*inputs)})


def drawn(rng, layer, dims: list, batch: int) -> dict:
    given = {f"x{i}": rng.standard_normal((batch, *own), dtype=np.float32) for i, own in enumerate(dims)}
    if isinstance(layer, snn.Embedding):
        given["x0"] = rng.integers(-50, 50, given["x0"].shape).astype(np.float32)
    if len(dims) == 4:  # a mask, as others write it
        hidden = -np.inf if layer.causal else np.finfo(np.float32).min
        given["x3"] = np.where(given["x3"] > 1, hidden, given["x3"]).astype(np.float32)
        given["x3"][..., 0] = 0  # a key that is seen
    return given


def only(given: dict):
    return given if len(given) > 1 else given["x0"]


@pytest.mark.parametrize("layer, dims", LAYERS, ids=repr)
def test_plans_against_the_reference(layer, dims, usable_isas, tmp_path):
    model, rng = model_of(layer, dims), np.random.default_rng(1)
    snn.save(model, tmp_path / "m.safetensors")
    assert b'2.4"' in (tmp_path / "m.safetensors").read_bytes()
    again = snn.load(tmp_path / "m.safetensors")
    assert repr(again.layers) == repr(model.layers)
    given = drawn(rng, layer, dims, 5 if len(dims) > 1 else 70)
    exact, bound = reference_with_bound(model, only(given))
    assert (bound <= 1e-2 * (1 + abs(exact).max())).all()
    for isa in usable_isas:
        bits = None
        for threads, batch in ((1, None), (3, None), (2, 1)):
            plan = snn.compile(again, threads=threads, isa=isa, tune="off", cache=False)
            got = plan.run(only({name: array[:batch] for name, array in given.items()}))
            assert (abs(got - exact[:batch]) <= bound[:batch]).all(), isa
            bits = got if bits is None else bits
            np.testing.assert_array_equal(got, bits[: len(got)])


SOME = [*PRODUCTS[:3], *ATTENTIONS[2:], *NORMS[2:8], EMBEDDINGS[0]]


@pytest.mark.parametrize("layer, dims", SOME, ids=repr)
def test_what_is_not_finite_is_kept_where_it_is_read(layer, dims, usable_isas):
    rng = np.random.default_rng(2)
    given = drawn(rng, layer, dims, 12)
    special = np.float32([np.nan, np.inf, -np.inf, 7, 0.5])
    for sample in range(1, 12):  # one of an operand of each sample
        array = given[f"x{sample % len(dims)}"][sample].reshape(-1)
        array[rng.integers(array.size)] = special[sample % special.size]
    operands = [np.moveaxis(array.astype(np.float64), 0, -1) for array in given.values()]
    model = model_of(layer, dims)
    with np.errstate(all="ignore"):
        exact = np.moveaxis(model.layers[0].value(*operands), -1, 0)
    assert np.isnan(exact).any() and not np.isnan(exact[0]).any()
    for isa in usable_isas:
        got = snn.compile(model, threads=2, isa=isa, tune="off", cache=False).run(only(given))
        np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))
        np.testing.assert_allclose(got, exact, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("zeros", [False, True])
def test_all_keys_hidden_is_nan_and_a_few_are_no_key(zeros, usable_isas):
    """A first block of keys without one that is seen, as padding in front is."""
    q, k, v, mask = (np.zeros((2, 1, 1, n), np.float32) for n in (3, 600, 600, 600))
    mask[0], mask[1, ..., :590] = -np.inf, -np.inf
    v[..., 590:] = np.arange(10)
    model = model_of(snn.Attention(1.0, zeros=zeros), [(1, 1, 3), (1, 1, 600), (1, 1, 600), (1, 1, 600)])
    for isa in usable_isas:
        plan = snn.compile(model, isa=isa, tune="off", cache=False)
        got = plan.run({"x0": q, "x1": k, "x2": v, "x3": mask})
        np.testing.assert_array_equal(got[0], 0 if zeros else np.nan)
        np.testing.assert_allclose(got[1], 4.5, rtol=1e-6)


def test_numbers_that_are_no_row_give_nan():
    x = np.float32([[0, 49, -50, 50, -51, 0.5, np.nan], [np.inf, 1e30, -1, 7, 2, 3, 4]])
    plan = snn.compile(model_of(snn.Embedding(TABLE), [(7,)]), tune="off", cache=False)
    got, wrong = plan.run(x), np.array([[0, 0, 0, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0, 0]], bool)
    np.testing.assert_array_equal(np.isnan(got), np.repeat(wrong[..., None], 6, axis=2))
    np.testing.assert_array_equal(got[~wrong], TABLE[x[~wrong].astype(int)])
    np.testing.assert_array_equal(snn.reference(plan_model(plan), x)[~wrong], got[~wrong])
    np.testing.assert_array_equal(plan.run(x[:, ::-1].astype(np.float64)), got[:, ::-1])


def plan_model(plan) -> snn.Model:
    from sparsenn.bridge import from_core

    return from_core(plan._handle.model())


@pytest.mark.parametrize("layer, dims", LAYERS, ids=repr)
def test_exports_give_the_same(layer, dims):
    model, given = model_of(layer, dims), drawn(np.random.default_rng(3), layer, dims, 3)
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    assert_near(model, given, run_onnx(snn.to_onnx(model), given))
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    assert_near(model, given, run_torch(torch, snn.to_torch(model), model, given))


def test_sizes_may_be_open():
    q, x = snn.Input((2, 8, None), name="q"), snn.Input((None, 5), name="x")
    model = snn.Model(
        inputs=[q, x],
        outputs={
            "y": snn.Attention(causal=True)(q, q, q),
            "z": snn.MatMul(turn_b=True)(snn.LayerNorm(np.ones(5))(x), x),
        },
    )
    plan, rng = snn.compile(model, tune="off", cache=False), np.random.default_rng(4)
    for tokens in (1, 9, 40):
        given = {
            "q": rng.standard_normal((2, 2, 8, tokens), dtype=np.float32),
            "x": rng.standard_normal((2, tokens + 1, 5), dtype=np.float32),
        }
        assert_near(model, given, plan.run(given))


def test_constants_are_operands():
    x = snn.Input((4, 6), name="x0")
    matrix, mask = RNG.standard_normal((2, 6, 3)), np.triu(np.full((4, 4), -np.inf), 1)
    h = snn.MatMul()(snn.Reshape((1, 4, 6))(x), matrix)
    turned = snn.Reshape((2, 3, 4))(snn.MatMul(turn_a=True)(h, np.eye(4)))
    y = snn.Attention()(turned, turned, turned, mask)
    model = snn.Model(inputs=x, outputs={"y": y, "h": h})
    given = {"x0": RNG.standard_normal((3, 4, 6)).astype(np.float32)}
    got = snn.compile(model, tune="off", cache=False).run(given["x0"])
    assert_near(model, given, got)
    hidden = snn.Model(inputs=x, outputs=snn.Attention(causal=True)(turned, turned, turned))
    np.testing.assert_allclose(snn.reference(hidden, given["x0"]), snn.reference(model, given["x0"])["y"])


def test_a_constant_in_front_of_values():
    x, token = snn.Input((4, 3), name="x0"), np.arange(3, dtype=np.float32).reshape(1, 3)
    table = np.arange(40, dtype=np.float32).reshape(8, 5)[:, :3]
    both = snn.Concat(axis=1)(token, snn.ReLU()(x), x)
    y = snn.Add()(both, np.float32(0.5))
    model = snn.Model(inputs=x, outputs={"y": y, "z": snn.Add()(snn.Prefix()(table, x), x)})
    given = {"x0": RNG.standard_normal((3, 4, 3)).astype(np.float32)}
    got = snn.compile(model, tune="off", cache=False).run(given["x0"])
    np.testing.assert_array_equal(got["y"][:, 0], np.broadcast_to(token + np.float32(0.5), (3, 3)))
    np.testing.assert_array_equal(got["z"], given["x0"] + table[:4])
    assert_near(model, given, got)
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    assert_near(model, given, run_onnx(snn.to_onnx(model), given))
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    assert_near(model, given, run_torch(torch, snn.to_torch(model), model, given))


def test_what_is_refused():
    x, q = snn.Input((3, 4)), snn.Input((2, 8, 5))
    for make, words in (
        (lambda: snn.MatMul()(x, x), r"as many columns as b has rows, got \(None, 3, 4\)"),
        (lambda: snn.MatMul()(snn.Input((4,)), x), "a of MatMul must have two axes behind the batch"),
        (lambda: snn.MatMul()(snn.Input((2, 3, 4)), snn.Input((3, 4, 5))), "as numpy broadcasts"),
        (lambda: snn.Attention()(x, x, x), "q of Attention must have dims"),
        (lambda: snn.Attention()(q, snn.Input((2, 7, 5)), q), "q, k and v of Attention must fit"),
        (lambda: snn.Attention()(snn.Input((3, 8, 5)), q, q), "q, k and v of Attention must fit"),
        (lambda: snn.Attention()(q, q, q, np.zeros((3, 5))), "mask of Attention must be broadcast"),
        (lambda: snn.Attention(np.inf), "scale must be"),
        (lambda: snn.LayerNorm(np.ones(3))(x), "must have the 3 places of scale along axis 2, got"),
        (lambda: snn.LayerNorm(np.ones(3), np.ones(4)), r"shift must have the shape \(3,\) of scale"),
        (lambda: snn.RMSNorm(np.ones((3, 1))), r"scale must have shape \(places,\)"),
        (lambda: snn.RMSNorm(np.ones(4), epsilon=-1), "epsilon must be"),
        (lambda: snn.LayerNorm(np.ones(4), axis=0)(x), "axis of LayerNorm must be behind the batch"),
        (lambda: snn.Prefix()(np.ones((2, 4)), x), "the constant of Prefix must have 3 places along axis 1"),
        (lambda: snn.Prefix()(x, x), "operands of Prefix must be a constant and a value"),
        (lambda: snn.Embedding(np.ones(4)), r"table must have shape \(rows, features\)"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
    with pytest.raises(TypeError, match="causal must be True or False"):
        snn.Attention(causal=1)
