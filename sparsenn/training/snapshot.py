"""Copies of a model's values, to come back to."""

from __future__ import annotations

import numpy as np
import scipy

from ..layers import ArrayLayer


class Snapshot:
    """The values of a model at one time. Patterns are not copied: training never changes one in place."""

    def __init__(self, model):
        self._layers = [_copy(layer) for layer in model.linear_layers]
        self._arrays = [_named(layer.copy()) for layer in model.array_layers]

    def restore(self, trainer) -> None:
        """Puts the values back, and the patterns where they have changed since."""
        changed = False
        for layer, (weight, bias) in zip(trainer.model.linear_layers, self._layers, strict=True):
            if not layer.sparse:
                layer.weight[...] = weight
            elif layer.weight.indices is weight.indices:
                layer.weight.data[...] = weight.data
            else:
                layer.weight, changed = weight, True
            if bias is not None:
                layer.bias[...] = bias
        for layer, arrays in zip(trainer.model.array_layers, self._arrays, strict=True):
            for own, saved in zip(layer.arrays, arrays.values(), strict=True):
                own[...] = saved
        if changed:
            trainer.rebuild()
        else:
            trainer.refresh()

    def to_arrays(self, prefix: str) -> dict[str, np.ndarray]:
        arrays = {}
        for index, (weight, bias) in enumerate(self._layers):
            parts = {"": weight}
            if scipy.sparse.issparse(weight):
                parts = {f".{part}": getattr(weight, part) for part in ("data", "indices", "indptr")}
            arrays.update({f"{prefix}.{index}.weight{part}": array for part, array in parts.items()})
            if bias is not None:
                arrays[f"{prefix}.{index}.bias"] = bias
        for index, own in enumerate(self._arrays):
            arrays.update({f"{prefix}.norm.{index}.{name}": array for name, array in own.items()})
        return arrays

    @classmethod
    def from_parts(cls, model, parts, prefix: str) -> Snapshot:
        """What to_arrays gave for a model with the same layers, out of a checkpoint's parts."""
        snapshot = cls(model)
        for index, layer in enumerate(model.linear_layers):
            name = f"{prefix}.{index}.weight"
            weight, bias = parts.take_weight(name, layer.shape, sparse=layer.sparse), None
            if layer.bias is not None:
                bias = parts.take(f"{prefix}.{index}.bias", np.float32, shape=layer.bias.shape)
            snapshot._layers[index] = (weight, bias)
        for index, layer in enumerate(model.array_layers):
            snapshot._arrays[index] = {
                name: parts.take(f"{prefix}.norm.{index}.{name}", np.float32, shape=own.shape)
                for name, own in _named(layer).items()
            }
        return snapshot


def _named(layer: ArrayLayer) -> dict[str, np.ndarray]:
    return dict(zip(layer.constants, layer.arrays, strict=True))


def _copy(layer):
    weight = layer.weight
    if layer.sparse:
        copy = scipy.sparse.csr_array(weight.shape, dtype=np.float32)
        copy.data, copy.indices, copy.indptr = weight.data.copy(), weight.indices, weight.indptr
        weight = copy
    else:
        weight = weight.copy()
    return weight, None if layer.bias is None else layer.bias.copy()
