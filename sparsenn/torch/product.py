"""y = x W^T + b and its gradients on the kernels of this library."""

from __future__ import annotations

import numpy as np
import torch

from . import plain


class Product(torch.autograd.Function):
    """x (..., in), data (nnz,), bias (out,) or None -> (..., out), all float32; samples are rows throughout.

    What backward reads is saved as nn.Linear saves it: torch refuses a backward after a change in place.
    """

    @staticmethod
    def forward(context, x, data, bias, indices, indptr, shape, kernels):
        needs_x, needs_data = context.needs_input_grad[:2]
        context.save_for_backward(x if needs_data else None, data if needs_x else None, indices, indptr)
        context.shape, context.kernels = shape, kernels
        y = data.new_empty((*x.shape[:-1], shape[0]))
        offset = None if bias is None else _array(bias)
        kernels.forward(_array(data), offset, _rows(x, shape[1]), _rows(y, shape[0]), samples_first=True)
        return y

    @staticmethod
    def backward(context, gradient):
        x, data, indices, indptr = context.saved_tensors
        needs = context.needs_input_grad[:3]
        nothing = (None,) * 4
        if torch.is_grad_enabled() or plain.must_be_plain(gradient, x, data):
            parts = (x, data, indices, indptr, context.shape, gradient, needs)
            return *plain.gradients(*parts), *nothing
        rows, columns = context.shape
        slope = _rows(gradient, rows)
        dx = ddata = dbias = None
        if needs[0]:
            dx = data.new_empty((*gradient.shape[:-1], columns))
            context.kernels.backward_input(_array(data), slope, _rows(dx, columns), samples_first=True)
        if needs[1]:
            found = context.kernels.backward_weight(slope, _rows(x, columns), samples_first=True)
            ddata, dbias = map(torch.from_numpy, found)
        elif needs[2]:
            dbias = gradient.reshape(-1, rows).sum(0)
        return dx, ddata, dbias if needs[2] else None, *nothing


def _array(tensor: torch.Tensor) -> np.ndarray:
    """The values of tensor, in place where they are contiguous."""
    return tensor.detach().contiguous().resolve_neg().numpy()


def _rows(tensor: torch.Tensor, features: int) -> np.ndarray:
    """tensor (..., features) as an array (samples, features)."""
    array = _array(tensor)
    return array.reshape(array.size // features, features)
