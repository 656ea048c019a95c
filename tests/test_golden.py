"""Files written by earlier versions stay readable, to the bit. Files are only ever added to tests/golden."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn
from sparsenn.layers import Matrix

GOLDEN = Path(__file__).parent / "golden"
BITS = [0x7FC00001, 0xFFC12345, 0x7F800000, 0xFF800000, 0x80000000, 0x00000001, 0x7F7FFFFF, 0x00800000]
VALUES = np.array(BITS, np.uint32).view(np.float32)  # NaN twice, +-inf, -0, least, largest, least normal


def numbers(count: int) -> np.ndarray:
    """(count,) float32: sixteenths from -2 to 2, in no order."""
    return ((np.arange(count) * 37 % 64 - 32) / 16).astype(np.float32)


def dense(rows: int, columns: int) -> np.ndarray:
    return numbers(rows * columns).reshape(rows, columns)


def csr(rows: int, columns: int, indptr, indices, data=None) -> scipy.sparse.csr_array:
    data = numbers(len(indices)) if data is None else data
    return scipy.sparse.csr_array((data, np.array(indices, np.int32), indptr), shape=(rows, columns))


def wanted(name: str) -> list:
    """The layers of each golden file."""
    return {
        "dense": [snn.Linear(dense(5, 3), numbers(5)), snn.ReLU(), snn.Linear(dense(2, 5))],
        "csr": [
            snn.Linear(csr(5, 6, [0, 2, 2, 5, 5, 6], [1, 4, 0, 3, 5, 2]), numbers(5)),
            snn.Tanh(),
            snn.Linear(csr(4, 5, [0, 1, 2, 3, 4], [4, 3, 2, 1])),
            snn.Linear(csr(3, 4, [0, 0, 0, 0], []), numbers(3)),
        ],
        "wide": [snn.Linear(csr(2, 70000, [0, 2, 3], [0, 65536, 69999]), numbers(2))],
        "activations": [
            *(snn.Linear(dense(3, 2)), snn.ReLU(), snn.ClippedReLU(low=np.float32(-0.1), high=6.0)),
            *(snn.Tanh(), snn.Sigmoid(), snn.GELU(), snn.Softmax()),
        ],
        "activations-1.1": [snn.Linear(dense(3, 2)), snn.ELU(), snn.ELU(alpha=0.25), snn.Linear(dense(2, 3))],
        "activations-1.3": [
            *(snn.Linear(dense(3, 2)), snn.HardSigmoid(0.25, -0.5), snn.HardSwish()),
            *(snn.Softplus(), snn.Mish(), snn.Linear(dense(2, 3))),
        ],
        "values": [
            snn.Linear(VALUES.reshape(2, 4), VALUES[:2]),
            snn.Linear(csr(8, 2, np.arange(9), [0, 1] * 4, VALUES)),
        ],
        "other_writer": [
            snn.Linear(csr(3, 4, [0, 1, 4, 4], [3, 0, 1, 2]), numbers(3)),
            snn.GELU(),
            snn.Linear(dense(2, 3), numbers(2)),
        ],
    }[name]


def wanted_graph() -> snn.Model:
    """The model of graph-2.0: every op that a graph adds, a dynamic dim, names beyond ASCII."""
    x, z = snn.Input((2, 3), name="pixels"), snn.Input((4,), name="größe")
    free = snn.Input((None, 2), name="free")
    flat = snn.Flatten()(snn.Transpose((2, 1))(snn.Mul()(x, numbers(3))))
    weight = csr(4, 6, [0, 2, 2, 5, 6], [1, 4, 0, 3, 5, 2])
    h = snn.Add()(snn.LeakyReLU(0.25)(snn.Linear(weight, numbers(4))(flat)), z)
    both = snn.Concat()(h, snn.Slice(axis=1, start=1, end=6, step=2)(flat))
    scores = snn.Softmax()(snn.Linear(dense(2, 7))(both))
    square = snn.Add()(snn.Reshape((7, 1))(snn.SiLU()(both)), numbers(2).reshape(1, 2))
    return snn.Model(
        inputs=[x, z, free], outputs={"scores": scores, "square": square, "free too": snn.ReLU()(free)}
    )


def wanted_images() -> snn.Model:
    """The model of graph-2.1: convolutions, dense and CSR, and both pools."""
    x = snn.Input((2, 7, 6), name="images")
    sparse = snn.Conv2d(
        csr(3, 12, [0, 2, 2, 5], [1, 11, 0, 6, 7]), numbers(3),
        kernel_size=(2, 3), stride=(2, 1), padding=(1, 0, 2, 1), dilation=(1, 2),
    )  # fmt: skip
    h = snn.MaxPool2d((2, 3), stride=(1, 2), padding=(1, 1, 0, 1))(snn.ReLU()(sparse(x)))
    h = snn.Conv2d(dense(4, 3).reshape(4, 3, 1, 1))(h)
    mean = snn.AvgPool2d(2, padding=1, count_include_pad=False)(h)
    return snn.Model(inputs=x, outputs={"maps": h, "means": mean})


def wanted_functions() -> snn.Model:
    """The model of graph-2.2-functions: functions and pairs, and an activation of 1.3."""
    x = snn.Input((2, 3), name="x")
    size = snn.Add()(snn.Abs()(x), 0.5)
    quotient = snn.Div()(snn.Log()(size), snn.Sqrt()(size))
    power = snn.Exp()(snn.Sub()(1.0, size))
    least = snn.Min()(quotient, power)
    slopes = numbers(2).reshape(2, 1)
    return snn.Model(
        inputs=x, outputs={"y": snn.PReLU()(snn.Max()(least, x), slopes), "mish": snn.Mish()(power)}
    )


def wanted_norm() -> snn.Model:
    """The model of graph-2.3-norm: batch normalisation of images and of features."""
    x = snn.Input((2, 3, 3), name="x")
    h = snn.Conv2d(dense(3, 8).reshape(3, 2, 2, 2))(x)
    h = snn.BatchNorm(numbers(3), numbers(5)[2:], numbers(9)[6:], [0.5, 1.0, 2.0], momentum=0.25)(h)
    h = snn.BatchNorm(numbers(12), epsilon=0.125)(snn.Flatten()(snn.ReLU()(h)))
    return snn.Model(inputs=x, outputs={"y": h, "z": snn.Linear(dense(2, 12))(h)})


def wanted_recurrent() -> snn.Model:
    """The model of graph-2.3-recurrent: each cell, dense and CSR, with every kind of operand."""
    x, lengths = snn.Input((None, 8), name="x"), snn.Input((1,), name="lengths")
    weight = csr(8, 2, [0, 1, 1, 3, 3, 4, 5, 5, 6], [0, 0, 1, 1, 0, 1])
    lstm = snn.LSTM(
        weight, numbers(8), reverse=True, initial=True, lengths=True, states=True, clip=2.5,
        activations=("hard_sigmoid", "tanh", "softplus"), peepholes=True,
    )  # fmt: skip
    h = lstm(x, numbers(2), numbers(4)[2:], lengths, numbers(6))
    gru = snn.GRU(dense(9, 3), reset_after=False, states=True)
    made = gru(snn.StepwiseLinear(dense(9, 2))(h))
    rnn = snn.RNN(dense(3, 3), numbers(3), activations=("relu",))
    return snn.Model(inputs=[x, lengths], outputs={"y": rnn(made), "states": made})


def assert_same_bits(got, expected):
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert got.tobytes() == expected.tobytes()


def assert_same_weight(got, expected):
    assert scipy.sparse.issparse(got) == scipy.sparse.issparse(expected)
    if not scipy.sparse.issparse(expected):
        assert_same_bits(got, expected)
        return
    assert got.shape == expected.shape
    assert_same_bits(got.data, expected.data)
    np.testing.assert_array_equal(got.indices, expected.indices)
    np.testing.assert_array_equal(got.indptr, expected.indptr)


CHAINS = [path for path in sorted(GOLDEN.glob("*.safetensors")) if not path.stem.startswith("graph-2")]


@pytest.mark.parametrize("path", CHAINS, ids=lambda path: path.stem)
def test_golden_file_loads(path, tmp_path):
    again = tmp_path / path.name
    model = snn.load(path)
    snn.save(model, again)
    for layers in (model.layers, snn.load(again).layers):
        expected = wanted(path.stem)
        assert [type(layer) for layer in layers] == [type(layer) for layer in expected]
        for got, layer in zip(layers, expected, strict=True):
            if not isinstance(layer, snn.Linear):
                assert got == layer
                continue
            assert_same_weight(got.weight, layer.weight)
            assert (got.bias is None) == (layer.bias is None)
            if layer.bias is not None:
                assert_same_bits(got.bias, layer.bias)


def test_all_golden_files_are_there():
    assert {path.stem for path in GOLDEN.glob("*.safetensors")} >= {
        *("dense", "csr", "wide", "activations", "activations-1.1", "values", "other_writer"),
        *("activations-1.3", "graph-2.0", "graph-2.1", "graph-2.2-functions", "graph-2.3-norm"),
        "graph-2.3-recurrent",
    }


@pytest.mark.parametrize(
    "name, make",
    [
        *(("graph-2.0", wanted_graph), ("graph-2.1", wanted_images)),
        *(("graph-2.2-functions", wanted_functions), ("graph-2.3-norm", wanted_norm)),
        ("graph-2.3-recurrent", wanted_recurrent),
    ],
)
def test_a_golden_graph_loads(name, make, tmp_path):
    """Its layers, edges, names and dims, as print shows them, what it computes, and its bytes when saved."""
    golden, expected = snn.load(GOLDEN / f"{name}.safetensors"), make()
    assert str(golden) == str(expected)
    for got, layer in zip(golden.layers, expected.layers, strict=True):
        assert repr(got) == repr(layer)
        assert isinstance(layer, (Matrix, snn.BatchNorm)) or got == layer
    x = {value.name: _given(value.dims[1:]) for value in golden.input_values}
    x = x if len(x) > 1 else next(iter(x.values()))
    got, wanted = golden.predict(x), expected.predict(x)
    for output in wanted:
        assert_same_bits(got[output], wanted[output])
    for model in (golden, expected):
        snn.save(model, tmp_path / "again.safetensors")
        again = (tmp_path / "again.safetensors").read_bytes()
        assert again == (GOLDEN / f"{name}.safetensors").read_bytes()


def _given(dims) -> np.ndarray:
    shape = [3 if dim is None else dim for dim in dims]
    return dense(5, int(np.prod(shape))).reshape(5, *shape)
