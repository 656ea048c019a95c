"""Models to and from the C core."""

from __future__ import annotations

import scipy.sparse

from . import _core
from .model import ELU, GELU, ClippedReLU, Linear, Model, ReLU, Sigmoid, Softmax, Tanh
from .weights import core_indices

NODE_TYPES = {
    ReLU: _core.NODE_RELU,
    ClippedReLU: _core.NODE_CLIP,
    Tanh: _core.NODE_TANH,
    Sigmoid: _core.NODE_SIGMOID,
    GELU: _core.NODE_GELU,
    ELU: _core.NODE_ELU,
    Softmax: _core.NODE_SOFTMAX,
}
LAYERS = {node_type: layer for layer, node_type in NODE_TYPES.items()}


def to_core(model: Model) -> _core.Model:
    """A copy of model inside the core. TypeError when model is no Model."""
    if not isinstance(model, Model):
        raise TypeError(f"model must be a sparsenn.Model, got {type(model).__name__}")
    handle = _core.Model(model.inputs)
    for layer in model.layers:
        if isinstance(layer, Linear) and layer.sparse:
            indptr, indices = core_indices(layer.weight)
            handle.add_csr(layer.shape, indptr, indices, layer.weight.data, layer.bias)
        elif isinstance(layer, Linear):
            handle.add_dense(layer.weight, layer.bias)
        else:
            handle.add_activation(NODE_TYPES[type(layer)], *node_limits(layer))
    return handle


def node_limits(layer) -> tuple[float, float]:
    """What the core keeps of an activation as its low and high; 0 where it has none."""
    return getattr(layer, "low", getattr(layer, "alpha", 0)), getattr(layer, "high", 0)


def from_core(handle: _core.Model) -> Model:
    """The Model that the core holds, with arrays of its own."""
    return Model(_layer(handle.node(index)) for index in range(len(handle)))


def _layer(node: dict):
    if node["type"] == _core.NODE_CLIP:
        return ClippedReLU(low=node["low"], high=node["high"])
    if node["type"] == _core.NODE_ELU:
        return ELU(alpha=node["low"])
    if node["type"] != _core.NODE_LINEAR:
        return LAYERS[node["type"]]()
    if not node["sparse"]:
        return Linear(node["weight"], node["bias"])
    shape = (node["outputs"], node["inputs"])
    return Linear(
        scipy.sparse.csr_array((node["data"], node["indices"], node["indptr"]), shape=shape), node["bias"]
    )
