"""Removing neurons: both layers around them shrink, and what they gave on average goes into the next bias."""

from __future__ import annotations

import numpy as np

from ..layers import Linear
from ..model import Model
from .csr import stored_positions, stored_values
from .recorder import carry_range
from .slopes import layer_inputs


def drop_dead_neurons(model: Model) -> Model:
    """A new Model without the hidden neurons that have no input or no output left; it computes the same.

    A neuron without nonzero incoming weights is constant: its effect is folded into the next bias. Removing
    one may leave others dead, which go too. Each layer keeps at least one neuron, and layers before a
    Softmax are left as they are. model itself is not changed.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, got {type(model).__name__}")
    model = model.copy() if not (dead := _dead_neurons(model)) else model
    while dead:
        model = remove_neurons(model, dead, constant_outputs(model))
        dead = _dead_neurons(model)
    return model


def remove_neurons(model: Model, removed: dict[int, np.ndarray], outputs: dict[int, np.ndarray]) -> Model:
    """A new Model without those neurons; dense layers stay dense, sparse ones sparse.

    removed  masks (out,) by the index of a hidden Linear layer, not all True
    outputs  by the same index what each neuron is taken to give after its activation, (out,) float64
    """
    linears = model.linear_layers
    shrunk = []
    for index, layer in enumerate(linears):
        rows = ~removed.get(index, np.zeros(layer.shape[0], bool))
        gone = removed.get(index - 1, np.zeros(layer.shape[1], bool))
        shrunk.append(_shrink(layer, rows, ~gone, outputs.get(index - 1)))
    following = iter(shrunk)
    return Model([next(following) if isinstance(layer, Linear) else layer for layer in model.layers])


def _shrink(layer: Linear, rows: np.ndarray, columns: np.ndarray, given: np.ndarray | None) -> Linear:
    """The layer with these rows and columns (masks) alone; given (in,) is what the other columns gave."""
    bias = layer.bias
    if given is not None and not columns.all():
        effect = layer.weight.astype(np.float64) @ np.where(columns, 0.0, given)
        if bias is not None or effect.any():
            bias = effect + (0.0 if bias is None else bias)
    after = Linear(layer.weight[rows][:, columns], None if bias is None else bias[rows])
    kept = np.ix_(rows, columns)
    if layer.sparse:
        at_row, at_column = stored_positions(layer.weight)
        kept = rows[at_row] & columns[at_column]
    carry_range(layer, after, kept)
    return after


def constant_outputs(model: Model) -> dict[int, np.ndarray]:
    """What the hidden neurons without inputs give: activation(bias). 0 for the others. float64 (out,)."""
    outputs = {}
    for index, layer in enumerate(model.linear_layers[:-1]):
        bias = np.zeros(layer.shape[0]) if layer.bias is None else layer.bias.astype(np.float64)
        a = bias[:, np.newaxis]
        for activation in activations_after(model, index):
            a = activation.value(a)
        outputs[index] = np.where(_without_inputs(layer), a[:, 0], 0.0)
    return outputs


def mean_outputs(model: Model, data) -> dict[int, np.ndarray]:
    """What every hidden neuron gives after its activation, on average over data. float64 (out,)."""
    sums, count = {}, 0
    for inputs in layer_inputs(model, data, "neuron"):
        count += inputs[0].shape[1]
        for index, a in enumerate(inputs[1:]):
            sums[index] = sums.get(index, 0.0) + a.sum(axis=1, dtype=np.float64)
    return {index: total / count for index, total in sums.items()}


def activations_after(model: Model, index: int) -> list:
    """The activation layers between the Linear layer of that index and the next one."""
    found, number = [], -1
    for layer in model.layers:
        if isinstance(layer, Linear):
            number += 1
        elif number == index:
            found.append(layer)
    return found


def mixes_features(activations: list) -> bool:
    """Whether an output of these depends on more than its own neuron."""
    return any(activation.mixes_features for activation in activations)


def _dead_neurons(model: Model) -> dict[int, np.ndarray]:
    """Masks (out,) of what drop_dead_neurons removes first, by Linear layer; layers without any left out."""
    dead = {}
    for index, (layer, following) in enumerate(
        zip(model.linear_layers[:-1], model.linear_layers[1:], strict=True)
    ):
        if mixes_features(activations_after(model, index)):
            continue
        mask = _without_inputs(layer) | (_used(following.weight, axis=1) == 0)
        if mask.all():
            mask[0] = False
        if mask.any():
            dead[index] = mask
    return dead


def _without_inputs(layer: Linear) -> np.ndarray:
    return _used(layer.weight, axis=0) == 0


def _used(weight, *, axis: int) -> np.ndarray:
    """Nonzero weights in each row (axis 0) or column (axis 1)."""
    if isinstance(weight, np.ndarray):
        return np.count_nonzero(weight, axis=1 - axis)
    present = stored_values(weight) != 0
    return np.bincount(stored_positions(weight)[axis], present, minlength=weight.shape[axis])
