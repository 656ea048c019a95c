"""scikit-learn estimators: MLPClassifier and MLPRegressor that end up sparse and predict by a compiled plan.

    from sparsenn.sklearn import SparseMLPClassifier
    classifier = SparseMLPClassifier((256,), sparsity=0.9, random_state=0).fit(X, y)
    classifier.predict(X);  classifier.model_          # the sparsenn Model, output activation included

They train dense until the loss stops improving, then prune and fine-tune. Pickles and joblib files hold the
model as the bytes of its file: reading one builds no code from the network.

    estimator.py    what both share: the parameters, fit, what scikit-learn asks for, pickles (model_bytes.py)
    parameters.py   the parameters as a training run and as a network
    data.py         X and y as arrays to train on
    fitting.py      dense until it converges, then pruned and fine-tuned in stages;  lazy_plan.py  the plan
"""

from __future__ import annotations

import numpy as np

from ..checks import check_finite
from ..errors import ArgumentError
from ..layers import Sigmoid, Softmax
from ..require import require

require("sklearn", extra="sklearn", caller="sparsenn.sklearn")

from sklearn.base import ClassifierMixin, RegressorMixin  # noqa: E402
from sklearn.utils.multiclass import is_multilabel  # noqa: E402

from .data import as_dense, check_first_classes, class_codes, find_classes, read_labels  # noqa: E402
from .estimator import SparseMLP  # noqa: E402

__all__ = ["SparseMLPClassifier", "SparseMLPRegressor"]


class SparseMLPClassifier(ClassifierMixin, SparseMLP):
    """A sparse multi-layer perceptron for two classes, several, or several labels a sample.

    classes_  the labels; model_ the network; loss_curve_ the loss of every epoch; n_iter_ their number
    """

    def predict(self, X) -> np.ndarray:
        """X (n, features) -> the labels (n,), or (n, labels) of 0 and 1 for a multi-label network."""
        outputs = self._run(X)
        if self._multilabel:
            return (outputs > 0.5).astype(int)
        if outputs.shape[1] == 1:
            return self.classes_[(outputs[:, 0] > 0.5).astype(int)]
        return self.classes_[outputs.argmax(axis=1)]

    def predict_proba(self, X) -> np.ndarray:
        """X (n, features) -> (n, classes) float32; each row sums to 1, but for a multi-label network."""
        outputs = self._run(X)
        if outputs.shape[1] == 1 and not self._multilabel:
            return np.hstack([1 - outputs, outputs])
        return outputs

    def predict_log_proba(self, X) -> np.ndarray:
        """The logarithm of predict_proba."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """One pass over X (n, features), y (n,), sample_weight (n,) or None, in batches.

        The first call needs classes, every label; later ones may repeat it. A multi-label y (n, labels) of 0
        and 1 needs none.
        A network that begins here is sparse from the start, with a random pattern of that sparsity.
        """
        known = getattr(self, "classes_", None)
        check_first_classes(classes, known, multilabel=is_multilabel(y))
        return self._partial_fit(X, y, classes=classes, sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _encode(self, y, *, first: bool, classes=None) -> np.ndarray:
        """Class numbers (n,), or 0 and 1 (n, labels) float32 for one sigmoid output or several labels."""
        y, multilabel = read_labels(y)
        if first:
            self._multilabel = multilabel
            self.classes_ = find_classes(y, classes, multilabel=multilabel)
            self._outputs = 1 if len(self.classes_) == 2 and not multilabel else len(self.classes_)
        if multilabel != self._multilabel:
            raise ArgumentError("y must be of the kind that the network was first fitted with")
        if multilabel:
            return as_dense(y)
        codes = class_codes(y, self.classes_)
        return codes.astype(np.float32)[:, np.newaxis] if self._outputs == 1 else codes

    def _adopt(self, estimator) -> None:
        if not hasattr(estimator, "classes_"):
            raise TypeError(f"estimator must be an MLPClassifier, got {type(estimator).__name__}")
        binarizer = estimator._label_binarizer
        self._multilabel = binarizer.y_type_.startswith("multilabel")
        self.classes_ = estimator.classes_.copy()
        self._outputs = estimator.n_outputs_

    def _output(self) -> type:
        return Sigmoid if self._multilabel or self._outputs == 1 else Softmax

    def _loss(self) -> str:
        return "cross_entropy" if self._output() is Softmax else "binary_cross_entropy"


class SparseMLPRegressor(RegressorMixin, SparseMLP):
    """A sparse multi-layer perceptron for one number a sample, or several; it minimises the squared error."""

    def predict(self, X) -> np.ndarray:
        """X (n, features) -> (n,) float64, or (n, outputs) where there are several; computed in float32."""
        outputs = self._run(X).astype(np.float64)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def partial_fit(self, X, y, sample_weight=None):
        """One pass over X (n, features), y (n,) or (n, outputs), sample_weight (n,) or None, in batches.

        A network that begins here is sparse from the start, with a random pattern of that sparsity.
        """
        return self._partial_fit(X, y, sample_weight=sample_weight)

    def _encode(self, y, *, first: bool, classes=None) -> np.ndarray:
        with np.errstate(over="ignore"):
            targets = np.asarray(y, np.float32).reshape(len(y), -1)
        check_finite(targets, "y as float32")
        if first:
            self._outputs = targets.shape[1]
        return targets

    def _adopt(self, estimator) -> None:
        if hasattr(estimator, "classes_"):
            raise TypeError(f"estimator must be an MLPRegressor, got {type(estimator).__name__}")
        self._outputs = estimator.n_outputs_

    def _output(self) -> None:
        return None

    def _loss(self) -> str:
        return "mse"
