"""SparseLinear and sparsify: gradients, state_dicts, and which layers are replaced."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402
from torch_layers import EPS, each_kind, pair, same_weights_every_time  # noqa: E402

from sparsenn.torch import SparseLinear, sparsify  # noqa: E402

pytestmark = pytest.mark.usefixtures(same_weights_every_time.__name__)


@pytest.mark.parametrize(
    ("inputs", "outputs", "batch"), [(1, 1, 1), (7, 5, 3), (33, 17, 16), (64, 48, 70), (5, 4, 0)]
)
@pytest.mark.parametrize("bias", [True, False])
def test_forward_and_gradients_are_those_of_the_dense_layer(inputs, outputs, batch, bias):
    sparse, dense = pair(inputs, outputs, bias=bias)
    x = torch.randn(batch, inputs, requires_grad=True)
    other = x.detach().clone().double().requires_grad_()
    exact = dense.double()
    slope = torch.randn(batch, outputs)
    y = sparse(x)
    (y * slope).sum().backward()
    (exact(other) * slope.double()).sum().backward()
    size = exact.weight.abs()
    bound = (inputs + 2) * EPS * (other.abs() @ size.T + (exact.bias.abs() if bias else 0))
    assert ((y.double() - exact(other)).abs() <= bound.detach()).all()
    assert ((x.grad.double() - other.grad).abs() <= (outputs + 2) * EPS * (slope.abs().double() @ size)).all()
    rows = np.repeat(np.arange(outputs), np.diff(sparse.indptr.numpy()))
    wanted = exact.weight.grad[rows, sparse.indices.long()]
    terms = (slope.abs().double().T @ other.abs())[rows, sparse.indices.long()]
    assert sparse.data.grad.shape == (sparse.nnz,)
    assert ((sparse.data.grad.double() - wanted).abs() <= (batch + 2) * EPS * terms).all()
    if bias:
        terms = slope.abs().double().sum(dim=0)
        assert ((sparse.bias.grad.double() - exact.bias.grad).abs() <= (batch + 2) * EPS * terms).all()


@pytest.mark.filterwarnings("ignore:Input .* requires gradient and is not a double precision")
@each_kind
def test_gradcheck(kind):
    """The layer is linear in each argument, so a difference quotient errs by rounding alone: that of two
    outputs, each a sum of at most k + 1 products of the sizes below, over 2 * step."""
    sparse, _ = kind.pair()
    x = kind.x(4).requires_grad_()
    step = 0.5
    largest = max(part.detach().abs().max().item() for part in (x, sparse.data, sparse.bias)) + step
    tolerance = 2 * (12 + 3) * EPS * (12 + 1) * largest**2 / (2 * step)

    def run(x, data, bias):
        return torch.func.functional_call(sparse, {"data": data, "bias": bias}, (x,))

    arguments = (x, sparse.data, sparse.bias)
    assert torch.autograd.gradcheck(run, arguments, eps=step, atol=tolerance, rtol=0, nondet_tol=0)


def test_trains_with_an_optimizer_and_keeps_its_pattern():
    sparse, dense = pair(12, 8, sparsity=0.5)
    module = nn.Sequential(sparse, nn.ReLU(), nn.Linear(8, 1))
    x = torch.randn(64, 12)
    y = x[:, :1] - x[:, 1:2]
    indices = sparse.indices.clone()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(module(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    assert torch.equal(sparse.indices, indices)
    np.testing.assert_array_equal(np.count_nonzero(sparse.to_csr().toarray()), sparse.nnz)


def test_shapes_and_strides():
    sparse, dense = pair(6, 4)
    x = torch.randn(2, 3, 6)
    expected = sparse(x.reshape(-1, 6)).reshape(2, 3, 4)
    assert torch.equal(sparse(x), expected)
    assert torch.equal(sparse(x[0, 0]), expected[0, 0])
    assert torch.equal(sparse(x.transpose(0, 1)), expected.transpose(0, 1))
    assert torch.equal(sparse(x.flip(0)), expected.flip(0))


def test_state_dict_copies_and_pickles():
    sparse, _ = pair(20, 10)
    other, _ = pair(20, 10, sparsity=0.2)
    x = torch.randn(3, 20)
    assert not torch.equal(other(x), sparse(x))
    other.load_state_dict(sparse.state_dict())
    for layer in (other, copy.deepcopy(sparse), pickle.loads(pickle.dumps(sparse))):
        assert torch.equal(layer(x), sparse(x))
    state = sparse.state_dict()
    state["indices"] = state["indices"].clone()
    state["indices"][0] = 99
    with pytest.raises(snn.CSRError):
        other.load_state_dict(state)
    assert torch.equal(other(x), sparse(x))


def test_from_dense():
    linear = nn.Linear(10, 10)
    assert SparseLinear.from_dense(linear, sparsity=0.85).nnz == 15
    assert SparseLinear.from_dense(linear).nnz == 100
    kept = SparseLinear.from_dense(linear, sparsity=0.5).to_csr()
    weight = np.abs(linear.weight.detach().numpy())
    assert np.abs(kept.data).min() >= np.sort(weight, axis=None)[50]
    assert repr(SparseLinear.from_dense(linear, sparsity=0.5)) == (
        "SparseLinear(in_features=10, out_features=10, bias=True, sparsity=0.5000)"
    )


def test_wrong_arguments():
    sparse, _ = pair(6, 4)
    with pytest.raises(ValueError, match=r"input must have shape \(..., 6\), got \(2, 5\)"):
        sparse(torch.zeros(2, 5))
    with pytest.raises(TypeError, match="input must be float32 on the CPU, got torch.float64"):
        sparse(torch.zeros(2, 6, dtype=torch.float64))
    with pytest.raises(TypeError, match="must stay float32"):
        pair(6, 4)[0].double()(torch.zeros(2, 6))
    with pytest.raises(TypeError, match="weight must be a scipy sparse matrix, got ndarray"):
        SparseLinear(np.zeros((2, 2)))
    with pytest.raises(snn.CSRError):
        bad = scipy.sparse.csr_array(np.eye(3))
        bad.indices[1] = 7
        SparseLinear(bad)
    with pytest.raises(ValueError, match=r"sparsity must be in \[0, 1\), got 1"):
        SparseLinear.from_dense(nn.Linear(2, 2), sparsity=1)
    with pytest.raises(TypeError, match="module must be a torch.nn.Module"):
        sparsify("module")


def test_sparsify_replaces_what_gets_faster(monkeypatch):
    shared = nn.Linear(8, 8)
    module = nn.Sequential(shared, nn.Sequential(nn.ReLU(), nn.Linear(8, 4)), shared, nn.Linear(8, 2))
    # Times by kind of layer: the sparse one is slower for a layer of two outputs alone.
    monkeypatch.setattr(
        "sparsenn.torch.timing.seconds",
        lambda layer, x, backward: 1.0 if isinstance(layer, SparseLinear) else 0.5 + (layer.out_features > 2),
    )
    made = sparsify(module, sparsity=0.75)
    assert isinstance(made[0], SparseLinear) and made[2] is made[0]
    assert isinstance(made[1][1], SparseLinear) and made[1][1].nnz == 8
    assert type(made[3]) is nn.Linear and torch.equal(made[3].weight, module[3].weight)
    assert type(module[0]) is nn.Linear
    assert isinstance(sparsify(shared, sparsity=0.5), SparseLinear)


def test_sparsify_takes_pruned_modules():
    module = nn.Sequential(nn.Linear(256, 256), nn.ReLU())
    prune.l1_unstructured(module[0], "weight", amount=0.98)
    made = sparsify(module, batch_size=16, threads=1)
    weight = (
        made[0].to_csr().toarray() if isinstance(made[0], SparseLinear) else made[0].weight.detach().numpy()
    )
    np.testing.assert_array_equal(weight, module[0].weight.detach().numpy())


def test_sparsify_measures():
    module = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1))
    for backward in (False, True):
        made = sparsify(module, sparsity=0.95, batch_size=16, threads=1, backward=backward)
        for before, after in zip(module, made, strict=True):
            assert type(after) in (type(before), SparseLinear)
        x = torch.randn(4, 512)
        dense = nn.Sequential(*(part.to_dense() if isinstance(part, SparseLinear) else part for part in made))
        torch.testing.assert_close(made(x), dense(x))
