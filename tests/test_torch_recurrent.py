"""SparseLSTM and SparseGRU in the place of nn.LSTM and nn.GRU: outputs, gradients, copies, sparsify."""

from __future__ import annotations

import copy
import io
import pickle
import warnings

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402

import sparsenn as snn  # noqa: E402
from sparsenn.torch import SparseGRU, SparseLSTM, plain, sparsify, timing  # noqa: E402
from sparsenn.torch.cell_product import in_torch_order  # noqa: E402

KINDS = {"lstm": (SparseLSTM, nn.LSTM), "gru": (SparseGRU, nn.GRU)}
each_kind = pytest.mark.parametrize("kind", KINDS)


def pair(kind: str, *, layers: int = 2, sparsity: float = 0.6, **options):
    """A sparse module and the dense one of the same weights: in 5, hidden 7."""
    torch.manual_seed(3)
    sparse_type, dense_type = KINDS[kind]
    sparse = sparse_type.from_dense(dense_type(5, 7, layers, **options), sparsity=sparsity)
    return sparse, sparse.to_dense()


def first_states(kind: str, *shape: int):
    h = torch.randn(shape)
    return (h, torch.randn(shape)) if kind == "lstm" else h


def outputs(module, x, hx=None) -> list[torch.Tensor]:
    y, last = module(x, hx)
    return [y, *(last if isinstance(last, tuple) else (last,))]


def gradients(sparse, dense) -> tuple[list, list]:
    """Of all parameters, of the sparse ones as the dense ones have them where weights are stored."""
    own = []
    for linear, cell in zip(sparse.inputs, sparse.cells, strict=True):
        for part in (linear, cell):
            parts = part.indices, part.indptr, part._shape
            own.append(in_torch_order(sparse.op, plain.dense_weight(part.data.grad, *parts)))
        own += [in_torch_order(sparse.op, part.bias.grad) for part in (linear, cell) if part.bias is not None]
    masks = [(parameter != 0) | (parameter.dim() == 1) for parameter in dense.parameters()]
    return own, [p.grad * mask for p, mask in zip(dense.parameters(), masks, strict=True)]


@each_kind
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_outputs_and_gradients(kind, batch_first, bidirectional, bias):
    options = {"batch_first": batch_first, "bidirectional": bidirectional, "bias": bias}
    sparse, dense = pair(kind, **options)
    for batch, with_states in ((3, False), (70, True)):
        x = torch.randn((batch, 6, 5) if batch_first else (6, batch, 5))
        states = first_states(kind, 4 if bidirectional else 2, batch, 7) if with_states else None
        found = []
        for module in (sparse, dense):
            module.zero_grad()
            leaf = x.clone().requires_grad_()
            given = [] if states is None else [*states] if kind == "lstm" else [states]
            given = [state.clone().requires_grad_() for state in given]
            hx = None if not given else tuple(given) if kind == "lstm" else given[0]
            made = outputs(module, leaf, hx)
            sum((own * torch.arange(own.numel()).view_as(own).cos()).sum() for own in made).backward()
            found.append([*(own.detach() for own in made), leaf.grad, *(state.grad for state in given)])
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(*gradients(sparse, dense), rtol=1e-4, atol=1e-4)


@each_kind
def test_a_sequence_without_a_batch_and_none_at_all(kind):
    sparse, dense = pair(kind, bidirectional=True, batch_first=True)
    x = torch.randn(6, 5)
    torch.testing.assert_close(outputs(sparse, x), outputs(dense, x))
    hx = first_states(kind, 4, 7)
    torch.testing.assert_close(outputs(sparse, x, hx), outputs(dense, x, hx))
    nobody = torch.zeros(0, 6, 5)
    torch.testing.assert_close(outputs(sparse, nobody), outputs(dense, nobody))


@each_kind
def test_second_derivatives_and_transforms_are_those_of_torch(kind):
    sparse, dense = pair(kind, layers=1, batch_first=True)
    x = torch.randn(2, 3, 5)
    found = []
    for module in (sparse, dense):
        leaf = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(module(leaf)[0].sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad(slope.square().sum(), leaf)
        found.append(second)
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)
    exported = torch.export.export(sparse, (x,)).module()
    torch.testing.assert_close(exported(x)[0], dense(x)[0])
    scripted = torch.jit.script(sparse)
    torch.testing.assert_close(outputs(scripted, x), outputs(dense, x))


@each_kind
def test_autocast_computes_in_float32_and_gives_its_type(kind):
    sparse, _ = pair(kind)
    x = torch.randn(4, 3, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = outputs(sparse, x.bfloat16())
    for got, wanted in zip(found, outputs(sparse, x.bfloat16().float()), strict=True):
        assert got.dtype == torch.bfloat16
        torch.testing.assert_close(got, wanted.bfloat16())


@each_kind
def test_dropout_between_layers_in_training_alone(kind):
    sparse, dense = pair(kind, dropout=0.5)
    x = torch.randn(6, 40, 5)
    sparse.eval(), dense.eval()
    torch.testing.assert_close(sparse(x)[0], dense(x)[0])
    sparse.train()
    assert not torch.equal(sparse(x)[0], sparse(x)[0])


@each_kind
def test_copies_pickles_and_state_dicts(kind):
    sparse, _ = pair(kind, bidirectional=True)
    x = torch.randn(4, 3, 5)
    wanted = outputs(sparse, x)
    stream = io.BytesIO()
    torch.save(sparse.state_dict(), stream)
    stream.seek(0)
    other, _ = pair(kind, bidirectional=True, sparsity=0.2)  # of another pattern
    other.load_state_dict(torch.load(stream, weights_only=True))
    for module in (copy.deepcopy(sparse), pickle.loads(pickle.dumps(sparse)), other):
        torch.testing.assert_close(outputs(module, x), wanted, rtol=0, atol=0)
    assert sparse.sparsity == pytest.approx(0.6, abs=0.01) and "sparsity=0.6" in repr(sparse)


@each_kind
def test_it_trains(kind):
    sparse, _ = pair(kind, layers=1, batch_first=True)
    patterns = [part.indices.clone() for part in (*sparse.inputs, *sparse.cells)]
    head = nn.Linear(7, 1)
    x = torch.randn(64, 5, 5)
    y = x[:, :, 0].sum(1, keepdim=True)
    optimizer = torch.optim.Adam([*sparse.parameters(), *head.parameters()], lr=2e-2)
    losses = []
    for _ in range(80):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(head(sparse(x)[0][:, -1]), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    for part, pattern in zip((*sparse.inputs, *sparse.cells), patterns, strict=True):
        assert torch.equal(part.indices, pattern)


class Tagger(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.layers = nn.GRU(64, 96, 2, batch_first=True, **options)
        self.last = nn.Linear(96, 3)

    def forward(self, x):
        return self.last(self.layers(x)[0])


def test_sparsify_replaces_what_gets_faster(monkeypatch):
    monkeypatch.setattr(timing, "is_faster", lambda *args, **kwargs: True)
    tagger, x = Tagger().eval(), torch.randn(2, 9, 64)
    tagger.layers.weight_hh_l0.requires_grad_(False)
    with pytest.warns(UserWarning, match="the length of its sequences is not known"):
        assert isinstance(sparsify(tagger, sparsity=0.9).layers, nn.GRU)
    fast = sparsify(tagger, sparsity=0.9, example=x)
    assert isinstance(fast.layers, SparseGRU) and fast.layers.sparsity == pytest.approx(0.9, abs=0.01)
    assert not fast.layers.cells[0].data.requires_grad and fast.layers.cells[1].data.requires_grad
    dense = copy.deepcopy(fast)
    dense.layers = fast.layers.to_dense()
    torch.testing.assert_close(fast(x), dense(x))


def test_sparsify_times_both():
    fast = sparsify(Tagger(), sparsity=0.98, example=torch.randn(2, 20, 64), batch_size=32, backward=True)
    assert isinstance(fast.layers, (SparseGRU, nn.GRU))


def test_what_does_not_fit_is_refused():
    sparse, dense = pair("lstm")
    for call, error, message in [
        (
            lambda: sparse(torch.randn(2, 3, 4)),
            snn.ArgumentError,
            r"input must have shape \(batch, steps, 5\)",
        ),
        (lambda: sparse([1.0]), TypeError, "input must be a torch.Tensor"),
        (lambda: sparse(torch.randn(2, 3, 5).double()), TypeError, "input must be float32"),
        (
            lambda: sparse(torch.randn(2, 3, 5), torch.randn(2, 3, 7)),
            TypeError,
            "hx must be a pair of tensors",
        ),
        (
            lambda: sparse(torch.randn(2, 3, 5), (torch.randn(2, 4, 7),) * 2),
            snn.ArgumentError,
            r"hx must have shape \(2, 3, 7\), got \(2, 4, 7\)",
        ),
        (lambda: SparseLSTM.from_dense(nn.GRU(3, 4)), TypeError, "dense must be a torch.nn.LSTM"),
        (
            lambda: SparseLSTM.from_dense(nn.LSTM(3, 4, proj_size=2)),
            snn.UnsupportedError,
            "no projection, got proj_size=2",
        ),
        (lambda: SparseLSTM([]), snn.ArgumentError, "weights must hold a pair"),
        (lambda: SparseGRU([(torch.zeros(3), None)]), TypeError, "weights must be scipy"),
    ]:
        with pytest.raises(error, match=message):
            call()
    packed = nn.utils.rnn.pack_padded_sequence(torch.randn(6, 2, 5), [6, 4])
    with pytest.raises(TypeError, match="input must be a torch.Tensor, got PackedSequence"):
        sparse(packed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(dense(torch.zeros(2, 3, 5))[0], sparse.to_dense()(torch.zeros(2, 3, 5))[0])
