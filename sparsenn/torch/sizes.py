"""How large the images and sequences are that the layers of a module read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

Size = tuple[int, ...]  # (channels, height, width), (steps, features)


def read_sizes(module: nn.Module, example: torch.Tensor | Sequence[torch.Tensor]) -> dict[str, Size]:
    """For each nn.Conv2d, nn.LSTM and nn.GRU of module that runs on example, by path, what it reads first.

    module is run.
    """
    if not isinstance(example, (torch.Tensor, Sequence)) or isinstance(example, str):
        raise TypeError(
            f"example must be a tensor or a sequence of a module's inputs, got {type(example).__name__}"
        )
    sizes: dict[str, Size] = {}
    for name, part in module.named_modules():
        if isinstance(part, (nn.Conv2d, nn.LSTM, nn.GRU)):
            part.register_forward_pre_hook(_note(sizes, name), with_kwargs=True)
    inputs = (example,) if isinstance(example, torch.Tensor) else tuple(example)
    with torch.no_grad():
        module.eval()(*inputs)
    return sizes


def _note(sizes: dict[str, Size], name: str):
    def hook(part: nn.Module, args: tuple, kwargs: dict) -> None:
        x = args[0] if args else kwargs["input"]
        if isinstance(part, nn.Conv2d):
            sizes.setdefault(name, tuple(x.shape[-3:]))
        elif isinstance(x, torch.Tensor):  # of packed sequences nobody says how long they are
            steps = x.shape[0 if x.dim() == 2 or not part.batch_first else 1]
            sizes.setdefault(name, (steps, x.shape[-1]))

    return hook
