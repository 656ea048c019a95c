"""What encoders are made of in torch: embeddings, norms, attention and the layers around it."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..layers import Attention, ReLU
from ._arithmetic import added, combined
from ._attention import HIDDEN, attention_wire
from ._axis_norms import normalised_along
from ._conditions import is_truth, where
from ._data import Data
from ._moves import looked_up, permuted, reshaped, unsqueezed
from ._torch_functions import linear
from ._torch_place import Place
from ._torch_pointwise import gelu

NO_KEY, SEEN = np.full(1, -np.inf, np.float32), np.zeros(1, np.float32)


def embedding(at: Place, input, weight, padding_idx=None, max_norm=None, *rest, **options) -> Data:
    """The row of padding_idx is one as any other once training is over."""
    if max_norm is not None:
        raise at.fail("have no max_norm")
    return looked_up(at.data(input), at.matrix(weight, "weight"), at)


def embedding_module(at: Place, module: nn.Embedding, data: Data) -> Data:
    return embedding(at, data, module.weight, max_norm=module.max_norm)


def layer_norm(at: Place, input, normalized_shape, weight=None, bias=None, eps=1e-5) -> Data:
    return _norm(at, input, normalized_shape, weight, bias, eps, centred=True)


def rms_norm(at: Place, input, normalized_shape, weight=None, eps=None) -> Data:
    eps = torch.finfo(torch.float32).eps if eps is None else eps
    return _norm(at, input, normalized_shape, weight, None, eps, centred=False)


def _norm(at: Place, input, shape, weight, bias, eps, *, centred: bool) -> Data:
    scale, shift = at.array(weight, "weight"), at.array(bias, "bias")
    count = len(at.integers(shape, "normalized_shape"))
    return normalised_along(at.data(input), count, scale, shift, at.number(eps, "eps"), at, centred=centred)


def layer_norm_module(at: Place, m: nn.LayerNorm, x: Data) -> Data:
    return layer_norm(at, x, m.normalized_shape, m.weight, m.bias, m.eps)


def rms_norm_module(at: Place, m: nn.RMSNorm, x: Data) -> Data:
    return rms_norm(at, x, m.normalized_shape, m.weight, m.eps)


def zeros_like(at: Place, input, **options) -> torch.Tensor:
    return torch.zeros(_shape_of(at, input))


def ones_like(at: Place, input, **options) -> torch.Tensor:
    return torch.ones(_shape_of(at, input))


def _shape_of(at: Place, input) -> tuple[int, ...]:
    data = at.data(input)
    if None in data.sizes:
        raise at.unknown(data)
    return data.shape


# ---- attention ----


def scaled_dot_product_attention(
    at: Place, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
) -> Data:
    """(batch, heads, tokens, features); a mask is added, or says by booleans which keys are seen."""
    q, k, v = (at.data(own) for own in (query, key, value))
    if any(own.rank != 4 or own.axis != 0 or None in own.sizes for own in (q, k, v)):
        raise at.fail(f"take (batch, heads, tokens, features), got {q}, {k} and {v}")
    shares = q.sizes[0] == k.sizes[0] or (enable_gqa and q.sizes[0] % k.sizes[0] == 0)
    if k.sizes[:2] != v.sizes[:2] or q.sizes[2] != k.sizes[2] or not shares:
        raise at.bad(f"have q, k and v that fit, got {q}, {k} and {v}")
    scale = 1 / math.sqrt(q.sizes[2]) if scale is None else at.number(scale, "scale")
    return _attended(at, Attention(scale, bool(is_causal), zeros=True), q, k, v, attn_mask)


def _attended(at: Place, layer: Attention, q: Data, k: Data, v: Data, mask) -> Data:
    turned = permuted(k, (0, 1, 3, 2), at)
    return Data(attention_wire(layer, q.wire, turned.wire, v.wire, _mask(at, mask), at.name), q.batch)


def _mask(at: Place, mask):
    """What is added to the scores: a wire, a constant without the batch, or None."""
    if mask is None:
        return None
    if isinstance(mask, Data):
        if mask.rank != 4 or mask.axis != 0:
            raise at.fail(f"have a mask (batch, heads, queries, keys), got {mask}")
        return (where(mask, SEEN, NO_KEY, at) if is_truth(mask.wire) else mask).wire
    if mask.dtype == torch.bool:
        mask = torch.where(mask, 0.0, -math.inf)
    array = np.maximum(mask.detach().cpu().numpy(), np.float32(np.finfo(np.float32).min))
    if array.ndim > 4 or (array.ndim == 4 and len(array) != 1):
        raise at.fail_batch(f"do the same to every sample, got a mask of shape {array.shape}")
    return array[0] if array.ndim == 4 else array


def multihead_attention(
    at: Place, m: nn.MultiheadAttention, query, key=None, value=None, key_padding_mask=None,
    need_weights=True, attn_mask=None, average_attn_weights=True, is_causal=False,
) -> tuple:  # fmt: skip
    """(what the heads give, None); the weights themselves are nothing that a model has."""
    if not m.batch_first or m.in_proj_weight is None or m.bias_k is not None or m.add_zero_attn:
        raise at.fail("have batch_first=True, and neither kdim, vdim, add_bias_kv nor add_zero_attn")
    size, inputs = m.embed_dim, [at.data(own) for own in (query, key, value)]
    bias = (None,) * 3 if m.in_proj_bias is None else m.in_proj_bias.detach().split(size)
    parts = zip(inputs, m.in_proj_weight.detach().split(size), bias, strict=True)
    q, k, v = (_split(at, linear(at, *part), m.num_heads) for part in parts)
    layer = Attention(1 / math.sqrt(size // m.num_heads))
    made = _attended(at, layer, q, k, v, _joined(at, key_padding_mask, attn_mask))
    made = permuted(made, (0, 2, 1, 3), at)
    made = reshaped(made, (made.batch, made.sizes[0], size), at)
    return linear(at, made, m.out_proj.weight, m.out_proj.bias), None


def _split(at: Place, data: Data, heads: int) -> Data:
    tokens, features = data.sizes
    return permuted(reshaped(data, (data.batch, tokens, heads, features // heads), at), (0, 2, 1, 3), at)


def _joined(at: Place, padding, mask):
    """A mask of keys (batch, keys) and one of queries and keys; booleans are True where a key is hidden."""
    if isinstance(mask, torch.Tensor) and mask.dtype == torch.bool:
        mask = ~mask
    if isinstance(mask, Data):
        raise at.fail("have an attn_mask that does not depend on the input")
    if isinstance(mask, torch.Tensor) and mask.dim() == 3:
        raise at.fail("have an attn_mask of two dimensions")
    if padding is None:
        return mask
    keys = unsqueezed(at.data(padding), [1, 2], at)
    hidden = where(keys, NO_KEY, SEEN, at) if is_truth(keys.wire) else keys
    if mask is None:
        return hidden
    rows = _mask(at, mask)
    return combined("Add", hidden, np.maximum(rows, np.float32(2 * HIDDEN)), at)


# ---- layers of torch ----


def encoder_layer(
    at: Place, m: nn.TransformerEncoderLayer, src, src_mask=None, src_key_padding_mask=None, is_causal=False
) -> Data:
    """Source: Vaswani et al. 2017, arXiv:1706.03762; norm_first: Xiong et al. 2020, arXiv:2002.04745."""
    x = at.data(src)

    def attended(y: Data) -> Data:
        return multihead_attention(at, m.self_attn, y, y, y, src_key_padding_mask, attn_mask=src_mask)[0]

    def fed(y: Data) -> Data:
        return _applied(at, m.linear2, _active(at, m.activation, _applied(at, m.linear1, y)))

    if m.norm_first:
        x = added(x, attended(_applied(at, m.norm1, x)), at)
        return added(x, fed(_applied(at, m.norm2, x)), at)
    x = _applied(at, m.norm1, added(x, attended(x), at))
    return _applied(at, m.norm2, added(x, fed(x), at))


def encoder(
    at: Place, m: nn.TransformerEncoder, src, mask=None, src_key_padding_mask=None, is_causal=None
) -> Data:
    x = at.data(src)
    for layer in m.layers:
        if type(layer) is not nn.TransformerEncoderLayer:
            raise at.fail(f"hold layers of torch alone, got {type(layer).__name__}")
        x = encoder_layer(at, layer, x, mask, src_key_padding_mask)
    return x if m.norm is None else _applied(at, m.norm, x)


def _applied(at: Place, module: nn.Module, x: Data) -> Data:
    if type(module) is nn.Linear and "forward" not in module.__dict__:
        return linear(at, x, module.weight, module.bias)
    if type(module) is nn.LayerNorm and "forward" not in module.__dict__:
        return layer_norm_module(at, module, x)
    raise at.fail(f"have parts of torch's own, got {type(module).__name__}")


def _active(at: Place, activation, x: Data) -> Data:
    if activation is F.relu or type(activation) is nn.ReLU:
        return x.then(ReLU())
    if activation is F.gelu or type(activation) is nn.GELU:
        return gelu(at, x, getattr(activation, "approximate", "none"))
    raise at.fail(f"have relu or gelu as its activation, got {activation}")
