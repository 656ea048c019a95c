"""The simple recurrent layer."""

from __future__ import annotations

import numpy as np

from .recurrent import Arrays, Recurrent, total


class RNN(Recurrent):
    """The recurrent part of a simple recurrent layer: h' = act(z + W h + b).

    weight, bias  (hidden, hidden), (hidden,)
    activations   ("tanh",)

    All else: Recurrent. Source: Elman 1990, Finding Structure in Time
    """

    op = "rnn"
    integers = ("reverse", "initial", "lengths", "states", "f")
    operands = (1, 3)
    gates, state_count, usual = 1, 1, ("tanh",)

    def _step(self, x: np.ndarray, states: Arrays, rest: Arrays) -> tuple[Arrays, Arrays]:
        z = self._product(states[0]) + x
        a = self._act(0, z)
        return (a,), (z, a)

    def _step_bound(self, x: Arrays, states: list[Arrays], rest: list[Arrays]) -> list[Arrays]:
        whole = self._product(states[0][0]), self._product_bound(*states[0])
        return [self._act_bound(0, total(whole, x))]

    def _step_back(self, given: Arrays, states: Arrays, kept: Arrays, rest: Arrays) -> tuple:
        dx = self._act_back(0, *kept, given[0])
        return dx, dx, (self._weight.T.astype(dx.dtype) @ dx,), []

    def _step_mask(self, x: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        return [self._seen(states[0]) | x]
