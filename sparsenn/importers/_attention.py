"""Attention, found in the products, the softmax and the masks that it is written as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layers import (
    Add,
    Attention,
    AxisSoftmax,
    Expand,
    Function,
    MatMul,
    Pair,
    ReLU,
    Reshape,
    Transpose,
    Where,
)
from ._steps import Against, Beside, Scale
from ._wires import IsNaN, Sizes, Wire, rewrite

HIDDEN = -1e30  # what is added to scores of keys that are not seen; below it nothing else counts
TURN = Transpose((1, 3, 2))


def attended(wires: list[Wire]) -> list[Wire]:
    """The wires, each softmax between two products as one step, of tokens that stand last."""
    narrowed: dict[Wire, Wire] = {}  # so that a mask that several layers read stays one
    return rewrite(wires, lambda wire: _rule(wire, narrowed))


def _rule(wire: Wire, narrowed: dict[Wire, Wire]) -> Wire:
    if isinstance(wire.step, Attention) and len(wire.operands) == 4:
        *operands, mask = wire.operands
        return Wire(wire.step, (*operands, _narrow(mask, narrowed)), wire.sizes)
    if not isinstance(wire.step, MatMul):
        return wire
    weights, v = wire.operands
    kept = _without_nan(weights)
    zeros, weights = kept is not None, kept or weights
    if (
        not isinstance(weights.step, AxisSoftmax)
        or weights.step.axis != len(weights.sizes)
        or len(weights.sizes) not in (2, 3)
        or None in wire.sizes
    ):
        return wire
    scores = _scores(weights.operands[0], narrowed)
    return wire if scores is None else _attention(wire, scores, v, zeros=zeros) or wire


def _without_nan(wire: Wire) -> Wire | None:
    """x of 0 where x is NaN, else x."""
    step = wire.step
    if not isinstance(step, Beside) or not isinstance(step.layer, Where) or len(wire.operands) != 2:
        return None
    condition, x = wire.operands
    zero = step.constants[1]
    fits = isinstance(condition.step, IsNaN) and condition.operands[0] is x and zero is not None
    return x if fits and not np.any(zero) else None


@dataclass(frozen=True)
class _Scores:
    """scale q k + mask: mask a wire, a constant, or None; causal: no key behind a query is seen."""

    q: Wire
    k: Wire
    scale: float
    mask: Wire | np.ndarray | None
    causal: bool


def _scores(wire: Wire, narrowed: dict[Wire, Wire]) -> _Scores | None:
    scale, mask, causal = 1.0, None, False
    while not isinstance(wire.step, MatMul):
        factor = _factor(wire)
        if factor is not None:
            scale, wire = scale * factor, wire.operands[0]
            continue
        one_mask = mask is None and not causal and scale == 1  # of the scores alone
        found = _masked(wire) if one_mask else None
        if found is None:
            return None
        wire, mask = found
        if isinstance(mask, Wire):
            mask = _narrow(mask, narrowed)
        elif _is_causal(mask, wire.sizes):
            mask, causal = None, True
    q, k = wire.operands
    q, left = _unscaled(q)
    k, right = _unscaled(k)
    return _Scores(q, k, scale * left * right, mask, causal)


def _factor(wire: Wire) -> float | None:
    """The number that a wire is a multiple of its operand by."""
    step = wire.step
    if not isinstance(step, Scale) or step.scale.size != 1 or np.any(step.shift):
        return None
    return float(step.scale.item())


def _unscaled(wire: Wire) -> tuple[Wire, float]:
    factor = 1.0
    while (own := _factor(wire)) is not None:
        wire, factor = wire.operands[0], factor * own
    return wire, factor


def _masked(wire: Wire) -> tuple[Wire, Wire | np.ndarray] | None:
    """The scores, and what is added to them."""
    step = wire.step
    if isinstance(step, Scale):
        return (wire.operands[0], step.shift) if (step.scale == 1).all() else None
    if isinstance(step, Add):
        for scores, mask in (wire.operands, wire.operands[::-1]):
            if scores.sizes == wire.sizes and _leads_to_product(scores):
                return scores, mask
    if isinstance(step, Beside) and isinstance(step.layer, Where) and len(wire.operands) == 2:
        return _chosen(wire)
    return None


def _leads_to_product(wire: Wire) -> bool:
    while not isinstance(wire.step, MatMul):
        if _factor(wire) is None and (_masked(wire) is None or isinstance(wire.step, Add)):
            return False
        wire = wire.operands[0] if _factor(wire) is not None else _masked(wire)[0]
    return True


def _chosen(wire: Wire) -> tuple[Wire, Wire] | None:
    """Scores where a condition holds, or does not, and elsewhere a number that hides a key."""
    condition, scores = wire.operands
    _, x, y = wire.step.constants
    hidden, rest = (x, y) if x is not None else (y, x)
    if wire.step.constants[0] is not None or hidden is None or rest is not None or hidden.size != 1:
        return None
    if not hidden.item() <= HIDDEN or scores.sizes != wire.sizes or not _leads_to_product(scores):
        return None
    hidden, zero = hidden.reshape(1), np.zeros(1, np.float32)
    chosen = (None, hidden, zero) if x is not None else (None, zero, hidden)
    return scores, Wire(Beside(Where(), chosen, wire.step.name), (condition,), condition.sizes)


def _narrow(wire: Wire, narrowed: dict[Wire, Wire]) -> Wire:
    """What was repeated, before it was, as masks are broadcast: also below what is done value by value."""
    if wire not in narrowed:
        if isinstance(wire.step, Expand):
            narrowed[wire] = _narrow(wire.operands[0], narrowed)
        elif wire.operands and _by_value(wire.step):
            operands = tuple(_narrow(operand, narrowed) for operand in wire.operands)
            same = all(a is b for a, b in zip(operands, wire.operands, strict=True))
            sizes = np.broadcast_shapes(*(operand.sizes for operand in operands))
            narrowed[wire] = wire if same else Wire(wire.step, operands, sizes)
        else:
            narrowed[wire] = wire
    return narrowed[wire]


def _by_value(step: object) -> bool:
    """Whether a step works value by value, with numbers alone beside."""
    if isinstance(step, Scale):
        return step.scale.size == step.shift.size == 1
    if isinstance(step, Against):
        return step.constant.size == 1
    if isinstance(step, Beside):
        return isinstance(step.layer, Where) and all(own is None or own.size == 1 for own in step.constants)
    return isinstance(step, (Pair, Where, Function, ReLU))


def _is_causal(mask: np.ndarray, sizes: Sizes) -> bool:
    square = (
        mask.reshape(mask.shape[-2:]) if mask.ndim > 1 and mask.size == np.prod(mask.shape[-2:]) else None
    )
    if square is None or square.shape[0] != square.shape[1] or square.shape != sizes[-2:]:
        return False
    later = np.triu(np.ones(square.shape, bool), 1)
    return bool((square[later] <= HIDDEN).all() and not square[~later].any())


def _attention(wire: Wire, scores: _Scores, v: Wire, *, zeros: bool) -> Wire | None:
    q, k = scores.q, scores.k
    if len(wire.sizes) == 2:
        q, k, v = (Wire(Reshape((1, *own.sizes)), (own,), (1, *own.sizes)) for own in (q, k, v))
    own_k, own_v = _own_heads(k), _own_heads(v)
    if own_k.sizes[0] == own_v.sizes[0]:
        k, v = own_k, own_v
    if v.sizes[0] != k.sizes[0] or q.sizes[0] % k.sizes[0]:
        return None
    layer = Attention(scores.scale, scores.causal, zeros)
    made = attention_wire(layer, q, k, v, scores.mask)
    return made if made.sizes == wire.sizes else Wire(Reshape(wire.sizes), (made,), wire.sizes)


def _own_heads(wire: Wire) -> Wire:
    """The heads (heads, ., .) as they were before each was repeated, for those of q that share it."""
    if isinstance(wire.step, Transpose) and wire.step.axes[0] == 1:
        own = _own_heads(wire.operands[0])
        return wire if own is wire.operands[0] else Wire(wire.step, (own,), (own.sizes[0], *wire.sizes[1:]))
    repeated = wire.operands[0] if isinstance(wire.step, Reshape) else None
    if repeated is None or not isinstance(repeated.step, Expand) or repeated.sizes[2:] != wire.sizes[1:]:
        return wire
    once = repeated.operands[0]
    if once.sizes != (repeated.sizes[0], 1, *wire.sizes[1:]):
        return wire
    sizes = (once.sizes[0], *wire.sizes[1:])
    return Wire(Reshape(sizes), (once,), sizes)


def attention_wire(
    layer: Attention, q: Wire, k: Wire, v: Wire, mask: Wire | np.ndarray | None, name: str = "attention"
) -> Wire:
    """What attention makes of q (heads, queries, depth), k (heads, depth, keys) and v (heads, keys, width).

    -> (heads, queries, width). mask: of at most three sizes, or a constant without the batch
    """
    (heads, queries, depth), (own, keys, width) = q.sizes, v.sizes
    operands = [Wire(TURN, (q,), (heads, depth, queries)), k, Wire(TURN, (v,), (own, width, keys))]
    step: object = layer
    if isinstance(mask, np.ndarray):
        step = Beside(step, (None, None, None, mask), name)
    elif mask is not None:
        sizes = (*(1,) * (3 - len(mask.sizes)), *mask.sizes)
        operands.append(mask if sizes == mask.sizes else Wire(Reshape(sizes), (mask,), sizes))
    return Wire(TURN, (Wire(step, tuple(operands), (heads, width, queries)),), (heads, queries, width))
