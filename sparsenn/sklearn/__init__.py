"""scikit-learn estimators: MLPClassifier and MLPRegressor that end up sparse and predict by a compiled plan.

    from sparsenn.sklearn import SparseMLPClassifier
    classifier = SparseMLPClassifier((256,), sparsity=0.9, random_state=0).fit(X, y)
    classifier.predict(X);  classifier.model_          # the sparsenn Model, output activation included

They train dense until the loss stops improving, then prune and fine-tune (fitting.py). Pickles and joblib
files hold the model as the bytes of its file: reading one builds no code from the network.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse

from ..checks import check_integer, check_real
from ..errors import ArgumentError
from ..importers import from_sklearn
from ..importers._require import require
from ..importers.sklearn import ACTIVATIONS
from ..model import Linear, Model, Sigmoid, Softmax, mlp
from ..training.trainer import Trainer
from . import fitting
from .model_bytes import from_bytes, to_bytes

require("sklearn", extra="sklearn", caller="sparsenn.sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.utils import check_random_state  # noqa: E402
from sklearn.utils.multiclass import (  # noqa: E402
    check_classification_targets,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data  # noqa: E402

__all__ = ["SparseMLPClassifier", "SparseMLPRegressor"]


class _SparseMLP(BaseEstimator):
    """What classifier and regressor share. Subclasses give _encode, _output and _loss."""

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        sparsity=0.9,
        criterion="magnitude",
        schedule="cubic",
        threads=None,
    ):
        """As MLPClassifier and MLPRegressor name them; max_iter is for each training, the dense one and those
        after each pruning, all of which end when the loss stops improving. And:

        sparsity   share of zeros that every layer ends with, in [0, 1); 0 stays dense
        criterion  which weights go first, a name from sparsenn.criteria()
        schedule   "one-shot" prunes once; "linear", "cubic" and "exponential" in five steps, each fine-tuned
        threads    of the kernels; None: OMP_NUM_THREADS, affinity and the cgroup quota decide
        warm_start with True, fit goes on from the weights that are there: those of from_sklearn, for example
        """
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.sparsity = sparsity
        self.criterion = criterion
        self.schedule = schedule
        self.threads = threads

    def fit(self, X, y):
        """Trains, prunes and fine-tunes. X (n, features) array or scipy sparse matrix, y as MLPClassifier's.

        A sparse X is made dense, float32, once.
        """
        going_on = self.warm_start and hasattr(self, "model_")
        X, targets = self._validate(X, y, first=not going_on)
        sparsities = fitting.stage_sparsities(self.schedule, self.sparsity)
        body = self._body() if going_on else self._new_body(X.shape[1])
        settings = self._settings(len(X))
        record = fitting.Record()
        fitting.fit_dense(body, X, targets, settings, record)
        if not record.converged:
            warnings.warn(
                f"the loss still fell after max_iter={self.max_iter} epochs",
                ConvergenceWarning,
                stacklevel=2,
            )
        body = fitting.fit_sparse(
            body, X, targets, settings, record, sparsities=sparsities, criterion=self.criterion
        )
        self.loss_curve_ = record.losses
        return self._finish(body)

    def _partial_fit(self, X, y, *, classes=None):
        first = not hasattr(self, "model_")
        X, targets = self._validate(X, y, first=first, classes=classes)
        settings = self._settings(len(X))
        if first:
            body = self._new_body(X.shape[1], sparsity=check_real("sparsity", self.sparsity, below=1.0))
            self.loss_curve_ = []
        else:
            body = self._body()
        trainer = getattr(self, "_trainer", None)
        if first or trainer is None:
            trainer = Trainer(
                body,
                optimizer=settings.optimizer,
                learning_rate=settings.learning_rate_init,
                loss=settings.loss,
                l2=settings.l2,
                threads=settings.threads,
            )
        losses = [
            trainer.step(X[start : start + settings.batch_size], targets[start : start + settings.batch_size])
            for start in range(0, len(X), settings.batch_size)
        ]
        self.loss_curve_ = [*self.loss_curve_, float(np.mean(losses))]
        self._finish(body)
        self._trainer = trainer
        return self

    @classmethod
    def from_sklearn(cls, estimator, **parameters):
        """A fitted estimator of this class with the network of a fitted MLPClassifier or MLPRegressor.

        Its parameters are the given one's, and sparsity=0 unless another is given: nothing is pruned here.
        To prune and fine-tune from there, from_sklearn(e, sparsity=0.9, warm_start=True).fit(X, y).
        """
        model = from_sklearn(estimator)
        known = cls._get_param_names()
        taken = {name: value for name, value in estimator.get_params().items() if name in known}
        if taken["solver"] not in ("adam", "sgd"):
            taken["solver"] = "adam"
        new = cls(**{**taken, "sparsity": 0.0, **parameters})
        new._adopt(estimator)
        new.n_features_in_ = estimator.n_features_in_
        if hasattr(estimator, "feature_names_in_"):
            new.feature_names_in_ = estimator.feature_names_in_
        new.loss_curve_ = []
        return new._set_model(model)

    @property
    def coefs_(self) -> list:
        """The weights (in, out) of each layer: ndarray, or csc_array where the layer is sparse."""
        return [layer.weight.T for layer in self.model_.linear_layers]

    @property
    def intercepts_(self) -> list:
        """The biases (out,) of each layer."""
        return [layer.bias for layer in self.model_.linear_layers]

    @property
    def n_layers_(self) -> int:
        """Layers, the input counted."""
        return len(self.model_.linear_layers) + 1

    @property
    def n_outputs_(self) -> int:
        """Outputs of the network."""
        return self.model_.outputs

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags

    def __getstate__(self):
        state = dict(super().__getstate__())
        for name in ("_trainer", "_compiled"):
            state.pop(name, None)
        if "model_" in state:
            state["model_"] = to_bytes(state["model_"])
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "model_" in state:
            self._set_model(from_bytes(state["model_"]))

    def _run(self, X) -> np.ndarray:
        """The network's outputs (n, outputs) float32."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), reset=False)
        return self._compiled.run(_dense(X))

    def _validate(self, X, y, *, first: bool, classes=None) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=("csr", "csc"),
            multi_output=True,
            y_numeric=isinstance(self, RegressorMixin),
            reset=first,
        )
        return _dense(X), self._encode(y, first=first, classes=classes)

    def _settings(self, samples: int) -> fitting.Settings:
        """The parameters as a training run takes them, all checked."""
        if self.learning_rate not in ("constant", "invscaling", "adaptive"):
            raise ArgumentError(
                f"learning_rate must be 'constant', 'invscaling' or 'adaptive', got {self.learning_rate!r}"
            )
        if isinstance(self.batch_size, str) and self.batch_size == "auto":
            batch_size = min(200, samples)
        else:
            batch_size = min(check_integer("batch_size", self.batch_size, minimum=1), samples)
        return fitting.Settings(
            max_iter=check_integer("max_iter", self.max_iter, minimum=1),
            batch_size=batch_size,
            optimizer=fitting.make_optimizer(
                self.solver,
                momentum=self.momentum,
                nesterov=self.nesterovs_momentum,
                beta_1=self.beta_1,
                beta_2=self.beta_2,
                epsilon=self.epsilon,
            ),
            learning_rate=self.learning_rate if self.solver == "sgd" else "constant",
            learning_rate_init=check_real("learning_rate_init", self.learning_rate_init, open_minimum=True),
            power_t=check_real("power_t", self.power_t),
            shuffle=self.shuffle,
            tol=check_real("tol", self.tol),
            n_iter_no_change=check_integer("n_iter_no_change", self.n_iter_no_change, minimum=1),
            early_stopping=self.early_stopping,
            validation_fraction=check_real("validation_fraction", self.validation_fraction, below=1.0),
            l2=check_real("alpha", self.alpha) / batch_size,
            loss=self._loss(),
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
            threads=self.threads,
        )

    def _new_body(self, features: int, *, sparsity: float = 0.0) -> Model:
        """A network of random weights without its output activation."""
        if self.activation not in ACTIVATIONS or self.activation == "softmax":
            names = ", ".join(name for name in ACTIVATIONS if name != "softmax")
            raise ArgumentError(f"activation must be one of {names}, got {self.activation!r}")
        hidden = np.atleast_1d(self.hidden_layer_sizes).tolist()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        kind = ACTIVATIONS[self.activation]
        sizes = [features, *hidden, self._outputs]
        name = {"logistic": "sigmoid", "identity": "tanh"}.get(self.activation, self.activation)
        layers = mlp(sizes, activation=name, sparsity=sparsity, seed=seed).layers
        return Model(layers if kind is not None else [x for x in layers if isinstance(x, Linear)])

    def _body(self) -> Model:
        """The network without its output activation; the layers are the model's own."""
        layers = self.model_.layers
        return Model(layers[:-1] if self._output() is not None else layers)

    def _finish(self, body: Model):
        output = self._output()
        self.loss_ = self.loss_curve_[-1]
        self.n_iter_ = len(self.loss_curve_)
        return self._set_model(Model([*body.layers, output()] if output is not None else body.layers))

    def _set_model(self, model: Model):
        self.model_ = model
        self._compiled = fitting.LazyPlan(model, threads=self.threads)
        self._trainer = None
        return self


class SparseMLPClassifier(ClassifierMixin, _SparseMLP):
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

    def partial_fit(self, X, y, classes=None):
        """One pass over X (n, features), y (n,), in batches. The first call needs classes, every label.

        A network that begins here is sparse from the start, with a random pattern of that sparsity.
        """
        return self._partial_fit(X, y, classes=classes)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _encode(self, y, *, first: bool, classes=None) -> np.ndarray:
        """Class numbers (n,), or 0 and 1 (n, labels) float32 for one sigmoid output or several labels."""
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ArgumentError(
                "y must hold one label a sample, or 0 and 1 for each, got several classes each"
            )
        multilabel = kind == "multilabel-indicator"
        if not multilabel:
            y = column_or_1d(y, warn=True)
        if first:
            self._multilabel = multilabel
            self.classes_ = unique_labels(y) if classes is None else unique_labels(np.asarray(classes))
            if multilabel:
                self.classes_ = np.arange(y.shape[1])
            if len(self.classes_) < 2 and not multilabel:
                raise ArgumentError(f"y must hold at least 2 classes, got {len(self.classes_)} class")
            self._outputs = 1 if len(self.classes_) == 2 and not multilabel else len(self.classes_)
        if multilabel != self._multilabel:
            raise ArgumentError("y must be of the kind that the network was first fitted with")
        if multilabel:
            return _dense(y)
        if unknown := sorted(set(np.unique(y).tolist()) - set(self.classes_.tolist())):
            raise ArgumentError(f"y must hold labels of classes_ {self.classes_}, got {unknown}")
        codes = np.searchsorted(self.classes_, y)
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


class SparseMLPRegressor(RegressorMixin, _SparseMLP):
    """A sparse multi-layer perceptron for one number a sample, or several; it minimises the squared error."""

    def predict(self, X) -> np.ndarray:
        """X (n, features) -> (n,) float64, or (n, outputs) where there are several; computed in float32."""
        outputs = self._run(X).astype(np.float64)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def partial_fit(self, X, y):
        """One pass over X (n, features), y (n,) or (n, outputs), in batches.

        A network that begins here is sparse from the start, with a random pattern of that sparsity.
        """
        return self._partial_fit(X, y)

    def _encode(self, y, *, first: bool, classes=None) -> np.ndarray:
        targets = np.asarray(y, np.float32).reshape(len(y), -1)
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


def _dense(X) -> np.ndarray:
    """X as a C-contiguous float32 array."""
    X = X.toarray() if scipy.sparse.issparse(X) else X
    return np.ascontiguousarray(X, np.float32)
