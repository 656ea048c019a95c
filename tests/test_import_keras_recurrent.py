"""from_keras of recurrent layers, against Keras itself."""

from __future__ import annotations

import numpy as np
import pytest
from test_import_keras import keras
from test_import_keras_graph import assert_agrees, settled

import sparsenn as snn

layers = keras.layers
KINDS = ("LSTM", "GRU", "SimpleRNN")
STEPS, FEATURES = 5, 3


def sequential(*parts):
    return settled(keras.Sequential([keras.Input((STEPS, FEATURES)), *parts]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"go_backwards": True}, {"activation": "relu"}])
def test_layers(kind, sequences, options):
    model = sequential(getattr(layers, kind)(4, return_sequences=sequences, **options))
    result = snn.from_keras(model)
    assert_agrees(model, result)
    cells = [layer for layer in result.layers if isinstance(layer, snn.layers.Recurrent)]
    assert len(cells) == 1 and cells[0].reverse == options.get("go_backwards", False)


@pytest.mark.parametrize("sequences", [False, True])
def test_a_gru_that_resets_before(sequences):
    model = sequential(layers.GRU(4, reset_after=False, return_sequences=sequences))
    assert_agrees(model, snn.from_keras(model))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merge", ["concat", "sum", "ave", "mul"])
@pytest.mark.parametrize("sequences", [False, True])
def test_both_directions(kind, merge, sequences):
    inner = getattr(layers, kind)(4, return_sequences=sequences)
    model = sequential(layers.Bidirectional(inner, merge_mode=merge))
    assert_agrees(model, snn.from_keras(model))


def test_a_tagger_of_several_layers():
    model = sequential(
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.Dropout(0.5),
        layers.GRU(5, return_sequences=True, recurrent_activation="sigmoid"),
        layers.Dense(6, activation="relu"),
        layers.TimeDistributed(layers.Dense(2, activation="softmax")),
    )
    result = snn.from_keras(model)
    assert result.output_values[0].dims == (None, STEPS, 2)
    assert_agrees(model, result)


def test_a_classifier_is_pruned_and_fine_tuned():
    model = sequential(layers.LSTM(8), layers.Dense(3, activation="softmax"))
    sparse = snn.prune(snn.from_keras(model), sparsity=0.5)
    X, y = np.random.default_rng(0).standard_normal((40, STEPS, FEATURES)), np.arange(40) % 3
    history = snn.train(sparse, X, y, epochs=5)
    assert history.loss[-1] < history.loss[0] and sparse.sparsity == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_last_states_are_outputs(kind):
    x = keras.Input((STEPS, FEATURES))
    made = getattr(layers, kind)(4, return_sequences=True, return_state=True)(x)
    model = settled(keras.Model(x, list(made)))
    assert_agrees(model, snn.from_keras(model))


def test_what_is_not_taken_is_named():
    for part, message in [
        (layers.LSTM(4, recurrent_activation="hard_sigmoid"), "LSTM '.*' must have activations of sigmoid"),
        (layers.Bidirectional(layers.LSTM(4, return_state=True)), "must have return_state=False"),
        (layers.TimeDistributed(layers.ReLU()), "must hold a Dense, got a ReLU"),
        (layers.Bidirectional(layers.GRU(4), merge_mode=None), "must have the merge_mode concat"),
    ]:
        x = keras.Input((STEPS, FEATURES))
        made = part(x)
        model = keras.Model(x, made)
        with pytest.raises(snn.UnsupportedError, match=message):
            snn.from_keras(model)
