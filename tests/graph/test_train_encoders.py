"""Training of attention, normalisations and embeddings: gradients, any threads, checkpoints, errors."""

import numpy as np
import pytest
from graphs import only

import sparsenn as snn
from sparsenn.graph.value import Value
from sparsenn.graph.walk import walk
from sparsenn.reference import as_inputs

ISAS = snn.cpu_info()["isas_usable"]
BATCHES = (1, 5, 19, 33, 70)


def linear(rng, x: Value, rows: int, *, sparse: bool = False) -> Value:
    """At every token: (batch, features, tokens) -> (batch, rows, tokens)."""
    weight = rng.standard_normal((rows, x.dims[1])) / x.dims[1] ** 0.5
    if sparse:
        weight *= rng.random(weight.shape) < 0.5
        weight = snn.prune(snn.Model([snn.Linear(weight)]), sparsity=0.3).layers[0].weight
    layer = snn.Conv2d(weight, rng.standard_normal(rows) / 4, kernel_size=1)
    return snn.Reshape((rows, -1))(layer(snn.Reshape((x.dims[1], 1, -1))(x)))


def encoder_of(seed: int) -> tuple[snn.Model, dict]:
    """A model of one attention, with any heads, masks and sizes, and what it is given."""
    rng = np.random.default_rng(seed)
    own, shared = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    heads, depth, width = own * shared, int(rng.choice([1, 3, 8])), int(rng.choice([1, 4, 5]))
    tokens, batch = int(rng.choice([1, 2, 13, 14, 31])), BATCHES[seed % len(BATCHES)]
    hidden, words = int(rng.choice([3, 8, 17])), 11
    causal, cross, sparse = bool(rng.integers(2)), bool(rng.integers(3) == 0), bool(rng.integers(2))
    mask_kind = str(rng.choice(["none", "padding", "fixed", "of heads"]))
    inputs = [snn.Input((tokens,), name="ids")]
    given = {"ids": rng.integers(-words, words, (batch, tokens))}
    x = snn.Embedding(rng.standard_normal((words, hidden)))(inputs[0])
    x = snn.Transpose((2, 1))(snn.Add()(x, snn.Prefix()(rng.standard_normal((40, hidden)), x)))
    seen, keys = x, tokens
    if cross:
        keys = int(rng.choice([1, 7, 24]))
        inputs.append(snn.Input((hidden, keys), name="memory"))
        given["memory"] = rng.standard_normal((batch, hidden, keys))
        seen = linear(rng, inputs[-1], hidden)
    x = snn.LayerNorm(1 + rng.standard_normal(hidden) / 4, rng.standard_normal(hidden), axis=1)(x)
    q = snn.Reshape((heads, depth, -1))(linear(rng, x, heads * depth, sparse=sparse))
    k = snn.Reshape((own, depth, -1))(linear(rng, seen, own * depth))
    v = snn.Reshape((own, width, -1))(linear(rng, seen, own * width))
    operands = [q, k, v]
    if mask_kind == "padding":
        inputs.append(snn.Input((keys,), name="mask"))
        given["mask"] = (np.arange(keys) < rng.integers(1, keys + 1, (batch, 1))).astype(np.float32)
        counted = snn.Reshape((1, 1, -1))(inputs[-1])
        operands.append(snn.Mul()(snn.Sub()(np.ones(1), counted), np.full(1, -1e9)))
    elif mask_kind == "fixed":
        fixed = rng.standard_normal((tokens, keys)) * 3
        fixed[:, 1:][rng.random((tokens, keys - 1)) < 0.3] = -np.inf
        operands.append(fixed)
    elif mask_kind == "of heads":
        inputs.append(snn.Input((heads, tokens, 1), name="mask"))
        given["mask"] = rng.standard_normal((batch, heads, tokens, 1))
    if mask_kind == "of heads":
        operands.append(inputs[-1])
    mixed = snn.Attention(causal=causal, zeros=bool(rng.integers(2)))(*operands)
    mixed = linear(rng, snn.Reshape((heads * width, -1))(mixed), hidden, sparse=sparse)
    x = snn.RMSNorm(1 + rng.standard_normal(hidden) / 4, axis=1)(snn.Add()(mixed, x))
    pooled = snn.Reshape((hidden,))(snn.ReduceMean(2)(snn.GELUTanh()(x)))
    y = snn.Linear(rng.standard_normal((3, hidden)), np.zeros(3))(pooled)
    return snn.Model(inputs=inputs, outputs={"y": y}), given


def loss64(model: snn.Model, given: dict, targets: np.ndarray) -> float:
    """The mean squared error in float64, by the layers' definitions."""
    made = walk(
        model,
        as_inputs(model, only(given), np.float64),
        lambda node, operands: node.layer.value(*operands),
        constant=lambda own: own.column(np.float64),
        keep=True,
    )
    return float(((made[model.output_values[0]].T - targets) ** 2).mean())


def trained(model: snn.Model, given: dict, targets, **options) -> snn.Trainer:
    """A trainer whose parameters have the gradients of one batch."""
    trainer = snn.Trainer(model, loss="mse", **options)
    trainer.accumulate(trainer.prepare(only(given), targets, ("X", "y")))
    return trainer


@pytest.mark.parametrize("seed", range(20))
def test_gradients_are_the_differences(seed, monkeypatch):
    """Of every kind of mask, heads and sizes, in every kernel set; the same bits on any number of threads."""
    monkeypatch.setenv("SPARSENN_ISA", ISAS[seed % len(ISAS)])
    model, given = encoder_of(seed)
    rng = np.random.default_rng(seed)
    targets = rng.standard_normal((len(given["ids"]), 3)).astype(np.float32)
    trainer = trained(model, given, targets, threads=1)
    for threads in (2, 5):
        other = trained(model, given, targets, threads=threads)
        for a, b in zip(trainer.network.parameters, other.network.parameters, strict=True):
            assert a.gradient.tobytes() == b.gradient.tobytes(), a.name
    for parameter in trainer.network.parameters:
        slope = parameter.flat_gradient.astype(np.float64)
        before = parameter.flat.copy()
        for direction in (rng.standard_normal(before.size), np.sign(slope)):
            moved = np.float32(2e-4) * direction.astype(np.float32)
            parameter.flat[:] = before + moved
            high, above = parameter.flat.astype(np.float64), loss64(model, given, targets)
            parameter.flat[:] = before - moved
            wanted = above - loss64(model, given, targets)
            along = slope * (high - parameter.flat)
            parameter.flat[:] = before
            assert abs(along.sum() - wanted) <= 2e-4 * np.abs(along).sum() + 1e-9, parameter.name


def test_gradients_against_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    from test_import_torch_encoders import Text

    torch.manual_seed(0)
    module = Text(activation="gelu", dropout=0.0).train()
    ids = torch.randint(0, 50, (5, 13))
    seen = (torch.arange(13) < torch.tensor([[13], [1], [7], [12], [4]])).long()
    model = snn.from_torch(module.eval(), (ids, seen))
    given = {"ids": ids.numpy(), "seen": seen.numpy()}
    targets = np.random.default_rng(0).standard_normal((5, 5)).astype(np.float32)
    ((module.train()(ids, seen) - torch.tensor(targets)) ** 2).mean().backward()
    trainer, found = trained(model, given, targets), 0
    for parameter in trainer.network.parameters:
        own = parameter.gradient
        near = [abs(own - grad).max() for grad in torch_slopes(module) if grad.shape == own.shape]
        assert min(near) <= 1e-6 + 1e-4 * abs(own).max(), parameter.name
        found += 1
    assert found == 2 * (6 * 2 + 2 * 2) + 2 + 2 + 1  # blocks, the last normalisation and layer, words


def torch_slopes(module) -> list[np.ndarray]:
    """Of every parameter, and of each third of those of q, k and v together."""
    slopes = [p.grad.numpy() for p in module.parameters() if p.grad is not None]
    return slopes + [part for grad in slopes if len(grad) == 72 for part in np.split(grad, 3)]


@pytest.mark.parametrize(
    "patches, pooling, mask", [(False, "mean", True), (True, "first", True), (True, "mean", False)]
)
def test_encoders_train_and_go_on_from_a_checkpoint(patches, pooling, mask, tmp_path):
    """Resumed bit for bit; the best weights, tables and normalisations among them, come back."""
    rng = np.random.default_rng(0)
    model = snn.encoder(
        6, 16, 3, heads=2, blocks=1, patches=patches, pooling=pooling, mask=mask, sparsity=0.5
    )
    X = rng.standard_normal((60, 9, 6)) if patches else rng.integers(0, 6, (60, 9))
    y = rng.integers(0, 3, 60)
    lengths = rng.integers(2, 10, (60, 1))
    X = {"patches" if patches else "ids": X, "mask": np.arange(9) < lengths} if mask else X
    options = {"batch_size": 20, "learning_rate": 0.01, "validation_data": (X, y), "early_stopping": 9}
    whole, again = model.copy(), model.copy()
    history = snn.train(whole, X, y, epochs=6, **options)
    assert history.loss[-1] < history.loss[0] / 1.2
    path = tmp_path / "run.npz"
    snn.train(again, X, y, epochs=3, checkpoint=path, **options)
    snn.train(again, X, y, epochs=6, checkpoint=path, resume=True, **options)
    for a, b in zip(
        (*whole.linear_layers, *whole.array_layers), (*again.linear_layers, *again.array_layers), strict=True
    ):
        for one, other in zip(arrays_of(a), arrays_of(b), strict=True):
            assert one.tobytes() == other.tobytes()
    trainer = snn.Trainer.load(path)
    assert np.isfinite(trainer.step(X, y))
    exact = whole.predict(X)
    got = snn.compile(whole, tune="off", cache=False).run(
        {name: np.float32(array) for name, array in X.items()} if mask else np.float32(X)
    )
    np.testing.assert_allclose(got, exact, atol=2e-5)


def arrays_of(layer) -> tuple:
    if isinstance(layer, snn.layers.ArrayLayer):
        return layer.arrays
    return (layer.weight.data if layer.sparse else layer.weight), layer.bias


def test_padding_changes_nothing():
    """What padding holds reaches neither the outputs nor the gradients."""
    rng = np.random.default_rng(1)
    model = snn.encoder(20, 12, 2, heads=3, mask=True, seed=3)
    mask = np.arange(8) < rng.integers(1, 8, (6, 1))
    ids, other = rng.integers(0, 20, (2, 6, 8))
    y = rng.standard_normal((6, 2)).astype(np.float32)
    model = model.with_dims([(None, 8)] * 2)
    trainers = [
        trained(model, {"ids": np.where(mask, ids, own), "mask": mask.astype(np.float32)}, y)
        for own in (ids, other)
    ]
    for a, b in zip(*(trainer.network.parameters for trainer in trainers), strict=True):
        if a.values.shape[0] != 20:  # rows of padding get no more than others
            assert a.gradient.tobytes() == b.gradient.tobytes(), a.name


def test_numbers_that_are_no_row_are_refused_and_nothing_changes():
    model = snn.encoder(10, 8, 2, heads=2, tokens=4)
    before = [array.copy() for layer in model.array_layers for array in layer.arrays]
    for wrong in (10, -11, 0.5, 1e9):
        ids = np.zeros((3, 4))
        ids[1, 2] = wrong
        with pytest.raises(snn.errors.ArgumentError, match="whole, from -10 to 9, got"):
            snn.train(model, ids, [0, 1, 0], epochs=1)
    after = [array for layer in model.array_layers for array in layer.arrays]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_a_small_batch_takes_narrower_tiles(monkeypatch):
    monkeypatch.delenv("SPARSENN_ISA", raising=False)
    from sparsenn.training.tiles import choose_isa

    best = snn.cpu_info()["isa"].encode()
    assert choose_isa(None) == choose_isa(64) == choose_isa(10_000) == best
    assert choose_isa(32) == (b"avx2" if best == b"avx512" else best)
    monkeypatch.setenv("SPARSENN_ISA", best.decode())
    assert choose_isa(1) == best
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        snn.Trainer(snn.mlp([2, 3]), batch_size=0)
