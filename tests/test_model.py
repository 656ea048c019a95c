"""Layers, models, mlp and the reference forward pass."""

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn
from sparsenn.reference import reference_with_bound


def csr_of(data, indices, indptr, shape):
    """A csr_array whose arrays are as given: what scipy would refuse or repair is set afterwards."""
    matrix = scipy.sparse.csr_array(shape, dtype=np.float32)
    matrix.data = np.array(data, np.float32)
    matrix.indices = np.array(indices, np.int32)
    matrix.indptr = np.array(indptr, np.int32)
    return matrix


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, bool])
def test_weight_of_any_real_dtype_becomes_float32(dtype):
    weight = np.array([[1, 0, 1], [0, 1, 1]], dtype)
    layer = snn.Linear(weight, np.array([1, 0], dtype))
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    np.testing.assert_array_equal(layer.weight, weight.astype(np.float32))


def test_strides_are_made_contiguous_and_arrays_are_copied():
    weight = np.arange(24, dtype=np.float32).reshape(4, 6)
    layer = snn.Linear(weight[:, ::2])
    assert layer.weight.flags.c_contiguous
    np.testing.assert_array_equal(layer.weight, weight[:, ::2])
    plain = snn.Linear(weight)
    weight[:] = 0
    assert plain.weight[3, 5] == 23


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dok", "lil", "dia"])
@pytest.mark.parametrize("container", [scipy.sparse.csr_array, scipy.sparse.csr_matrix])
def test_any_scipy_format_becomes_csr(kind, container, random_csr):
    matrix = random_csr(5, 7, 0.6)
    layer = snn.Linear(container(matrix).asformat(kind))
    assert isinstance(layer.weight, scipy.sparse.csr_array)
    assert layer.sparse and layer.weight.has_sorted_indices
    assert (layer.weight.dtype, layer.weight.indices.dtype) == (np.float32, np.int32)
    np.testing.assert_array_equal(layer.weight.toarray(), matrix.toarray())


def test_unsorted_indices_are_sorted_and_stored_zeros_stay():
    layer = snn.Linear(csr_of([1, 2, 0], [2, 0, 1], [0, 2, 3], (2, 3)))
    np.testing.assert_array_equal(layer.weight.indices, [0, 2, 1])
    np.testing.assert_array_equal(layer.weight.data, [2, 1, 0])
    assert layer.nnz == 3 and layer.sparsity == 0.5


def test_duplicates_of_a_coo_matrix_are_summed():
    layer = snn.Linear(scipy.sparse.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), shape=(1, 3)))
    np.testing.assert_array_equal(layer.weight.toarray(), [[0, 3, 0]])


@pytest.mark.parametrize(
    "data, indices, indptr, words",
    [
        ([1, 2, 3], [0, 1, 2], [1, 2, 3], "indptr must start at 0"),
        ([1, 2, 3], [0, 1, 2], [0, 5, 3], "indptr must not fall, got 3 at 2 after 5"),
        ([1, 2, 3], [0, 1, 2], [0, 2, 1], "indptr"),
        ([1, 2, 3], [0, 1, 2], [0, 2, 9], "indptr must end"),
        ([1, 2, 3], [0, 1, 2], [0, 3], "rows \\+ 1"),
        ([1, 2, 3], [0, 1, 2], [0, 1, 2, 3], "rows \\+ 1"),
        ([1, 2, 3], [0, 1, 3], [0, 2, 3], "indices must be in \\[0, 3\\)"),
        ([1, 2, 3], [0, -1, 2], [0, 2, 3], "indices must be in \\[0, 3\\)"),
        ([1, 2, 3], [1, 1, 2], [0, 2, 3], "unique"),
        ([1, 2, 3], [1, 0, 1], [0, 3, 3], "unique"),
        ([1, 2], [0, 1, 2], [0, 2, 3], "data must be as long"),
        ([1, 2, 3], [[0, 1, 2]], [0, 2, 3], "one-dimensional"),
    ],
)
def test_each_way_that_csr_can_be_invalid(data, indices, indptr, words):
    with pytest.raises(snn.CSRError, match=words) as caught:
        snn.Linear(csr_of(data, indices, indptr, (2, 3)))
    assert str(caught.value).startswith("weight: ")


@pytest.mark.parametrize(
    "weight, error",
    [
        (np.zeros(3), ValueError),
        (np.zeros((2, 2, 2)), ValueError),
        (np.zeros((0, 3)), ValueError),
        (np.zeros((3, 0)), ValueError),
        (scipy.sparse.csr_array((0, 3)), ValueError),
        (np.zeros((2, 2), complex), TypeError),
        (np.array([["a", "b"]]), TypeError),
        (np.array([[None, 1]], object), TypeError),
        (scipy.sparse.csr_array(np.eye(2, dtype=complex)), TypeError),
        (None, TypeError),
    ],
)
def test_weights_that_are_refused(weight, error):
    with pytest.raises(error, match="weight"):
        snn.Linear(weight)


def test_bias_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"bias must have shape \(2,\), got \(3,\)"):
        snn.Linear(np.zeros((2, 3)), np.zeros(3))
    with pytest.raises(ValueError, match="bias"):
        snn.Linear(np.zeros((2, 3)), np.zeros((2, 1)))


@pytest.mark.parametrize("kind", ["dense", "csr", "csc", "coo", "bsr"])
def test_weights_beyond_float32_are_refused(kind):
    """Infinities stay what they are; a number that would become one is named."""
    weight = np.array([[1.0, 0.0], [np.inf, -1e39]])
    form = weight if kind == "dense" else scipy.sparse.coo_array(weight).asformat(kind)
    with pytest.raises(snn.ArgumentError, match="^weight.* must be finite as float32, got -1e.39 at"):
        snn.Linear(form)
    weight[1, 1] = 3e38
    assert np.isinf(snn.Linear(weight).weight).sum() == 1
    with pytest.raises(snn.ArgumentError, match=r"^bias must be finite as float32, got 1e.39 at \[1\]"):
        snn.Linear(np.eye(2), [0.0, 1e39])
    with pytest.raises(snn.ArgumentError, match="^weight must be finite as float32"):
        snn.Conv2d(np.full((1, 1, 2, 2), 1e39))
    with pytest.raises(snn.ArgumentError, match=r"^variance must be finite as float32, got 1e.300 at \[0\]"):
        snn.BatchNorm([1.0], variance=[1e300])


def test_assigning_a_weight_keeps_the_shape():
    layer = snn.Linear(np.zeros((2, 3)))
    layer.weight = scipy.sparse.csr_array(np.eye(2, 3))
    assert layer.sparse and layer.nnz == 2
    with pytest.raises(ValueError, match="weight must keep its shape"):
        layer.weight = np.zeros((3, 2))
    assert layer.nnz == 2
    layer.bias = [1, 2]
    assert layer.bias.dtype == np.float32


def test_updating_in_place_keeps_the_array():
    layer = snn.Linear(np.ones((2, 3)))
    array = layer.weight
    layer.weight -= 1
    assert layer.weight is array and not array.any()


def test_chain_is_checked_and_names_the_layer():
    first, second = snn.Linear(np.zeros((4, 3))), snn.Linear(np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"layers\[2\] must take the 4 features"):
        snn.Model([first, snn.ReLU(), second])
    with pytest.raises(TypeError, match=r"layers\[0\] .* the class ReLU"):
        snn.Model([snn.ReLU, first])
    with pytest.raises(TypeError, match=r"layers\[1\]"):
        snn.Model([first, "relu"])
    for layers in ([], [snn.ReLU()]):
        with pytest.raises(ValueError, match="at least one Linear"):
            snn.Model(layers)


def test_model_sums_up_its_layers(random_csr):
    weight = random_csr(4, 6, 0.5)
    model = snn.Model([snn.Linear(weight), snn.ReLU(), snn.Linear(np.ones((2, 4)))])
    assert (model.inputs, model.outputs) == (6, 2)
    assert model.nnz == weight.nnz + 8
    assert model.sparsity == pytest.approx(1 - (weight.nnz + 8) / 32)


def test_copy_shares_nothing():
    model = snn.mlp([3, 4, 2])
    copy = model.copy()
    copy.layers[0].weight[:] = 7
    copy.layers[0].bias[:] = 7
    assert not (model.layers[0].weight == 7).any() and not model.layers[0].bias.any()


@pytest.mark.parametrize("output", [None, "softmax", "sigmoid", "tanh", "gelu", "elu"])
def test_predict_in_float32_is_within_the_bound_of_float64(output, rng, random_csr):
    model = snn.mlp([20, 33, 17, 5], output=output, seed=3)
    model.layers[2].weight = random_csr(17, 33, 0.7)
    x = rng.standard_normal((9, 20))
    y = model.predict(x)
    wanted, bound = reference_with_bound(model, x)
    assert y.dtype == np.float32 and y.flags.c_contiguous
    assert (abs(y - wanted) <= bound).all()
    assert bound.max() < 1e-3, "a bound this loose would show nothing"


def test_predict_of_no_samples_and_of_wrong_shapes():
    model = snn.mlp([3, 4, 2], output="softmax")
    assert model.predict(np.zeros((0, 3))).shape == (0, 2)
    for x in (np.zeros(3), np.zeros((2, 4)), np.zeros((1, 1, 3))):
        with pytest.raises(ValueError, match=r"x must have shape \(batch, 3\)"):
            model.predict(x)
    with pytest.raises(TypeError, match="x must"):
        model.predict(np.zeros((1, 3), complex))


def test_mlp_has_the_layers_and_the_scale_that_were_asked_for():
    model = snn.mlp([300, 400, 10], activation="relu", output="softmax", seed=1)
    assert [type(layer).__name__ for layer in model.layers] == ["Linear", "ReLU", "Linear", "Softmax"]
    first, last = model.linear_layers
    assert first.shape == (400, 300) and not first.bias.any()
    # The standard deviation of n draws is within 5 / sqrt(2 n) of the true one, but for 1 in a million.
    assert first.weight.std() == pytest.approx(np.sqrt(2 / 300), rel=5 / np.sqrt(2 * 120000))
    assert last.weight.std() == pytest.approx(np.sqrt(2 / 410), rel=5 / np.sqrt(2 * 4000))


def test_mlp_says_which_layers_are_empty():
    with pytest.warns(UserWarning, match=r"sparsity=0.999 leaves no weights in Linear layer 0 .16 x 4., 1"):
        snn.mlp([4, 16, 3], sparsity=0.999)


def test_mlp_is_the_same_for_the_same_seed():
    one, two, other = (snn.mlp([5, 6, 2], seed=seed).layers[0].weight for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"sizes": [3]}, ValueError, "sizes must name at least"),
        ({"sizes": [3, 0]}, ValueError, r"sizes\[1\] must be at least 1"),
        ({"sizes": [3, 2.5]}, TypeError, r"sizes\[1\] must be an integer"),
        ({"sizes": [3, 2], "activation": "swish"}, ValueError, "activation must be one of"),
        ({"sizes": [3, 2], "output": "swish"}, ValueError, "output must be one of"),
        ({"sizes": [3, 2], "seed": -1}, ValueError, "seed must be at least 0"),
    ],
)
def test_mlp_refuses(arguments, error, words):
    with pytest.raises(error, match=words):
        snn.mlp(arguments.pop("sizes"), **arguments)
