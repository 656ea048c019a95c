"""Small encoders of random weights in plain torch, as BERT, DistilBERT and ViT are written. Needs torch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

GELU = {
    "erf": F.gelu,
    "tanh": lambda x: F.gelu(x, approximate="tanh"),
    "formula": lambda x: x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0))),
    "formula of tanh": lambda x: (
        0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3))))
    ),
    "quick": lambda x: x * torch.sigmoid(1.702 * x),
}


class PlainNorm(nn.Module):
    """Layer normalisation as a formula."""

    def __init__(self, size: int, eps: float = 1e-12):
        super().__init__()
        self.weight = nn.Parameter(1 + 0.1 * torch.randn(size))
        self.bias = nn.Parameter(0.1 * torch.randn(size))
        self.eps = eps

    def forward(self, x):
        off = x - x.mean(-1, keepdim=True)
        return self.weight * (off / torch.sqrt(off.pow(2).mean(-1, keepdim=True) + self.eps)) + self.bias


class SelfAttention(nn.Module):
    """form: "added" masks, "filled" ones, or "sdpa" with booleans."""

    def __init__(self, hidden: int, heads: int, form: str):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(hidden, hidden) for _ in range(4))
        self.heads, self.form = heads, form

    def forward(self, x, mask):
        batch, tokens, hidden = x.shape
        size = hidden // self.heads
        q, k, v = (
            part(x).view(batch, tokens, self.heads, size).transpose(1, 2) for part in (self.q, self.k, self.v)
        )
        if self.form == "sdpa":
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        elif self.form == "filled":
            scores = torch.matmul(q / math.sqrt(size), k.transpose(2, 3))
            hidden_keys = (mask == 0).view(batch, 1, 1, tokens).expand_as(scores)
            scores = scores.masked_fill(hidden_keys, torch.tensor(torch.finfo(scores.dtype).min))
            mixed = torch.matmul(F.softmax(scores, dim=-1), v)
        else:
            scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(size) + mask
            mixed = torch.matmul(F.softmax(scores, dim=-1), v)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, hidden))


class Block(nn.Module):
    """pre: normalised in front of both halves, else behind them."""

    def __init__(self, hidden: int, heads: int, inner: int, form: str, gelu: str, norm, pre: bool):
        super().__init__()
        self.attention = SelfAttention(hidden, heads, form)
        self.up, self.down = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.first, self.second, self.gelu, self.pre = norm(hidden), norm(hidden), GELU[gelu], pre

    def forward(self, x, mask):
        if self.pre:
            x = x + self.attention(self.first(x), mask)
            return x + self.down(self.gelu(self.up(self.second(x))))
        x = self.first(x + self.attention(x, mask))
        return self.second(x + self.down(self.gelu(self.up(x))))


class Bert(nn.Module):
    """Token ids and a mask of padding -> what each token has become, and a pooled first one.

    form      of the mask, see SelfAttention; "indexed": booleans by the numbers of samples and tokens, and
              types of tokens gathered from a buffer, as the transformers package writes both
    counted   places count the tokens that are no padding, id 1, as RoBERTa's do
    """

    def __init__(
        self, *, form="added", gelu="erf", norm=nn.LayerNorm, types=True, counted=False, layers=2, added=False
    ):
        super().__init__()
        self.added = added
        hidden, heads, self.indexed = 48, 4, form == "indexed"
        form = "sdpa" if self.indexed else form
        self.words, self.places = nn.Embedding(101, hidden), nn.Embedding(64, hidden)
        self.types = nn.Embedding(2, hidden) if types else None
        self.register_buffer("ids", torch.arange(64)[None])
        self.register_buffer("type_ids", torch.zeros(1, 64, dtype=torch.int64))
        self.norm, self.form, self.counted = norm(hidden), form, counted
        self.blocks = nn.ModuleList(
            Block(hidden, heads, 2 * hidden, form, gelu, norm, pre=False) for _ in range(layers)
        )
        self.pool = nn.Linear(hidden, hidden)

    def forward(self, input_ids, attention_mask):
        batch, tokens = input_ids.size()
        places = self.ids[:, :tokens]
        if self.counted:
            real = input_ids.ne(1).int()
            places = (torch.cumsum(real, dim=1).type_as(real) * real).long() + 1
        x = self.words(input_ids) + self.places(places)
        if self.indexed:
            own = torch.gather(self.type_ids.expand(places.shape[0], -1), 1, places)
            x = x + self.types(own.expand(batch, tokens))
        elif self.types is not None:
            x = x + self.types(torch.zeros_like(input_ids))
        x, mask = self.norm(x), attention_mask
        if self.indexed:
            sample, token = torch.arange(batch)[:, None, None, None], torch.arange(tokens)
            seen = (token[None, None, :, None] >= 0) & attention_mask.bool()[sample, token[None, None, None]]
            mask = torch.where(seen, 0.0, torch.finfo(x.dtype).min) if self.added else seen
        elif self.form == "sdpa":
            mask = attention_mask[:, None, None, :].bool().expand(batch, 1, tokens, tokens)
        elif self.form == "added":
            mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        for block in self.blocks:
            x = block(x, mask)
        return x, torch.tanh(self.pool(x[:, 0]))


class ViT(nn.Module):
    """Images -> scores, of patches and a token in front of them."""

    def __init__(self, hidden=48, heads=3, size=32, patch=8, layers=2):
        super().__init__()
        self.patches = nn.Conv2d(3, hidden, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, hidden))
        self.places = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, hidden) * 0.1)
        self.blocks = nn.ModuleList(
            Block(hidden, heads, 2 * hidden, "sdpa", "erf", nn.LayerNorm, pre=True) for _ in range(layers)
        )
        self.norm, self.out = nn.LayerNorm(hidden), nn.Linear(hidden, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        for block in self.blocks:
            x = block(x, None)
        return self.out(self.norm(x)[:, 0])


class Rotary(nn.Module):
    """Token ids -> what each has become: RMSNorm in front, rotated places, shared keys and values, a gate."""

    def __init__(self, *, causal: bool, layers: int = 2):
        super().__init__()
        hidden, self.heads, self.groups, self.causal = 48, 4, 2, causal
        self.size = hidden // self.heads
        shared, linear = self.groups * self.size, lambda *sizes: nn.Linear(*sizes, bias=False)
        self.words = nn.Embedding(101, hidden)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    **{"q": linear(hidden, hidden), "k": linear(hidden, shared), "v": linear(hidden, shared)},
                    **{"out": linear(hidden, hidden), "gate": linear(hidden, 96), "up": linear(hidden, 96)},
                    "down": linear(96, hidden),
                }
            )
            for _ in range(layers)
        )
        self.gains = nn.ParameterList(1 + 0.1 * torch.randn(hidden) for _ in range(2 * layers))
        self.register_buffer("turns", 10000.0 ** -(torch.arange(0, self.size, 2) / self.size))

    def attention(self, part, x, rotated):
        batch, tokens, hidden = x.shape
        q, k, v = (
            part[name](x).view(batch, tokens, heads, self.size).transpose(1, 2)
            for name, heads in (("q", self.heads), ("k", self.groups), ("v", self.groups))
        )
        k, v = (
            own[:, :, None].expand(batch, self.groups, self.heads // self.groups, tokens, self.size)
            .reshape(batch, self.heads, tokens, self.size)
            for own in (rotated(k), v)
        )  # fmt: skip
        scores = rotated(q) @ k.transpose(-1, -2) / math.sqrt(self.size)
        if self.causal:
            scores = scores + torch.full((tokens, tokens), torch.finfo(x.dtype).min).triu(1)
        return part["out"]((torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(batch, tokens, hidden))

    def forward(self, input_ids):
        x, half = self.words(input_ids), self.size // 2
        angles = torch.arange(input_ids.shape[1], device=x.device).float()[:, None] * self.turns[None]
        cos, sin = (torch.cat([own, own], -1) for own in (angles.cos(), angles.sin()))

        def rotated(y):
            return y * cos + torch.cat([-y[..., half:], y[..., :half]], -1) * sin

        def normalised(y, gain):
            return gain * (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6))

        for i, part in enumerate(self.blocks):
            x = x + self.attention(part, normalised(x, self.gains[2 * i]), rotated)
            y = normalised(x, self.gains[2 * i + 1])
            x = x + part["down"](F.silu(part["gate"](y)) * part["up"](y))
        return x
