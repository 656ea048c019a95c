"""The three sparse products against float64 numpy, within k eps (|W| |X| + |b|)."""

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn

EPS = float(np.finfo(np.float32).eps)
SHAPES = [(1, 1), (1, 17), (16, 1), (15, 33), (16, 16), (17, 31), (64, 65), (127, 129), (40, 300)]
BATCHES = [0, 1, 2, 7, 15, 16, 17, 64, 67]
SPARSITIES = [0.0, 0.5, 0.9, 1.0]


def assert_within(got, wanted, bound):
    assert got.dtype == np.float32 and got.shape == wanted.shape
    excess = abs(got - wanted) - bound
    assert got.size == 0 or excess.max() <= 0, f"off by {excess.max():.3g} more than rounding explains"


@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_products_match_float64(shape, sparsity, rng, random_csr):
    rows, columns = shape
    weight = random_csr(rows, columns, sparsity)
    bias = rng.standard_normal(rows, dtype=np.float32)
    w = weight.toarray().astype(np.float64)
    for batch in BATCHES:
        x = rng.standard_normal((columns, batch), dtype=np.float32)
        dy = rng.standard_normal((rows, batch), dtype=np.float32)
        x64, dy64 = x.astype(np.float64), dy.astype(np.float64)

        magnitude = abs(w) @ abs(x64) + abs(bias)[:, None]
        terms = np.diff(weight.indptr)[:, None] + 2
        assert_within(snn.ops.spmm(weight, x, bias), w @ x64 + bias[:, None], terms * EPS * magnitude)

        terms = (w != 0).sum(axis=0)[:, None] + 2
        assert_within(snn.ops.spmm_transposed(weight, dy), w.T @ dy64, terms * EPS * (abs(w).T @ abs(dy64)))

        at = weight.tocoo()
        wanted = (dy64 @ x64.T)[at.row, at.col]
        bound = (batch + 2) * EPS * (abs(dy64) @ abs(x64).T)[at.row, at.col]
        assert_within(snn.ops.sddmm(weight, dy, x), wanted, bound)


def test_products_are_the_same_bits_for_any_number_of_threads(rng, random_csr):
    weight = random_csr(203, 157, 0.8)
    x, dy = rng.standard_normal((157, 70)), rng.standard_normal((203, 70))

    def products(threads):
        return (
            snn.ops.spmm(weight, x, threads=threads),
            snn.ops.spmm_transposed(weight, dy, threads=threads),
            snn.ops.sddmm(weight, dy, x, threads=threads),
        )

    one = products(1)
    for threads in (2, 4):
        for got, wanted in zip(products(threads), one, strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_bias_gradient_is_the_sum_over_the_batch(rng, random_csr):
    weight = random_csr(9, 12, 0.5)
    dy, x = rng.standard_normal((9, 33), dtype=np.float32), rng.standard_normal((12, 33), dtype=np.float32)
    sparse = snn._core.Sparse(weight.indptr.astype(np.int64), weight.indices, weight.shape)
    _, dbias = sparse.backward_weight(dy, x)
    bound = 35 * EPS * abs(dy).sum(axis=1, dtype=np.float64)
    assert_within(dbias, dy.sum(axis=1, dtype=np.float64), bound)


def test_outputs_are_written_where_asked(rng, random_csr):
    weight = random_csr(6, 5, 0.4)
    sparse = snn._core.Sparse(weight.indptr.astype(np.int64), weight.indices, weight.shape)
    x = rng.standard_normal((5, 3), dtype=np.float32)
    out = np.full((6, 3), np.nan, np.float32)
    assert sparse.forward(weight.data, None, x, out) is out
    np.testing.assert_array_equal(out, sparse.forward(weight.data, None, x))
    with pytest.raises(snn.ArgumentError, match=r"out must have shape \(6, 3\), got \(5, 3\)"):
        sparse.forward(weight.data, None, x, np.empty((5, 3), np.float32))


def test_gradients_agree_with_finite_differences(rng, random_csr):
    """f(W, X) = sum(C * (W X)); it is linear in each, so central differences are exact but for rounding."""
    weight, step = random_csr(7, 6, 0.5), 0.5
    x, c = rng.standard_normal((6, 5)), rng.standard_normal((7, 5))

    def f(w, x):
        return float((c * snn.ops.spmm(w, x)).sum())

    # f sums 7 * 5 products of at most 6 terms, all of float32 operands of which each conversion rounds once.
    total = (abs(c) * (abs(weight.toarray()) @ (abs(x) + step))).sum()
    tolerance = 2 * (6 + 4) * EPS * (total + abs(c).sum() * abs(x).max() * step) / (2 * step)
    gradient = snn.ops.sddmm(weight, c, x)
    for k in range(weight.nnz):
        up, down = weight.copy(), weight.copy()
        up.data[k] += step
        down.data[k] -= step
        assert abs((f(up, x) - f(down, x)) / (2 * step) - gradient[k]) <= tolerance
    gradient = snn.ops.spmm_transposed(weight, c)
    for k in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[k] += step
        down[k] -= step
        assert abs((f(weight, up) - f(weight, down)) / (2 * step) - gradient[k]) <= tolerance


def test_nan_and_infinity_pass_through():
    weight = scipy.sparse.csr_array(np.array([[1, 0], [0, 2]], np.float32))
    y = snn.ops.spmm(weight, [[np.nan, 1], [np.inf, 1]])
    np.testing.assert_array_equal(y, [[np.nan, 1], [np.inf, 2]])


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda w: snn.ops.spmm(w, np.zeros((4, 2))), ValueError, r"x must have shape \(3, batch\)"),
        (lambda w: snn.ops.spmm(w, np.zeros(3)), ValueError, "x must have shape"),
        (lambda w: snn.ops.spmm(w, np.zeros((3, 2)), np.zeros(3)), ValueError, "bias must have shape"),
        (lambda w: snn.ops.spmm(w, np.zeros((3, 2), complex)), TypeError, "x must"),
        (lambda w: snn.ops.spmm(w.toarray(), np.zeros((3, 2))), TypeError, "scipy sparse"),
        (lambda w: snn.ops.spmm(w, np.zeros((3, 2)), threads=0), ValueError, "threads must be at least 1"),
        (lambda w: snn.ops.spmm(w, np.zeros((3, 2)), threads=1.5), TypeError, "threads must be an integer"),
        (lambda w: snn.ops.spmm_transposed(w, np.zeros((3, 2))), ValueError, "dy must have shape"),
        (lambda w: snn.ops.sddmm(w, np.zeros((2, 2)), np.zeros((3, 4))), ValueError, "as many columns"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call(scipy.sparse.csr_array(np.ones((2, 3), np.float32)))
