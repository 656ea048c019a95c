"""The functions and methods of torch that can be imported, by what torch.fx calls them."""

from __future__ import annotations

import operator
from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..layers import Abs, Exp, HardSwish, Log, Mish, ReLU, Sigmoid, SiLU, Sqrt, Tanh
from . import _torch_axes as a
from . import _torch_conditions as c
from . import _torch_encoder as e
from . import _torch_functions as f
from . import _torch_pointwise as p
from . import _torch_windows as w
from ._torch_resize import interpolate

_relu, _tanh, _sigmoid, _silu = (p.activation(layer()) for layer in (ReLU, Tanh, Sigmoid, SiLU))
_abs, _exp, _log, _sqrt = (p.activation(layer()) for layer in (Abs, Exp, Log, Sqrt))

FUNCTIONS: dict[object, Callable] = {
    F.linear: f.linear,
    **dict.fromkeys((torch.matmul, torch.mm, operator.matmul), f.matmul),
    torch.addmm: f.addmm,
    **dict.fromkeys((torch.add, operator.add, operator.iadd), p.add),
    **dict.fromkeys((torch.sub, operator.sub, operator.isub), p.sub),
    **dict.fromkeys((torch.mul, torch.multiply, operator.mul, operator.imul), p.mul),
    **dict.fromkeys((torch.div, torch.true_divide, operator.truediv, operator.itruediv), p.div),
    **dict.fromkeys((torch.neg, torch.negative, operator.neg), p.neg),
    **dict.fromkeys((torch.abs, torch.absolute, operator.abs), _abs),
    **dict.fromkeys((torch.pow, operator.pow, operator.ipow), p.power),
    **{torch.exp: _exp, torch.log: _log, torch.sqrt: _sqrt, torch.rsqrt: p.rsqrt, torch.square: p.square},
    torch.reciprocal: p.reciprocal,
    **dict.fromkeys((torch.minimum, torch.min), p.minimum),
    **dict.fromkeys((torch.maximum, torch.max), p.maximum),
    **dict.fromkeys((F.relu, torch.relu), _relu),
    **dict.fromkeys((F.tanh, torch.tanh), _tanh),
    **dict.fromkeys((F.sigmoid, torch.sigmoid), _sigmoid),
    F.silu: _silu,
    F.hardswish: p.activation(HardSwish()),
    F.mish: p.activation(Mish()),
    F.hardsigmoid: p.hardsigmoid,
    F.softplus: p.softplus,
    F.logsigmoid: p.logsigmoid,
    F.softsign: p.softsign,
    F.relu6: p.relu6,
    F.leaky_relu: p.leaky_relu,
    **dict.fromkeys((F.prelu, torch.prelu), p.prelu),
    **dict.fromkeys((F.threshold, torch.threshold), p.threshold),
    F.hardtanh: p.hardtanh,
    **dict.fromkeys((torch.clamp, torch.clip), p.clamp),
    F.gelu: p.gelu,
    F.elu: p.elu,
    **dict.fromkeys((F.celu, torch.celu), p.celu),
    **dict.fromkeys((F.selu, torch.selu), p.selu),
    **dict.fromkeys((operator.eq, torch.eq), c.eq),
    **dict.fromkeys((operator.ne, torch.ne, torch.not_equal), c.ne),
    **dict.fromkeys((operator.lt, torch.lt, torch.less), c.lt),
    **dict.fromkeys((operator.gt, torch.gt, torch.greater), c.gt),
    **dict.fromkeys((operator.le, torch.le, torch.less_equal), c.le),
    **dict.fromkeys((operator.ge, torch.ge, torch.greater_equal), c.ge),
    **dict.fromkeys((operator.and_, torch.logical_and), c.logical_and),
    **dict.fromkeys((operator.or_, torch.logical_or), c.logical_or),
    **dict.fromkeys((operator.invert, torch.logical_not), c.logical_not),
    torch.where: c.where,
    torch.masked_fill: c.masked_fill,
    F.log_softmax: a.log_softmax,
    torch.log_softmax: a.log_softmax_of_tensor,
    F.softmax: a.softmax,
    torch.softmax: a.softmax_of_tensor,
    torch.mean: a.mean,
    torch.sum: a.sum_of,
    torch.amax: a.amax,
    torch.amin: a.amin,
    F.batch_norm: f.batch_norm,
    F.embedding: e.embedding,
    **dict.fromkeys((F.layer_norm, torch.layer_norm), e.layer_norm),
    F.rms_norm: e.rms_norm,
    F.scaled_dot_product_attention: e.scaled_dot_product_attention,
    torch.bmm: f.matmul,
    **{torch.zeros_like: e.zeros_like, torch.ones_like: e.ones_like},
    **dict.fromkeys((F.conv1d, torch.conv1d), w.conv1d),
    **dict.fromkeys((F.conv2d, torch.conv2d), w.conv2d),
    **dict.fromkeys((F.conv_transpose1d, torch.conv_transpose1d), w.conv_transpose1d),
    **dict.fromkeys((F.conv_transpose2d, torch.conv_transpose2d), w.conv_transpose2d),
    **dict.fromkeys((F.max_pool1d, torch.max_pool1d), w.max_pool1d),
    **dict.fromkeys((F.max_pool2d, torch.max_pool2d), w.max_pool2d),
    F.avg_pool1d: w.avg_pool1d,
    F.avg_pool2d: w.avg_pool2d,
    F.adaptive_max_pool2d: w.adaptive_max_pool2d,
    F.dropout2d: f.dropout,
    F.adaptive_avg_pool1d: w.adaptive_avg_pool1d,
    F.adaptive_avg_pool2d: w.adaptive_avg_pool2d,
    F.pad: w.pad,
    F.interpolate: interpolate,
    torch.pixel_shuffle: w.pixel_shuffle,
    torch.pixel_unshuffle: w.pixel_unshuffle,
    F.dropout: f.dropout,
    torch.dropout: f.dropout_of_torch,
    **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), f.cat),
    torch.stack: f.stack,
    torch.chunk: f.chunk,
    torch.split: f.split,
    torch.unbind: f.unbind,
    torch.select: f.select,
    torch.narrow: f.narrow,
    torch.index_select: f.index_select,
    operator.getitem: f.getitem,
    torch.flatten: f.flatten,
    torch.reshape: f.reshape,
    torch.unflatten: f.unflatten,
    torch.permute: f.permute,
    **dict.fromkeys((torch.movedim, torch.moveaxis), f.movedim),
    **dict.fromkeys((torch.transpose, torch.swapaxes, torch.swapdims), f.transpose),
    torch.t: f.t,
    torch.squeeze: f.squeeze,
    torch.unsqueeze: f.unsqueeze,
    torch.clone: f.identity,
}
METHODS: dict[str, Callable] = {
    **{name: getattr(p, name) for name in ("add", "sub", "mul", "div", "neg", "clamp", "minimum", "maximum")},
    **{name: getattr(p, name) for name in ("rsqrt", "square", "reciprocal")},
    **{
        "abs": _abs,
        "exp": _exp,
        "log": _log,
        "sqrt": _sqrt,
        "pow": p.power,
        "min": p.minimum,
        "max": p.maximum,
    },
    **dict.fromkeys(("matmul", "bmm"), f.matmul),
    **{name: getattr(f, name) for name in ("view", "flatten", "unflatten", "permute", "transpose", "t")},
    **{name: getattr(f, name) for name in ("squeeze", "unsqueeze", "chunk", "unbind", "select", "narrow")},
    **{name: f.identity for name in ("contiguous", "detach", "clone")},
    **{name: f.converted for name in ("to", "float", "double", "half", "bfloat16", "cpu", "type_as")},
    **{name: getattr(a, name) for name in ("mean", "amax", "amin")},
    "sum": a.sum_of,
    "relu": _relu,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softmax": a.softmax_of_tensor,
    **{name: getattr(c, name) for name in ("eq", "ne", "lt", "gt", "le", "ge", "logical_and", "logical_or")},
    **{name: getattr(c, name) for name in ("logical_not", "masked_fill", "expand", "expand_as")},
    "where": c.where_of_tensor,
    "bool": c.to_bool,
    "log_softmax": a.log_softmax_of_tensor,
    "clip": p.clamp,
    "mm": f.matmul,
    "split": f.split_of_tensor,
    "reshape": f.view,
    "index_select": f.index_select,
    "swapaxes": f.transpose,
    "swapdims": f.transpose,
    "movedim": f.movedim,
    "moveaxis": f.movedim,
}
# What changes its first operand: methods whose names end with "_" do too.
IN_PLACE = frozenset({operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow})
# What reads the number of samples.
READS_BATCH = frozenset(
    {"view", "reshape", "size", "expand", torch.reshape, getattr, "unflatten", torch.unflatten}
)
