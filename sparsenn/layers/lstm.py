"""Long short-term memory."""

from __future__ import annotations

import numpy as np

from .recurrent import Arrays, Recurrent, product, total


class LSTM(Recurrent):
    """The recurrent part of an LSTM, gates i, o, f and c: of z + W h + b, c' = f c + i g, h' = o act(c').

    weight, bias  (4 hidden, hidden), (4 hidden,), in the order input, output, forget, cell
    initial       two operands behind z: h and c
    peepholes     the last operand, a constant (3 hidden,): i and f see p c as well, o sees p c'
    activations   of the gates, of the cell, of the result: ("sigmoid", "tanh", "tanh")

    All else: Recurrent. Source: Hochreiter and Schmidhuber 1997, Long Short-Term Memory; Gers and Schmidhuber
    2000, Recurrent Nets that Time and Count

    >>> import numpy as np, sparsenn as snn
    >>> x = snn.Input((None, 5))
    >>> snn.LSTM(np.zeros((12, 3)))(snn.StepwiseLinear(np.ones((12, 5)))(x))
    Value((None, None, 3), of LSTM)
    """

    op = "lstm"
    integers = ("reverse", "initial", "lengths", "states", "f", "g", "h", "peepholes")
    operands = (1, 5)
    gates, state_count, usual = 4, 2, ("sigmoid", "tanh", "tanh")

    def __init__(self, weight, bias=None, *, peepholes: bool = False, **options):
        super().__init__(weight, bias, **options)
        self.peepholes = bool(peepholes)

    @property
    def options(self) -> dict:
        return super().options | {"peepholes": self.peepholes}

    def _constant_operands(self) -> list[tuple[str, int]]:
        return [("peepholes", 3 * self.hidden)] if self.peepholes else []

    def _step(self, x: np.ndarray, states: Arrays, rest: Arrays) -> tuple[Arrays, Arrays]:
        h, c = states
        zi, zo, zf, zc = self._gates(self._product(h) + x)
        pi, po, pf = np.split(rest[0], 3) if rest else (0, 0, 0)
        zi, zf = zi + pi * c, zf + pf * c
        i, f, g = self._act(0, zi), self._act(0, zf), self._act(1, zc)
        made = f * c + i * g
        zo = zo + po * made
        o, top = self._act(0, zo), self._free(2, made)
        return (o * top, made), (zi, zo, zf, zc, i, o, f, g, made, top)

    def _step_bound(self, x: Arrays, states: list[Arrays], rest: list[Arrays]) -> list[Arrays]:
        h, c = states
        whole = self._product(h[0]), self._product_bound(*h)
        zi, zo, zf, zc = zip(*(self._gates(part) for part in total(whole, x)), strict=True)
        if rest:
            pi, po, pf = zip(*(np.split(part, 3) for part in rest[0]), strict=True)
            zi, zf = total(zi, product(pi, c)), total(zf, product(pf, c))
        i, f, g = self._act_bound(0, zi), self._act_bound(0, zf), self._act_bound(1, zc)
        made = total(product(f, c), product(i, g))
        o = self._act_bound(0, total(zo, product(po, made)) if rest else zo)
        return [product(o, self._free_bound(2, made)), made]

    def _step_back(self, given: Arrays, states: Arrays, kept: Arrays, rest: Arrays) -> tuple:
        (dh, dc), (_, c) = given, states
        zi, zo, zf, zc, i, o, f, g, made, top = kept
        pi, po, pf = np.split(rest[0], 3) if rest else (0, 0, 0)
        dzo = self._act_back(0, zo, o, dh * top)
        dc = dc + self._free_back(2, made, top, dh * o) + dzo * po
        dzi, dzf = self._act_back(0, zi, i, dc * g), self._act_back(0, zf, f, dc * c)
        dx = np.concatenate([dzi, dzo, dzf, self._act_back(1, zc, g, dc * i)])
        before = dc * f + dzi * pi + dzf * pf
        peepholes = [np.concatenate([dzi * c, dzo * made, dzf * c])] if rest else []
        return dx, dx, (self._weight.T.astype(dx.dtype) @ dx, before), peepholes

    def _step_mask(self, x: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        h, c = states
        i, o, f, g = self._gates(self._seen(h) | x)
        made = c | i | f | g
        return [made | o, made]
