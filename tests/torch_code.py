"""Modules whose code computes something else than their class says, for the tests of from_torch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Masked(nn.Linear):
    """The usual way to write a pruned layer."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs)
        self.register_buffer("mask", (torch.rand(outputs, inputs) < 0.5).float())

    def forward(self, x):
        return functional.linear(x, self.weight * self.mask, self.bias)


class HalvedByProperty(nn.Linear):
    """The weight that forward sees is computed."""

    def __init__(self):
        nn.Module.__init__(self)
        self.raw, self.bias = nn.Parameter(torch.randn(3, 4)), None

    @property
    def weight(self):
        return self.raw / 2


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class DoubledByCall(nn.Linear):
    def __call__(self, x):
        return 2 * super().__call__(x)


class DoubledByCallImpl(nn.Linear):
    def _call_impl(self, x):
        return 2 * super()._call_impl(x)


class Renormed(nn.Linear):
    """Writes to its weight in forward, as weight constraints are often written."""

    def forward(self, x):
        self.weight.data = torch.renorm(self.weight.data, 2, 0, 0.3)
        return super().forward(x)


class Clamped(Renormed):
    def forward(self, x):
        self.weight.data.clamp_(-0.1, 0.1)
        return nn.Linear.forward(self, x)


class LeakyInDisguise(nn.ReLU):
    def forward(self, x):
        return functional.leaky_relu(x, 0.3)


class SwishInDisguise(nn.ReLU):
    def forward(self, x):
        return x * torch.sigmoid(x)


class Reversed(nn.Sequential):
    def forward(self, x):
        for part in reversed(self):
            x = part(x)
        return x


class Centred(nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x - x.mean(dim=1, keepdim=True))


class AlwaysOn(nn.Dropout):
    def forward(self, x):
        return functional.dropout(x, self.p, True)


class StaysOn(nn.Dropout):
    def train(self, mode: bool = True):
        return super().train(True)


class FunctionOf(nn.Module):
    """A linear layer and a function of its result."""

    def __init__(self, function):
        super().__init__()
        self.linear, self.function = nn.Linear(4, 6), function

    def forward(self, x):
        return self.function(self.linear(x))


class Remembers(nn.Module):
    """Changes its attributes, and draws numbers, whenever it is called."""

    def __init__(self):
        super().__init__()
        self.linear, self.calls, self.seen = nn.Linear(4, 3), 0, []
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.calls, self.last = self.calls + 1, x
        self.seen.append(x)
        self.count += 1
        torch.rand(3)
        return self.linear(x)


def replaced(module: nn.Module) -> nn.Module:
    """An instance whose forward is another."""
    forward = module.forward
    module.forward = lambda x: forward(functional.relu(x))
    return module


def replaced_badly(module: nn.Module) -> nn.Module:
    forward = module.forward
    module.forward = lambda x: forward(x).cumsum(1)
    return module


def changed(module: nn.Module, change) -> nn.Module:
    change(module)
    return module


def unlisted() -> nn.Module:
    """A part that is not registered."""
    module = FunctionOf(None)
    hidden = [nn.Linear(6, 2)]
    module.function = lambda x: hidden[0](x)
    return module


def with_weight(weight: torch.Tensor, inputs: int = 4) -> nn.Module:
    module = nn.Linear(inputs, weight.shape[0], bias=False)
    module.weight = nn.Parameter(weight, requires_grad=weight.is_floating_point())
    return module


def quantisation_aware() -> nn.Module:
    from torch.ao import quantization

    config = quantization.get_default_qat_qconfig("x86")
    layer = torch.ao.nn.qat.Linear(4, 3, qconfig=config)
    return nn.Sequential(layer)


def converted(module: nn.Module) -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(module, {nn.Linear}, dtype=torch.qint8)


class OwnTensor(torch.Tensor):
    """A tensor whose values are not what it stands for."""


class Halved(nn.Module):
    def forward(self, weight):
        return weight / 2


def set_first(x):
    x[:, 0] = 0
    return x
