"""The scikit-learn estimators on what they must refuse, and on weighted samples."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'sparsenn-cpu[sklearn]'")

from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_validate

from sparsenn.sklearn import SparseMLPClassifier, SparseMLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:pruned too far"),
]
FAST = {"threads": 1, "random_state": 0, "max_iter": 3, "schedule": "one-shot", "sparsity": 0.5}
X, LABELS = load_iris(return_X_y=True)
BOTH = [SparseMLPClassifier((8,), **FAST), SparseMLPRegressor((8,), **FAST)]
BINARY = np.minimum(LABELS, 1)
MANY = np.eye(3, dtype=int)[LABELS]
TARGETS = {"classes": LABELS, "two": BINARY, "text": LABELS.astype(str), "labels": MANY}


def state_of(estimator):
    return {name: value for name, value in vars(estimator).items() if name not in ("_compiled", "_trainer")}


@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict", "predict_proba", "score"])
@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array, np.ndarray.tolist, "objects"])
@pytest.mark.parametrize("value", [1e39, -1e300, 3.5e38, np.nan, np.inf])
@pytest.mark.parametrize("original", BOTH, ids=["classifier", "regressor"])
def test_features_beyond_float32_are_refused_everywhere(original, value, kind, method):
    if method == "predict_proba" and isinstance(original, SparseMLPRegressor):
        pytest.skip("a regressor has no probabilities")
    estimator = clone(original).fit(X, LABELS)
    before = state_of(estimator)
    wrong = X.copy()
    wrong[7, 2] = value
    wrong = wrong.astype(object) if kind == "objects" else kind(wrong)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="finite|NaN|infinity"):
            getattr(estimator, method)(*([wrong] if "predict" in method else [wrong, LABELS]))
    assert state_of(estimator) == before


@pytest.mark.parametrize("original", BOTH, ids=["classifier", "regressor"])
def test_outputs_that_overflow_are_refused(original):
    estimator = clone(original).fit(X, LABELS)
    for layer in estimator.model_.linear_layers:
        layer.weight = abs(layer.weight) * 1e3
    estimator._set_model(estimator.model_)
    with pytest.raises(ValueError, match="X must be small enough .* overflow for sample 1"):
        estimator.predict(np.array([[1.0] * 4, [3e38] * 4]))


@pytest.mark.parametrize("value", [1e39, np.nan, -np.inf])
def test_targets_beyond_float32_are_refused(value):
    y = LABELS.astype(float)
    y[3] = value
    for call in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match="finite|NaN|infinity"):
            getattr(SparseMLPRegressor((8,), **FAST), call)(X, y)


@pytest.mark.parametrize("name", ["classes", "two", "text"])
def test_partial_fit_needs_the_same_classes(name):
    y = TARGETS[name]
    classes = np.unique(y)
    estimator = SparseMLPClassifier((8,), **FAST)
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        estimator.partial_fit(X, y)
    assert not hasattr(estimator, "classes_")
    estimator.partial_fit(X, y, classes[::-1])
    estimator.partial_fit(X, y, classes=classes).partial_fit(X, y)
    before = state_of(estimator)
    for other in (classes[:-1], [*classes, classes[-1] * 2 + classes[-1]], classes.astype(str) + "x"):
        with pytest.raises(ValueError, match="classes must be those of the first call"):
            estimator.partial_fit(X, y, classes=list(other))
    assert state_of(estimator) == before
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        clone(estimator).fit(X, y).partial_fit(X, y, classes=classes[:-1])


def test_partial_fit_of_several_labels_needs_no_classes():
    estimator = SparseMLPClassifier((8,), **FAST).partial_fit(X, MANY).partial_fit(X, MANY, classes=[0, 1])
    with pytest.raises(ValueError, match="yb? must have shape"):
        estimator.partial_fit(X, MANY[:, :2])
    with pytest.raises(ValueError, match="y must be of the kind"):
        estimator.partial_fit(X, LABELS, classes=[0, 1, 2])


@pytest.mark.parametrize("change", ["classes", "kind", "width", "features", "parameter"])
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(change):
    estimator = SparseMLPClassifier((8,), warm_start=True, **FAST).fit(X, LABELS)
    expected = estimator.predict_proba(X)
    before = state_of(estimator)
    wrong = {"classes": (X, LABELS + 1), "kind": (X, MANY), "features": (X[:, :3], LABELS)}
    changed = {"width": {"hidden_layer_sizes": (9,)}, "parameter": {"early_stopping": "yes"}}.get(change, {})
    with pytest.raises((ValueError, TypeError)):
        estimator.set_params(**changed).fit(*wrong.get(change, (X, LABELS)))
    estimator.set_params(hidden_layer_sizes=(8,), early_stopping=False)
    assert state_of(estimator) == before
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)
    cold = clone(estimator).set_params(warm_start=False).fit(X, LABELS)
    before = state_of(cold)
    with pytest.raises(ValueError, match="sample_weight|y must hold"):
        cold.fit(X, LABELS * 0 + 5, sample_weight=np.ones(150))
    assert state_of(cold) == before


@pytest.mark.parametrize(
    "parameters",
    [
        {"early_stopping": "yes"},
        {"shuffle": 1},
        {"nesterovs_momentum": "no", "solver": "sgd"},
        {"warm_start": "no"},
        {"early_stopping": True, "validation_fraction": 0.0},
        {"early_stopping": True, "validation_fraction": 0.001},
        {"early_stopping": True, "validation_fraction": 0.999},
        {"hidden_layer_sizes": (0,)},
        {"hidden_layer_sizes": (2.5,)},
        {"hidden_layer_sizes": "8"},
        {"batch_size": "all"},
        {"batch_size": 0},
        {"alpha": -1.0},
        {"tol": np.nan},
        {"beta_1": 1.0, "solver": "adam"},
        {"epsilon": 0.0},
        {"threads": 0},
    ],
)
@pytest.mark.parametrize("original", BOTH, ids=["classifier", "regressor"])
def test_parameters_that_are_refused(original, parameters):
    estimator = clone(original).set_params(**parameters)
    with pytest.raises((ValueError, TypeError)):
        estimator.fit(X, LABELS)
    assert not hasattr(estimator, "model_") and not hasattr(estimator, "n_features_in_")


FULL = {
    "threads": 1,
    "random_state": 0,
    "max_iter": 60,
    "schedule": "one-shot",
    "alpha": 0.1,
    "batch_size": 10**6,
}


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("sparsity", [0.0, 0.5])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", [*TARGETS, "reals", "two reals"])
def test_a_weight_of_two_is_the_sample_twice(name, method, sparsity, solver):
    rng = np.random.default_rng(1)
    order = rng.permutation(len(X))[:60]
    weights = rng.integers(0, 4, 60)
    reals = {"reals": X[:, 0] * 0.1, "two reals": X[:, :2] * 0.1}
    y = {**TARGETS, **reals}[name][order]
    kind = SparseMLPRegressor if name in reals else SparseMLPClassifier
    options = (
        {"classes": np.unique(y)} if method == "partial_fit" and name in ("classes", "two", "text") else {}
    )
    original = kind((12,), sparsity=sparsity, solver=solver, **FULL)
    features = (X[order] - X.mean(axis=0)) / X.std(axis=0)
    fitted = [clone(original), clone(original), clone(original)]
    for _ in range(5 if method == "partial_fit" else 1):
        getattr(fitted[0], method)(features, y, sample_weight=weights, **options)
        getattr(fitted[1], method)(features.repeat(weights, axis=0), y.repeat(weights, axis=0), **options)
        getattr(fitted[2], method)(features, y, **options)
    predict = "predict_proba" if kind is SparseMLPClassifier else "predict"
    weighted, repeated, plain = (getattr(one, predict)(features) for one in fitted)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-3, atol=1e-4)
    assert abs(weighted - plain).max() > 10 * abs(weighted - repeated).max()
    np.testing.assert_allclose(fitted[0].loss_curve_, fitted[1].loss_curve_, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("original", BOTH, ids=["classifier", "regressor"])
@pytest.mark.parametrize(
    "weights",
    [np.ones(149), np.ones((150, 1)), np.zeros(150), -np.ones(150), np.full(150, np.nan), ["a"] * 150],
)
def test_weights_that_are_refused(original, weights):
    for method in ("fit", "partial_fit"):
        options = {"classes": [0, 1, 2]} if hasattr(original, "predict_proba") and method != "fit" else {}
        with pytest.raises((ValueError, TypeError)):
            getattr(clone(original), method)(X, LABELS, sample_weight=weights, **options)


@pytest.mark.parametrize("original", BOTH, ids=["classifier", "regressor"])
def test_weights_in_all_the_ways_of_scikit_learn(original):
    weights = np.random.default_rng(0).random(150)
    fitted = clone(original).set_params(early_stopping=True).fit(X, LABELS, sample_weight=weights)
    assert np.isfinite(fitted.score(X, LABELS, sample_weight=weights))
    one = clone(original).fit(X, LABELS, sample_weight=2.0)
    np.testing.assert_allclose(
        one.predict(X), clone(original).set_params(alpha=5e-5).fit(X, LABELS).predict(X)
    )
    routed = clone(original).set_fit_request if hasattr(original, "set_fit_request") else None
    if routed is not None:
        import sklearn

        with sklearn.config_context(enable_metadata_routing=True):
            estimator = routed(sample_weight=True).set_score_request(sample_weight=True)
            found = cross_validate(
                estimator, X, LABELS, params={"sample_weight": weights}, error_score="raise"
            )
        assert np.isfinite(found["test_score"]).all()


def test_a_small_layer_that_is_emptied_is_said():
    estimator = SparseMLPClassifier((4,), threads=1, random_state=0, max_iter=2, sparsity=0.98)
    with pytest.warns(UserWarning, match="pruned too far: outputs .* do not depend on the inputs"):
        estimator.fit(X, LABELS)
    assert all(layer.nnz >= 1 for layer in estimator.model_.linear_layers)
