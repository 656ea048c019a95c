"""The ONNX operator Attention, which came with opset 23."""

from __future__ import annotations

import math

import numpy as np

from ..layers import Attention
from ._attention import attention_wire
from ._conditions import is_truth, where
from ._data import Data
from ._moves import permuted, reshaped
from ._onnx_values import Node

HIDDEN, SEEN = np.float32(-np.inf), np.float32(0)


def attention(node: Node) -> Data:
    """Of (batch, heads, tokens, features), or (batch, tokens, heads features) with the number of heads."""
    if any(node.used[1:]) or any(own is not None for own in node.inputs[4:]):
        raise node.fail("have neither past keys nor further outputs")
    if node.attributes.get("softcap", 0.0):
        raise node.fail("have no softcap")
    parts = [node.data(index) for index in range(3)]
    flat = parts[0].rank == 3
    if flat:
        heads = [node.attributes.get(f"{name}_num_heads", 0) for name in ("q", "kv", "kv")]
        parts = [_split(own, count, node) for own, count in zip(parts, heads, strict=True)]
    q, k, v = parts
    if any(own.rank != 4 or own.axis != 0 or None in own.sizes for own in parts):
        raise node.fail(f"take (batch, heads, tokens, features), got {q}, {k} and {v}")
    if v.sizes[:2] != k.sizes[:2] or q.sizes[2] != k.sizes[2] or q.sizes[0] % k.sizes[0]:
        raise node.bad(f"have q, k and v that fit, got {q}, {k} and {v}")
    scale = node.attributes.get("scale", 1 / math.sqrt(q.sizes[2]))
    layer = Attention(scale, bool(node.attributes.get("is_causal", 0)))
    turned = permuted(k, (0, 1, 3, 2), node)
    made = Data(attention_wire(layer, q.wire, turned.wire, v.wire, _mask(node, q), node.name), q.batch)
    if not flat:
        return made
    made = permuted(made, (0, 2, 1, 3), node)
    return reshaped(made, (made.batch, made.sizes[0], math.prod(made.sizes[1:])), node)


def _split(data: Data, heads: int, node: Node) -> Data:
    """(batch, tokens, heads features) -> (batch, heads, tokens, features)"""
    tokens, features = data.sizes
    if heads < 1 or features is None or features % heads:
        raise node.bad(f"have a number of heads that divides the features, got {heads} for {data}")
    return permuted(reshaped(data, (data.batch, tokens, heads, features // heads), node), (0, 2, 1, 3), node)


def _mask(node: Node, q: Data):
    """What is added to the scores; booleans say which keys are seen."""
    mask = node.input(3)
    if isinstance(mask, Data):
        if mask.axis != 0 or mask.rank != q.rank:
            raise node.fail(f"have a mask (batch, heads, queries, keys), got {mask}")
        return (where(mask, SEEN.reshape(1), HIDDEN.reshape(1), node) if is_truth(mask.wire) else mask).wire
    if mask is None:
        return None
    mask = node.constant(3)
    if mask.dtype.kind == "b":
        mask = np.where(mask, SEEN, HIDDEN)
    if (
        mask.ndim == 4
        and len(mask) == q.batch
        and np.array_equal(mask, np.broadcast_to(mask[:1], mask.shape))
    ):
        mask = mask[:1]
    if mask.ndim == 4 and len(mask) != 1:
        raise node.fail_batch(f"do the same to every sample, got a mask of shape {mask.shape}")
    return mask[0] if mask.ndim == 4 else mask
