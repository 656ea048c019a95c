"""Hidden neurons: the layers on both sides of them really shrink, and stay dense where they were."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError
from ...model import Model
from ..csr import stored_positions, stored_values
from ..neurons import activations_after, constant_outputs, mean_outputs, mixes_features, remove_neurons
from ..selection import select_kept
from ._request import Request

COUNTS_NEURONS = True  # an amount is a share of the hidden neurons, and layers shrink


def apply(request: Request) -> Model:
    """The least important hidden neurons go; the amount counts neurons, not weights.

    A neuron's importance is the mean importance of its incoming weights plus that of its outgoing ones. The
    output's neurons always stay, and so does the most important one of each layer. What a removed neuron
    adds to the next layer on average over data is folded into that layer's bias; without data only the
    neurons without inputs, which are constant, are folded.
    """
    model, last = request.model, len(request.model.linear_layers) - 1
    hidden = [index for index in request.layers if index != last]
    if not hidden:
        raise ArgumentError("structure 'neuron' needs a hidden layer that keep does not name, got none")
    for index in hidden:
        if mixes_features(activations_after(model, index)):
            raise ArgumentError(
                f"structure 'neuron' cannot remove neurons before a Softmax: use keep={index} for that layer"
            )
    scores = [neuron_scores(model, request.importances, index) for index in hidden]
    kept = select_kept(
        scores, [score.size for score in scores], layers=hidden, amount=request.amount, scope=request.scope
    )
    for stays, score in zip(kept, scores, strict=True):
        if not stays.any():
            stays[score.argmax()] = True
    outputs = mean_outputs(model, request.data) if request.data is not None else constant_outputs(model)
    return remove_neurons(model, {i: ~stays for i, stays in zip(hidden, kept, strict=True)}, outputs)


def neuron_scores(model: Model, importances: list, index: int) -> np.ndarray:
    """Importance of the neurons of a hidden Linear layer (out,) float64; -inf without inputs or outputs."""
    score, dead = np.zeros(model.linear_layers[index].shape[0]), None
    for layer, axis in ((index, 0), (index + 1, 1)):  # rows of its own weight, columns of the next
        weight = model.linear_layers[layer].weight
        place = stored_positions(weight)[axis]
        present = stored_values(weight).reshape(-1) != 0
        unused = np.bincount(place, present, minlength=score.size) == 0
        dead = unused if dead is None else dead | unused
        if importances[layer] is not None:
            used = np.where(present, importances[layer].reshape(-1), 0)
            score += np.bincount(place, used, minlength=score.size) / weight.shape[1 - axis]
    return np.where(dead, -np.inf, score)
