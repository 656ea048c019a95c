"""Multi-layer perceptrons with random weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

import numpy as np

from .checks import check_integer, check_real
from .errors import ArgumentError
from .layers import ACTIVATIONS, Linear
from .limits import Limits
from .model import Model
from .sparse_init import random_layer, stored_counts


def mlp(
    sizes: Iterable[int],
    *,
    activation: str = "relu",
    output: str | None = None,
    sparsity: float = 0.0,
    pattern: str = "erdos_renyi",
    limits: Limits | None = None,
    seed: int = 0,
) -> Model:
    """A multi-layer perceptron with random weights and zero biases, dense or sparse from the start.

    sizes       features of the input, of each hidden layer and of the output, for example [64, 1024, 10]
    activation  after every layer but the last: a word of sparsenn.layers.ACTIVATIONS, such as relu or gelu
    output      after the last layer: None or "linear" for logits, or an activation's name, also "softmax"
    sparsity    fraction in [0, 1) of all weights that are not stored; above 0, layers are CSR but for those
                of which the pattern stores every weight
    pattern     how they are shared out: "erdos_renyi" (small layers keep more) or "random" (all alike);
                the places are random in both (sparse_init.stored_counts)
    limits      checked before anything is made; weights are cut to its weight_range
    seed        of the random weights; the same seed gives the same model

    Dense weights before a ReLU and its like (Activation.rectifies) are normal with variance 2 / in (He et al.
    2015, arXiv:1502.01852); all others normal with variance 2 / (in + out) (Glorot and Bengio 2010). Sparse
    weights have a variance that follows from each neuron's own number of them (sparse_init.random_layer).
    """
    sizes = [check_integer(f"sizes[{i}]", size, minimum=1) for i, size in enumerate(sizes)]
    if len(sizes) < 2:
        raise ArgumentError(f"sizes must name at least the input and the output, got {len(sizes)} numbers")
    seed = check_integer("seed", seed, minimum=0)
    hidden = _activation_by_name("activation", activation)
    last = None if output in (None, "linear") else _activation_by_name("output", output)
    sparsity = check_real("sparsity", sparsity, below=1.0)
    if limits is not None:
        limits.check_sizes(sizes)
    shapes = [(outputs, inputs) for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)]
    counts = stored_counts(shapes, sparsity, pattern)
    _warn_of_empty(shapes, counts, sparsity)
    generator = np.random.default_rng(seed)
    layers: list = []
    for index, ((outputs, inputs), count) in enumerate(zip(shapes, counts, strict=True)):
        follower = hidden if index < len(sizes) - 2 else last
        rectified = follower is not None and follower.rectifies
        if count < outputs * inputs:
            weight = random_layer((outputs, inputs), count, generator, rectified=rectified)
        else:
            scale = math.sqrt(2.0 / inputs if rectified else 2.0 / (inputs + outputs))
            weight = generator.standard_normal((outputs, inputs), dtype=np.float32) * np.float32(scale)
        if limits is not None and limits.weight_range is not None:
            values = weight if isinstance(weight, np.ndarray) else weight.data
            np.clip(values, *limits.weight_range, out=values)
        layers.append(Linear(weight, np.zeros(outputs, np.float32)))
        if follower is not None:
            layers.append(follower())
    return Model(layers)


def _warn_of_empty(shapes: list[tuple[int, int]], counts: list[int], sparsity: float) -> None:
    empty = [f"{i} ({shape[0]} x {shape[1]})" for i, shape in enumerate(shapes) if not counts[i]]
    if empty:
        warnings.warn(
            f"sparsity={sparsity:g} leaves no weights in Linear layer {', '.join(empty)}", stacklevel=3
        )


def _activation_by_name(argument: str, name: object) -> type:
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ArgumentError(f"{argument} must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]
