"""A weight that is 0 reads nothing: NaN and infinities against scipy, in every kernel set and batch."""

import numpy as np
import pytest
import scipy.sparse
from op_cases import ALL

import sparsenn as snn
from sparsenn import _core
from sparsenn.weights import core_indices

BATCHES = (1, 2, 5, 8, 64)
ROWS, COLUMNS = 37, 60


@pytest.fixture
def x(rng) -> np.ndarray:
    """(64, COLUMNS) float32; two samples of three hold NaN or infinities."""
    x = rng.uniform(-1, 1, (64, COLUMNS)).astype(np.float32)
    for sample in range(len(x)):
        for place in range(sample % 3):
            x[sample, (7 * sample + 30 * place) % COLUMNS] = (np.nan, np.inf, -np.inf)[(sample + place) % 3]
    return x


def assert_same(got, wanted, terms: int):
    """NaN and infinities in the same places; else within the rounding of sums of products below 1."""
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(got[~finite], wanted[~finite])
    assert np.isfinite(got[finite]).all()
    np.testing.assert_allclose(got[finite], wanted[finite], atol=(terms + 2) ** 2 * 1.2e-7, rtol=1e-5)


def forms(csr: scipy.sparse.csr_array):
    """The same matrix in CSR, with a third of its zeros stored, and dense."""
    stored = csr.tocoo()
    row, col = np.nonzero(csr.toarray() == 0)
    row, col = row[::3], col[::3]
    data = np.concatenate([stored.data, np.zeros(len(row), np.float32)])
    places = np.concatenate([stored.row, row]), np.concatenate([stored.col, col])
    return csr, scipy.sparse.csr_array((data, places), shape=csr.shape), csr.toarray()


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("tune", ["measure", "off"])
def test_one_layer_is_the_product_of_scipy(tune, x, random_csr, usable_isas):
    csr = random_csr(ROWS, COLUMNS, 0.85)
    csr.data /= abs(csr.data).max()
    wanted = (csr.astype(np.float64) @ x.T.astype(np.float64)).T
    assert np.isnan(wanted).any(axis=1).sum() > np.isnan(wanted).all(axis=1).sum()
    for weight in forms(csr):
        model = snn.Model([snn.Linear(weight)])
        np.testing.assert_allclose(snn.reference(model, x), wanted, rtol=1e-13)
        for isa in usable_isas:
            for threads in (1, 3):
                plan = snn.compile(model, isa=isa, tune=tune, threads=threads, cache=False)
                single = np.concatenate([plan.run(sample[np.newaxis]) for sample in x])
                assert_same(single, wanted, COLUMNS)
                for batch in BATCHES:
                    got = plan.run(x[-batch:])
                    assert got.tobytes() == single[-batch:].tobytes(), (isa, threads, batch)


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize("name, layer", ALL, ids=[repr(layer) for _, layer in ALL])
def test_every_op_keeps_what_is_nan(name, layer, x, random_csr, usable_isas):
    weights = [random_csr(*shape, 0.85) for shape in ((50, COLUMNS), (30, 50), (9, 30))]
    for weight in weights:
        weight.data /= 2 * abs(weight.data).max()
    model = snn.Model(
        [snn.Linear(weights[0]), layer, snn.Linear(weights[1].toarray()), layer, snn.Linear(weights[2])]
    )
    wanted = snn.reference(model, x)
    assert np.isnan(wanted).any() and np.isfinite(wanted).any()
    for isa in usable_isas:
        plan = snn.compile(model, isa=isa, tune="off", cache=False)
        for batch in BATCHES:
            assert_same(plan.run(x[-batch:]), wanted[-batch:], COLUMNS)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_products_of_training_are_those_of_scipy(x, rng, random_csr, usable_isas):
    csr = random_csr(ROWS, COLUMNS, 0.85)
    csr.data /= abs(csr.data).max()
    dy = rng.uniform(-1, 1, (ROWS, len(x))).astype(np.float32)
    dy[5, ::3], dy[17, 1::5] = np.nan, np.inf
    x = np.ascontiguousarray(x.T)
    exact = csr.astype(np.float64)
    for weight in forms(csr)[:2]:
        at = weight.tocoo()
        for isa in usable_isas:
            sparse = _core.Sparse(*core_indices(weight), weight.shape, isa=isa.encode())
            for batch in BATCHES:
                own = np.ascontiguousarray(x[:, -batch:]), np.ascontiguousarray(dy[:, -batch:])
                wanted = exact @ own[0].astype(np.float64)
                assert_same(sparse.forward(weight.data, None, own[0]), wanted, COLUMNS)
                wanted = exact.T @ own[1].astype(np.float64)
                assert_same(sparse.backward_input(weight.data, own[1]), wanted, ROWS)
                products = own[1][at.row].astype(np.float64) * own[0][at.col]
                assert_same(sparse.backward_weight(own[1], own[0])[0], products.sum(axis=1), batch)
