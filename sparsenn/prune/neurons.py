"""Removing neurons: both layers around them shrink, and what they gave on average goes into the next bias."""

from __future__ import annotations

import numpy as np

from ..layers import Matrix
from ..model import Model
from .csr import stored_positions, stored_values
from .readers import neurons_of
from .recorder import carry_range
from .slopes import mean_inputs

Outputs = dict[int, list[np.ndarray]]  # by the index of a layer, what its neurons give each of their readers


def drop_dead_neurons(model: Model) -> Model:
    """A new Model without the hidden neurons that have no input or no output left; it computes the same.

    A neuron without nonzero incoming weights is constant: its effect is folded into the biases behind it.
    Removing one may leave others dead, which go too. Each layer keeps at least one neuron. In a graph a
    neuron has no output left where none of its readers uses it. Left as they are: layers that something else
    reads than activations, Concat and Linear layers, as an Add or a Softmax; those that stand at several
    nodes, and what these read; every Conv2d. model itself is not changed.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, got {type(model).__name__}")
    model = model.copy() if not (dead := _dead_neurons(model)) else model
    while dead:
        model = remove_neurons(model, dead, constant_outputs(model))
        dead = _dead_neurons(model)
    return model


def remove_neurons(model: Model, removed: dict[int, np.ndarray], outputs: Outputs) -> Model:
    """A new Model without those neurons; dense layers stay dense, sparse ones sparse.

    removed  masks (out,) by the index of a Linear layer whose neurons may go, not all True
    outputs  what each neuron is taken to give each reader, after the activations between them, (out,) float64
    """
    linears, neurons = model.linear_layers, neurons_of(model)
    rows = [np.ones(layer.shape[0], bool) for layer in linears]
    columns = [np.ones(layer.shape[1], bool) for layer in linears]
    given = [np.zeros(layer.shape[1]) for layer in linears]
    for index, mask in removed.items():
        rows[index] &= ~mask
        for reader, values in zip(neurons[index].readers, outputs[index], strict=True):
            columns[reader.layer][reader.start : reader.stop] &= ~mask
            given[reader.layer][reader.start : reader.stop] = values
    arrays = {
        id(layer): (own_rows, own_columns, own_given)
        for layer, own_rows, own_columns, own_given in zip(linears, rows, columns, given, strict=True)
    }
    return model.with_layers(
        lambda layer: _shrink(layer, *arrays[id(layer)]) if isinstance(layer, Matrix) else layer
    )


def _shrink(layer: Matrix, rows: np.ndarray, columns: np.ndarray, given: np.ndarray) -> Matrix:
    """The layer with these rows and columns (masks) alone; given (in,) is what the other columns gave."""
    bias = layer.bias
    if not columns.all():
        effect = layer.weight.astype(np.float64) @ np.where(columns, 0.0, given)
        if bias is not None or effect.any():
            bias = effect + (0.0 if bias is None else bias)
    after = layer.with_weight(layer.weight[rows][:, columns], None if bias is None else bias[rows])
    kept = np.ix_(rows, columns)
    if layer.sparse:
        at_row, at_column = stored_positions(layer.weight)
        kept = rows[at_row] & columns[at_column]
    carry_range(layer, after, kept)
    return after


def constant_outputs(model: Model) -> Outputs:
    """What the hidden neurons without inputs give: activation(bias). 0 for the others."""
    outputs: Outputs = {}
    for index, (layer, neurons) in enumerate(zip(model.linear_layers, neurons_of(model), strict=True)):
        bias = np.zeros(layer.shape[0]) if layer.bias is None else layer.bias.astype(np.float64)
        constant, outputs[index] = _without_inputs(layer), []
        for reader in neurons.readers:
            a = bias[:, np.newaxis]
            for activation in reader.activations:
                a = activation.value(a)
            outputs[index].append(np.where(constant, a[:, 0], 0.0))
    return outputs


def mean_outputs(model: Model, data) -> Outputs:
    """What every hidden neuron gives on average over data."""
    means = mean_inputs(model, data, "neuron", np.asarray)
    return {
        index: [means[reader.layer][reader.start : reader.stop] for reader in neurons.readers]
        for index, neurons in enumerate(neurons_of(model))
    }


def _dead_neurons(model: Model) -> dict[int, np.ndarray]:
    """Masks (out,) of what drop_dead_neurons removes first, by Linear layer; layers without any left out."""
    dead, linears = {}, model.linear_layers
    for index, (layer, neurons) in enumerate(zip(linears, neurons_of(model), strict=True)):
        if neurons.obstacle is not None:
            continue
        uses = [
            _used(linears[reader.layer].weight, axis=1)[reader.start : reader.stop]
            for reader in neurons.readers
        ]
        mask = _without_inputs(layer) | (np.sum(uses, axis=0) == 0)
        if mask.all():
            mask[0] = False
        if mask.any():
            dead[index] = mask
    return dead


def _without_inputs(layer: Matrix) -> np.ndarray:
    return _used(layer.weight, axis=0) == 0


def _used(weight, *, axis: int) -> np.ndarray:
    """Nonzero weights in each row (axis 0) or column (axis 1)."""
    if isinstance(weight, np.ndarray):
        return np.count_nonzero(weight, axis=1 - axis)
    present = stored_values(weight) != 0
    return np.bincount(stored_positions(weight)[axis], present, minlength=weight.shape[axis])
