"""Optimizers: how a parameter's values move along its gradient.

An optimizer is a frozen dataclass of its own constants. It holds no learning rate and no arrays: the trainer
passes the learning rate of the step, and keeps for every parameter the arrays named in `slots`, each of the
parameter's own size (nnz for a sparse layer). So state can be saved, and a rate scheduled, from outside.
The arithmetic is one pass in the core (snn_update_values, snn_sparse_update).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from .. import _core
from ..checks import as_float, check_real
from ..errors import ArgumentError

State = dict[str, np.ndarray]


class Optimizer:
    """What an optimizer offers; subclasses give `name`, `slots` and `constants`."""

    name: ClassVar[str]
    slots: ClassVar[tuple[str, ...]] = ()

    def new_state(self, values: np.ndarray) -> State:
        """Zeroed arrays, one a slot, of the size of values."""
        return {slot: np.zeros(values.size, np.float32) for slot in self.slots}

    def constants(self, *, learning_rate: float, step: int) -> dict:
        """The keyword arguments of a _core.Update that make it this optimizer's step (counted from 1)."""
        raise NotImplementedError

    def update(
        self, values: np.ndarray, gradient: np.ndarray, state: State, *, learning_rate: float, step: int
    ) -> None:
        """Moves values in place.

        values, gradient  the same shape, C-contiguous, float32
        state             from new_state(values), updated in place
        step              counted from 1
        """
        if not values.flags.c_contiguous:
            raise ArgumentError("values must be C-contiguous, got a strided array")
        update = _core.Update(**self.constants(learning_rate=learning_rate, step=step))
        slots = [state[slot] for slot in self.slots]
        _core.update_values(update, values.reshape(-1), gradient.reshape(-1), *slots)

    def to_dict(self) -> dict:
        """Name and constants, for checkpoints; make_optimizer takes them back."""
        return {"name": self.name, **asdict(self)}


@dataclass(frozen=True)
class SGD(Optimizer):
    """values -= learning_rate * gradient."""

    name: ClassVar[str] = "sgd"

    def constants(self, *, learning_rate, step):
        return {"optimizer": "sgd", "rate": learning_rate}


@dataclass(frozen=True)
class Momentum(Optimizer):
    """velocity = momentum * velocity + gradient; values -= learning_rate * velocity.

    Source: Polyak 1964, doi:10.1016/0041-5553(64)90137-5
    """

    momentum: float = 0.9
    name: ClassVar[str] = "momentum"
    slots: ClassVar[tuple[str, ...]] = ("velocity",)

    def __post_init__(self):
        _check_fraction("momentum", self.momentum)

    def constants(self, *, learning_rate, step):
        return {"optimizer": self.name, "rate": learning_rate, "beta1": self.momentum}


@dataclass(frozen=True)
class Nesterov(Momentum):
    """velocity as for Momentum; values -= learning_rate * (gradient + momentum * velocity).

    Source: Nesterov 1983, in the form of Sutskever et al. 2013 that needs the gradient at one place only
    """

    name: ClassVar[str] = "nesterov"


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """Steps divided by the root of a running mean of squared gradients.

    Source: Tieleman and Hinton 2012, Neural Networks for Machine Learning, lecture 6.5
    """

    decay: float = 0.99
    epsilon: float = 1e-8
    name: ClassVar[str] = "rmsprop"
    slots: ClassVar[tuple[str, ...]] = ("square",)

    def __post_init__(self):
        _check_fraction("decay", self.decay)
        _check_epsilon(self.epsilon)

    def constants(self, *, learning_rate, step):
        return {
            "optimizer": "rmsprop",
            "rate": learning_rate,
            "beta2": self.decay,
            "epsilon": self.epsilon,
        }


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps scaled by running estimates of the gradient's mean and mean square, both bias-corrected.

    Source: Kingma and Ba 2015, arXiv:1412.6980
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    name: ClassVar[str] = "adam"
    slots: ClassVar[tuple[str, ...]] = ("mean", "square")

    def __post_init__(self):
        _check_fraction("beta1", self.beta1)
        _check_fraction("beta2", self.beta2)
        _check_epsilon(self.epsilon)

    def constants(self, *, learning_rate, step):
        correction = math.sqrt(1 - self.beta2**step)
        return {
            "optimizer": "adam",
            "rate": learning_rate,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "adam_rate": learning_rate * correction / (1 - self.beta1**step),
            "adam_epsilon": self.epsilon * correction,
        }


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam, with values -= learning_rate * decay * values in each step beside it; biases are left alone.

    Source: Loshchilov and Hutter 2019, arXiv:1711.05101
    """

    decay: float = 0.01
    name: ClassVar[str] = "adamw"

    def __post_init__(self):
        super().__post_init__()
        check_real("decay", self.decay)

    def constants(self, *, learning_rate, step):
        return {**super().constants(learning_rate=learning_rate, step=step), "decay": self.decay}


OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.name: kind for kind in (Adam, AdamW, Momentum, Nesterov, RMSProp, SGD)
}


def make_optimizer(optimizer: str | Optimizer, **constants) -> Optimizer:
    """The optimizer of that name, with its default constants or others; an Optimizer is returned as it is."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if not isinstance(optimizer, str):
        raise TypeError(f"optimizer must be a name or an Optimizer, got {type(optimizer).__name__}")
    if optimizer not in OPTIMIZERS:
        raise ArgumentError(f"optimizer must be one of {', '.join(sorted(OPTIMIZERS))}, got {optimizer!r}")
    return OPTIMIZERS[optimizer](**constants)


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ArgumentError(f"{name} must be in [0, 1), got {value!r}")


def _check_epsilon(value: float) -> None:
    if not 0 < as_float(value) < math.inf:
        raise ArgumentError(f"epsilon must be positive and finite, got {value!r}")
