"""Values, nodes and how a model is made of them."""

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.graph.value import Constant, Value


def linear(rows, columns):
    return snn.Linear(np.ones((rows, columns)))


def test_input_has_the_batch_first():
    x = snn.Input((3, None, 8), name="pixels")
    assert (x.name, x.dims, x.producer) == ("pixels", (None, 3, None, 8), None)
    assert snn.Input([np.int64(4)]).dims == (None, 4)


@pytest.mark.parametrize(
    "dims, name, error, words",
    [
        (5, None, TypeError, "dims must be a sequence such as"),
        ("ab", None, TypeError, "dims must be a sequence"),
        ((), None, ValueError, "dims must hold at least one dim"),
        ((3, 0), None, ValueError, r"dims\[1\] must be at least 1, got 0"),
        ((2.5,), None, TypeError, r"dims\[0\] must be an integer"),
        ((3,), 7, TypeError, "name must be a string, got int"),
        ((3,), "", ValueError, "name must not be empty"),
    ],
)
def test_inputs_that_are_refused(dims, name, error, words):
    with pytest.raises(error, match=words):
        snn.Input(dims, name=name)


def test_a_call_makes_a_node():
    x, layer = snn.Input((3,)), linear(2, 3)
    y = layer(x)
    assert isinstance(y, Value) and y.dims == (None, 2)
    assert y.producer.layer is layer and y.producer.inputs == (x,) and y.producer.output is y
    z = snn.Add()(y, [1, 2])
    assert isinstance(z.producer.inputs[1], Constant) and z.producer.inputs[1].array.dtype == np.float32


X3, X23, X4, DYNAMIC = (snn.Input(dims) for dims in ((3,), (2, 3), (4,), (None, 3)))
X123 = snn.Input((1, 2, 3))


class ValuesAlone(snn.Concat):
    """A layer of several operands that takes no constants."""

    takes_constants = False


@pytest.mark.parametrize(
    "layer, operands, dims",
    [
        (snn.GELU(), [X23], (None, 2, 3)),
        (snn.Softmax(), [DYNAMIC], (None, None, 3)),
        (snn.Add(), [X23, np.ones((2, 1))], (None, 2, 3)),
        (snn.Add(), [X3, 2.0], (None, 3)),
        (snn.Mul(), [snn.Input((2, 1)), snn.Input((1, 5))], (None, 2, 5)),
        (snn.Mul(), [DYNAMIC, np.ones((1, 1, 3))], (None, None, 3)),
        (snn.Add(), [DYNAMIC, snn.Input((None, 1))], (None, None, 3)),
        (snn.Concat(axis=-2), [X23, snn.Input((5, 3))], (None, 7, 3)),
        (snn.Concat(), [DYNAMIC, X23], (None, None, 3)),
        (snn.Slice(axis=2, start=1), [X23], (None, 2, 2)),
        (snn.Slice(axis=-1, start=-9, end=9, step=2), [DYNAMIC], (None, None, 2)),
        (snn.Reshape((3, -1, 1)), [X23], (None, 3, 2, 1)),
        (snn.Reshape((3, -1)), [DYNAMIC], (None, 3, None)),
        (snn.Transpose((2, 1)), [X23], (None, 3, 2)),
        (snn.Transpose((-1, -2)), [DYNAMIC], (None, 3, None)),
    ],
)
def test_dims(layer, operands, dims):
    assert layer(*operands).dims == dims


@pytest.mark.parametrize(
    "layer, operands, error, words",
    [
        (linear(2, 3), [X4], ValueError, r"shape \(2, 3\) must have dims \(None, 3\), got \(None, 4\)"),
        (linear(2, 3), [X23], ValueError, r"must have dims \(None, 3\), got \(None, 2, 3\)"),
        (linear(2, 3), [snn.Input((None,))], ValueError, r"got \(None, None\)"),
        (linear(2, 3), [np.ones((1, 3))], TypeError, "Linear must be called on a Value, .* got ndarray"),
        (snn.ReLU(), [X3, X3], TypeError, "ReLU must be called on 1 operands, got 2"),
        (snn.Add(), [X3], TypeError, "Add must be called on 2 operands, got 1"),
        (snn.Concat(), [], TypeError, "Concat must be called on at least 1 operands, got 0"),
        (snn.ReLU(), [linear(2, 3)], TypeError, "ReLU must be called on a Value"),
        (snn.Add(), [X3, "x"], TypeError, "operand 1 of Add must be an array of real numbers"),
        (snn.Add(), [X3, X4], ValueError, r"operands of Add must fit .* got \(None, 3\) and \(None, 4\)"),
        (snn.Add(), [X3, X23], ValueError, r"operands of Add must have as many dims"),
        (snn.Add(), [X23, DYNAMIC], ValueError, "operands of Add must fit"),
        (snn.Mul(), [X3, np.ones(4)], ValueError, r"operands of Mul must fit .* and \(1, 4\)"),
        (snn.Mul(), [X3, np.ones((5, 3))], ValueError, "operand 1 of Mul must be a constant without"),
        (snn.Mul(), [X3, np.ones((1, 1, 3))], ValueError, "operand 1 of Mul must be a constant without"),
        (snn.Attention(), [X123, X123, np.ones((1, 2, 3))], ValueError, "v of Attention must have dims"),
        (ValuesAlone(), [X3, np.ones(3)], ValueError, "of ValuesAlone must be Values, got a constant"),
        (snn.Concat(axis=0), [X3, X3], ValueError, "axis of Concat must be behind the batch, 1 to 1"),
        (snn.Concat(axis=-2), [X3, X3], ValueError, "axis of Concat must be behind the batch"),
        (snn.Concat(axis=2), [X23, snn.Input((3, 3))], ValueError, "operands of Concat must be alike"),
        (snn.Concat(axis=2), [X23, X3], ValueError, "operands of Concat must be alike"),
        (snn.Slice(start=2, end=2), [X3], ValueError, "start and end of Slice must leave a place of 3"),
        (snn.Slice(start=-2, end=-2), [DYNAMIC], ValueError, "start and end of Slice must leave a place"),
        (snn.Slice(axis=3), [X23], ValueError, "axis of Slice must be behind the batch, 1 to 2"),
        (snn.Reshape((4,)), [X3], ValueError, r"must hold the 3 values of \(None, 3\), got \(4,\)"),
        (snn.Reshape((-1, 2)), [X3], ValueError, "dims of Reshape must hold the 3 values"),
        (snn.Reshape((3,)), [DYNAMIC], ValueError, "dims of Reshape must hold a -1"),
        (snn.Transpose((1,)), [X23], ValueError, "axes of Transpose must name each of 1 to 2"),
        (snn.Transpose((1, 1)), [X23], ValueError, r"once, got \(1, 1\)"),
        (snn.Split((1, 1)), [X3], ValueError, r"sizes of Split must add up to 3, axis 1 of \(None, 3\), got"),
        (snn.Split((1, 1)), [np.ones(2)], TypeError, "Split must be called on a Value"),
    ],
)  # fmt: skip
def test_operands_that_are_refused(layer, operands, error, words):
    with pytest.raises(error, match=words):
        layer(*operands)


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: snn.Slice(step=0), ValueError, "step must be at least 1, got 0"),
        (lambda: snn.Slice(start=1.5), TypeError, "start must be an integer"),
        (lambda: snn.Concat(axis=None), TypeError, "axis must be an integer"),
        (lambda: snn.Reshape((-1, -1)), ValueError, "one of them may be -1"),
        (lambda: snn.Reshape((0, 3)), ValueError, "dims of Reshape must be at least 1"),
        (lambda: snn.Reshape(()), ValueError, "dims of Reshape must be at least 1"),
        (lambda: snn.Split((0, 3)), ValueError, r"sizes\[0\] must be at least 1"),
        (lambda: snn.Split(3), TypeError, "sizes must be a sequence of integers, got int"),
        (lambda: snn.Transpose((1, 2.0)), TypeError, r"axes\[1\] must be an integer"),
    ],
)
def test_attributes_that_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_constant_is_a_copy_that_nobody_writes():
    array = np.ones(3)
    model = snn.Model(inputs=X3, outputs=snn.Add()(X3, array))
    array[:] = 7
    np.testing.assert_array_equal(model.predict(np.zeros((1, 3))), [[1, 1, 1]])
    with pytest.raises(ValueError, match="read-only"):
        model.nodes[0].inputs[1].array[0] = 7
