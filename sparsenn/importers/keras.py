"""Keras 3: Sequential and functional models."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np

from ..checks import check_flag
from ..errors import ArgumentError, UnsupportedError
from ..graph.dims import features_of
from ..layers import (
    ELU,
    GELU,
    ClippedReLU,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from ..model import Model
from ..require import require
from ._agreement import EPS, agrees, disagreement, samples
from ._emit import emit
from ._keras_graph import IMAGES, MERGES, KerasGraph, needs_graph
from ._keras_recurrent import RECURRENT
from ._named import batch_norm
from ._steps import Affine, Scale, build_model

ACTIVATIONS: dict[str, Callable] = {
    "relu": ReLU,
    "relu6": lambda: ClippedReLU(low=0.0, high=6.0),
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "gelu": GELU,
    "silu": SiLU,
    "elu": ELU,
    "hard_sigmoid": HardSigmoid,
    "hard_silu": HardSwish,
    "softplus": Softplus,
    "mish": Mish,
    "softmax": Softmax,
}
SHORT = ("float16", "bfloat16")
LARGEST = float(np.finfo(np.float32).max)


def from_keras(model, *, keep_batch_norm: bool = False) -> Model:
    """The network of a built keras.Model, as it works in inference, on whichever backend.

    Dense, Activation (relu, relu6, tanh, sigmoid, gelu, silu, elu, hard_sigmoid, hard_silu, softplus, mish,
    softmax, linear), ReLU, LeakyReLU, PReLU of one slope, ELU, BatchNormalization (folded), Softmax over the
    features, Flatten; Conv2D, DepthwiseConv2D, SeparableConv2D, MaxPooling2D, AveragePooling2D, global
    pooling, ZeroPadding2D; LSTM, GRU, SimpleRNN, Bidirectional, and Dense at every step; Add, Subtract,
    Multiply, Average, Concatenate; and Dropout, which is dropped as is everything that acts in training
    alone. Images stay (batch, height, width, channels) at both ends, and have their channels first in
    between. UnsupportedError names the first layer that is not supported, or that has a call of its own, is
    quantized, or is called with training=True. At last the model is called and compared with the result.

    keep_batch_norm  False: BatchNormalization is folded into the layers beside it; True: it becomes a
                     BatchNorm layer, to train on, which plans fold
    """
    keep = check_flag("keep_batch_norm", keep_batch_norm)
    keras = require("keras", extra="keras", caller="from_keras")
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}")
    if not model.built:
        raise ArgumentError("model must be built, so that it has weights: call it or give it an input shape")
    if keep or needs_graph(keras, model):
        graph = KerasGraph(
            keras, model, convert=_convert, arrays=_array, check=_check_own_code, describe=_describe
        )
        result = emit(*graph.wires(), keep_batch_norm=keep)
    else:
        steps: list = []
        for layer in _chain(keras, model):
            steps.extend(_convert(keras, layer))
        result = build_model(steps)
    _check_outputs(keras, model, result)
    return result


def _check_outputs(keras, model, result: Model) -> None:
    """UnsupportedError where model, called on a few inputs, gives something else than result."""
    sizes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    features = [features_of(value.dims) for value in result.input_values]
    if any(None in own for own in sizes) or [math.prod(own) for own in sizes] != features:
        return  # of any length, or with an input layer that says nothing
    x = samples(*sizes)
    given = [keras.ops.convert_to_tensor(array) for array in x]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the source, about such inputs
        made = model(given if len(given) > 1 else given[0], training=False)
    made = list(made.values()) if isinstance(made, dict) else made
    made = made if isinstance(made, (list, tuple)) else [made]
    got = [keras.ops.convert_to_numpy(keras.ops.cast(array, "float32")) for array in made]
    short = any(str(layer.compute_dtype) in SHORT for layer in model.layers)
    if not agrees(result, x, got, eps=2**-7 if short else EPS):
        raise disagreement(f"model {model.name!r}")


def _check_own_code(keras, layer, where: str) -> None:
    """UnsupportedError where a call of the layer does something else than its class in Keras does."""
    for name in ("call", "__call__", "quantized_call"):
        owner = next((kind for kind in type(layer).__mro__ if name in vars(kind)), keras.Layer)
        if name in vars(layer) or owner.__module__.partition(".")[0] != "keras":
            raise UnsupportedError(f"{where} has a {name} of its own, which cannot be imported")
    if getattr(layer, "quantization_mode", None) is not None:
        raise UnsupportedError(f"{where} must not be quantized, got mode {layer.quantization_mode!r}")
    if getattr(layer, "_forward_hooks", None) or getattr(layer, "_forward_pre_hooks", None):
        raise UnsupportedError(f"{where} has forward hooks of torch, whose effect cannot be imported")


def _chain(keras, model) -> list:
    """The layers in order, nested models opened. UnsupportedError where they are no chain."""
    _check_own_code(keras, model, _describe(model))
    if not isinstance(model, keras.Sequential):
        if not hasattr(model, "operations"):
            raise UnsupportedError(f"model must be Sequential or functional, got {type(model).__name__}")
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise UnsupportedError(
                f"model must have one input and one output, got {len(model.inputs)} and {len(model.outputs)}"
            )
    layers: list = []
    for layer in _in_order(keras, model):
        layers.extend(_chain(keras, layer) if isinstance(layer, keras.Model) else [layer])
    return layers


def _in_order(keras, model) -> list:
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    order, tensor = [], model.outputs[0]
    while True:
        operation, node_index, _ = tensor._keras_history
        order.append(operation)
        if isinstance(operation, keras.layers.InputLayer):
            break
        arguments = operation._inbound_nodes[node_index].arguments
        if len(arguments.keras_tensors) != 1:
            raise UnsupportedError(
                f"layer {operation.name!r} must have one input, got {len(arguments.keras_tensors)}"
            )
        given = {**dict(enumerate(arguments.args)), **arguments.kwargs}
        more = [key for key, value in given.items() if value is not None and value is not False]
        if len(more) != 1:
            names = ", ".join(map(str, more))
            raise UnsupportedError(
                f"layer {operation.name!r} must be called with its input alone, got {names}"
            )
        tensor = arguments.keras_tensors[0]
    if len({id(x) for x in order}) != len({id(x) for x in model.operations}):
        raise UnsupportedError("model must be a chain of layers, each used for its output")
    return order[::-1]


def _convert(keras, layer) -> list:
    layers = keras.layers
    where = _describe(layer)
    _check_own_code(keras, layer, where)
    dropped = (layers.InputLayer, layers.Flatten, layers.Identity, layers.Dropout, layers.GaussianDropout)
    if isinstance(layer, (layers.Dense, layers.Softmax, layers.BatchNormalization)):
        _check_flat(layer, where)
    if isinstance(layer, layers.Dense):
        kernel = _array(layer.kernel)  # (in, out), with what LoRA adds
        bias = None if layer.bias is None else _array(layer.bias)
        return [Affine(kernel.T, bias, where), *_activation(keras, layer.activation, where)]
    if isinstance(layer, layers.Flatten) and layer.data_format == "channels_first" and _rank(layer) != 2:
        raise UnsupportedError(f"{where} must keep the order of the features, got channels_first")
    if isinstance(layer, layers.Activation):
        return _activation(keras, layer.activation, where)
    if isinstance(layer, layers.ReLU):
        return _relu(layer, where)
    if isinstance(layer, layers.LeakyReLU):
        return [LeakyReLU(float(layer.negative_slope))]
    if isinstance(layer, layers.PReLU):
        return [_prelu(layer, where)]
    if isinstance(layer, layers.ELU):
        return _elu(layer, where)
    if isinstance(layer, layers.Softmax):
        if layer.axis not in (-1, 1):
            raise UnsupportedError(f"{where} must be over the features, got axis={layer.axis}")
        return [Softmax()]
    if isinstance(layer, layers.BatchNormalization):
        return _batch_normalization(layer, where)
    if isinstance(layer, (*dropped, layers.GaussianNoise, layers.ActivityRegularization)):
        return []
    raise UnsupportedError(
        f"{where} is not supported; supported are Dense, Activation ({', '.join(ACTIVATIONS)}, linear), "
        "ReLU, LeakyReLU, PReLU, ELU, Softmax, BatchNormalization, Flatten, Dropout, "
        f"{', '.join((*IMAGES, *RECURRENT, *MERGES))}"
    )


def _check_flat(layer, where: str) -> None:
    """UnsupportedError where a layer works on more than (batch, features)."""
    if _rank(layer) not in (None, 2):
        shape = layer.input.shape
        raise UnsupportedError(
            f"{where} must take (batch, features), got {tuple(shape)}: put a Flatten before it"
        )


def _rank(layer) -> int | None:
    """The dimensions of the input of a layer; None where they are not known."""
    shape = getattr(getattr(layer, "input", None), "shape", None)
    return None if shape is None else len(shape)


def _describe(layer) -> str:
    return f"{type(layer).__name__} {layer.name!r}"


def _activation(keras, function, where: str) -> list:
    """The layer of an activation function of keras itself; a function of another origin is not known."""
    name = getattr(function, "__name__", None)
    if function is keras.activations.linear:
        return []
    if name not in ACTIVATIONS or function is not getattr(keras.activations, name):
        known = ", ".join([*ACTIVATIONS, "linear"])
        raise UnsupportedError(f"{where} must have one of the activations {known}, got {name or function!r}")
    return [ACTIVATIONS[name]()]


def _relu(layer, where: str) -> list:
    if layer.threshold or (layer.negative_slope and layer.max_value is not None):
        raise UnsupportedError(f"{where} must have no threshold, nor both a negative_slope and a max_value")
    if layer.negative_slope:
        return [LeakyReLU(float(layer.negative_slope))]
    high = LARGEST if layer.max_value is None else float(layer.max_value)
    return [ReLU()] if high >= LARGEST else [ClippedReLU(low=0.0, high=high)]


def _prelu(layer, where: str) -> LeakyReLU:
    slopes = _array(layer.alpha)
    if slopes.size == 0 or (slopes != slopes.reshape(-1)[0]).any():
        raise UnsupportedError(f"{where} must have one slope for all features, got several")
    return LeakyReLU(float(slopes.reshape(-1)[0]))


def _elu(layer, where: str) -> list:
    if not 0 < layer.alpha < math.inf:
        raise UnsupportedError(f"{where} must have a finite alpha above 0, got {layer.alpha:g}")
    return [ELU(alpha=float(layer.alpha))]


def _batch_normalization(layer, where: str) -> list[Scale]:
    axis = layer.axis if isinstance(layer.axis, int) else math.nan
    if axis not in (-1, 1):
        raise UnsupportedError(f"{where} must be over the features, got axis={layer.axis}")
    gain, offset = (_array(part) if part is not None else None for part in (layer.gamma, layer.beta))
    mean, variance = _array(layer.moving_mean), _array(layer.moving_variance)
    return [
        batch_norm(
            mean, variance, gain, offset, epsilon=layer.epsilon, name=where, momentum=1 - layer.momentum
        )
    ]


def _array(variable) -> np.ndarray:
    """A variable as an ndarray; what numpy has no type for, as float32."""
    import keras

    values = keras.ops.convert_to_numpy(
        keras.ops.cast(variable, "float32") if _is_short(variable) else variable
    )
    return np.array(values)


def _is_short(variable) -> bool:
    return str(variable.dtype) in SHORT
