"""Encoders from ONNX files: any number of tokens, with padding, as exporters write them; in bounds."""

import io
import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
pytest.importorskip("onnxruntime", reason="NOT TESTED here: onnxruntime is not installed")

from graphs import only  # noqa: E402
from test_export_graph import run_onnx  # noqa: E402

import sparsenn as snn  # noqa: E402
from sparsenn.reference import reference_with_bound  # noqa: E402

NAMES = ["input_ids", "attention_mask"]


def drawn(rng, tokens: int, batch: int, vocabulary: int = 101) -> dict:
    """Ids and a mask, of sequences of unlike lengths."""
    mask = np.ones((batch, tokens), np.int64)
    for sample in range(1, batch):
        mask[sample, max(1, tokens - 5 * sample) :] = 0
    return dict(zip(NAMES, (rng.integers(0, vocabulary, (batch, tokens)), mask), strict=True))


def assert_agrees(model, plan, proto, given: dict) -> None:
    """The plan is within the bound of float64, and as near to ONNX Runtime as that is."""
    exact, bound = reference_with_bound(model, only(given))
    got, wanted = plan.run(only(given)), list(run_onnx(proto, given).values())
    got, exact, bound = (
        list(own.values()) if isinstance(own, dict) else [own] for own in (got, exact, bound)
    )
    assert len(got) == len(wanted)
    for ours, theirs, y, b in zip(got, wanted, exact, bound, strict=True):
        assert ours.shape == theirs.shape and (abs(ours - y) <= b).all()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=4e-6 * abs(theirs).max())


def kinds(model) -> set[str]:
    return {type(layer).__name__ for layer in model.layers}


# ---- by hand ----


def encoder(*, fused: bool, mask: str = "added", most: int = 40, heads: int = 2, hidden: int = 8):
    """One block, node by node; fused: with the operator LayerNormalization, else its formula."""
    rng, nodes, stored = np.random.default_rng(3), [], {}

    def constant(value, dtype=np.float32) -> str:
        stored[f"c{len(stored)}"] = np.asarray(value, dtype)
        return f"c{len(stored) - 1}"

    def node(op: str, *inputs: str, **attributes) -> str:
        nodes.append(onnx.helper.make_node(op, inputs, [f"v{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def whole(*values: int) -> str:
        return constant(values, np.int64)

    def linear(x: str, rows: int, columns: int) -> str:
        product = node("MatMul", x, constant(rng.standard_normal((columns, rows)) / columns**0.5))
        return node("Add", constant(rng.standard_normal(rows) / 4), product)

    def norm(x: str) -> str:
        scale, shift = constant(rng.uniform(0.5, 1.5, hidden)), constant(rng.standard_normal(hidden) / 4)
        if fused:
            return node("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-6)
        off = node("Sub", x, node("ReduceMean", x, axes=[-1]))
        square = node("ReduceMean", node("Pow", off, constant(2.0)), axes=[-1])
        root = node("Sqrt", node("Add", square, constant(1e-6)))
        return node("Add", node("Mul", node("Div", off, root), scale), shift)

    def split(x: str, order: list[int]) -> str:
        return node("Transpose", node("Reshape", x, whole(0, 0, heads, hidden // heads)), perm=order)

    tokens = node("Slice", node("Shape", "input_ids"), whole(1), whole(2))
    places = node("Slice", constant(np.arange(most), np.int64), whole(0), tokens)
    words, table = (constant(rng.standard_normal((count, hidden))) for count in (101, most))
    x = norm(node("Add", node("Gather", words, "input_ids"), node("Gather", table, places)))
    q, k, v = (
        split(linear(x, hidden, hidden), order) for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    )
    scores = node("Div", node("MatMul", q, k), constant((hidden / heads) ** 0.5))
    seen = node("Unsqueeze", "attention_mask", whole(1, 2))
    if mask == "added":
        away = node("Sub", constant(1.0), node("Cast", seen, to=1))
        scores = node("Add", scores, node("Mul", away, constant(np.finfo(np.float32).min)))
    else:
        every = node("Expand", seen, node("Shape", scores))
        scores = node("Where", node("Equal", every, constant(0, np.int64)), constant(-np.inf), scores)
    mixed = node("Transpose", node("MatMul", node("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    x = norm(node("Add", linear(node("Reshape", mixed, whole(0, 0, hidden)), hidden, hidden), x))
    up = linear(x, 3 * hidden, hidden)
    gate = node("Add", node("Erf", node("Div", up, constant(2**0.5))), constant(1.0))
    x = norm(node("Add", linear(node("Mul", node("Mul", up, gate), constant(0.5)), hidden, 3 * hidden), x))
    shown = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", "tokens"])
        for name in NAMES
    ]
    result = onnx.helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, ["batch", "tokens", hidden])
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = onnx.helper.make_graph(nodes, "encoder", shown, [result], initializer=tensors)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("mask", ["added", "filled"])
@pytest.mark.parametrize("fused", [False, True], ids=["formulas", "operators"])
def test_any_number_of_tokens(fused, mask, tmp_path):
    proto, rng = encoder(fused=fused, mask=mask), np.random.default_rng(0)
    model = snn.from_onnx(proto)
    assert {"Embedding", "Prefix", "LayerNorm", "Attention", "GELU", "Conv2d"} <= kinds(model)
    assert kinds(model).isdisjoint({"MatMul", "AxisSoftmax", "ReduceMean", "Expand"})
    assert sum(isinstance(layer, snn.Transpose) for layer in model.layers) == 2  # tokens last, and back
    snn.save(model, tmp_path / "m.safetensors")
    plan = snn.compile(snn.load(tmp_path / "m.safetensors"), threads=2, tune="off", cache=False)
    for tokens, batch in ((1, 1), (7, 3), (40, 3)):
        assert_agrees(model, plan, proto, drawn(rng, tokens, batch))
    with pytest.raises(ValueError, match="prefix: the constant has 40 places along axis 1, got"):
        plan.run(drawn(rng, 41, 1))


@pytest.mark.parametrize("criterion", ["magnitude", "random"])
def test_pruned_to_a_file_and_back(criterion, tmp_path):
    proto, rng = encoder(fused=True), np.random.default_rng(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of outputs that depend on nothing
        model = snn.prune(snn.from_onnx(proto), sparsity=0.8, criterion=criterion)
    assert model.sparsity == pytest.approx(0.8, abs=0.01) and all(
        layer.sparse for layer in model.linear_layers
    )
    snn.save(model, tmp_path / "m.safetensors")
    plan = snn.compile(snn.load(tmp_path / "m.safetensors"), threads=2, tune="off", cache=False)
    exported = snn.to_onnx(model)
    for tokens in (1, 9):
        given = drawn(rng, tokens, 2)
        exact, bound = reference_with_bound(model, given)
        assert (abs(plan.run(given) - exact) <= bound).all()
        floats = {name: array.astype(np.float32) for name, array in given.items()}
        (wanted,) = run_onnx(exported, floats).values()
        np.testing.assert_allclose(plan.run(given), wanted, rtol=0, atol=1e-5 * abs(wanted).max())


def test_fixed_tokens_are_the_same():
    proto, rng = encoder(fused=True), np.random.default_rng(2)
    given = drawn(rng, 12, 3)
    fixed = snn.from_onnx(proto, input_shapes=dict.fromkeys(NAMES, (None, 12)))
    y = [snn.compile(m, tune="off", cache=False).run(given) for m in (fixed, snn.from_onnx(proto))]
    np.testing.assert_array_equal(*y)


# ---- from torch ----

BERTS = {
    "masks added": {},
    "masks filled": {"form": "filled", "types": False, "gelu": "formula"},
    "booleans": {"form": "sdpa", "gelu": "tanh"},
    "formulas": {"norm": "plain", "gelu": "formula of tanh"},
    "indexed": {"form": "indexed"},
    "indexed, added": {"form": "indexed", "added": True},
    "quick": {"form": "sdpa", "norm": "plain", "gelu": "quick"},
}


def exported(module, example: tuple, names: list[str], sizes: list[str], *, opset: int, dynamo: bool):
    """The file of a module whose inputs have these open sizes."""
    import torch

    module.eval()
    dynamic = [dict(enumerate(sizes))] * len(names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            pytest.importorskip("onnxscript", reason="onnxscript is not installed")
            dims = {name: torch.export.Dim(name, min=1, max=64) for name in sizes}
            shapes = tuple({i: dims[name] for i, name in own.items()} for own in dynamic)
            options = {"opset_version": opset, "input_names": names, "dynamic_shapes": shapes}
            return torch.onnx.export(module, example, dynamo=True, verbose=False, **options).model_proto
        file = io.BytesIO()
        options = {"dynamic_axes": dict(zip(names, dynamic, strict=True)), "opset_version": opset}
        torch.onnx.export(module, example, file, input_names=names, dynamo=False, **options)
    return onnx.load_from_string(file.getvalue())


@pytest.mark.parametrize(
    "name, dynamo, opset",
    [
        *((name, False, opset) for name in BERTS for opset in (11, 17)),
        *(("indexed", True, 18), ("indexed", True, 23), ("indexed, added", True, 23)),
        *(("booleans", True, 18), ("booleans", True, 23), ("masks filled", True, 20)),
    ],
)
def test_bert_of_torch(name, dynamo, opset):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    from encoders import Bert, PlainNorm

    options = {key: PlainNorm if value == "plain" else value for key, value in BERTS[name].items()}
    if opset == 11 and options.get("form") in ("sdpa", "indexed"):
        pytest.skip("NOT TESTED here: torch writes it from opset 14 on")
    torch.manual_seed(4)
    example = torch.randint(0, 101, (2, 9)), torch.ones(2, 9, dtype=torch.int64)
    proto = exported(Bert(**options), example, NAMES, ["batch", "tokens"], opset=opset, dynamo=dynamo)
    model, rng = snn.from_onnx(proto), np.random.default_rng(5)
    assert sum(isinstance(layer, snn.Attention) for layer in model.layers) == 2
    assert kinds(model).isdisjoint({"MatMul", "AxisSoftmax", "ReduceMean", "Expand"})
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    for tokens, batch in ((1, 3), (7, 1), (64, 3)):
        assert_agrees(model, plan, proto, drawn(rng, tokens, batch))


@pytest.mark.parametrize("dynamo, opset", [(False, 17), (True, 18), (True, 23)])
def test_vit_of_torch(dynamo, opset):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    from encoders import ViT

    torch.manual_seed(6)
    proto = exported(ViT(), (torch.randn(2, 3, 32, 32),), ["x"], ["batch"], opset=opset, dynamo=dynamo)
    model = snn.from_onnx(proto)
    assert not any(isinstance(layer, snn.Transpose) for layer in model.layers)
    assert sum(isinstance(layer, snn.Attention) for layer in model.layers) == 2
    plan, rng = snn.compile(model, threads=2, tune="off", cache=False), np.random.default_rng(7)
    for batch in (1, 3):
        given = {"x": rng.standard_normal((batch, 3, 32, 32), dtype=np.float32)}
        assert_agrees(model, plan, proto, given)


@pytest.mark.parametrize("dynamo, opset", [(False, 11), (False, 17), (True, 18)])
def test_places_counted_from_the_ids(dynamo, opset):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    from encoders import Bert

    torch.manual_seed(8)
    example = torch.randint(2, 101, (2, 9)), torch.ones(2, 9, dtype=torch.int64)
    module = Bert(counted=True, types=False)
    proto = exported(module, example, NAMES, ["batch", "tokens"], opset=opset, dynamo=dynamo)
    model, rng = snn.from_onnx(proto), np.random.default_rng(9)
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    for tokens, batch in ((1, 3), (7, 1), (60, 3)):
        given = drawn(rng, tokens, batch)
        given["input_ids"][given["attention_mask"] == 0] = 1
        given["input_ids"][0, tokens // 2] = 1
        assert_agrees(model, plan, proto, given)


@pytest.mark.parametrize("causal, dynamo, opset", [(True, False, 17), (False, True, 18), (True, True, 23)])
def test_rotated_places_and_shared_keys(causal, dynamo, opset):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    from encoders import Rotary

    torch.manual_seed(10)
    example = (torch.randint(0, 101, (2, 9)),)
    proto = exported(
        Rotary(causal=causal), example, NAMES[:1], ["batch", "tokens"], opset=opset, dynamo=dynamo
    )
    model, rng = snn.from_onnx(proto), np.random.default_rng(11)
    found = [layer for layer in model.layers if isinstance(layer, snn.Attention)]
    assert len(found) == 2 and all(layer.causal == causal for layer in found)
    assert kinds(model).isdisjoint({"Expand", "MatMul"})  # heads of q share those of k and v
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    for tokens, batch in ((1, 3), (7, 1), (64, 3)):
        given = {"input_ids": rng.integers(0, 101, (batch, tokens))}
        assert_agrees(model, plan, proto, given)


# ---- masks of booleans ----


@pytest.mark.parametrize("op", ["And", "Or"])
@pytest.mark.parametrize(
    "other", [[[[[1, 1, 1, 1, 1]]]], [[[[1, 1, 0, 1, 1]]]], 1, 0, np.tril(np.ones((1, 1, 5, 5)))]
)
def test_masks_joined_with_constants(op, other):
    """Booleans of a file stay booleans, whatever they are joined with: they hide keys, and are not added."""
    if onnx.defs.onnx_opset_version() < 23:
        pytest.skip("NOT TESTED here: this onnx has no operator Attention")
    other = np.array(other, bool)
    if op == "And" and not other.any():
        pytest.skip("no key is seen")
    stored = {"other": other, "axes": np.array([1, 2]), "shape": np.array([1, 1, 5, 5])}
    nodes = [
        onnx.helper.make_node("Cast", ["m"], ["seen"], to=onnx.TensorProto.BOOL),
        onnx.helper.make_node("Unsqueeze", ["seen", "axes"], ["keys"]),
        onnx.helper.make_node(op, ["other", "keys"], ["both"]),
        onnx.helper.make_node("Expand", ["both", "shape"], ["mask"]),
        onnx.helper.make_node("Attention", ["q", "k", "v", "mask"], ["y"]),
    ]
    info = onnx.helper.make_tensor_value_info
    inputs = [info("m", onnx.TensorProto.INT64, ["batch", 5])]
    inputs += [info(name, onnx.TensorProto.FLOAT, ["batch", 2, 5, 4]) for name in "qkv"]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = onnx.helper.make_graph(
        nodes, "masked", inputs, [info("y", onnx.TensorProto.FLOAT, None)], tensors
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 23)], ir_version=10)
    rng = np.random.default_rng(12)
    given = {name: rng.standard_normal((3, 2, 5, 4), dtype=np.float32) for name in "qkv"}
    given["m"] = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
    model = snn.from_onnx(proto)
    assert_agrees(model, snn.compile(model, tune="off", cache=False), proto, given)


@pytest.mark.parametrize(
    "indices, error",
    [
        (np.stack(np.broadcast_arrays(np.arange(2)[:, None], np.arange(3)), -1), None),
        (np.stack(np.broadcast_arrays(np.arange(2)[:, None], np.array([2, 0])), -1), None),
        (np.stack(np.broadcast_arrays(np.array([1, 0])[:, None], np.arange(3)), -1), "from itself"),
        (np.stack(np.broadcast_arrays(np.arange(2)[:, None], np.array([0, 3])), -1), "have indices in"),
        (np.arange(2)[:, None], "have indices of single values"),
    ],
)
def test_values_by_the_numbers_of_samples(indices, error):
    info, tensor = onnx.helper.make_tensor_value_info, onnx.numpy_helper.from_array
    nodes = [onnx.helper.make_node("GatherND", ["x", "at"], ["y"])]
    graph = onnx.helper.make_graph(
        nodes,
        "picked",
        [info("x", onnx.TensorProto.FLOAT, [2, 3])],
        [info("y", onnx.TensorProto.FLOAT, None)],
        [tensor(indices.astype(np.int64), "at")],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    if error:
        with pytest.raises(snn.SparsennError, match=error):
            snn.from_onnx(proto)
        return
    x = np.random.default_rng(13).standard_normal((2, 3), dtype=np.float32)
    plan = snn.compile(snn.from_onnx(proto), tune="off", cache=False)
    np.testing.assert_array_equal(plan.run(x), run_onnx(proto, {"x": x})["y"])
