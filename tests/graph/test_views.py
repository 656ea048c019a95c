"""Reshapes and transposes that move nothing in training: where they say so, numbers are where they say."""

import math

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.training.places import Place
from sparsenn.training.tiles import Layout
from sparsenn.training.views import view_order

LAYOUT = Layout(0, 0, 1, b"")


def place_of(dims: tuple[int, ...], order: tuple[int, ...], values: np.ndarray) -> Place:
    place = Place(dims, 1, LAYOUT, order=order)
    place.load(values, LAYOUT)
    return place


@pytest.mark.parametrize("seed", range(200))
def test_views_hold_what_the_layer_makes(seed):
    rng = np.random.default_rng(seed)
    factors = rng.choice([1, 2, 2, 3, 4], rng.integers(1, 5))

    def cut() -> tuple[int, ...]:
        """The factors in neighbouring groups, so that many dims fit each other."""
        groups = np.sort(rng.integers(0, 3, factors.size))
        return tuple(int(np.prod(factors[groups == i])) for i in range(3))

    before = cut()
    order = tuple(rng.permutation(3).tolist())
    after = cut() if seed % 4 else tuple(rng.permutation(before).tolist())
    layer = snn.Reshape(after) if seed % 3 else snn.Transpose(tuple((1 + rng.permutation(3)).tolist()))
    layer = layer.resolve((None, *before))
    after = layer.infer((None, *before))[1:]
    values = rng.standard_normal((5, *before)).astype(np.float32)
    source = place_of(before, order, values)
    found = view_order(layer, source, after)
    if isinstance(layer, snn.Transpose) or before == after:
        assert found is not None
    if found is not None:
        result = Place(after, 1, LAYOUT, order=found)
        result.value = source.value
        wanted = layer.value(np.moveaxis(values, 0, -1)).reshape(math.prod(after), 5)
        np.testing.assert_array_equal(result.columns(5), wanted)


def test_heads_are_cut_and_joined_where_they_lie():
    """(features, tokens), tokens one after another: heads, the image that a convolution reads, and back."""
    x = Place((12, 7), 1, LAYOUT, order=(1, 0))
    assert view_order(snn.Reshape((3, 4, 7)), x, (3, 4, 7)) == (2, 0, 1)
    assert view_order(snn.Reshape((12, 1, 7)), x, (12, 1, 7)) in [(2, 0, 1), (1, 2, 0), (2, 1, 0)]
    heads = Place((3, 4, 7), 1, LAYOUT, order=(2, 0, 1))
    assert view_order(snn.Reshape((12, 7)), heads, (12, 7)) == (1, 0)
    assert view_order(snn.Reshape((6, 14)), x, (6, 14)) is None
