"""Movement of convolutions, recurrent layers and attention's projections against torch in float64."""

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.prune.criteria import find_criterion
from sparsenn.prune.csr import stored_values

torch = pytest.importorskip("torch")
STEPS, RATE = 4, 0.05


def torch_movement(module, given, y, weights):
    """SGD by torch in float64 -> sum of -w dL/dw of each of weights; those that are 0 at first stay so."""
    module.double()
    for name, buffer in module.named_buffers():
        buffer.requires_grad_(buffer.is_floating_point() and name.startswith("array"))
    moved = [*module.parameters(), *(own for own in module.buffers() if own.requires_grad)]
    total = [torch.zeros_like(weight) for weight in weights]
    stored = [weight.detach() != 0 for weight in weights]
    for _ in range(STEPS):
        for own in moved:
            own.grad = None
        made = module(*given)
        torch.nn.functional.cross_entropy(made, torch.tensor(y)).backward()
        with torch.no_grad():
            for weight, keeps, own in zip(weights, stored, total, strict=True):
                weight.grad *= keeps
                own -= weight * weight.grad
            for own in moved:
                if own.grad is not None:
                    own -= RATE * own.grad
    return [own.detach().numpy().reshape(own.shape[0], -1) for own in total]


def recorded(model, X, y):
    options = {"optimizer": "sgd", "learning_rate": RATE, "shuffle": False, "batch_size": len(y)}
    snn.train(model, X, y, epochs=STEPS, callbacks=[snn.RecordMovement(model)], **options)
    return find_criterion("movement")(model, None)


def compare(layer, score, wanted):
    """As sets of values: frameworks have gates in their own orders."""
    wanted = np.sort(wanted.reshape(-1)[wanted.reshape(-1) != 0])
    score = np.sort(score.reshape(-1)[score.reshape(-1) != 0])
    assert len(score) == len(wanted) > 0.9 * np.count_nonzero(stored_values(layer.weight))
    np.testing.assert_allclose(score, wanted, rtol=1e-3, atol=1e-4 * abs(wanted).max())


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
def test_every_projection_of_an_encoder(rng, sparsity):
    model = snn.encoder(30, 16, 3, heads=2, mask=True, tokens=7, seed=3)
    model = snn.prune(model, sparsity=sparsity, keep=-1, scope="layer") if sparsity else model
    ids, y = rng.integers(0, 30, (20, 7)), rng.integers(0, 3, 20)
    mask = (np.arange(7) < rng.integers(2, 8, (20, 1))).astype(np.float32)
    module = snn.to_torch(model)
    weights = [own for name, own in module.named_parameters() if name.endswith("weight")]
    wanted = torch_movement(module, (torch.tensor(ids), torch.tensor(mask).double()), y, weights)
    scores = recorded(model, {"ids": ids, "mask": mask}, y)
    for layer, score, other in zip(model.linear_layers, scores, wanted, strict=True):
        compare(layer, score, other)
        if not layer.sparse:
            np.testing.assert_allclose(score, other, rtol=1e-3, atol=1e-4 * abs(other).max())


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
def test_convolutions(rng, sparsity):
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 8, 3, padding=1), torch.nn.Tanh(),
        torch.nn.Conv2d(8, 8, 3, stride=2, groups=2), torch.nn.Tanh(), torch.nn.Flatten(),
        torch.nn.Linear(72, 3),
    )  # fmt: skip
    X, y = rng.standard_normal((12, 2, 8, 8)).astype(np.float32), rng.integers(0, 3, 12)
    model = snn.from_torch(module, torch.tensor(X[:1]))
    if sparsity:
        model = snn.prune(model, sparsity=sparsity, scope="layer")
        module = snn.to_torch(model)
    weights = [own for name, own in module.named_parameters() if name.endswith("weight")]
    wanted = torch_movement(module, (torch.tensor(X).double(),), y, weights)
    for layer, score, other in zip(model.linear_layers, recorded(model, X, y), wanted, strict=True):
        compare(layer, score, other)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers(rng, kind):
    """Both matrices of each of two layers, in both directions; without biases, of which torch has two."""

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            options = {"num_layers": 2, "batch_first": True, "bidirectional": True, "bias": False}
            self.cells = getattr(torch.nn, kind)(3, 6, **options)
            self.last = torch.nn.Linear(12, 3)

        def forward(self, x):
            return self.last(self.cells(x)[0].mean(1))

    module = Network()
    X, y = rng.standard_normal((12, 5, 3)).astype(np.float32), rng.integers(0, 3, 12)
    model = snn.from_torch(module, torch.tensor(X[:1]))
    weights = [own for name, own in module.named_parameters() if "weight" in name]
    wanted = torch_movement(module, (torch.tensor(X).double(),), y, weights)
    scores = recorded(model, X, y)
    everything = np.concatenate([score.reshape(-1) for score in scores])
    other = np.concatenate([own.reshape(-1) for own in wanted])
    assert everything.size == other.size
    np.testing.assert_allclose(np.sort(everything), np.sort(other), rtol=1e-3, atol=1e-4 * abs(other).max())
    assert all(score.any() for score in scores)
