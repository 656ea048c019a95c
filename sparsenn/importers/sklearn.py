"""scikit-learn: MLPClassifier and MLPRegressor."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, UnsupportedError
from ..layers import ReLU, Sigmoid, Softmax, Tanh
from ..model import Model
from ..require import require
from ._agreement import check_agreement
from ._steps import Affine, build_model

# The activations of MLPClassifier and MLPRegressor; None: nothing to compute.
ACTIVATIONS = {"identity": None, "relu": ReLU, "tanh": Tanh, "logistic": Sigmoid, "softmax": Softmax}
# The methods from the inputs to the outputs; those that a version or a class has.
PREDICTING = ("predict", "predict_proba", "_predict", "_forward_pass_fast")


def from_sklearn(estimator) -> Model:
    """The network of a fitted MLPClassifier or MLPRegressor, output activation included.

    Its outputs are what the network computes: predict of a regressor; of a classifier the probabilities of
    classes_, or with two classes that of the second one alone, (batch, 1). The weights are rounded to
    float32. Raises TypeError for another estimator, ArgumentError for one that is not fitted,
    UnsupportedError for one that predicts in a way of its own.
    """
    perceptron = require("sklearn.neural_network", extra="sklearn", caller="from_sklearn")
    kinds = (perceptron.MLPClassifier, perceptron.MLPRegressor)
    if not isinstance(estimator, kinds):
        raise TypeError(f"estimator must be an MLPClassifier or MLPRegressor, got {type(estimator).__name__}")
    if not hasattr(estimator, "coefs_"):
        raise ArgumentError("estimator must be fitted, got one without coefs_: call its fit first")
    _check_own_code(estimator, kinds)
    hidden, output = _activation(estimator.activation), _activation(estimator.out_activation_)
    if len(estimator.coefs_) != len(estimator.intercepts_):
        raise ArgumentError(
            f"estimator must have as many intercepts_ as coefs_ ({len(estimator.coefs_)}), "
            f"got {len(estimator.intercepts_)}"
        )
    last = len(estimator.coefs_) - 1
    steps: list = []
    for index, (weight, bias) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        steps.append(Affine(weight.T, bias, f"coefs_[{index}]"))
        activation = output if index == last else hidden
        if activation is not None:
            steps.append(activation())
    model = build_model(steps, width=estimator.n_features_in_)
    check_agreement(model, lambda x: _outputs(estimator, x), name=f"estimator {type(estimator).__name__}")
    return model


def _check_own_code(estimator, kinds: tuple[type, ...]) -> None:
    """UnsupportedError where the estimator does not predict as its class in scikit-learn does."""
    kind = next(kind for kind in kinds if isinstance(estimator, kind))
    for name in PREDICTING:
        if name in vars(estimator) or getattr(type(estimator), name, None) is not getattr(kind, name, None):
            raise UnsupportedError(
                f"estimator {type(estimator).__name__} has a {name} of its own, which cannot be imported"
            )


def _outputs(estimator, x: np.ndarray) -> np.ndarray:
    """What the network of the estimator gives for x (batch, inputs): (batch, outputs)."""
    if not hasattr(estimator, "classes_"):
        return estimator.predict(x.astype(np.float64)).reshape(len(x), -1)
    outputs = estimator.predict_proba(x.astype(np.float64))
    return outputs[:, 1:] if estimator.n_outputs_ == 1 else outputs


def _activation(name: str) -> type | None:
    if name not in ACTIVATIONS:
        raise UnsupportedError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]
