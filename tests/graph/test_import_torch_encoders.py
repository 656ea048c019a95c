"""Encoders as torch modules: torch.nn's own and hand-written ones, of fixed and of any number of tokens."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

import torch.nn.functional as F  # noqa: E402
from graphs import only  # noqa: E402
from torch import nn  # noqa: E402

import sparsenn as snn  # noqa: E402
from sparsenn.reference import reference_with_bound  # noqa: E402


class Text(nn.Module):
    """Ids and a mask of padding through torch's own encoder."""

    def __init__(self, **options):
        super().__init__()
        self.words, self.places = nn.Embedding(50, 24), nn.Embedding(64, 24)
        self.register_buffer("ids", torch.arange(64)[None])
        layer = nn.TransformerEncoderLayer(24, 4, 48, batch_first=True, **options)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(24), enable_nested_tensor=False)
        self.out = nn.Linear(24, 5)

    def forward(self, ids, seen):
        x = self.words(ids) + self.places(torch.narrow(self.ids, 1, 0, ids.size(1)))
        return self.out(self.encoder(x, src_key_padding_mask=(seen == 0))[:, 0])


class Mixed(nn.Module):
    """Attention by hand, in one of several ways."""

    def __init__(self, form: str):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(24, 24) for _ in range(3))
        self.form, self.norm = form, nn.RMSNorm(24, 1e-6) if form == "causal" else nn.LayerNorm(24)
        self.own = nn.MultiheadAttention(24, 4, batch_first=True)

    def forward(self, x, seen):
        batch, tokens = x.size(0), x.size(1)
        q, k, v = (own(x).view(batch, tokens, 4, 6).transpose(1, 2) for own in (self.q, self.k, self.v))
        if self.form == "booleans":
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :] > 0.5)
        elif self.form == "causal":
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.5)
        elif self.form == "products":
            mask = (1 - seen[:, None, None, :]) * -1e9
            mixed = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(6) + mask, -1) @ v
        else:
            later = torch.ones(8, 8, dtype=torch.bool).triu(1)
            made = self.own(x, x, x, key_padding_mask=seen == 0, attn_mask=later, need_weights=False)
            return self.norm(x + made[0])
        return self.norm(x + mixed.transpose(1, 2).reshape(batch, tokens, 24))


def assert_same(module, model, given: dict) -> None:
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    with torch.no_grad():
        wanted = module(*(torch.from_numpy(array) for array in given.values())).numpy()
    used = {value.name: given[value.name] for value in model.input_values}
    exact, bound = reference_with_bound(model, only(used))
    got = plan.run(only(used))
    assert (abs(got - exact) <= bound).all()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=4e-6 * abs(wanted).max())


def drawn(rng, batch: int, tokens: int, kind=np.int64) -> dict:
    seen = np.ones((batch, tokens), kind)
    seen[1:, max(1, tokens // 2) :] = 0
    return {"ids": rng.integers(0, 50, (batch, tokens)), "seen": seen}


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_encoders_of_torch(norm_first, activation):
    torch.manual_seed(0)
    module, rng = Text(norm_first=norm_first, activation=activation).eval(), np.random.default_rng(0)
    example = [torch.from_numpy(array) for array in drawn(rng, 2, 9).values()]
    fixed = snn.from_torch(module, example)
    model = snn.from_torch(module, input_shapes={"ids": (None, None), "seen": (None, None)})
    assert sum(isinstance(layer, snn.Attention) for layer in model.layers) == 2
    assert {type(layer).__name__ for layer in model.layers}.isdisjoint({"MatMul", "AxisSoftmax", "Expand"})
    assert_same(module, fixed, drawn(rng, 3, 9))
    for batch, tokens in ((1, 1), (2, 9), (3, 64)):
        assert_same(module, model, drawn(rng, batch, tokens))


@pytest.mark.parametrize("form", ["booleans", "causal", "products", "module"])
def test_attention_by_hand(form):
    torch.manual_seed(1)
    module, rng = Mixed(form).eval(), np.random.default_rng(1)

    def given(batch: int, tokens: int) -> dict:
        seen = drawn(rng, batch, tokens, np.float32)["seen"]
        return {"x": rng.standard_normal((batch, tokens, 24), dtype=np.float32), "seen": seen}

    example = {name: torch.from_numpy(array) for name, array in given(2, 8).items()}
    model = snn.from_torch(module, example)
    assert sum(isinstance(layer, snn.Attention) for layer in model.layers) == 1
    assert_same(module, model, given(3, 8))
    if form != "module":  # whose mask is of 8 tokens
        model = snn.from_torch(module, input_shapes={"x": (None, None, 24), "seen": (None, None)})
        assert_same(module, model, given(2, 33))


def test_what_is_refused():
    class Weights(nn.Module):
        def __init__(self):
            super().__init__()
            self.own = nn.MultiheadAttention(8, 2)

        def forward(self, x):
            return self.own(x, x, x)[0]

    with pytest.raises(snn.UnsupportedError, match="have batch_first=True, and neither kdim"):
        snn.from_torch(Weights(), torch.randn(2, 3, 8))
    with pytest.raises(snn.UnsupportedError, match="normalise the last dimension of data alone"):
        snn.from_torch(nn.LayerNorm((3, 8)), torch.randn(2, 3, 8))
