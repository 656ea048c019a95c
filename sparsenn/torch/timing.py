"""Which of two layers is faster, measured here. Nobody's hooks run and no gradients are left behind."""

from __future__ import annotations

import math
import time

import torch
from torch import nn

ROUNDS = 7


def is_faster(layer: nn.Module, other: nn.Module, *, size: tuple[int, ...], backward: bool) -> bool:
    """Whether the least time of layer is below that of other: of a forward pass, or with its gradients.

    size  of the input
    """
    with torch.inference_mode(False):  # also within it, backward needs tensors that can be differentiated
        x = torch.randn(
            size,
            generator=torch.Generator("cpu").manual_seed(0),
            dtype=torch.float32,
            device="cpu",
        )
        best = dict.fromkeys((layer, other), math.inf)
        for _ in range(ROUNDS):  # interleaved: a disturbance hits both
            for part in best:
                best[part] = min(best[part], seconds(part, x, backward))
    return best[layer] < best[other]


def seconds(layer: nn.Module, x: torch.Tensor, backward: bool) -> float:
    """The wall time of one pass."""
    if not backward:
        with torch.inference_mode():
            start = time.perf_counter()
            layer.forward(x)
            return time.perf_counter() - start
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        start = time.perf_counter()
        wanted = [x, *(p for p in layer.parameters() if p.requires_grad)]
        y = layer.forward(x)
        torch.autograd.grad((y[0] if isinstance(y, tuple) else y).sum(), wanted)
        return time.perf_counter() - start
