"""Optimizers: how a parameter's values move along its gradient.

An optimizer is a frozen dataclass of its own constants. It holds no learning rate and no arrays: the trainer
passes the learning rate of the step, and keeps for every parameter the arrays named in `slots`, each of
the parameter's own size (nnz for a sparse layer). So state can be saved, and a rate scheduled, from outside.

Most of an update's time is memory traffic: each pass works through blocks that stay in the L1 or L2 cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .errors import ArgumentError

_BLOCK = 8192  # elements a block: four float32 arrays of it take 128 KB

State = dict[str, np.ndarray]


def _blocks(size: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK))


class Optimizer:
    """What an optimizer offers; subclasses give `slots` and `update_block`."""

    slots: ClassVar[tuple[str, ...]] = ()

    def new_state(self, values: np.ndarray) -> State:
        """Zeroed arrays, one a slot, of the size and dtype of values."""
        return {slot: np.zeros(values.size, values.dtype) for slot in self.slots}

    def update(
        self, values: np.ndarray, gradient: np.ndarray, state: State, *, learning_rate: float, step: int
    ) -> None:
        """Moves values in place.

        values, gradient  the same shape, C-contiguous, float
        state             from new_state(values), updated in place
        step              counted from 1
        """
        if not values.flags.c_contiguous:
            raise ArgumentError("values must be C-contiguous, got a strided array")
        flat, slope = values.reshape(-1), gradient.reshape(-1)
        for block in _blocks(flat.size):
            arrays = [state[slot][block] for slot in self.slots]
            self.update_block(flat[block], slope[block], *arrays, learning_rate=learning_rate, step=step)

    def update_block(self, values: np.ndarray, gradient: np.ndarray, *slots, learning_rate: float, step: int):
        """Moves one block (1-D) of values in place, and its slots."""
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimizer):
    """values -= learning_rate * gradient."""

    def update_block(self, values, gradient, *, learning_rate, step):
        values -= learning_rate * gradient


@dataclass(frozen=True)
class Momentum(Optimizer):
    """velocity = momentum * velocity + gradient; values -= learning_rate * velocity.

    Source: Polyak 1964, doi:10.1016/0041-5553(64)90137-5
    """

    momentum: float = 0.9
    slots: ClassVar[tuple[str, ...]] = ("velocity",)

    def __post_init__(self):
        _check_fraction("momentum", self.momentum)

    def update_block(self, values, gradient, velocity, *, learning_rate, step):
        velocity *= self.momentum
        velocity += gradient
        values -= learning_rate * velocity


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps scaled by running estimates of the gradient's mean and mean square, both bias-corrected.

    Source: Kingma and Ba 2015, arXiv:1412.6980
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("mean", "square")

    def __post_init__(self):
        _check_fraction("beta1", self.beta1)
        _check_fraction("beta2", self.beta2)
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise ArgumentError(f"epsilon must be positive and finite, got {self.epsilon!r}")

    def update_block(self, values, gradient, mean, square, *, learning_rate, step):
        correction = math.sqrt(1 - self.beta2**step)
        rate = learning_rate * correction / (1 - self.beta1**step)
        scratch = (1 - self.beta1) * gradient
        mean *= self.beta1
        mean += scratch
        np.multiply(gradient, gradient, out=scratch)
        scratch *= 1 - self.beta2
        square *= self.beta2
        square += scratch
        np.sqrt(square, out=scratch)
        scratch += self.epsilon * correction
        np.divide(mean, scratch, out=scratch)
        scratch *= rate
        values -= scratch


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "momentum": Momentum, "adam": Adam}


def make_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """The optimizer of that name with its default constants; an Optimizer is returned as it is."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if not isinstance(optimizer, str):
        raise TypeError(f"optimizer must be a name or an Optimizer, got {type(optimizer).__name__}")
    if optimizer not in OPTIMIZERS:
        raise ArgumentError(f"optimizer must be one of {', '.join(sorted(OPTIMIZERS))}, got {optimizer!r}")
    return OPTIMIZERS[optimizer]()


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ArgumentError(f"{name} must be in [0, 1), got {value!r}")
