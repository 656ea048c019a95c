"""scikit-learn: a Model as a fitted MLPClassifier or MLPRegressor, where its architecture is theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ArgumentError, UnsupportedError
from ..layers import Linear, ReLU, Sigmoid, Softmax, Tanh
from ..model import Model, require_chain
from ..require import require
from ._check import check_model, dense_weight

HIDDEN = {ReLU: "relu", Tanh: "tanh", Sigmoid: "logistic"}


def to_sklearn(model: Model, *, classes: Sequence | None = None):
    """A fitted MLPClassifier where the model ends in Softmax or Sigmoid, else a fitted MLPRegressor.

    classes  the labels that the outputs stand for, 0, 1, ... where None is given. A Sigmoid with one output
             has two; with several it is a multi-label network, which has no names for them.

    coefs_ are dense float32 with the model's own bits. UnsupportedError where layers do not alternate with
    one kind of activation (none, ReLU, Tanh or Sigmoid), which is all that these estimators have.
    """
    perceptron = require("sklearn.neural_network", extra="sklearn", caller="to_sklearn")
    require_chain(check_model(model), "to_sklearn")
    hidden, output = _architecture(model)
    layers = [layer for layer in model.layers if isinstance(layer, Linear)]
    kind = perceptron.MLPRegressor if output == "identity" else perceptron.MLPClassifier
    estimator = kind(
        hidden_layer_sizes=tuple(layer.shape[0] for layer in layers[:-1]), activation=hidden, warm_start=True
    )
    estimator.coefs_ = [np.ascontiguousarray(dense_weight(layer).T) for layer in layers]
    estimator.intercepts_ = [_bias(layer) for layer in layers]
    estimator.n_features_in_, estimator.n_outputs_ = model.inputs, model.outputs
    estimator.n_layers_, estimator.out_activation_ = len(layers) + 1, output
    estimator.n_iter_ = estimator.t_ = 0
    estimator.loss_curve_, estimator.best_loss_ = [], np.inf
    if output == "identity":
        if classes is not None:
            raise ArgumentError(
                "classes must not be given for a regressor: the model must end in Softmax or Sigmoid"
            )
        return estimator
    estimator._label_binarizer = _binarizer(model.outputs, output, classes)
    estimator.classes_ = estimator._label_binarizer.classes_
    return estimator


def _architecture(model: Model) -> tuple[str, str]:
    """The names of the hidden and the output activation."""
    kinds, layers = [], list(model.layers)
    while layers:
        if not isinstance(layers.pop(0), Linear):
            raise UnsupportedError(
                "model must have at most one activation after each Linear, and none before"
            )
        kinds.append("identity" if not layers or isinstance(layers[0], Linear) else type(layers.pop(0)))
    *inner, last = kinds
    hidden = set(inner)
    if len(hidden) > 1 or not hidden <= {*HIDDEN, "identity"}:
        names = sorted(getattr(kind, "__name__", kind) for kind in hidden)
        raise UnsupportedError(
            f"model must have one hidden activation, of ReLU, Tanh, Sigmoid or none, got {', '.join(names)}"
        )
    outputs = {"identity": "identity", Softmax: "softmax", Sigmoid: "logistic"}
    if last not in outputs:
        raise UnsupportedError(f"model must end in Softmax, Sigmoid or a Linear, got {last.__name__}")
    kind = hidden.pop() if hidden else "identity"
    return HIDDEN.get(kind, "identity"), outputs[last]


def _binarizer(outputs: int, output: str, classes):
    from sklearn.preprocessing import LabelBinarizer

    binarizer = LabelBinarizer()
    if output == "logistic" and outputs > 1:
        if classes is not None:
            raise ArgumentError("classes must not be given for a multi-label network")
        # A label a column: one sample with all of them, one with none.
        return binarizer.fit(np.array([[0] * outputs, [1] * outputs]))
    wanted = 2 if output == "logistic" else outputs
    labels = np.arange(wanted) if classes is None else np.asarray(classes)
    if labels.shape != (wanted,) or len(np.unique(labels)) != wanted or (np.sort(labels) != labels).any():
        raise ArgumentError(
            f"classes must be {wanted} different labels in rising order, got {labels.tolist()}"
        )
    if wanted < 2 or (output == "softmax" and wanted == 2):
        raise UnsupportedError(f"an MLPClassifier with Softmax has at least 3 outputs, got {wanted}")
    return binarizer.fit(labels)


def _bias(layer: Linear) -> np.ndarray:
    return np.zeros(layer.shape[0], np.float32) if layer.bias is None else layer.bias.copy()
