"""What the estimators share: the parameters, fit, what scikit-learn asks for, and pickles."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from ..checks import check_real
from ..importers import from_sklearn
from ..model import Model
from . import fitting
from .data import as_dense, sound
from .lazy_plan import LazyPlan
from .model_bytes import from_bytes, to_bytes
from .parameters import new_network, training_settings


class SparseMLP(BaseEstimator):
    """What classifier and regressor share. Subclasses give _encode, _adopt, _output and _loss."""

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
        body = self._body() if going_on else new_network(self, features=X.shape[1], outputs=self._outputs)
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
            sparsity = check_real("sparsity", self.sparsity, below=1.0)
            body = new_network(self, features=X.shape[1], outputs=self._outputs, sparsity=sparsity)
            self.loss_curve_ = []
        else:
            body = self._body()
        trainer = None if first else getattr(self, "_trainer", None)
        trainer = trainer or fitting.make_trainer(body, settings)
        losses = fitting.train_once(trainer, X, targets, batch_size=settings.batch_size)
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
        X = validate_data(self, sound(X, "X"), accept_sparse=("csr", "csc"), reset=False)
        return self._compiled.run(as_dense(X))

    def _validate(self, X, y, *, first: bool, classes=None) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(
            self,
            sound(X, "X"),
            sound(y, "y"),
            accept_sparse=("csr", "csc"),
            multi_output=True,
            y_numeric=isinstance(self, RegressorMixin),
            reset=first,
        )
        return as_dense(X), self._encode(y, first=first, classes=classes)

    def _settings(self, samples: int) -> fitting.Settings:
        return training_settings(self, samples=samples, loss=self._loss())

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
        self._compiled = LazyPlan(model, threads=self.threads)
        self._trainer = None
        return self
