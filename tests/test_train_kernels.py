"""The training step on every kernel set: gradients, and the same bits for any number of threads."""

import numpy as np
import pytest
from gradient_oracle import kink_distance
from test_gradients import check_network, make_network, make_targets, to_model

import sparsenn as snn

ISAS = snn.cpu_info()["isas_usable"]


@pytest.mark.parametrize("name", ["relu", "clip", "tanh", "sigmoid", "gelu", "elu", "softmax"])
@pytest.mark.parametrize("isa", ISAS)
def test_gradients_agree_with_finite_differences(rng, monkeypatch, isa, name):
    """More samples than a tile, layers wider than a vector, an activation at the end."""
    monkeypatch.setenv("SPARSENN_ISA", isa)
    sizes = (6, 19, 9, 3)
    last = "none" if name in ("relu", "clip", "elu") else name
    network, masks = make_network(rng, (name, name, last), sizes=sizes, sparsity=0.5)
    x = rng.standard_normal((70, 6), dtype=np.float32).astype(np.float64)
    while kink_distance(network, x) < 5e-5:
        x = rng.standard_normal((70, 6), dtype=np.float32).astype(np.float64)
    targets = make_targets(rng, "mse", 70, 3)
    check_network(network, masks, x, targets, "mse", to_model(network, masks))


@pytest.mark.parametrize("batch", [3, 64, 200])
@pytest.mark.parametrize("isa", ISAS)
def test_the_same_bits_for_any_number_of_threads(rng, monkeypatch, isa, batch):
    monkeypatch.setenv("SPARSENN_ISA", isa)
    X, y = rng.standard_normal((batch, 150), dtype=np.float32), np.arange(batch) % 7
    results = []
    for threads in (1, 2, 4):
        model = snn.mlp([150, 203, 101, 7], activation="gelu", sparsity=0.8, pattern="random", seed=2)
        trainer = snn.Trainer(model, threads=threads)
        losses = [trainer.step(X, y) for _ in range(4)]
        arrays = [p.values for p in trainer.network.parameters]
        results.append(
            [np.array(losses), *arrays, *(a for p in trainer.network.parameters for a in p.state.values())]
        )
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a.view(np.uint8), b.view(np.uint8))


def test_values_changed_in_place_are_those_of_the_next_step(rng):
    model = snn.mlp([20, 30, 4], sparsity=0.7, pattern="random", seed=2)
    X, y = rng.standard_normal((9, 20)), np.arange(9) % 4
    trainer = snn.Trainer(model)
    trainer.step(X, y)
    model.layers[0].weight.data *= 2
    fresh = snn.Trainer(model.copy())
    assert trainer.evaluate(X, y) == fresh.evaluate(X, y)
    model.layers[0].weight.data *= -1
    changed = snn.Trainer(model.copy())
    assert trainer.step(X, y) == changed.step(X, y) != fresh.step(X, y)


@pytest.mark.parametrize("sparsity", [0.8, None])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("later", [*ISAS, "sse9"])
def test_a_trainer_keeps_the_kernel_set_that_it_was_made_with(rng, monkeypatch, sparsity, isa, later):
    """Also where SPARSENN_ISA names none at all by then: a step neither fails halfway nor changes sides."""
    X, y = rng.standard_normal((70, 50), dtype=np.float32), np.arange(70) % 7
    options = {} if sparsity is None else {"sparsity": sparsity, "pattern": "random"}

    def losses(change: bool) -> list:
        monkeypatch.setenv("SPARSENN_ISA", isa)
        model = snn.mlp([50, 60, 7], seed=2, **options)
        trainer = snn.Trainer(model, optimizer="rmsprop", threads=2)
        found = [trainer.step(X, y)]
        monkeypatch.setenv("SPARSENN_ISA", later if change else isa)
        found += [trainer.step(X, y), *trainer.evaluate(X, y)]
        trainer.rebuild()  # as regrowth and resuming do
        return [*found, trainer.step(X, y), *(p.values.tobytes() for p in trainer.network.parameters)]

    assert losses(change=True) == losses(change=False)


def test_a_kernel_set_named_in_between_is_refused_where_the_next_object_is_made(rng, monkeypatch, random_csr):
    weight, x = random_csr(9, 7, 0.5), rng.standard_normal((7, 3), dtype=np.float32)
    before = snn.ops.spmm(weight, x)
    model = snn.mlp([7, 9, 2], sparsity=0.5, pattern="random", seed=0)
    plan = snn.compile(model)
    y = plan.run(x.T)
    monkeypatch.setenv("SPARSENN_ISA", "sse9")
    made = (
        lambda: snn.ops.spmm(weight, x),
        lambda: snn.ops.spmm_transposed(weight, before),
        lambda: snn.ops.sddmm(weight, before, x),
        lambda: snn.Trainer(model),
        lambda: snn.compile(model),
    )
    for make in made:
        with pytest.raises(snn.ISAError, match='SPARSENN_ISA must be one of .*, got "sse9"'):
            make()
    np.testing.assert_array_equal(plan.run(x.T), y)
