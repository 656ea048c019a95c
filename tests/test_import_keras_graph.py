"""from_keras of networks on images, with branches, several inputs and outputs, against Keras itself."""

from __future__ import annotations

import numpy as np
import pytest
from test_import_keras import keras

import sparsenn as snn
from sparsenn.reference import reference_with_bound

layers = keras.layers


def settled(model, seed: int = 0):
    """The model with random weights of every kind, also those of normalisations."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            settled(layer, seed + 1)
        else:
            weights = [
                rng.standard_normal(w.shape) / np.sqrt(max(1, np.prod(w.shape[:-1])))
                for w in layer.get_weights()
            ]
            if isinstance(layer, layers.BatchNormalization):
                weights[-1] = abs(weights[-1]) + 0.5
            layer.set_weights(weights)
    return model


def assert_agrees(model, result: snn.Model, batch: int = 3) -> None:
    """Both the reference and a plan, on inputs laid out as Keras has them."""
    rng = np.random.default_rng(1)
    x = [rng.standard_normal((batch, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    made = model(x if len(x) > 1 else x[0], training=False)
    wanted = [keras.ops.convert_to_numpy(y) for y in (made if isinstance(made, list) else [made])]
    names = [value.name for value in result.input_values]
    given = dict(zip(names, x, strict=True)) if len(x) > 1 else x[0]
    exact, bound = reference_with_bound(result, given)
    got = snn.compile(result, tune="off", cache=False).run(given)
    for index, y in enumerate(wanted):
        name = result.output_values[index].name
        one = [part[name] if isinstance(part, dict) else part for part in (exact, bound, got)]
        assert one[0].shape == y.shape
        assert (abs(one[0] - y) <= 16 * one[1]).all() and (abs(one[0] - one[2]) <= one[1]).all()


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride, dilation", [(1, 1), (2, 1), ((3, 2), 1), (1, (2, 3))])
@pytest.mark.parametrize("kind", ["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "groups"])
def test_convolutions(kind, padding, stride, dilation):
    options = {"padding": padding, "strides": stride, "dilation_rate": dilation}
    if kind == "DepthwiseConv2D":
        if isinstance(stride, tuple):
            stride = options["strides"] = 3
        layer = layers.DepthwiseConv2D((3, 2), depth_multiplier=2, activation="tanh", **options)
    elif kind == "groups":
        layer = layers.Conv2D(6, (2, 3), groups=2, use_bias=False, **options)
    else:
        layer = getattr(layers, kind)(5, (3, 2), activation="relu", **options)
    model = settled(keras.Sequential([keras.Input((9, 8, 4)), layer]))
    assert_agrees(model, snn.from_keras(model))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kind", ["MaxPooling2D", "AveragePooling2D"])
@pytest.mark.parametrize("size, stride", [(2, None), (3, 2), ((3, 2), (1, 3))])
def test_pools(kind, padding, size, stride):
    pool = getattr(layers, kind)(size, strides=stride, padding=padding)
    model = settled(keras.Sequential([keras.Input((9, 8, 3)), layers.Conv2D(4, 1), pool]))
    uneven = padding == "same" and (size, stride) == (3, 2)  # 8 columns: padded on the right alone
    if kind == "AveragePooling2D" and uneven and keras.backend.backend() == "torch":
        with pytest.raises(snn.UnsupportedError, match="computes something else"):
            snn.from_keras(model)  # Keras repeats the last column there, on torch alone
    else:
        assert_agrees(model, snn.from_keras(model))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("kind", ["GlobalMaxPooling2D", "GlobalAveragePooling2D"])
def test_a_classifier(kind, keepdims):
    parts = [
        *(
            layers.ZeroPadding2D(((1, 0), (2, 1))),
            layers.Conv2D(6, 3, strides=2),
            layers.BatchNormalization(),
        ),
        *(layers.ReLU(), layers.SpatialDropout2D(0.3)),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        *(layers.BatchNormalization(scale=False), layers.Activation("silu")),
        *(getattr(layers, kind)(keepdims=keepdims), layers.Flatten(), layers.Dense(4, activation="softmax")),
    ]
    model = settled(keras.Sequential([keras.Input((11, 10, 3)), *parts]))
    result = snn.from_keras(model)
    assert [layer.shape for layer in result.linear_layers] == [
        (6, 27),
        (6, 54),
        (4, 6),
    ]  # normalisation is folded
    assert sum(isinstance(layer, snn.layers.Transpose) for layer in result.layers) == 1  # of the input
    assert_agrees(model, result)


@pytest.mark.parametrize("between", [[], ["relu"], ["norm", "tanh"], ["drop", "norm"]])
def test_flattened_images_keep_the_order_of_their_features(between):
    """The weight behind is permuted, not the image."""
    kinds = {
        **{"relu": layers.ReLU, "norm": layers.BatchNormalization},
        **{"tanh": lambda: layers.Activation("tanh"), "drop": lambda: layers.Dropout(0.5)},
    }
    middle = [kinds[name]() for name in between]
    model = settled(
        keras.Sequential(
            [keras.Input((5, 6, 2)), layers.Conv2D(3, 2), layers.Flatten(), *middle, layers.Dense(4)]
        )
    )
    result = snn.from_keras(model)
    assert sum(isinstance(layer, snn.layers.Transpose) for layer in result.layers) == 1
    assert_agrees(model, result)
    model = settled(
        keras.Sequential([keras.Input((5, 6, 2)), layers.Conv2D(3, 2), layers.Flatten(), *middle])
    )
    assert_agrees(model, snn.from_keras(model))


def residual(x, width: int, stride: int = 1):
    h = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(x)
    h = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same", use_bias=False)(h))
    if stride > 1 or x.shape[-1] != width:
        x = layers.BatchNormalization()(layers.Conv2D(width, 1, strides=stride, use_bias=False)(x))
    return layers.ReLU()(layers.Add()([h, x]))


def test_a_residual_network_shrinks_by_its_channels():
    x = keras.Input((14, 12, 3))
    h = layers.MaxPooling2D(3, 2, padding="same")(residual(x, 8))
    h = layers.GlobalAveragePooling2D()(residual(residual(h, 12, 2), 12))
    model = settled(keras.Model(x, layers.Dense(5)(h)))
    result = snn.from_keras(model)
    assert_agrees(model, result)
    pruned = snn.prune(result, structure="channel", sparsity=0.5)
    assert pruned.nnz < 0.5 * result.nnz
    snn.compile(pruned, tune="off", cache=False).run(np.ones((2, 14, 12, 3), np.float32))


def test_branches_with_several_inputs_and_outputs():
    image, numbers = keras.Input((6, 7, 3), name="image"), keras.Input((4,), name="numbers")
    one = layers.Conv2D(5, 3, padding="same", activation="relu")(image)
    two = layers.SeparableConv2D(5, 3, padding="same")(image)
    both = layers.Concatenate()([one, two, image])
    tall = layers.Concatenate(axis=1)([one, two])
    mixed = layers.Average()([layers.Multiply()([one, two]), layers.Subtract()([one, two])])
    features = layers.Concatenate()([layers.Flatten()(mixed), layers.Dense(3, activation="tanh")(numbers)])
    inner = keras.Sequential([keras.Input((6, 7, 13)), layers.Conv2D(2, 2)])
    outputs = [layers.Dense(4)(features), inner(both), layers.MaxPooling2D(2)(tall)]
    model = settled(keras.Model([image, numbers], outputs))
    result = snn.from_keras(model)
    assert [value.name for value in result.input_values] == ["image", "numbers"]
    assert_agrees(model, result)


def test_gates_of_channels():
    x = keras.Input((6, 5, 4))
    h = layers.Conv2D(6, 3, activation="silu")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(h)
    gate = layers.Conv2D(6, 1, activation="sigmoid")(layers.Conv2D(2, 1, activation="relu")(gate))
    model = settled(keras.Model(x, layers.Flatten()(layers.Multiply()([h, gate]))))
    assert_agrees(model, snn.from_keras(model))


def test_layers_that_are_shared_are_one():
    x = keras.Input((6, 5, 4))
    layer = layers.Conv2D(4, 3, padding="same")
    model = settled(keras.Model(x, layer(layers.Activation("tanh")(layer(x)))))
    result = snn.from_keras(model)
    assert len(result.linear_layers) == 1
    assert_agrees(model, result)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (lambda: [layers.Conv2DTranspose(3, 2)], "Conv2DTranspose .* is not supported; supported are Dense"),
        (lambda: [layers.Conv2D(3, 2), layers.Dense(3)], r"must take \(batch, features\), got .* Flatten"),
        (lambda: [layers.Conv2D(3, 2), layers.Softmax()], r"must take \(batch, features\)"),
        (lambda: [layers.Conv2D(3, 2), layers.BatchNormalization(axis=2)], "over the channels, got axis=2"),
    ],
)
def test_what_cannot_be_done_is_named(parts, words):
    model = keras.Sequential([keras.Input((6, 5, 4)), *parts()])
    with pytest.raises(snn.UnsupportedError, match=words):
        snn.from_keras(model)


def test_sizes_must_be_known():
    model = keras.Sequential([keras.Input((None, None, 4)), layers.Conv2D(3, 2)])
    with pytest.raises(snn.UnsupportedError, match="must know the sizes of its input"):
        snn.from_keras(model)


def of_its_own(kind):
    """A subclass of kind that doubles the result."""

    def call(self, inputs):
        return 2 * kind.call(self, inputs)

    return type("Mine", (kind,), {"call": call})


def replaced(layer):
    call = layer.call
    layer.call = lambda inputs: 2 * call(inputs)
    return layer


OWN = {
    "convolution": lambda: of_its_own(layers.Conv2D)(3, 2),
    "depthwise": lambda: of_its_own(layers.DepthwiseConv2D)(2),
    "separable": lambda: of_its_own(layers.SeparableConv2D)(3, 2),
    "normalisation": lambda: of_its_own(layers.BatchNormalization)(),
    "pool": lambda: of_its_own(layers.MaxPooling2D)(2),
    "upsampling": lambda: of_its_own(layers.UpSampling2D)(2),
    "convolution replaced": lambda: replaced(layers.Conv2D(3, 2)),
    "normalisation replaced": lambda: replaced(layers.BatchNormalization()),
}


@pytest.mark.parametrize("name", OWN)
def test_code_of_its_own_is_refused(name):
    model = keras.Sequential([keras.Input((6, 5, 4)), layers.Conv2D(4, 2), OWN[name](), layers.Conv2D(2, 2)])
    with pytest.raises(snn.UnsupportedError, match="has a call of its own"):
        snn.from_keras(model)


PARTS = {
    "convolution_op": lambda self, inputs, kernel: layers.Conv2D.convolution_op(self, inputs, 2 * kernel),
    "kernel": property(lambda self: 2 * self._kernel),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_convolution_with_a_part_of_its_own_is_refused(name):
    kind = type("Mine", (layers.Conv2D,), {name: PARTS[name]})
    with pytest.raises(snn.UnsupportedError, match="Mine .* is not supported"):
        snn.from_keras(keras.Sequential([keras.Input((6, 5, 4)), kind(3, 2)]))


def test_padding_that_no_window_takes_over():
    model = keras.Sequential(
        [keras.Input((6, 5, 4)), layers.Conv2D(3, 2), layers.ZeroPadding2D(((1, 0), (2, 1)))]
    )
    assert_agrees(model, snn.from_keras(model))


def test_a_convolution_with_low_rank_adaptation():
    model = keras.Sequential([keras.Input((6, 5, 4)), layers.Conv2D(3, 2)])
    model.layers[0].enable_lora(2)
    model.layers[0].lora_kernel_b.assign(np.ones(model.layers[0].lora_kernel_b.shape))
    assert_agrees(model, snn.from_keras(model))
