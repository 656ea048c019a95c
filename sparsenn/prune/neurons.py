"""Removing the neurons and channels that have no effect."""

from __future__ import annotations

import numpy as np

from ..model import Model
from .narrow import remove_units
from .slopes import mean_inputs
from .units import known_columns, units_of, without_effect


def drop_dead_neurons(model: Model) -> Model:
    """A new Model without the neurons and channels that have no input or output left; it computes the same.

    What has no weights other than zero coming in is constant: its effect is folded into the biases behind it.
    What no weight reads is useless. Removing one may leave others dead, which go too; in a graph only those
    go that nothing needs, together with all that an Add, a Mul, a depthwise convolution or a Reshape ties
    to them. At least one stays of every value. Left as they are: what comes in or goes out, what a layer
    reads that needs all of it, as a Softmax, and channels that are constant, other than 0, before a window
    with padding, at whose border they would be missed. model itself is not changed.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, got {type(model).__name__}")
    start = model
    while True:
        units = units_of(model)
        gone = without_effect(model, units)
        units.leave_one(gone, np.zeros(units.count + 1))
        if not gone.any():
            return model.copy() if model is start else model
        model = remove_units(model, units, gone, known_columns(model, units))


def mean_columns(model: Model, data) -> list[np.ndarray]:
    """For each of model.linear_layers what its columns (in,) hold on average over data, float64."""
    return mean_inputs(model, data, "neuron", np.asarray)
