"""A sparse layer's product and its gradients as autograd sees them."""

from __future__ import annotations

import numpy as np
import torch

from . import plain


class Product(torch.autograd.Function):
    """x, data (nnz,), bias (out,) or None -> y, all float32, on the kernels of product.

    What backward reads is saved as torch's own layers save it: torch refuses a backward after a change in
    place. product is a LinearProduct or a ConvProduct.
    """

    @staticmethod
    def forward(context, x, data, bias, indices, indptr, product):
        needs_x, needs_data = context.needs_input_grad[:2]
        context.save_for_backward(x if needs_data else None, data if needs_x else None, indices, indptr)
        context.product, context.size = product, x.shape
        return product.forward(array(data), None if bias is None else array(bias), x)

    @staticmethod
    def backward(context, gradient):
        x, data, indices, indptr = context.saved_tensors
        product, needs = context.product, context.needs_input_grad[:3]
        nothing = (None,) * 3
        dx = ddata = dbias = None
        if torch.is_grad_enabled() or plain.must_be_plain(gradient, x, data):
            if needs[0] or needs[1]:
                parts = (x, data, indices, indptr, gradient, needs, context.size)
                dx, ddata = product.plain_gradients(*parts)
        else:
            if needs[0]:
                dx = product.backward_input(array(data), gradient, context.size)
            if needs[1]:
                ddata, dbias = product.backward_weight(gradient, x)
        if needs[2] and dbias is None:
            dbias = plain.bias_gradient(gradient, product.axis)
        return dx, ddata, dbias if needs[2] else None, *nothing


def array(tensor: torch.Tensor) -> np.ndarray:
    """The values of tensor, in place where they are contiguous."""
    return tensor.detach().contiguous().resolve_neg().numpy()
