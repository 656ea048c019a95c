"""What torch.jit.script reads in place of a sparse layer: its parameters, in torch's own operations."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from . import plain


class Scriptable(nn.Module):
    """The parameters of a sparse layer."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.shape = layer._shape
        self.data, self.bias = layer.data, layer.bias
        self.register_buffer("indices", layer.indices)
        self.register_buffer("indptr", layer.indptr)
        self.train(layer.training)


class ScriptLinear(Scriptable):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        weight = plain.dense_weight(self.data, self.indices, self.indptr, self.shape)
        return functional.linear(input, weight, self.bias)


class ScriptConv2d(Scriptable):
    def __init__(self, layer: nn.Module):
        super().__init__(layer)
        self.dense_shape = list(layer._dense_shape)
        self.pads, self.pad_mode = layer._pads, layer._pad_mode
        self.stride, self.dilation, self.groups = layer.stride, layer.dilation, layer.groups

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        weight = plain.dense_weight(self.data, self.indices, self.indptr, self.shape).view(self.dense_shape)
        x = functional.pad(input, self.pads, self.pad_mode)
        return functional.conv2d(x, weight, self.bias, self.stride, 0, self.dilation, self.groups)


class ScriptLSTM(nn.Module):
    """The layers of torch with the same weights, as they are when it is made."""

    def __init__(self, dense: nn.LSTM):
        super().__init__()
        self.dense = dense

    def forward(
        self, input: torch.Tensor, hx: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        return self.dense(input, hx)


class ScriptGRU(nn.Module):
    """Likewise."""

    def __init__(self, dense: nn.GRU):
        super().__init__()
        self.dense = dense

    def forward(
        self, input: torch.Tensor, hx: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self.dense(input, hx)
