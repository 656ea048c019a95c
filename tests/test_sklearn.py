"""The scikit-learn estimators: scikit-learn's own checks, its tools, pickles, and the paths around them."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'sparsenn-cpu[sklearn]'")

import joblib
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsenn.sklearn import SparseMLPClassifier, SparseMLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks([SparseMLPClassifier(threads=1), SparseMLPRegressor(threads=1)])
def test_scikit_learns_own_checks(estimator, check, monkeypatch):
    if "sample_weight_equivalence" in str(check):  # float64's tolerance; the networks are float32
        exact = estimator_checks.assert_allclose_dense_sparse
        monkeypatch.setattr(
            estimator_checks, "assert_allclose_dense_sparse", functools.partial(exact, rtol=2e-5, atol=1e-6)
        )
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def fitted(iris):
    return SparseMLPClassifier((40,), learning_rate_init=0.01, random_state=0, threads=1).fit(*iris)


def test_ends_at_the_sparsity_asked_for(fitted, iris):
    assert abs(fitted.model_.sparsity - 0.9) < 0.01
    assert all(layer.sparse for layer in fitted.model_.linear_layers)
    assert fitted.score(*iris) > 0.9
    assert fitted.n_iter_ == len(fitted.loss_curve_)


def test_predicts_by_the_compiled_plan(fitted, iris, monkeypatch):
    expected = snn.compile(fitted.model_).run(iris[0].astype(np.float32))
    monkeypatch.setattr(snn.Model, "predict", None)
    np.testing.assert_array_equal(fitted.predict_proba(iris[0]), expected)
    assert isinstance(fitted._compiled.plan, snn.Plan)


def test_probabilities_are_those_of_the_classes(iris):
    X, y = load_breast_cancer(return_X_y=True)
    binary = SparseMLPClassifier((8,), max_iter=5, random_state=0).fit(X / X.max(axis=0), y)
    probabilities = binary.predict_proba(X / X.max(axis=0))
    assert probabilities.shape == (len(X), 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(binary.predict(X / X.max(axis=0)), probabilities.argmax(axis=1))
    np.testing.assert_allclose(np.exp(binary.predict_log_proba(X / X.max(axis=0))), probabilities, rtol=1e-5)


@pytest.mark.parametrize("dump", [pickle.dumps, None], ids=["pickle", "joblib"])
def test_pickles_hold_the_models_bytes(fitted, iris, tmp_path, dump):
    state = fitted.__getstate__()
    assert isinstance(state["model_"], bytes)
    assert not {"_compiled", "_trainer"} & state.keys()
    assert type(fitted).__module__ == "sparsenn.sklearn"  # where a pickle looks for the class
    if dump:
        loaded = pickle.loads(dump(fitted))
    else:
        joblib.dump(fitted, tmp_path / "e.joblib")
        loaded = joblib.load(tmp_path / "e.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), fitted.predict_proba(iris[0]))
    state["model_"] = state["model_"][:-5]
    with pytest.raises(snn.FormatError):
        SparseMLPClassifier().__setstate__(state)


def test_pipeline_search_and_cross_validation(iris):
    X, y = iris
    pipeline = make_pipeline(
        StandardScaler(), SparseMLPClassifier((32,), learning_rate_init=0.02, random_state=0, threads=1)
    )
    scores = cross_val_score(pipeline, X, y, cv=3, n_jobs=2)
    assert scores.mean() > 0.85
    search = GridSearchCV(pipeline, {"sparsemlpclassifier__sparsity": [0.0, 0.5]}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.85
    assert search.best_estimator_[-1].model_.sparsity == search.best_params_["sparsemlpclassifier__sparsity"]


def test_sparse_input_gives_the_same(iris):
    X, y = iris
    X = np.where(X > 3, X, 0)
    made = [
        SparseMLPClassifier((8,), max_iter=5, random_state=0, threads=1).fit(kind(X), y)
        for kind in (np.asarray, scipy.sparse.csr_matrix, scipy.sparse.csc_array)
    ]
    for estimator in made[1:]:
        for kind in (np.asarray, scipy.sparse.csr_array):
            np.testing.assert_array_equal(estimator.predict_proba(kind(X)), made[0].predict_proba(X))


@pytest.mark.parametrize("schedule", ["one-shot", "linear", "cubic"])
def test_schedules_and_solvers(schedule):
    X, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    for options in ({}, {"solver": "sgd", "learning_rate": "adaptive"}, {"early_stopping": True}):
        regressor = SparseMLPRegressor(
            (30,), sparsity=0.7, schedule=schedule, max_iter=40, random_state=0, threads=1, **options
        ).fit(X, y)
        assert abs(regressor.model_.sparsity - 0.7) < 0.02
        assert regressor.predict(X).shape == (len(X),)


def test_multi_label_fit():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 6))
    y = (X[:, :3] + X[:, 3:] > 0).astype(int)
    estimator = SparseMLPClassifier(
        (32,), sparsity=0.5, learning_rate_init=0.01, max_iter=100, random_state=0, threads=1
    ).fit(X, y)
    assert (estimator.predict(X) == y).mean() > 0.9
    assert estimator.predict_proba(X).shape == (200, 3)


def test_partial_fit(iris):
    X, y = iris
    order = np.random.default_rng(0).permutation(len(X))
    X, y = StandardScaler().fit_transform(X)[order], y[order]
    estimator = SparseMLPClassifier((40,), sparsity=0.8, learning_rate_init=0.01, random_state=0, threads=1)
    estimator.partial_fit(X[:75], y[:75], classes=[0, 1, 2])
    pattern = estimator.model_.layers[0].weight.indices.copy()
    for _ in range(100):
        estimator.partial_fit(X[:75], y[:75])
    np.testing.assert_array_equal(estimator.model_.layers[0].weight.indices, pattern)
    assert estimator.score(X[75:], y[75:]) > 0.85
    again = pickle.loads(pickle.dumps(estimator)).partial_fit(X, y)
    assert again.n_iter_ == estimator.n_iter_ + 1


def test_the_same_seed_gives_the_same_model(fitted, iris):
    again = clone(fitted).fit(*iris)
    np.testing.assert_array_equal(again.predict_proba(iris[0]), fitted.predict_proba(iris[0]))


def test_wrong_parameters(iris):
    for parameters, message in (
        ({"sparsity": 1.0}, r"sparsity must be in \[0, 1\), got 1"),
        ({"solver": "lbfgs"}, "solver must be 'adam' or 'sgd', got 'lbfgs'"),
        ({"activation": "swish"}, "activation must be one of .*, got 'swish'"),
        ({"schedule": "never"}, "schedule must be one of .*, got 'never'"),
        ({"criterion": "beauty"}, "criterion must be one of .*, got 'beauty'"),
        ({"learning_rate": "fast"}, "learning_rate must be .*, got 'fast'"),
        ({"max_iter": 0}, "max_iter must be at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            SparseMLPClassifier(**{"max_iter": 1, **parameters}).fit(*iris)
    with pytest.raises(ValueError, match="y must hold at least 2 classes"):
        SparseMLPClassifier().fit(iris[0], np.zeros(150))
    estimator = SparseMLPClassifier(max_iter=1).fit(*iris)
    with pytest.raises(ValueError, match="y must hold labels of classes_"):
        estimator.partial_fit(iris[0], iris[1] + 7)


def test_export_and_import_again(iris):
    dense = MLPClassifier((9,), max_iter=5, random_state=0).fit(*iris)
    exported = snn.to_sklearn(snn.from_sklearn(dense))
    np.testing.assert_array_equal(exported.predict(iris[0]), dense.predict(iris[0]))
    regressor = MLPRegressor(hidden_layer_sizes=(9,), max_iter=5, random_state=0).fit(*iris)
    exported = snn.to_sklearn(snn.from_sklearn(regressor))
    np.testing.assert_allclose(exported.predict(iris[0]), regressor.predict(iris[0]), rtol=1e-4)
