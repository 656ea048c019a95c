"""Attention: values weighed by how queries and keys go together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..checks import check_flag, check_float32
from ..errors import ArgumentError
from ..graph.value import Dims
from .layer import EPS, TINY, Layer
from .matmul import summed_to_operand

OUT_OF_REACH = 110.0  # e^-104 rounds to 0


@dataclass(frozen=True)
class Attention(Layer):
    """v softmax(scale k' q + mask) of each head, softmax over keys; tokens stand last, as a plan has them.

    q (batch, heads, depth, queries), k (batch, own heads, depth, keys), v (batch, own heads, width, keys)
    -> (batch, heads, width, queries). Heads of q that stand side by side share one of k and v. A fourth
    operand is a mask that is added, a value or a constant, broadcast to (batch, heads, queries, keys).

    scale   None: 1 / sqrt(depth)
    causal  no query sees keys behind its own place, not even what is not finite there
    zeros   a query for which the mask hides all keys, with -inf, gives zeros; else NaN

    Source: Vaswani et al. 2017, arXiv:1706.03762; grouped heads: Ainslie et al. 2023, arXiv:2305.13245
    """

    scale: float | None = None
    causal: bool = False
    zeros: bool = False

    op, integers, attributes = "attention", ("causal", "zeros"), ("scale",)
    operands, takes_constants, onnx_opset = (3, 4), True, 14

    def __post_init__(self) -> None:
        for name in self.integers:
            object.__setattr__(self, name, check_flag(name, getattr(self, name)))
        if self.scale is not None:
            scale = check_float32("scale", self.scale, minimum=-math.inf)
            object.__setattr__(self, "scale", scale)

    @property
    def integer_values(self) -> dict[str, int]:
        return {name: int(getattr(self, name)) for name in self.integers}

    @classmethod
    def of_integers(cls, causal: int, zeros: int, scale: float) -> Attention:
        return cls(scale, bool(causal), bool(zeros))

    def resolve(self, *dims: Dims) -> Attention:
        if self.scale is not None:
            return self
        if len(dims[0]) != 4 or dims[0][2] is None:
            raise ArgumentError(f"q of Attention must have dims (None, heads, depth, queries), got {dims[0]}")
        return replace(self, scale=1 / math.sqrt(dims[0][2]))

    def infer(self, *dims: Dims) -> Dims:
        q, k, v = dims[:3]
        for name, own in zip("qkv", (q, k, v), strict=True):
            if len(own) != 4 or own[0] is not None:
                raise ArgumentError(
                    f"{name} of Attention must have dims (None, heads, ..., tokens), got {own}"
                )
        heads, own = q[1], k[1]
        shares = heads == own or (None not in (heads, own) and heads % own == 0)
        if q[2] != k[2] or own != v[1] or k[3] != v[3] or not shares:
            raise ArgumentError(f"q, k and v of Attention must fit, got {q}, {k} and {v}")
        if len(dims) > 3:
            wanted, mask = (heads, q[3], k[3]), dims[3]
            got = (1,) * (4 - len(mask)) + mask[1:]
            if len(mask) > 4 or any(one not in (1, other) for one, other in zip(got, wanted, strict=True)):
                raise ArgumentError(
                    f"mask of Attention must be broadcast to (None, heads, queries, keys) of q {q} and "
                    f"k {k}, got {mask}"
                )
        return (None, heads, v[2], q[3])

    # ---- arrays with the batch first ----

    def _shared(self, z: np.ndarray, heads: int) -> np.ndarray:
        """One of k or v for each head of q."""
        z = np.moveaxis(z, -1, 0)
        return z if z.shape[1] == heads else np.repeat(z, heads // z.shape[1], axis=1)

    def _split(self, q, k, v) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.moveaxis(q, -1, 0), self._shared(k, q.shape[0]), self._shared(v, q.shape[0])

    def _hidden(self, queries: int, keys: int) -> np.ndarray:
        """(keys, queries): where a query may not see a key."""
        shape = keys, queries
        later = np.arange(keys)[:, np.newaxis] > np.arange(queries)
        return later if self.causal else np.zeros(shape, bool)

    def _scores(self, q, k, mask) -> np.ndarray:
        """(batch, heads, keys, queries)"""
        scores = np.asarray(self.scale, q.dtype) * (k.swapaxes(-1, -2) @ q)
        scores = scores if mask is None else scores + _turned(mask)
        return np.where(self._hidden(q.shape[-1], k.shape[-1]), np.asarray(-np.inf, q.dtype), scores)

    def _weights(self, scores: np.ndarray) -> np.ndarray:
        most = scores.max(axis=2, keepdims=True)
        powers = np.exp(scores - most)
        weights = powers / powers.sum(axis=2, keepdims=True)
        return np.where(most == -np.inf, np.zeros_like(weights), weights) if self.zeros else weights

    def value(self, q, k, v, mask=None) -> np.ndarray:
        q, k, v = self._split(q, k, v)
        with np.errstate(invalid="ignore"):  # where all keys are hidden
            weights = self._weights(self._scores(q, k, mask))
        if not self.causal or np.isfinite(v).all():
            return np.moveaxis(v @ weights, 0, -1)
        seen = (v[..., : i + 1] @ weights[..., : i + 1, i : i + 1] for i in range(q.shape[-1]))
        return np.moveaxis(np.concatenate(list(seen), axis=-1), 0, -1)  # what is hidden is not read

    def bound(self, *arguments: np.ndarray) -> np.ndarray:
        """Of the scores: a sum of depth products, scaled, and the mask. Weights move by e to twice the most.

        Keys that are out of reach of the largest score have no weight with or without that. Powers, their sum
        block by block and what they weigh round by eps a key, and by some for each block.
        """
        count = len(arguments) // 2
        q, k, v, *mask = arguments[:count]
        q_bound, k_bound, v_bound, *mask_bound = arguments[count + 1 :]
        (q, k, v), (dq, dk, dv) = self._split(q, k, v), self._split(q_bound, k_bound, v_bound)
        scores = self._scores(q, k, *mask or [None])
        size = abs(self.scale) * ((abs(k) + dk).swapaxes(-1, -2) @ (abs(q) + dq))
        moved = abs(self.scale) * (dk.swapaxes(-1, -2) @ (abs(q) + dq) + abs(k).swapaxes(-1, -2) @ dq)
        moved = moved + (q.shape[2] + 4) * EPS * size
        if mask:
            moved = moved + _turned(mask_bound[0]) + 2 * EPS * (size + abs(_turned(mask[0])))
        with np.errstate(invalid="ignore", over="ignore"):
            known = np.where(np.isfinite(scores), scores, -np.inf)
            least = (known - np.where(np.isfinite(scores), moved, 0)).max(axis=2, keepdims=True)
            near = known + moved >= least - OUT_OF_REACH
            most = np.where(near, moved, 0).max(axis=2, keepdims=True)
            weights = self._weights(scores)
        keys = k.shape[-1]
        ratio = np.expm1(np.minimum(2 * most, 700.0)) + (2 * keys + 32) * EPS
        weighed = (abs(v) + dv) @ weights
        made = (dv @ weights) * (1 + ratio) + (ratio + (keys + 4) * EPS) * weighed
        spare = 2 * TINY * (1 + (abs(v) + dv).sum(axis=-1, keepdims=True))
        return np.moveaxis(made + spare, 0, -1)

    def gradient(self, *arguments: np.ndarray) -> tuple[np.ndarray, ...]:
        *z, _, da = arguments
        (q, k, v), slope = self._split(*z[:3]), np.moveaxis(da, -1, 0)
        weights = self._weights(self._scores(q, k, z[3] if len(z) > 3 else None))
        of_weights = v.swapaxes(-1, -2) @ slope
        of_scores = weights * (of_weights - (weights * of_weights).sum(axis=2, keepdims=True))
        scaled = np.asarray(self.scale, da.dtype) * of_scores
        made = [
            np.moveaxis(k @ scaled, 0, -1),
            self._joined(q @ scaled.swapaxes(-1, -2), z[1]),
            self._joined(slope @ weights.swapaxes(-1, -2), z[2]),
        ]
        if len(z) > 3:
            made.append(summed_to_operand(of_scores.swapaxes(-1, -2), z[3]))
        return tuple(made)

    @staticmethod
    def _joined(slope: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Of k or v, added up over the heads that share it; z has the batch last."""
        parts = slope.reshape(slope.shape[0], z.shape[0], -1, *slope.shape[2:])
        return np.moveaxis(parts.sum(axis=2), 0, -1)

    def depends(self, *masks: np.ndarray) -> np.ndarray:
        """All of a query's own, and of every key that it sees."""
        (q, k, v), seen = self._split(*masks[:3]), ~self._hidden(masks[0].shape[2], masks[1].shape[2])
        made = q.any(axis=2, keepdims=True)
        made = made | (k.any(axis=2, keepdims=True).astype(np.float32) @ seen.astype(np.float32) > 0)
        made = made | (v.astype(np.float32) @ seen.astype(np.float32) > 0)
        if len(masks) > 3:
            made = made | (_turned(masks[3]) & seen).any(axis=2, keepdims=True)
        return np.moveaxis(np.broadcast_to(made, (*made.shape[:2], v.shape[2], q.shape[3])), 0, -1)

    def torch_value(self, torch, q, k, v, mask=None):
        q, k, v = (z.transpose(2, 3) for z in (q, k, v))
        options = {"is_causal": self.causal} if mask is None else {}
        if mask is not None and self.causal:
            mask = mask + torch.full((q.shape[2], k.shape[2]), -math.inf).triu(1)
        made = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, scale=self.scale, enable_gqa=True, **options
        )
        return made.transpose(2, 3)

    def to_onnx(self, graph, q: str, k: str, v: str, mask: str | None = None) -> str:
        """By its formula; k and v of heads that are shared are repeated."""
        heads, own = (dims[1] for dims in graph.dims[:2])
        if heads != own:
            k, v = (
                graph.heads_repeated(z, dims, heads // own)
                for z, dims in zip((k, v), graph.dims[1:3], strict=True)
            )
        scores = graph.node("MatMul", graph.last_two_turned(q, 4), k)
        scores = graph.node("Mul", scores, graph.constant("scale", [self.scale]))
        if mask is not None:
            scores = graph.node("Add", scores, mask)
        if self.causal:
            scores = graph.later_hidden(scores)
        weights = graph.node("Softmax", scores, axis=-1)
        if self.zeros:
            empty = graph.node("IsNaN", weights)
            weights = graph.node("Where", empty, graph.constant("zero", [0.0]), weights)
        return graph.node("MatMul", v, graph.last_two_turned(weights, 4))


def _turned(mask: np.ndarray) -> np.ndarray:
    """A mask (heads, queries, keys, batch), of at most as many axes, as (batch, heads, keys, queries)."""
    mask = np.moveaxis(mask, -1, 0)
    return mask.reshape(mask.shape[0], *[1] * (4 - mask.ndim), *mask.shape[1:]).swapaxes(-1, -2)
