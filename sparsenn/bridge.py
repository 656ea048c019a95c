"""Models to and from the C core."""

from __future__ import annotations

import copyreg

import numpy as np
import scipy.sparse

from . import _core
from .layers import LAYER_TYPES, Linear
from .model import Model
from .weights import core_indices

_LAYERS = {kind.op: kind for kind in LAYER_TYPES}


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
            handle.add_op(layer.op, np.array(layer.attribute_values, np.float32))
    return handle


def from_core(handle: _core.Model) -> Model:
    """The Model that the core holds, with arrays of its own."""
    return Model(_layer(handle.node(index)) for index in range(len(handle)))


def _layer(node: dict):
    kind = _LAYERS[node["op"]]
    if kind is not Linear:
        return kind(**dict(zip(kind.attributes, node["attributes"], strict=False)))
    if not node["sparse"]:
        return Linear(node["weight"], node["bias"])
    shape = (node["outputs"], node["inputs"])
    return Linear(
        scipy.sparse.csr_array((node["data"], node["indices"], node["indptr"]), shape=shape), node["bias"]
    )


def from_bytes(content) -> Model:
    """The Model in the bytes of a model file."""
    return from_core(_core.Model.load_memory(content))


def _pickled(model: Model):
    return from_bytes, (to_core(model).save_memory(),)


# A Model pickles as the bytes of its file, in an array, so that joblib can map those of large models.
copyreg.pickle(Model, _pickled)
