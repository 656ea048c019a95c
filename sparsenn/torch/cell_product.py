"""The steps of a recurrent layer on the kernels that train such layers, as autograd sees them."""

from __future__ import annotations

import threading

import numpy as np
import torch

from .. import _core
from ..errors import ArgumentError
from . import plain
from .product import array

# Where torch has the gates that the kernels have: i, o, f, g in i, f, g, o, and z, r, n in r, z, n.
ORDERS = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
KEPT = {"lstm": 5, "gru": 4}
STATES = {"lstm": 2, "gru": 1}


class CellProduct:
    """The kernels of a pattern (gates * hidden, hidden) of an op, "lstm" or "gru"."""

    def __init__(self, indptr: np.ndarray, indices: np.ndarray, op: str, hidden: int, threads: int):
        self.op, self.hidden, self.rows = op, hidden, len(indptr) - 1
        self.kernels = _core.Sparse(indptr, indices, (self.rows, hidden), threads=threads)
        self.lock = threading.Lock()  # the kernels hold the values from set on

    def forward(self, data, bias, z: torch.Tensor, states: list[torch.Tensor], reverse: bool) -> tuple:
        """-> what backward takes, and the result (batch, steps + states, hidden), the last states behind.

        z  (batch, steps, rows);  states  (batch, hidden) each, or none
        """
        steps, op, hidden = z.shape[1], self.op, self.hidden
        numbers = [int(reverse), int(bool(states)), 0, 1, 0, 1, *((1, 0) if op == "lstm" else (1,))]
        core = _core.Recurrence(self.kernels, op, numbers, 0.0, steps)
        tiles = len(self._tiles(z.shape[0], 1))
        h = self._empty(tiles, (steps + 1) * hidden)
        c = self._empty(tiles, (steps + 1) * hidden) if op == "lstm" else None
        kept = self._empty(tiles, steps * KEPT[op] * hidden)
        y = self._empty(tiles, (steps + STATES[op]) * hidden)
        with self.lock:
            self.kernels.set(data)
            core.forward(
                bias, self._load(z), [self._load(s) for s in states], None, None, y, h, c, kept, None
            )
        return core, self._store(y, (len(z), steps + STATES[op], hidden))

    def backward(self, core, data, gradient: torch.Tensor, states: int, needs_weight: bool) -> tuple:
        """-> gradients of z, of each of so many first states, of data and of the bias, or None twice."""
        batch, steps, hidden = len(gradient), gradient.shape[1] - STATES[self.op], self.hidden
        dy = self._load(gradient)
        dz = self._empty(len(dy), steps * self.rows)
        dsums = self._empty(len(dy), steps * self.rows) if self.op == "gru" else None
        firsts = [self._empty(len(dy), hidden) for _ in range(states)]
        ddata = dbias = None
        with self.lock:
            self.kernels.set(data)
            core.backward(dy, dz, dsums, firsts)
            if needs_weight:
                ddata, dbias = np.empty(self.kernels.nnz, np.float32), np.empty(self.rows, np.float32)
                core.backward_weight(dz if dsums is None else dsums, ddata, dbias)
        made = self._store(dz, (batch, steps, self.rows))
        return made, [self._store(own, (batch, hidden)) for own in firsts], ddata, dbias

    def _empty(self, tiles: int, features: int) -> np.ndarray:
        return np.empty((tiles, features + self.kernels.threads, _core.tile_samples()), np.float32)

    def _tiles(self, batch: int, features: int) -> np.ndarray:
        return self._empty(-(-batch // _core.tile_samples()), features)

    def _load(self, tensor: torch.Tensor) -> np.ndarray:
        """(batch, ...) as tiles."""
        rows = array(tensor)
        rows = rows.reshape(len(rows), -1)
        tiles = self._tiles(*rows.shape)
        _core.tiles_load(rows, tiles, self.kernels.threads)
        return tiles

    @staticmethod
    def _store(tiles: np.ndarray, shape: tuple[int, ...]) -> torch.Tensor:
        made = torch.empty(shape)
        rows, samples = made.view(shape[0], -1), tiles.shape[2]
        for index, tile in enumerate(torch.from_numpy(tiles)):
            part = rows[index * samples : (index + 1) * samples]
            part.copy_(tile[: rows.shape[1]].t()[: len(part)])
        return made


class CellSteps(torch.autograd.Function):
    """z (batch, steps, rows), first states, data (nnz,), bias -> (batch, steps + states, hidden)."""

    @staticmethod
    def forward(context, z, h, c, data, bias, indices, indptr, product, reverse):
        states = [state for state in (h, c) if state is not None]
        offsets = None if bias is None else array(bias)
        context.core, y = product.forward(array(data), offsets, z, states, reverse)
        context.save_for_backward(z, h, c, data, bias, indices, indptr)
        context.product, context.reverse = product, reverse
        return y

    @staticmethod
    def backward(context, gradient):
        z, h, c, data, bias, indices, indptr = context.saved_tensors
        product, needs = context.product, context.needs_input_grad[:5]
        nothing = (None,) * 4
        given = (z, h, c, data, bias)
        if torch.is_grad_enabled() or plain.must_be_plain(gradient, z, data):
            wanted = [x for x, needed in zip(given, needs, strict=True) if needed]
            with torch.enable_grad():
                y = plain_steps(product.op, *given, indices, indptr, context.reverse)
                found = iter(torch.autograd.grad(y, wanted, gradient, create_graph=torch.is_grad_enabled()))
            return (*(next(found) if needed else None for needed in needs), *nothing)
        count = sum(state is not None for state in (h, c))
        dz, firsts, ddata, dbias = product.backward(
            context.core, array(data), gradient, count, needs[3] or needs[4]
        )
        firsts = [*firsts, None, None][:2]
        made = (dz, *firsts, *(None if x is None else torch.from_numpy(x) for x in (ddata, dbias)))
        return (*(x if needed else None for x, needed in zip(made, needs, strict=True)), *nothing)


def plain_steps(op: str, z, h, c, data, bias, indices, indptr, reverse: bool) -> torch.Tensor:
    """The same in torch's own operations: z is what a unit matrix makes of it."""
    rows, hidden = z.shape[2], z.shape[2] // len(ORDERS[op])
    weight = plain.dense_weight(data, indices, indptr, (rows, hidden))
    unit = torch.eye(rows, dtype=z.dtype)
    offsets = [z.new_zeros(rows), z.new_zeros(rows) if bias is None else bias]
    params = [in_torch_order(op, part) for part in (unit, weight, *offsets)]
    first = z.new_zeros(1, len(z), hidden)
    h = first if h is None else h.unsqueeze(0)
    z = z.flip(1) if reverse else z
    options = (params, True, 1, 0.0, False, False, True)
    if op == "lstm":
        y, *last = torch._VF.lstm(z, (h, first if c is None else c.unsqueeze(0)), *options)
    else:
        y, *last = torch._VF.gru(z, h, *options)
    y = y.flip(1) if reverse else y
    return torch.cat([y, *(state.transpose(0, 1) for state in last)], 1)


def in_torch_order(op: str, rows: torch.Tensor) -> torch.Tensor:
    """(gates * hidden, ...), whose gates the kernels order, as torch orders them."""
    order = ORDERS[op]
    parts = rows.chunk(len(order))
    return torch.cat([parts[order.index(gate)] for gate in range(len(order))])


def gate_order(op: str, rows: int) -> np.ndarray:
    """Of rows that torch orders those that the kernels have, one after the other."""
    parts = np.split(np.arange(rows), len(ORDERS[op])) if rows % len(ORDERS[op]) == 0 else [np.arange(rows)]
    if len(parts) == 1:
        raise ArgumentError(f"weight must have {len(ORDERS[op])} rows a unit, got {rows} rows")
    return np.concatenate([parts[gate] for gate in ORDERS[op]])
