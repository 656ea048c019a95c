"""Sparse layers in gradient modes, autocast, of other types, as copies: as dense ones, or refused by name."""

from __future__ import annotations

import copy
import io
import pickle

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch_layers import each_kind, gradients, pair, same_weights_every_time  # noqa: E402

pytestmark = pytest.mark.usefixtures(same_weights_every_time.__name__)

INPUTS, OUTPUTS = 12, 7


@each_kind
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_gradient_modes(kind, mode):
    sparse, dense = kind.pair()
    x = kind.x(5).requires_grad_()
    with mode():
        got, wanted = sparse(x), dense(x)
        assert (got.requires_grad, got.is_inference()) == (wanted.requires_grad, wanted.is_inference())
        torch.testing.assert_close(got, wanted)
    with torch.inference_mode():
        seen = kind.x(5)
    for layer in (sparse, dense):
        with pytest.raises(RuntimeError, match="Inference tensors cannot be saved"):
            layer(seen)
        assert not layer.requires_grad_(False)(seen).is_inference()


@pytest.mark.parametrize("lower", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16, torch.float16])
def test_autocast(lower, given):
    sparse, dense = pair(INPUTS, OUTPUTS)
    x = torch.randn(5, INPUTS).to(given)
    exact = dense(x.float())
    results = []
    for layer in (sparse, dense):
        leaf = x.clone().requires_grad_()
        with torch.autocast("cpu", dtype=lower):
            y = layer(leaf)
        y.float().sum().backward()
        assert y.dtype == lower and leaf.grad.dtype == given
        results.append([leaf.grad.float(), *gradients(layer, sparse)])
        size = x.float().abs() @ dense.weight.abs().t() + dense.bias.abs()
        # Every input, weight and output is rounded once: three halves of eps, and what the sum adds.
        assert ((y.float() - exact).abs() <= 2 * torch.finfo(lower).eps * size).all()
    eps = 4 * torch.finfo(torch.bfloat16).eps
    torch.testing.assert_close(*results, rtol=eps, atol=eps * OUTPUTS)


@each_kind
@pytest.mark.parametrize(
    "given", [torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.bool, torch.complex64]
)
def test_other_types_are_refused(kind, given):
    sparse, dense = kind.pair()
    x = kind.x(2).to(given)
    with pytest.raises(RuntimeError):
        dense(x)
    with pytest.raises(TypeError, match=f"input must be float32 on the CPU, got {given}"):
        sparse(x)
    if given.is_floating_point:
        with pytest.raises(TypeError, match=f"must stay float32 on the CPU, got {given}"):
            sparse.to(given)(x)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (lambda: torch.ones(2, INPUTS).to_sparse(), "got one of layout torch.sparse_coo"),
        (lambda: torch.nested.nested_tensor([torch.ones(2, INPUTS)]), "got a nested one"),
        (lambda: torch.ones(2, INPUTS).numpy(), "input must be a torch.Tensor, got ndarray"),
        (lambda: torch.ones(2, INPUTS, device="meta"), "input must be float32 on the CPU, got .* on meta"),
        (lambda: torch.tensor(1.0), r"input must have shape \(..., 12\), got \(\)"),
        (lambda: torch.ones(INPUTS, 2), r"input must have shape \(..., 12\), got \(12, 2\)"),
        (lambda: torch.ones(0), r"input must have shape \(..., 12\), got \(0,\)"),
    ],
)
def test_what_is_no_batch_is_refused(x, message):
    sparse, _ = pair(INPUTS, OUTPUTS)
    with pytest.raises((TypeError, ValueError), match=message):
        sparse(x())


@each_kind
def test_the_argument_has_the_name_of_the_dense_layer(kind):
    sparse, dense = kind.pair()
    x = kind.x(2)
    torch.testing.assert_close(sparse(input=x), dense(input=x))


@each_kind
def test_copies_are_independent(kind):
    sparse, dense = kind.pair()
    x = kind.x(3)
    sparse(x)
    sparse.data.requires_grad_(False)
    stored = io.BytesIO()
    torch.save(sparse, stored)
    stored.seek(0)
    copies = [
        copy.deepcopy(sparse),
        pickle.loads(pickle.dumps(sparse)),
        torch.load(stored, weights_only=False),
        copy.deepcopy(sparse).share_memory(),
    ]
    with torch.no_grad():
        sparse.data.zero_()
    for layer in copies:
        torch.testing.assert_close(layer(x), dense(x))
        assert (layer.data.requires_grad, layer.bias.requires_grad) == (False, True)
    y = sparse(x)
    biases = sparse.bias.view(-1, *(1,) * (y.dim() - 2))
    assert torch.equal(y, biases.expand_as(y))


def test_a_pattern_written_to_is_packed_again():
    """Also in inference mode, where tensors do not count their writes."""
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            sparse, _ = pair(INPUTS, 1, sparsity=0.9)
            x = torch.randn(3, INPUTS)
            sparse(x)
            sparse.indices.copy_((sparse.indices + 1) % INPUTS)
            wanted = x @ torch.from_numpy(sparse.to_csr().toarray()).t() + sparse.bias
            torch.testing.assert_close(sparse(x), wanted)
