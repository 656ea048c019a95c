"""scikit-learn: MLPClassifier and MLPRegressor."""

from __future__ import annotations

from ..errors import ArgumentError, UnsupportedError
from ..layers import ReLU, Sigmoid, Softmax, Tanh
from ..model import Model
from ._require import require
from ._steps import Affine, build_model

# The activations of MLPClassifier and MLPRegressor; None: nothing to compute.
ACTIVATIONS = {"identity": None, "relu": ReLU, "tanh": Tanh, "logistic": Sigmoid, "softmax": Softmax}


def from_sklearn(estimator) -> Model:
    """The network of a fitted MLPClassifier or MLPRegressor, output activation included.

    Its outputs are what the network computes: predict of a regressor; of a classifier the probabilities of
    classes_, or with two classes that of the second one alone, (batch, 1). The weights are rounded to
    float32. Raises TypeError for another estimator, ArgumentError for one that is not fitted.
    """
    perceptron = require("sklearn.neural_network", extra="sklearn", caller="from_sklearn")
    kinds = (perceptron.MLPClassifier, perceptron.MLPRegressor)
    if not isinstance(estimator, kinds):
        raise TypeError(f"estimator must be an MLPClassifier or MLPRegressor, got {type(estimator).__name__}")
    if not hasattr(estimator, "coefs_"):
        raise ArgumentError("estimator must be fitted, got one without coefs_: call its fit first")
    hidden, output = _activation(estimator.activation), _activation(estimator.out_activation_)
    last = len(estimator.coefs_) - 1
    steps: list = []
    for index, (weight, bias) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        steps.append(Affine(weight.T, bias, f"coefs_[{index}]"))
        activation = output if index == last else hidden
        if activation is not None:
            steps.append(activation())
    return build_model(steps, width=estimator.n_features_in_)


def _activation(name: str) -> type | None:
    if name not in ACTIVATIONS:
        raise UnsupportedError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]
