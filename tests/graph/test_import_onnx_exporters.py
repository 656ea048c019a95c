"""What exporters write: weights at every position, integers as one-hot, (batch,) in between."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx import TensorProto  # noqa: E402
from test_export_graph import run_onnx  # noqa: E402
from test_import_onnx_graph import check, make, node  # noqa: E402

import sparsenn as snn  # noqa: E402

THREE = {"x": ("n", 5, 6)}
COLUMN = np.arange(1, 5, dtype=np.float32).reshape(4, 1)
GRAPHS = {
    "a weight at every position": make([node("MatMul", "x w", "y")], inputs=THREE),
    "at positions of two axes": make(
        [node("MatMul", "x v", "h"), node("Add", "h c", "y")], inputs={"x": ("n", 2, 5, 6)}, c=COLUMN[:3, 0]
    ),
    "one position": make([node("MatMul", "x v", "y")], inputs={"x": ("n", 1, 6)}),
    "a column of ones": make([node("MatMul", "x w", "y")], inputs={"x": ("n", 3, 1)}, w=COLUMN.T),
    "a mean that is divided by": make(
        [node("ReduceSum", "x a", "m", keepdims=0), node("Mul", "m m", "s"), node("Add", "s one", "p"),
         node("Reshape", "p t", "r"), node("Div", "x r", "y")],
        a=[1], one=np.float32(1), t=[-1, 1],
    ),
    "a sum that is unsqueezed": make(
        [node("ReduceMean", "x", "m", axes=[1, 2], keepdims=0), node("Sigmoid", "m", "s"),
         node("Unsqueeze", "s a", "u"), node("MatMul", "u w", "y")],
        inputs=THREE, a=[1], w=COLUMN.T,
    ),
    "data spread by a constant": make(
        [node("Unsqueeze", "x a", "u"), node("Mul", "u c", "m"), node("Sub", "c u", "d"),
         node("Add", "m d", "y")], a=[1], c=COLUMN,
    ),
    "data spread by a constant of all dimensions": make(
        [node("Unsqueeze", "x a", "u"), node("Add", "u c", "h"), node("Max", "h low", "y")],
        a=[1], c=COLUMN[None], low=np.float32(-np.inf),
    ),
    "limits that are never met": make(
        [node("MatMul", "x w", "h"), node("Max", "low h", "m"), node("Min", "m high", "y")],
        low=np.float32(-np.inf), high=np.float32(np.inf),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_against_onnx_runtime(name):
    check(GRAPHS[name])


def test_a_size_of_minus_one_is_open():
    proto = make([node("MatMul", "x w", "y")], inputs={"x": (-1, 6)})
    assert snn.from_onnx(proto).inputs == 6


def of_integers(*nodes, sizes=("n", 7), kind=TensorProto.INT32, **constants):
    proto = make(list(nodes), inputs={"x": sizes}, **constants)
    proto.graph.input[0].type.tensor_type.elem_type = kind
    return proto


ONE_HOT = (node("Reshape", "x s", "r"), node("Equal", "r i", "e"), node("Cast", "e", "f", to=1))
PLACES = {"s": [-1, 7, 1], "i": np.arange(6, dtype=np.int32).reshape(1, 1, 6)}


def test_integers_as_one_hot_of_a_table():
    proto = of_integers(*ONE_HOT, node("MatMul", "f v", "y"), **PLACES)
    x = np.random.default_rng(0).integers(-1, 8, (4, 7)).astype(np.int32)
    x[0, :3] = 2**24 + 1, -(2**31), 2**31 - 1
    got = snn.compile(snn.from_onnx(proto), tune="off").run(x.astype(np.float32))
    np.testing.assert_array_equal(got, run_onnx(proto, {"x": x})["y"])


def test_integers_compared_with_one_number_and_with_as_many():
    for constant in (np.int32(3), np.arange(7, dtype=np.int32)):
        proto = of_integers(node("Equal", "i x", "e"), node("Cast", "e", "y", to=1), i=constant)
        x = np.random.default_rng(1).integers(0, 7, (9, 7)).astype(np.int32)
        model = snn.from_onnx(proto)
        got = snn.compile(model, tune="off").run(x.astype(np.float32))
        np.testing.assert_array_equal(got, run_onnx(proto, {"x": x})["y"])


def test_a_nan_is_equal_to_nothing_that_is_known():
    x = np.zeros((2, 7), np.float32)
    x[0, 2] = np.nan
    y = snn.compile(snn.from_onnx(of_integers(*ONE_HOT, node("MatMul", "f v", "y"), **PLACES))).run(x)
    assert np.isnan(y[0, 2]).all() and np.isnan(y).sum() == 3


REAL = (node("Equal", "x i", "e"), node("Not", "e", "o"), node("Cast", "o", "r", to=6))
COUNT = (*REAL, node("CumSum", "r a", "c"), node("Mul", "c r", "m"), node("Add", "m i", "p"))
ONE = {"i": np.int32(1), "a": np.int32(1)}


def test_places_counted_from_integers():
    table = np.random.default_rng(2).standard_normal((9, 3), dtype=np.float32)
    proto = of_integers(*COUNT, node("Gather", "t p", "y"), t=table, **ONE)
    x = np.random.default_rng(3).integers(0, 3, (9, 7)).astype(np.int32)
    got = snn.compile(snn.from_onnx(proto), tune="off").run(x.astype(np.float32))
    np.testing.assert_array_equal(got, run_onnx(proto, {"x": x})["y"])


REFUSED = {
    "counts that are divided": (
        of_integers(*COUNT, node("Div", "p i", "d"), node("Cast", "d", "y", to=1), **ONE),
        "'Div' .* must take integers made of comparisons as they are",
    ),
    "counts that come out": (
        of_integers(*COUNT[:-1], node("Add", "m i", "y"), **ONE), "the output 'y' must hold floats",
    ),
    "counts from the last": (
        of_integers(*REAL, node("CumSum", "r a", "c", reverse=1), node("Cast", "c", "y", to=1), **ONE),
        "must add up from the first place to each",
    ),
    "counts along the batch": (
        of_integers(*REAL, node("CumSum", "r z", "c"), node("Cast", "c", "y", to=1), z=np.int32(0), **ONE),
        "must leave the batch alone",
    ),
    "sums of floats": (
        make([node("MatMul", "x w", "h"), node("CumSum", "h a", "y")], a=np.int32(1)),
        "must add up a row a sample, of whole numbers",
    ),
    "floats cut to integers": (
        make([node("Cast", "x", "h", to=7), node("Cast", "h", "y", to=1)]), "must keep data floating-point",
    ),
    "integers that are divided": (
        of_integers(node("Div", "x i", "d"), node("Cast", "d", "y", to=1), i=np.int32(2)),
        "the input 'x' must hold floats, got type 6: integers are only moved",
    ),
    "integers that come out": (of_integers(node("Identity", "x", "y")), "the input 'x' must hold floats"),
    "comparisons that are added up": (
        of_integers(*ONE_HOT[:2], node("Add", "e e", "o"), node("Cast", "o", "y", to=1), **PLACES),
        "the input 'x' must hold floats",
    ),
    "comparisons that come out": (
        of_integers(*ONE_HOT[:2], node("Identity", "e", "y"), **PLACES), "the input 'x' must hold floats",
    ),
    "a number that float32 has not": (
        of_integers(node("Equal", "x i", "e"), node("Cast", "e", "y", to=1), i=np.int32(2**24)),
        "must compare with whole numbers between",
    ),
    "integers compared with each other": (
        of_integers(node("Equal", "x x", "e"), node("Cast", "e", "y", to=1)),
        "must compare integers of the input with a constant",
    ),
    "text": (of_integers(node("Cast", "x", "y", to=1), kind=TensorProto.STRING), "floats, got type 8"),
    "a number a sample against features": (
        make([node("ReduceSum", "x a", "m", keepdims=0), node("Mul", "x m", "y")], a=[1]),
        "have the batch of both in one dimension",
    ),
    "a weight that does not fit": (
        make([node("MatMul", "x w", "y")], inputs={"x": ("n", 2, 5)}), "have a weight for 5 features, got 6",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    proto, words = REFUSED[name]
    with pytest.raises((snn.UnsupportedError, snn.FormatError), match=words):
        snn.from_onnx(proto)
