"""No layer is emptied by rounding, and none is emptied or cut off without a word."""

import warnings

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.prune.reach import reached_outputs


@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (3, 1), (1, 30), (4, 12)])
@pytest.mark.parametrize("sparsity", [0.6, 0.9, 0.98, 0.9999])
@pytest.mark.parametrize("how", ["layer", "global", "by layer", "block", "again", "lamp"])
def test_rounding_leaves_a_weight(shape, sparsity, how):
    rng = np.random.default_rng(0)
    model = snn.Model([snn.Linear(rng.standard_normal(shape), np.zeros(shape[0]))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "again":
            model = snn.prune(model, sparsity=0.5)
        options = {
            "by layer": {"sparsity": {0: sparsity}}, "block": {"structure": "block", "block": (1, 1)},
            "lamp": {"normalize": "lamp"}, "again": {}, "layer": {"scope": "layer"}, "global": {},
        }[how]  # fmt: skip
        pruned = snn.prune(model, **{"sparsity": sparsity, **options})
    size = shape[0] * shape[1]
    assert pruned.nnz == max(1, size - round(sparsity * size))
    assert abs(pruned.linear_layers[0].weight).max() == abs(model.linear_layers[0].weight).max()


def test_zeros_are_not_kept_for_it():
    model = snn.Model([snn.Linear(np.zeros((3, 4)), np.zeros(3))])
    assert snn.prune(model, sparsity=0.98).nnz == 0


def warned(call) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert all(__file__ == one.filename for one in caught)
    return "".join(str(one.message) for one in caught)


@pytest.mark.parametrize("dense", [True, False])
def test_a_layer_that_the_global_ranking_empties_is_named(dense):
    model = snn.mlp([8, 20, 20, 3], seed=0, sparsity=0.0 if dense else 0.1)
    weight = model.linear_layers[1].weight
    (weight if dense else weight.data)[...] *= np.float32(1e-3)
    text = warned(lambda: snn.prune(model, sparsity=0.9))
    assert text == (
        "pruned too far: Linear layer 1 (20 x 20) has no weights left; "
        "no output depends on the inputs any more"
    )
    assert "Linear layer" not in warned(lambda: snn.prune(model, sparsity=0.9, scope="layer"))
    assert "Linear layer 0 (20 x 8) has no weights left" in warned(lambda: snn.prune(model, threshold=99))


def test_outputs_that_are_cut_off_are_named():
    weight = np.ones((3, 4), np.float32)
    weight[1] = 0.1
    model = snn.Model([snn.Linear(np.eye(4)), snn.ReLU(), snn.Linear(weight)])
    prune = {"sparsity": {1: 1 / 3}}
    assert warned(lambda: snn.prune(model, **prune)) == (
        "pruned too far: output 1 does not depend on the inputs any more"
    )
    once = snn.prune(model, threshold=0.5, keep=0)
    assert warned(lambda: snn.prune(once, sparsity={1: 0.4})) == ""  # it was cut off before


@pytest.mark.parametrize("seed", range(20))
def test_what_is_reached_is_what_moves_with_the_inputs(seed):
    rng = np.random.default_rng(seed)
    sizes = [3, 6, 6, 4]
    layers = []
    for rows, columns in zip(sizes[1:], sizes[:-1], strict=True):
        weight = np.where(rng.random((rows, columns)) < 0.3, rng.random((rows, columns)) + 0.5, 0)
        layers += [snn.Linear(weight, np.ones(rows)), snn.Tanh()]
    model = snn.Model(layers)
    if seed % 2:
        model = snn.prune(model, threshold=0.1)
    slopes = np.eye(3)
    for layer in model.linear_layers:
        dense = layer.weight.toarray() if layer.sparse else layer.weight
        slopes = dense.astype(np.float64) @ slopes  # all positive: nothing cancels
    np.testing.assert_array_equal(reached_outputs(model)["y"], slopes.any(axis=1))


def test_images_of_any_size():
    """Windows that fit into few images, sizes that meet again, and what is cut there."""
    x = snn.Input((2, None, None), name="x")
    weight = np.zeros((3, 18), np.float32)
    weight[:2, [0, 17]] = 1
    h = snn.Conv2d(weight, kernel_size=3)(x)
    h = snn.Concat(1)(snn.Resize(2, scale=2.0)(snn.MaxPool2d((2, 1))(h)), h)
    model = snn.Model(inputs=x, outputs={"map": h, "mean": snn.ReduceMean((2, 3))(h)})
    for mask in reached_outputs(model).values():
        assert mask.tolist() == [True, True, False] * 2
    with pytest.warns(UserWarning, match="outputs 0, 3 of 'map' do not depend"):
        snn.prune(model, sparsity=0.999)
