"""Hidden neurons: the layers on both sides of them really shrink, and stay dense where they were."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError
from ...model import Model
from ..csr import stored_positions, stored_values
from ..neurons import constant_outputs, mean_outputs, remove_neurons
from ..readers import neurons_of
from ..selection import select_kept
from ._request import Request

COUNTS_NEURONS = True  # an amount is a share of the hidden neurons, and layers shrink


def apply(request: Request) -> Model:
    """The least important hidden neurons go; the amount counts neurons, not weights.

    A neuron's importance is the mean importance of its incoming weights plus that of its outgoing ones. The
    outputs' neurons always stay, and so does the most important one of each layer. What a removed neuron
    adds to the layers that read it on average over data is folded into their biases; without data only the
    neurons without inputs, which are constant, are folded.
    """
    model, neurons = request.model, neurons_of(request.model)
    hidden = [index for index in request.layers if not neurons[index].is_output]
    if not hidden:
        raise ArgumentError("structure 'neuron' needs a hidden layer that keep does not name, got none")
    for index in hidden:
        if neurons[index].obstacle is not None:
            raise ArgumentError(
                f"structure 'neuron' cannot remove neurons {neurons[index].obstacle}: use keep={index} for "
                "that layer"
            )
    scores = neuron_scores(model, request.importances, hidden)
    kept = select_kept(
        scores, [score.size for score in scores], layers=hidden, amount=request.amount, scope=request.scope
    )
    for stays, score in zip(kept, scores, strict=True):
        if not stays.any():
            stays[score.argmax()] = True
    outputs = mean_outputs(model, request.data) if request.data is not None else constant_outputs(model)
    return remove_neurons(model, {i: ~stays for i, stays in zip(hidden, kept, strict=True)}, outputs)


def neuron_scores(model: Model, importances: list, layers: list[int]) -> list[np.ndarray]:
    """Importance of the neurons of hidden Linear layers, (out,) float64 each; -inf without inputs or outputs.

    That of several readers is added up.
    """
    neurons, scores = neurons_of(model), []
    for index in layers:
        score, outputs = np.zeros(model.linear_layers[index].shape[0]), 0
        present, inputs = _at_each(model, importances, index, axis=0)
        score += inputs
        for reader in neurons[index].readers:
            used, mean = (
                values[reader.start : reader.stop]
                for values in _at_each(model, importances, reader.layer, axis=1)
            )
            outputs, score = outputs + used, score + mean
        scores.append(np.where((present == 0) | (outputs == 0), -np.inf, score))
    return scores


def _at_each(model: Model, importances: list, index: int, *, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Nonzero weights and mean importance of each row (axis 0) or column (axis 1) of a Linear layer."""
    weight = model.linear_layers[index].weight
    size, across = weight.shape[axis], weight.shape[1 - axis]
    place, present = stored_positions(weight)[axis], stored_values(weight).reshape(-1) != 0
    counts = np.bincount(place, present, minlength=size)
    if importances[index] is None:
        return counts, np.zeros(size)
    used = np.where(present, importances[index].reshape(-1), 0)
    return counts, np.bincount(place, used, minlength=size) / across
