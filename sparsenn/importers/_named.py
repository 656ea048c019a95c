"""Networks given as named tensors and a list of layers: a state_dict, a .safetensors file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import scipy.sparse

from ..errors import ArgumentError
from ..layers import ACTIVATIONS, LAYER_TYPES, Linear
from ..model import Model
from ..sparse_input import checked
from ._steps import Affine, Scale, build_model

LAYERS_HELP = "names of layers among the tensors, names of activations, or activation layers such as ReLU()"


def from_tensors(names: Iterable[str], read: Callable[[str], np.ndarray], layers) -> Model:
    """A Model of named tensors.

    names   every tensor's name
    read    the tensor of that name as an ndarray, or a scipy sparse matrix
    layers  in order: the name of a layer ("fc1": fc1.weight and fc1.bias), or an activation ("relu", ReLU())

    A layer's tensors are weight (out, in) or kernel (in, out), dense or as CSR (weight.data, weight.indices,
    weight.indptr), and bias (out,) where there is one; weight_orig and weight_mask are multiplied. One with
    running_mean and running_var is a batch normalisation and is folded.
    """
    if isinstance(layers, (str, bytes, Mapping)) or not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list of {LAYERS_HELP}, got {type(layers).__name__}")
    tensors = _Tensors(names, read)
    steps: list = []
    for index, layer in enumerate(layers):
        if isinstance(layer, LAYER_TYPES) and not isinstance(layer, Linear):
            steps.append(layer)
        elif not isinstance(layer, str):
            raise TypeError(f"layers[{index}] must be one of {LAYERS_HELP}, got {type(layer).__name__}")
        elif tensors.has_layer(layer):
            steps.append(tensors.layer(layer))
        elif layer in ACTIVATIONS:
            steps.append(ACTIVATIONS[layer]())
        else:
            raise ArgumentError(
                f"layers[{index}] must name a layer ({_some(tensors.layers())}) or an activation "
                f"({', '.join(ACTIVATIONS)}), got {layer!r}"
            )
    return build_model(steps)


def batch_norm(mean, variance, gain, offset, *, epsilon: float, name: str) -> Scale:
    """Batch normalisation of inference: gain (x - mean) / sqrt(variance + epsilon) + offset, as a Scale.

    All (features,); gain and offset may be None. Source: Ioffe and Szegedy 2015, arXiv:1502.03167
    """
    with np.errstate(all="ignore"):  # what is not finite is refused where the layer is made
        mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
        scale = 1 / np.sqrt(variance + epsilon)
        if gain is not None:
            scale = scale * np.asarray(gain, np.float64)
        shift = -mean * scale
        if offset is not None:
            shift = shift + np.asarray(offset, np.float64)
    return Scale(scale, shift, name)


class _Tensors:
    def __init__(self, names: Iterable[str], read: Callable[[str], np.ndarray]):
        self.names, self.read = frozenset(names), read

    def layers(self) -> list[str]:
        """What can be named as a layer."""
        prefixes = {name.rpartition(".")[0] for name in self.names}
        return sorted(prefix for prefix in prefixes if prefix and self.has_layer(prefix))

    def has_layer(self, prefix: str) -> bool:
        parts = ("weight", "kernel", "weight_orig", "weight.data", "running_mean")
        return any(f"{prefix}.{part}" in self.names for part in parts)

    def layer(self, prefix: str) -> Affine | Scale:
        if f"{prefix}.running_mean" in self.names:
            parts = [
                self.get(f"{prefix}.{part}") for part in ("running_mean", "running_var", "weight", "bias")
            ]
            if parts[1] is None:
                raise ArgumentError(f"{prefix}.running_var must be there beside {prefix}.running_mean")
            return batch_norm(*parts, epsilon=1e-5, name=prefix)
        return Affine(self.weight(prefix), self.masked(f"{prefix}.bias"), prefix)

    def weight(self, prefix: str):
        if f"{prefix}.kernel" in self.names:
            return _matrix(self.read(f"{prefix}.kernel"), f"{prefix}.kernel").T
        if f"{prefix}.weight.data" in self.names:
            return self.csr(prefix)
        return _matrix(self.masked(f"{prefix}.weight"), f"{prefix}.weight")

    def csr(self, prefix: str):
        parts = [self.get(f"{prefix}.weight.{part}") for part in ("data", "indices", "indptr")]
        if any(part is None or part.ndim != 1 for part in parts):
            raise ArgumentError(f"{prefix}.weight must have data, indices and indptr, each one-dimensional")
        data, indices, indptr = parts
        shape = self.get(f"{prefix}.weight.shape")
        if shape is None:
            columns = int(indices.max(initial=0)) + 1
            raise ArgumentError(
                f"{prefix}.weight.shape must say how many columns the CSR weight has (at least {columns}); "
                "a file that sparsenn saved is read by sparsenn.load"
            )
        rows, columns = (int(size) for size in shape)
        if indptr.size != rows + 1:
            raise ArgumentError(f"{prefix}.weight.indptr must hold {rows + 1} entries, got {indptr.size}")
        csr = scipy.sparse.csr_array((rows, columns), dtype=data.dtype)
        csr.data, csr.indices, csr.indptr = data, indices, indptr
        return checked(csr, f"{prefix}.weight")

    def masked(self, name: str):
        """The tensor; original times mask where it was pruned and not made permanent; None for none."""
        if f"{name}_orig" not in self.names:
            return self.get(name)
        original, mask = self.read(f"{name}_orig"), self.get(f"{name}_mask")
        if mask is None or mask.shape != original.shape:
            raise ArgumentError(f"{name}_mask must be there with the shape {original.shape} of {name}_orig")
        return np.where(mask != 0, original * mask, np.zeros((), original.dtype))

    def get(self, name: str):
        return self.read(name) if name in self.names else None


def _matrix(weight, name: str):
    if len(weight.shape) != 2:
        raise ArgumentError(f"{name} must have two dimensions, got shape {tuple(weight.shape)}")
    return weight


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "there are none"
