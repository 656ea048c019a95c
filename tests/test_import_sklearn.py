"""from_sklearn: every kind of network that scikit-learn's perceptrons can be."""

from __future__ import annotations

import numpy as np
import pytest

import sparsenn as snn

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'sparsenn-cpu[sklearn]'")

from networks import assert_near
from sklearn import datasets
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from sparsenn.sklearn import SparseMLPClassifier, SparseMLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LOADERS = ("iris", "wine", "breast_cancer", "digits", "diabetes")
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
WIDTHS = ((), (1,), (7,), (40,), (64, 33), (20, 20, 20))


@pytest.fixture(scope="module")
def scaled():
    """Each data set as X (n, features) float64 of unit variance, y of labels or of unit variance."""
    loaded = {name: getattr(datasets, f"load_{name}")(return_X_y=True) for name in LOADERS}
    scaled = {name: (StandardScaler().fit_transform(X), y) for name, (X, y) in loaded.items()}
    X, y = scaled["diabetes"]
    return {**scaled, "diabetes": (X, (y - y.mean()) / y.std())}


@pytest.mark.parametrize("number", range(60))
def test_random_configurations(scaled, number):
    rng = np.random.default_rng(number)
    name = LOADERS[number % len(LOADERS)]
    X, y = scaled[name]
    kind = MLPRegressor if name == "diabetes" else MLPClassifier
    estimator = kind(
        hidden_layer_sizes=WIDTHS[rng.integers(len(WIDTHS))],
        activation=ACTIVATIONS[rng.integers(len(ACTIVATIONS))],
        solver=("adam", "sgd")[rng.integers(2)],
        learning_rate_init=0.01,
        max_iter=int(rng.integers(1, 12)),
        random_state=number,
    )
    estimator.fit(X[::2], y[::2])
    model = snn.from_sklearn(estimator)
    if kind is MLPRegressor:
        assert_near(model, X, estimator.predict(X)[:, np.newaxis])
        np.testing.assert_allclose(
            SparseMLPRegressor.from_sklearn(estimator).predict(X), estimator.predict(X), rtol=1e-4, atol=1e-5
        )
        return
    probabilities = estimator.predict_proba(X)
    outputs = snn.compile(model).run(X)
    network_output = probabilities[:, 1:] if outputs.shape[1] == 1 else probabilities
    np.testing.assert_allclose(outputs, network_output, rtol=0, atol=1e-5)
    sparse = SparseMLPClassifier.from_sklearn(estimator)
    np.testing.assert_array_equal(sparse.classes_, estimator.classes_)
    np.testing.assert_array_equal(sparse.predict(X), estimator.predict(X))
    np.testing.assert_allclose(sparse.predict_proba(X), probabilities, rtol=0, atol=1e-5)


def test_labels_of_any_type(scaled):
    X, y = scaled["iris"]
    for names in (np.array(["setosa", "versicolor", "virginica"]), np.array([-3, 5, 900])):
        estimator = MLPClassifier((9,), max_iter=5, random_state=0).fit(X, names[y])
        sparse = SparseMLPClassifier.from_sklearn(estimator)
        np.testing.assert_array_equal(sparse.predict(X), estimator.predict(X))


def test_multi_label():
    X, y = datasets.make_multilabel_classification(n_samples=80, n_classes=4, random_state=0)
    estimator = MLPClassifier((9,), max_iter=30, random_state=0).fit(X, y)
    assert isinstance(snn.from_sklearn(estimator).layers[-1], snn.Sigmoid)
    sparse = SparseMLPClassifier.from_sklearn(estimator)
    np.testing.assert_array_equal(sparse.predict(X), estimator.predict(X))
    np.testing.assert_allclose(sparse.predict_proba(X), estimator.predict_proba(X), rtol=0, atol=1e-5)


def test_several_outputs():
    X, y = datasets.make_regression(n_samples=80, n_features=6, n_targets=3, random_state=0)
    estimator = MLPRegressor(hidden_layer_sizes=(9,), activation="tanh", max_iter=5, random_state=0).fit(X, y)
    assert_near(snn.from_sklearn(estimator), X, estimator.predict(X))


def test_prune_and_fine_tune(scaled):
    X, y = scaled["digits"]
    estimator = MLPClassifier((64,), max_iter=30, random_state=0).fit(X[::2], y[::2])
    sparse = snn.prune(snn.from_sklearn(estimator), sparsity=0.9)
    assert abs(sparse.sparsity - 0.9) < 1e-3
    before = np.mean(snn.compile(sparse).run(X[1::2]).argmax(axis=1) == y[1::2])
    snn.train(sparse, X[::2], y[::2], epochs=30, batch_size=32)
    after = np.mean(snn.compile(sparse).run(X[1::2]).argmax(axis=1) == y[1::2])
    assert after > max(before, 0.9)
    tuned = SparseMLPClassifier.from_sklearn(
        estimator, sparsity=0.9, warm_start=True, max_iter=50, random_state=0
    ).fit(X[::2], y[::2])
    assert abs(tuned.model_.sparsity - 0.9) < 0.01
    assert tuned.score(X[1::2], y[1::2]) > 0.9


def test_weights_are_copied(scaled):
    X, y = scaled["iris"]
    estimator = MLPClassifier((4,), max_iter=2, random_state=0).fit(X, y)
    model = snn.from_sklearn(estimator)
    before = model.layers[0].weight.copy()
    estimator.coefs_[0][:] = 7
    np.testing.assert_array_equal(model.layers[0].weight, before)


def test_wrong_estimators(scaled):
    X, y = scaled["iris"]
    with pytest.raises(ValueError, match="estimator must be fitted"):
        snn.from_sklearn(MLPClassifier())
    with pytest.raises(TypeError, match="must be an MLPClassifier or MLPRegressor, got StandardScaler"):
        snn.from_sklearn(StandardScaler())
    broken = MLPClassifier((4,), max_iter=2, random_state=0).fit(X, y)
    broken.coefs_[1][2, 1] = np.nan
    with pytest.raises(ValueError, match=r"coefs_\[1\]: the weight must be finite as float32, got nan"):
        snn.from_sklearn(broken)
    with pytest.raises(TypeError, match="must be an MLPRegressor"):
        SparseMLPRegressor.from_sklearn(MLPClassifier((4,), max_iter=2).fit(X, y))


class OwnPredict(MLPClassifier):
    def predict(self, X):
        return self.classes_[(self.predict_proba(X)[:, 0] < 0.9).astype(int)]


class OwnProbabilities(MLPClassifier):
    def predict_proba(self, X):
        return super().predict_proba(X) ** 2


class OwnNetwork(MLPRegressor):
    def _forward_pass_fast(self, X, check_input=True):
        return 2 * super()._forward_pass_fast(X, check_input)


class ScaledRegressor(MLPRegressor):
    def predict(self, X):
        return super().predict(X) * 10


class Renamed(MLPClassifier):
    """Changes nothing about the prediction."""

    def fit(self, X, y):
        return super().fit(X * 2, y)


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (OwnPredict, "predict"),
        (OwnProbabilities, "predict_proba"),
        (OwnNetwork, "_forward_pass_fast"),
        (ScaledRegressor, "predict"),
    ],
)
def test_estimators_that_predict_in_their_own_way(scaled, kind, method):
    X, y = scaled["iris"]
    estimator = kind(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(X, y)
    with pytest.raises(snn.UnsupportedError, match=f"{kind.__name__} has a {method} of its own"):
        snn.from_sklearn(estimator)


def test_instances_that_predict_in_their_own_way(scaled):
    X, y = scaled["iris"]
    estimator = MLPClassifier((4,), max_iter=2, random_state=0).fit(X, y)
    estimator.predict_proba = lambda X: np.ones((len(X), 3)) / 3
    with pytest.raises(snn.UnsupportedError, match="has a predict_proba of its own"):
        snn.from_sklearn(estimator)


def test_subclasses_that_change_nothing(scaled):
    X, y = scaled["iris"]
    estimator = Renamed((4,), max_iter=5, random_state=0).fit(X, y)
    assert_near(snn.from_sklearn(estimator), X, estimator.predict_proba(X))


def test_the_result_is_compared(scaled, monkeypatch):
    X, y = scaled["iris"]
    estimator = OwnProbabilities((4,), max_iter=5, random_state=0).fit(X, y)
    monkeypatch.setattr("sparsenn.importers.sklearn._check_own_code", lambda *_: None)
    with pytest.raises(snn.UnsupportedError, match="OwnProbabilities computes something else"):
        snn.from_sklearn(estimator)


def test_named_features_give_no_warning(scaled, recwarn):
    X, y = scaled["iris"]
    estimator = MLPClassifier((4,), max_iter=5, random_state=0).fit(X, y)
    estimator.feature_names_in_ = np.array(list("abcd"), object)  # as one that was fitted on a data frame
    recwarn.clear()
    snn.from_sklearn(estimator)
    assert not [warning for warning in recwarn if "feature names" in str(warning.message)]


def test_missing_intercepts(scaled):
    X, y = scaled["iris"]
    estimator = MLPClassifier((4,), max_iter=2, random_state=0).fit(X, y)
    estimator.intercepts_.pop()
    with pytest.raises(snn.ArgumentError, match=r"as many intercepts_ as coefs_ \(2\), got 1"):
        snn.from_sklearn(estimator)
