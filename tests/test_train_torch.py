"""200 random networks against PyTorch: losses, gradients, Adam steps. Skipped where it is not installed."""

import numpy as np
import pytest
import scipy.sparse
from gradient_oracle import EPS
from op_cases import POINTWISE

import sparsenn as snn

torch = pytest.importorskip("torch", reason="NOT TESTED: PyTorch is not installed")

ACTIVATIONS = {
    name: (cases.layers[0], cases.torch(torch.nn, cases.layers[0])) for name, cases in POINTWISE.items()
}
LOSSES = {
    "cross_entropy": torch.nn.functional.cross_entropy,
    "mse": torch.nn.functional.mse_loss,
    "huber": torch.nn.functional.huber_loss,
    "binary_cross_entropy": torch.nn.functional.binary_cross_entropy_with_logits,
}


def random_network(rng):
    """-> the Model, the same in float64 PyTorch, x, y, the loss's name."""
    depth, loss = int(rng.integers(1, 5)), str(rng.choice(list(LOSSES)))
    sizes = [int(size) for size in rng.integers(2, 60, depth + 1)]
    layers, modules = [], []
    for index in range(depth):
        weight = rng.standard_normal((sizes[index + 1], sizes[index]), dtype=np.float32) / np.float32(
            sizes[index] ** 0.5
        )
        sparse = rng.random() < 0.7
        if sparse:
            weight[rng.random(weight.shape) < rng.random()] = 0
        bias = rng.standard_normal(sizes[index + 1], dtype=np.float32) if rng.random() < 0.8 else None
        layers.append(snn.Linear(scipy.sparse.csr_array(weight) if sparse else weight, bias))
        module = torch.nn.Linear(sizes[index], sizes[index + 1], bias=bias is not None).double()
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(weight))
            if bias is not None:
                module.bias.copy_(torch.from_numpy(bias))
        modules.append(module)
        if index < depth - 1:
            own, other = ACTIVATIONS[str(rng.choice(list(ACTIVATIONS)))]
            layers.append(own)
            modules.append(other)
    batch = int(rng.integers(1, 150))
    x = rng.standard_normal((batch, sizes[0]), dtype=np.float32)
    if loss == "cross_entropy":
        y = rng.integers(0, sizes[-1], batch)
    elif loss == "binary_cross_entropy":
        y = rng.random((batch, sizes[-1]), dtype=np.float32)
    else:
        y = rng.standard_normal((batch, sizes[-1]), dtype=np.float32)
    return snn.Model(layers), torch.nn.Sequential(*modules), x, y, loss


def kink_distance(module, x) -> float:
    """How near any pre-activation comes to a kink of its activation."""
    distance, a = np.inf, torch.from_numpy(x).double()
    with torch.no_grad():
        for layer in module:
            known = {torch.nn.ReLU: (0.0,), torch.nn.Hardtanh: (-0.5, 0.9), torch.nn.ELU: (0.0,)}
            kinks = known.get(type(layer), ())
            distance = min([distance, *(float((a - kink).abs().min()) for kink in kinks)])
            a = layer(a)
    return distance


@pytest.mark.parametrize("seed", range(200))
def test_gradients_and_an_adam_step_agree(seed):
    rng = np.random.default_rng(seed)
    model, module, x, y, name = random_network(rng)
    while kink_distance(module, x) < 1e-5:  # rounding could choose the other slope, and no bound would hold
        model, module, x, y, name = random_network(rng)
    targets = torch.from_numpy(y) if name == "cross_entropy" else torch.from_numpy(y).double()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    loss = LOSSES[name](module(torch.from_numpy(x).double()), targets)
    loss.backward()
    wanted = [p.grad.numpy().copy() for p in module.parameters()]
    optimizer.step()

    trainer = snn.Trainer(model, loss=name, learning_rate=1e-2)
    got = trainer.step(x, y)
    # Sums of up to 60 terms a layer and 150 samples, four layers, each rounding a term: (60 + 150 + 8) eps a
    # layer relative to magnitudes, of which cancellation leaves at least a hundredth in the largest gradient.
    tolerance = 4 * (60 + 150 + 8) * EPS
    assert got == pytest.approx(loss.item(), rel=tolerance, abs=tolerance)
    largest = max(np.abs(g).max() for g in wanted)
    for parameter, gradient, tensor in zip(
        trainer.network.parameters, wanted, module.parameters(), strict=True
    ):
        layer = model.layers[int(parameter.name.split(".")[0])]
        after = tensor.detach().numpy()
        if parameter.is_weight and layer.sparse:
            at = layer.weight.tocoo()
            gradient, after = gradient[at.row, at.col], after[at.row, at.col]
        np.testing.assert_allclose(parameter.gradient, gradient, rtol=0, atol=tolerance * largest)
        # Adam's first step is the learning rate in the direction of the gradient: where that is clear.
        clear = np.abs(gradient) > 1e3 * tolerance * largest
        np.testing.assert_allclose(
            parameter.values[clear], after[clear], rtol=0, atol=1e-2 * 2e-3 + 4 * EPS * 4
        )
