"""The gated recurrent unit."""

from __future__ import annotations

import numpy as np

from .recurrent import Arrays, Recurrent, product, total


class GRU(Recurrent):
    """The recurrent part of a GRU, gates u, r and n: h' = (1 - u) n + u h, u and r of z + W h + b.

    weight, bias  (3 hidden, hidden), (3 hidden,), in the order update, reset, new
    reset_after   True: n is of z + r (W h + b), as torch has it and Keras by default, else of z + W (r h) + b
    activations   of the gates and of n: ("sigmoid", "tanh")

    All else: Recurrent. Source: Cho et al. 2014, arXiv:1406.1078
    """

    op = "gru"
    integers = ("reverse", "initial", "lengths", "states", "f", "g", "reset_after")
    operands = (1, 3)
    gates, state_count, usual = 3, 1, ("sigmoid", "tanh")

    def __init__(self, weight, bias=None, *, reset_after: bool = True, **options):
        super().__init__(weight, bias, **options)
        self.reset_after = bool(reset_after)

    @property
    def options(self) -> dict:
        return super().options | {"reset_after": self.reset_after}

    def columns(self, z: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        """Where the reset gate comes before W, behind the states what the new gate sees of them."""
        states, (steps, batch) = super().columns(z, *others)
        if self.reset_after:
            return states, (steps, batch)
        trail = self._walk(z, others)[1]
        reset = np.stack([kept[4] * before[0] for *_, before, kept in trail], axis=1)
        return np.concatenate([states, reset.reshape(self.hidden, -1)], axis=1), (2 * steps, batch)

    def product_gradient(self, *arguments: np.ndarray) -> np.ndarray:
        slopes = super().product_gradient(*arguments)
        if self.reset_after:
            return slopes
        of_new = np.arange(len(slopes)) >= 2 * self.hidden
        parts = [np.where(rows[:, np.newaxis], slopes, 0) for rows in (~of_new, of_new)]
        return np.concatenate(parts, axis=1)

    def _step(self, x: np.ndarray, states: Arrays, rest: Arrays) -> tuple[Arrays, Arrays]:
        (h,) = states
        (xu, xr, xn), (su, sr, sn) = self._gates(x), self._gates(self._product(h))
        zu, zr = xu + su, xr + sr
        u, r = self._act(0, zu), self._act(0, zr)
        zn = xn + (r * sn if self.reset_after else self._gates(self._product(r * h))[2])
        n = self._act(1, zn)
        return ((1 - u) * n + u * h,), (zu, zr, zn, u, r, n, sn)

    def _step_bound(self, x: Arrays, states: list[Arrays], rest: list[Arrays]) -> list[Arrays]:
        (h,) = states
        xu, xr, xn = zip(*(self._gates(part) for part in x), strict=True)
        su, sr, sn = self._product_gates(h)
        u, r = self._act_bound(0, total(xu, su)), self._act_bound(0, total(xr, sr))
        inner = product(r, sn) if self.reset_after else self._product_gates(product(r, h))[2]
        n = self._act_bound(1, total(xn, inner))
        return [
            total(product(total((np.ones_like(u[0]), np.zeros_like(u[1])), (-u[0], u[1])), n), product(u, h))
        ]

    def _product_gates(self, h: Arrays) -> list[Arrays]:
        """W h + b with its bound, gate by gate."""
        parts = (self._gates(part) for part in (self._product(h[0]), self._product_bound(*h)))
        return [*zip(*parts, strict=True)]

    def _step_back(self, given: Arrays, states: Arrays, kept: Arrays, rest: Arrays) -> tuple:
        (dh,), (h,) = given, states
        zu, zr, zn, u, r, n, sn = kept
        weight = self._weight.T.astype(dh.dtype)
        dzn = self._act_back(1, zn, n, dh * (1 - u))
        dzu = self._act_back(0, zu, u, dh * (h - n))
        nothing = np.zeros_like(dzn)
        if self.reset_after:
            dr, dsn, before = dzn * sn, dzn * r, dh * u
        else:
            inner = weight @ np.concatenate([nothing, nothing, dzn])
            dr, dsn, before = inner * h, dzn, dh * u + inner * r
        dzr = self._act_back(0, zr, r, dr)
        direct = np.concatenate([dzu, dzr, dsn if self.reset_after else nothing])
        dx, dsums = np.concatenate([dzu, dzr, dzn]), np.concatenate([dzu, dzr, dsn])
        return dx, dsums, (before + weight @ direct,), []

    def _step_mask(self, x: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        (h,) = states
        u, r, n = self._gates(self._seen(h) | x)
        if not self.reset_after:
            n = n | self._gates(self._seen(h | r))[2]
            return [h | u | n]
        return [h | u | r | n]
