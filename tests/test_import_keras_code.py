"""from_keras on models that compute something else than their classes say: imported as such, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from networks import assert_near, calls_of
from test_import_keras import keras, layers

import sparsenn as snn
from sparsenn.reference import reference_with_bound

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Masked(layers.Dense):
    def call(self, inputs, training=None):
        return super().call(inputs) * 0.5


class ByCall(layers.Dense):
    def __call__(self, inputs, **more):
        return super().__call__(inputs, **more) * 0.5


class Swish(layers.ReLU):
    def call(self, inputs):
        return keras.activations.silu(inputs)


class ActiveDropout(layers.Dropout):
    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


class Twice(keras.Sequential):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training)


class HalfOfFunctional(keras.Model):
    def __init__(self):
        first = keras.Input((4,))
        super().__init__(first, layers.Dense(3)(first))

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs) / 2


class HalfKernel(layers.Dense):
    """Its kernel is computed: so it is imported."""

    @property
    def kernel(self):
        return self._kernel / 2

    def build(self, shape):
        super().build(shape)


class Same(layers.Dense):
    """A subclass that changes nothing."""


def dense(**options) -> keras.Model:
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, activation="relu", **options), layers.Dense(3)]
    )


def chain(*parts, shape=(4,)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *parts])


def functional(function, shape=(4,)) -> keras.Model:
    first = keras.Input(shape)
    return keras.Model(first, function(first))


def shared(layer) -> keras.Model:
    return functional(lambda x: layer(layers.ReLU()(layer(x))))


def changed(model, change) -> keras.Model:
    change(model)
    return model


def replace_call(model) -> None:
    layer, call = model.layers[0], model.layers[0].call
    layer.call = lambda inputs: 2 * call(inputs)


def relu(x):
    return keras.ops.maximum(x, -1)


def lora(model) -> None:
    layer = model.layers[0]
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.ones(layer.lora_kernel_b.shape))


IMPORTED = {
    "subclass that changes nothing": lambda: chain(Same(3)),
    "kernel is a property": lambda: chain(HalfKernel(3)),
    "low-rank adaptation": lambda: changed(dense(), lora),
    "constraint and regularizer": lambda: dense(kernel_constraint="non_neg", kernel_regularizer="l2"),
    "mixed precision": lambda: dense(dtype="mixed_float16"),
    "bfloat16": lambda: dense(dtype="bfloat16"),
    "float64": lambda: chain(layers.Dense(3, dtype="float64")),
    "frozen": lambda: changed(dense(), lambda m: setattr(m, "trainable", False)),
    "shared layer": lambda: shared(layers.Dense(4)),
    "dropout in a functional model": lambda: functional(
        lambda x: layers.Dropout(0.5)(layers.Dense(3)(x), training=False)
    ),
    "flatten, channels first, of rows": lambda: chain(
        layers.Flatten(data_format="channels_first"), layers.Dense(3)
    ),
    "input by name": lambda: functional(lambda x: layers.Dense(3)(inputs=x)),
}
REFUSED = {
    "subclass": (lambda: chain(Masked(3)), "Masked 'masked.*' has a call of its own"),
    "subclass by __call__": (lambda: chain(ByCall(3)), "has a __call__ of its own"),
    "activation subclassed": (lambda: chain(layers.Dense(3), Swish()), "Swish .* has a call of its own"),
    "dropout subclassed": (lambda: chain(layers.Dense(3), ActiveDropout(0.5)), "has a call of its own"),
    "call of the instance": (lambda: changed(dense(), replace_call), "has a call of its own"),
    "Sequential subclassed": (lambda: Twice([keras.Input((4,)), layers.Dense(3)]), "Twice .* has a call of"),
    "functional subclassed": (HalfOfFunctional, "HalfOfFunctional .* has a call of its own"),
    "a model inside": (
        lambda: chain(Twice([keras.Input((4,)), layers.Dense(3)]), layers.ReLU()),
        "Twice .* has a call of its own",
    ),
    "int8": (lambda: changed(dense(), lambda m: m.quantize("int8")), "Dense .* quantized, got mode 'int8'"),
    "int4": (lambda: changed(dense(), lambda m: m.quantize("int4")), "Dense .* quantized, got mode 'int4'"),
    "float8": (lambda: changed(dense(), lambda m: m.quantize("float8")), "quantized, got mode 'float8'"),
    "one quantized layer": (
        lambda: changed(dense(), lambda m: m.layers[1].quantize("int8")),
        "Dense .* quantized, got mode 'int8'",
    ),
    "quantized by its policy": (lambda: chain(layers.Dense(3, dtype="int8_from_float32")), "quantized"),
    "dropout that is on": (
        lambda: functional(lambda x: layers.Dropout(0.5)(layers.Dense(3)(x), training=True)),
        "must be called with its input alone, got 0, training",
    ),
    "normalisation in training": (
        lambda: functional(lambda x: layers.BatchNormalization()(layers.Dense(3)(x), training=True)),
        "must be called with its input alone",
    ),
    "mask": (
        lambda: functional(lambda x: layers.Softmax()(layers.Dense(3)(x), mask=np.array([[1.0, 0, 1]]))),
        "must be called with its input alone",
    ),
    "flatten, channels first": (
        lambda: chain(layers.Flatten(data_format="channels_first"), layers.Dense(3), shape=(2, 3)),
        "must keep the order of the features",
    ),
    "activation of the same name": (lambda: dense_of(relu), "must have one of the activations"),
    "activation with a parameter": (
        lambda: dense_of(lambda x: keras.activations.relu(x, negative_slope=0.5)),
        "must have one of the activations",
    ),
    "lambda": (lambda: chain(layers.Dense(3), layers.Lambda(lambda x: 2 * x)), "Lambda .* is not supported"),
    "wrapper": (
        lambda: chain(layers.SpectralNormalization(layers.Dense(3))),
        "SpectralNormalization .* is not supported",
    ),
    "complex": (
        lambda: changed(chain(layers.Dense(3)), lambda m: setattr(m.layers[0], "bias", np.ones(3) * 1j)),
        "real|complex",
    ),
}


def dense_of(activation) -> keras.Model:
    return chain(layers.Dense(3, activation=activation))


@pytest.mark.parametrize("name", IMPORTED)
def test_what_is_computed_is_imported(name):
    keras.utils.set_random_seed(3)
    network = IMPORTED[name]()
    model = snn.from_keras(network)
    x = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    other = keras.ops.convert_to_numpy(keras.ops.cast(network(x, training=False), "float32"))
    _, bound = reference_with_bound(model, x)
    short = {"mixed precision": 1e-3, "bfloat16": 1e-2}.get(name, 1e-6)
    assert_near(model, x, other, own_bound=6 * bound + short * (1 + abs(other).max()))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_imported_is_named(name):
    make, message = REFUSED[name]
    network = make()
    with pytest.raises((snn.UnsupportedError, snn.ArgumentError), match=message):
        snn.from_keras(network)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="hooks are of the torch backend")
@pytest.mark.parametrize("kind", ["forward_hook", "forward_pre_hook"])
@pytest.mark.parametrize("place", ["model", "layer"])
def test_hooks_of_torch(kind, place):
    network = dense()
    part = network if place == "model" else network.layers[0]
    getattr(part, f"register_{kind}")(lambda module, *values: None)
    with pytest.raises(snn.UnsupportedError, match="has forward hooks of torch"):
        snn.from_keras(network)


def test_the_result_is_compared(monkeypatch):
    """What no check of the classes sees, the comparison does."""
    network = dense()
    monkeypatch.setattr(
        type(network.layers[0]), "call", lambda self, inputs, training=None: inputs @ self.kernel * 0.5
    )
    monkeypatch.setattr("sparsenn.importers.keras._check_own_code", lambda *_: None)
    with pytest.raises(snn.UnsupportedError, match="model 'sequential.*' computes something else"):
        snn.from_keras(network)


def test_the_model_is_left_as_it_was():
    network = chain(layers.Dense(3), layers.BatchNormalization(), layers.Dropout(0.5))
    before = [weight.copy() for weight in network.get_weights()]
    keras.utils.set_random_seed(5)
    first = keras.random.uniform((3,))
    keras.utils.set_random_seed(5)
    snn.from_keras(network)
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (keras.random.uniform((3,)), first)))
    for weight, kept in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_time_is_linear_in_the_layers():
    def calls(count: int) -> int:
        network = functional(lambda x: [x := part(x) for part in [layers.Dense(2) for _ in range(count)]][-1])
        return calls_of(lambda: snn.from_keras(network))

    calls(5)
    few, many = calls(15), calls(90)
    assert many < 8 * few, (few, many)
