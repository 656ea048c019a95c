"""What a layer of torch holds, read for a sparse layer."""

from __future__ import annotations

import warnings

import numpy as np
import scipy
from torch import nn

from ..checks import check_real
from ..torch_modules.hooks import current_parameter
from ..torch_modules.tensor import to_array


def read_weight(dense: nn.Module, sparsity: float | None, name: str = "weight") -> scipy.sparse.csr_array:
    """The weight of that name as the next call would use it, without its zeros, or its largest values alone.

    (out, in), or (out, in * kernel height * kernel width) of a convolution
    """
    weight = to_array(current_parameter(dense, name), name)
    weight = weight.toarray() if scipy.sparse.issparse(weight) else weight
    weight = weight.reshape(len(weight), -1)
    if sparsity is not None:
        weight = _keep_largest(weight, check_real("sparsity", sparsity, below=1.0))
    return scipy.sparse.csr_array(weight)


def read_bias(dense: nn.Module, name: str = "bias") -> np.ndarray | None:
    """The bias (out,) of that name as the next call would use it."""
    bias = current_parameter(dense, name)
    return None if bias is None else to_array(bias, name)


def is_trained(dense: nn.Module, name: str) -> bool:
    """Whether the parameter of that name, or any that it is computed from, is trained."""
    return any(
        parameter.requires_grad
        for path, parameter in dense.named_parameters()
        if any(part == name or part.startswith(f"{name}_") for part in path.split("."))
    )


def _keep_largest(weight: np.ndarray, sparsity: float) -> np.ndarray:
    """weight (out, in) with the smallest in magnitude set to zero; ties go in order of position."""
    order = np.argsort(np.abs(weight), axis=None, kind="stable")
    kept = weight.copy()
    kept.reshape(-1)[order[: round(sparsity * weight.size)]] = 0
    if not kept.any() and weight.any():
        warnings.warn(f"sparsity={sparsity:g} leaves a layer of {weight.size} weights none", stacklevel=4)
    return kept
