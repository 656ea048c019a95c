"""A torch module while it is read: in evaluation mode, and afterwards as it was."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import torch
from torch import nn


@contextlib.contextmanager
def unchanged(module: nn.Module) -> Iterator[None]:
    """module in evaluation mode and without gradients; then its attributes, tensors and modes are put back.

    What a forward does to its module is undone: assigned attributes, lists and dicts that grew, tensors that
    were replaced or written to, numbers drawn from torch's generators.
    """
    parts = [_Attributes(part) for part in module.modules()]
    tensors = [_Values(tensor) for tensor in (*module.parameters(), *module.buffers()) if _is_plain(tensor)]
    devices = sorted({kept.tensor.device.index for kept in tensors if kept.tensor.is_cuda})
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        try:
            module.eval()
            for part in module.modules():
                part._compiled_call_impl = None  # what was compiled computes the same
            yield
        finally:
            for kept in (*parts, *tensors):
                kept.restore()


class _Attributes:
    """The attributes of one module, and what is in the lists, dicts and sets among them."""

    def __init__(self, part: nn.Module):
        self.part, self.attributes = part, dict(part.__dict__)
        self.contents = [(value, copy.copy(value)) for value in self.attributes.values() if _is_open(value)]

    def restore(self) -> None:
        self.part.__dict__.clear()
        self.part.__dict__.update(self.attributes)
        for value, content in self.contents:
            value.clear()
            (value.extend if isinstance(value, list) else value.update)(content)


class _Values:
    """The values of one tensor, written back where they differ, past autograd's counter of writes."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor, self.data, self.values = tensor, tensor.data, tensor.detach().clone()

    def restore(self) -> None:
        if self.tensor.data_ptr() != self.data.data_ptr() or self.tensor.dtype != self.data.dtype:
            self.tensor.data = self.data
        if not torch.equal(self.data, self.values):
            self.data.copy_(self.values)


def _is_open(value) -> bool:
    return isinstance(value, (list, dict, set))


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether the tensor holds its values in one block of memory."""
    return type(tensor.data) is torch.Tensor and tensor.layout == torch.strided and not tensor.is_meta
