"""The functions and methods of torch that can be imported, by what torch.fx calls them."""

from __future__ import annotations

import operator
from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..layers import ReLU, Sigmoid, SiLU, Tanh
from . import _torch_axes as a
from . import _torch_functions as f
from . import _torch_windows as w
from ._torch_resize import interpolate

_relu, _tanh, _sigmoid, _silu = (f.activation(layer()) for layer in (ReLU, Tanh, Sigmoid, SiLU))

FUNCTIONS: dict[object, Callable] = {
    F.linear: f.linear,
    **dict.fromkeys((torch.matmul, torch.mm, operator.matmul), f.matmul),
    torch.addmm: f.addmm,
    **dict.fromkeys((torch.add, operator.add, operator.iadd), f.add),
    **dict.fromkeys((torch.sub, operator.sub, operator.isub), f.sub),
    **dict.fromkeys((torch.mul, torch.multiply, operator.mul, operator.imul), f.mul),
    **dict.fromkeys((torch.div, torch.true_divide, operator.truediv, operator.itruediv), f.div),
    **dict.fromkeys((torch.neg, torch.negative, operator.neg), f.neg),
    **dict.fromkeys((F.relu, torch.relu), _relu),
    **dict.fromkeys((F.tanh, torch.tanh), _tanh),
    **dict.fromkeys((F.sigmoid, torch.sigmoid), _sigmoid),
    F.silu: _silu,
    F.relu6: f.relu6,
    F.leaky_relu: f.leaky_relu,
    F.hardtanh: f.hardtanh,
    **dict.fromkeys((torch.clamp, torch.clip), f.clamp),
    F.gelu: f.gelu,
    F.elu: f.elu,
    F.softmax: a.softmax,
    torch.softmax: a.softmax_of_tensor,
    torch.mean: a.mean,
    torch.sum: a.sum_of,
    torch.amax: a.amax,
    torch.amin: a.amin,
    F.batch_norm: f.batch_norm,
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
    **dict.fromkeys((torch.transpose, torch.swapaxes, torch.swapdims), f.transpose),
    torch.t: f.t,
    torch.squeeze: f.squeeze,
    torch.unsqueeze: f.unsqueeze,
    torch.clone: f.identity,
}
METHODS: dict[str, Callable] = {
    **{name: getattr(f, name) for name in ("add", "sub", "mul", "div", "neg", "matmul", "clamp")},
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
    "clip": f.clamp,
    "mm": f.matmul,
    "split": f.split_of_tensor,
    "reshape": f.view,
    "index_select": f.index_select,
    "swapaxes": f.transpose,
}
# What changes its first operand: methods whose names end with "_" do too.
IN_PLACE = frozenset({operator.iadd, operator.isub, operator.imul, operator.itruediv})
# What reads the number of samples.
READS_BATCH = frozenset({"view", "reshape", "size", torch.reshape, getattr, "unflatten", torch.unflatten})
