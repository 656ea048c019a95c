"""from_keras against Keras itself, on whichever backend is installed."""

from __future__ import annotations

import numpy as np
import pytest

import sparsenn as snn

keras = pytest.importorskip(
    "keras", reason="Keras is not installed: pip install 'sparsenn-cpu[keras]' and a backend"
)

from networks import assert_near  # noqa: E402

from sparsenn.reference import reference_with_bound  # noqa: E402

layers = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def random_network(rng: np.random.Generator):
    """A chain of layers with random weights, and its input shape."""
    shape = (
        (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
        if rng.random() < 0.3
        else (int(rng.integers(1, 20)),)
    )
    parts: list = [layers.Flatten()] if len(shape) == 2 else []
    for _ in range(rng.integers(1, 4)):
        name = rng.choice(
            ("relu", "relu6", "tanh", "sigmoid", "gelu", "elu", "linear", "softmax")
            + ("hard_sigmoid", "hard_silu", "softplus", "mish")
        )
        parts.append(
            layers.Dense(int(rng.integers(1, 20)), activation=str(name), use_bias=bool(rng.random() < 0.7))
        )
        others = (
            *(
                lambda: layers.Dropout(0.5),
                lambda: layers.ReLU(max_value=2.0),
                layers.ReLU,
                layers.Softmax,
                layers.LeakyReLU,
            ),
            *(
                lambda: layers.ELU(alpha=0.5),
                lambda: layers.PReLU(alpha_initializer=keras.initializers.Constant(0.3)),
                lambda: layers.Activation("tanh"),
                lambda: layers.BatchNormalization(scale=bool(rng.random() < 0.7)),
            ),
        )
        parts.append(others[rng.integers(len(others))]())
    if rng.random() < 0.5:
        model = keras.Sequential([keras.Input(shape), *parts])
    else:
        first = last = keras.Input(shape)
        for part in parts:
            last = part(last)
        model = keras.Model(first, last)
    for part in model.layers:
        if isinstance(part, layers.PReLU):
            continue
        part.set_weights(
            [rng.uniform(0.2, 1.5, w.shape) for w in part.get_weights()]
        )  # variances are positive
    return model, shape


def test_random_networks():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        network, shape = random_network(rng)
        model = snn.from_keras(network)
        x = rng.standard_normal((4, *shape)).astype(np.float32)
        other = keras.ops.convert_to_numpy(network(x, training=False))
        _, bound = reference_with_bound(model, x.reshape(4, -1))
        # Keras computes the normalisation after the product, where the weights that it is folded into have
        # their rounding: three more operations on values of this size, which the bound's own terms are above.
        assert_near(model, x.reshape(4, -1), other, own_bound=6 * bound + 1e-6)


def test_nested_models():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(4, activation="relu")])
    network = keras.Sequential([keras.Input((5,)), inner, layers.Dense(2)])
    assert [type(layer).__name__ for layer in snn.from_keras(network).layers] == ["Linear", "ReLU", "Linear"]


def test_what_is_not_supported():
    first = keras.Input((8,))
    hidden = layers.Dense(5)(first)
    for network, message in (
        (
            keras.Model(first, layers.Maximum()([hidden, layers.Dense(5)(hidden)])),
            "layer 'maximum.*' must have one input, got 2",
        ),
        (
            keras.Model(first, [layers.Dense(2)(hidden), layers.Maximum()([hidden, hidden])]),
            "Maximum 'maximum.*' must take one tensor, got 2",
        ),
        (
            keras.Model(first, [hidden, keras.ops.tanh(hidden)]),
            "is an operation of its own: supported are layers",
        ),
        (
            keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="selu")]),
            "must have one of the activations",
        ),
        (
            keras.Sequential(
                [keras.Input((4,)), layers.Dense(3), layers.PReLU(alpha_initializer="random_normal")]
            ),
            "PReLU 'p_re_lu.*' must have one slope for all features, got several",
        ),
        (
            keras.Sequential([keras.Input((4,)), layers.RepeatVector(3)]),
            "RepeatVector 'repeat_vector.*' is not supported; supported are",
        ),
        (keras.Sequential([keras.Input((4, 3)), layers.Dense(3)]), r"must take \(batch, features\)"),
        (
            keras.Sequential(
                [keras.Input((4,)), layers.Dense(3), layers.ReLU(negative_slope=0.1, max_value=3)]
            ),
            "negative_slope",
        ),
        (
            keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.ELU(alpha=-1.0)]),
            "must have a finite alpha above 0, got -1",
        ),
    ):
        with pytest.raises(snn.UnsupportedError, match=message):
            snn.from_keras(network)
    with pytest.raises(ValueError, match="model must be built"):
        snn.from_keras(keras.Sequential([layers.Dense(3)]))
    with pytest.raises(TypeError, match="model must be a keras.Model, got str"):
        snn.from_keras("model.keras")
