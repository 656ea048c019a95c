"""Transformer encoders with random weights, for token ids or patches."""

from __future__ import annotations

import math

import numpy as np

from .checks import check_flag, check_integer, check_real
from .errors import ArgumentError
from .graph.value import Input, Value
from .layers import (
    GELU,
    Add,
    Attention,
    Conv2d,
    Div,
    Embedding,
    LayerNorm,
    Linear,
    Max,
    Mul,
    Pad,
    Prefix,
    ReduceMean,
    ReduceSum,
    Reshape,
    Slice,
    StepwiseLinear,
    Sub,
    Transpose,
)
from .model import Model
from .sparse_init import random_layer, stored_counts

POOLINGS = ("mean", "first", "every")
HIDDEN_SCORE = -1e9  # added to the scores of padding: far from any other, and finite


def encoder(
    words: int,
    hidden: int,
    outputs: int,
    *,
    blocks: int = 2,
    heads: int = 4,
    inner: int | None = None,
    pooling: str = "mean",
    patches: bool = False,
    mask: bool = False,
    tokens: int | None = None,
    places: int = 512,
    norm_first: bool = True,
    sparsity: float = 0.0,
    pattern: str = "erdos_renyi",
    seed: int = 0,
) -> Model:
    """A transformer encoder with random weights, dense or sparse from the start.

    words       rows of the table of words: the input "ids" is (batch, tokens), whole numbers below that. With
                patches, numbers of a patch: the input "patches" is (batch, tokens, words), as of an image or
                of a series cut into pieces
    hidden, outputs   features of a token within, a multiple of heads, and of the output "y"
    blocks, heads, inner   attention and two linear layers with a GELU in between, inner features wide; None:
                4 hidden
    pooling     "mean" of the tokens; "first", what the first token has become; "every": an output a token.
                Patches have a learned token of their own in front for "first"
    mask        a second input "mask" (batch, tokens): 1 for tokens that count, 0 for padding behind them,
                which nothing sees and no mean counts
    tokens      None: any number
    places      learned places: so many tokens at most
    norm_first  normalised in front of attention and linear layers, which trains without warm-up (Xiong et al.
                2020, arXiv:2002.04745); False: behind them, as BERT is
    sparsity, pattern   as mlp takes them, over all matrices; tables stay dense
    seed        of the random weights; the same seed gives the same model

    Matrices are normal with variance 2 / (in + out) (Glorot and Bengio 2010), rows of tables have a size of
    about 1, biases are zero. Sparse ones: sparse_init.random_layer.

    >>> import sparsenn as snn
    >>> model = snn.encoder(100, 32, 3, mask=True)
    >>> model.predict({"ids": [[5, 17, 0]], "mask": [[1, 1, 0]]}).shape
    (1, 3)

    Source: Vaswani et al. 2017, arXiv:1706.03762; Devlin et al. 2019, arXiv:1810.04805
    """
    sizes = {"words": words, "hidden": hidden, "outputs": outputs, "blocks": blocks, "heads": heads}
    sizes |= {"inner": 4 * hidden if inner is None else inner, "places": places}
    sizes = {name: check_integer(name, size, minimum=1) for name, size in sizes.items()}
    if sizes["hidden"] % sizes["heads"]:
        raise ArgumentError(f"hidden must be a multiple of heads, got {hidden} and {heads}")
    if pooling not in POOLINGS:
        raise ArgumentError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}")
    patches, mask = check_flag("patches", patches), check_flag("mask", mask)
    norm_first = check_flag("norm_first", norm_first)
    tokens = None if tokens is None else check_integer("tokens", tokens, minimum=1)
    extra = patches and pooling == "first"
    if tokens is not None and tokens + extra > sizes["places"]:
        raise ArgumentError(f"places must be at least the {tokens + extra} tokens, got {sizes['places']}")
    builder = _Builder(sizes, check_real("sparsity", sparsity, below=1.0), pattern, seed, patches)
    counted = Input((tokens,), name="mask") if mask else None
    dims, name = ((tokens, sizes["words"]), "patches") if patches else ((tokens,), "ids")
    source = Input(dims, name=name)
    x, seen = builder.embedded(source, counted, extra)
    added = None
    if seen is not None:
        added = Mul()(Sub()(np.ones(1), Reshape((1, 1, -1))(seen)), np.full(1, HIDDEN_SCORE))
    for _ in range(sizes["blocks"]):
        x = builder.block(x, added, norm_first)
    x = builder.normalised(x) if norm_first else x
    inputs = [source] if counted is None else [source, counted]
    return Model(inputs=inputs, outputs={"y": builder.pooled(x, seen, pooling)})


class _Builder:
    """Values are (batch, features, tokens) from the first block to the last."""

    def __init__(self, sizes: dict[str, int], sparsity: float, pattern: str, seed, patches: bool):
        self.sizes, self.hidden, self.patches = sizes, sizes["hidden"], patches
        self.generator = np.random.default_rng(check_integer("seed", seed, minimum=0))
        hidden, inner = sizes["hidden"], sizes["inner"]
        shapes = [(hidden, sizes["words"])] if patches else []
        shapes += [*[(hidden, hidden)] * 4, (inner, hidden), (hidden, inner)] * sizes["blocks"]
        shapes += [(sizes["outputs"], hidden)]
        self.counts = stored_counts(shapes, sparsity, pattern)

    def embedded(self, source: Value, counted: Value | None, extra: bool) -> tuple[Value, Value | None]:
        """What the first block reads, and which of its tokens count (batch, 1, tokens)."""
        if self.patches:
            x = Transpose((2, 1))(StepwiseLinear(*self._linear(self.hidden, self.sizes["words"]))(source))
        else:
            x = Transpose((2, 1))(Embedding(self._table(self.sizes["words"]))(source))
        seen = None if counted is None else Reshape((1, -1))(counted)
        if extra:  # the token in front is what its place is
            x = Pad(2, 1, 0)(x)
            seen = None if seen is None else Pad(2, 1, 0, fill=1.0)(seen)
        numbers = Prefix(axis=1, of=2)(np.arange(self.sizes["places"]), x)
        return Add()(x, Transpose((2, 1))(Embedding(self._table(self.sizes["places"]))(numbers))), seen

    def block(self, x: Value, added: Value | None, norm_first: bool) -> Value:
        """added: what a mask adds to scores, or None."""
        for part in (lambda h: self._attention(h, added), self._inner):
            x = Add()(part(self.normalised(x) if norm_first else x), x)
            x = x if norm_first else self.normalised(x)
        return x

    def normalised(self, x: Value) -> Value:
        return LayerNorm(np.ones(self.hidden), axis=1)(x)

    def pooled(self, x: Value, seen: Value | None, pooling: str) -> Value:
        weight, bias = self._linear(self.sizes["outputs"], self.hidden)
        if pooling == "every":
            return StepwiseLinear(weight, bias)(Transpose((2, 1))(x))
        if pooling == "first":
            whole = Slice(axis=2, start=0, end=1)(x)
        elif seen is None:
            whole = ReduceMean(2)(x)
        else:
            count = Max()(ReduceSum(2)(seen), np.ones((1, 1)))
            whole = Div()(ReduceSum(2)(Mul()(x, seen)), count)
        return Linear(weight, bias)(Reshape((self.hidden,))(whole))

    def _attention(self, x: Value, added: Value | None) -> Value:
        heads = self.sizes["heads"]
        shape = (heads, self.hidden // heads, -1)
        q, k, v = (Reshape(shape)(self._at_each(x, self.hidden)) for _ in range(3))
        mixed = Attention()(q, k, v) if added is None else Attention()(q, k, v, added)
        mixed = Reshape((self.hidden, -1))(mixed)
        return self._at_each(mixed, self.hidden)

    def _inner(self, x: Value) -> Value:
        return self._at_each(self._at_each(x, self.sizes["inner"], GELU()), self.hidden)

    def _at_each(self, x: Value, rows: int, activation=None) -> Value:
        """A linear layer at each token, a convolution of one place."""
        made = Conv2d(*self._linear(rows, x.dims[1]), kernel_size=1)(Reshape((x.dims[1], 1, -1))(x))
        return Reshape((rows, -1))(made if activation is None else activation(made))

    def _table(self, rows: int) -> np.ndarray:
        return self.generator.standard_normal((rows, self.hidden)) / math.sqrt(self.hidden)

    def _linear(self, rows: int, columns: int) -> tuple:
        count = self.counts.pop(0)
        bias = np.zeros(rows, np.float32)
        if count < rows * columns:
            return random_layer((rows, columns), count, self.generator, rectified=False), bias
        scale = math.sqrt(2.0 / (rows + columns))
        return (self.generator.standard_normal((rows, columns)) * scale).astype(np.float32), bias
