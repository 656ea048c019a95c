"""Encoders of the BERT family from tensors and config.json, as the transformers package names both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from .. import layers as snn
from ..checks import as_float32, check_finite
from ..errors import ArgumentError, UnsupportedError
from ..graph.value import Input, Value
from ..model import Model
from ._steps import BREAK_EVEN

ACTIVATIONS: dict[str, Callable] = {
    "gelu": snn.GELU,
    **dict.fromkeys(("gelu_new", "gelu_pytorch_tanh", "gelu_fast"), snn.GELUTanh),
    "relu": snn.ReLU,
    **dict.fromkeys(("silu", "swish"), snn.SiLU),
}
HIDDEN = np.finfo(np.float32).min  # what is added to the scores of padding
MOST_EPSILON = 1.0


@dataclass(frozen=True)
class Names:
    """Of the settings and of the tensors; {} is the number of a block."""

    hidden: str = "hidden_size"
    layers: str = "num_hidden_layers"
    heads: str = "num_attention_heads"
    activation: str = "hidden_act"
    block: str = "encoder.layer.{}."
    q: str = "attention.self.query"
    k: str = "attention.self.key"
    v: str = "attention.self.value"
    out: str = "attention.output.dense"
    first_norm: str = "attention.output.LayerNorm"
    up: str = "intermediate.dense"
    down: str = "output.dense"
    second_norm: str = "output.LayerNorm"


BERT = Names()
DISTILBERT = Names(
    hidden="dim", layers="n_layers", heads="n_heads", activation="activation", block="transformer.layer.{}.",
    q="attention.q_lin", k="attention.k_lin", v="attention.v_lin", out="attention.out_lin",
    first_norm="sa_layer_norm", up="ffn.lin1", down="ffn.lin2", second_norm="output_layer_norm",
)  # fmt: skip
COUNTED = ("roberta", "xlm-roberta", "camembert")  # places are counted from the ids
KINDS = {"bert": BERT, "distilbert": DISTILBERT, **dict.fromkeys(COUNTED, BERT)}


def encoder(config: Mapping, names: Iterable[str], read: Callable[[str], np.ndarray]) -> Model:
    """input_ids and attention_mask (batch, tokens) -> last_hidden_state (batch, tokens, features).

    config   the settings, of config.json
    names    every tensor's name;  read   the tensor of that name
    Tokens are all of the first type. A second output, pooler_output (batch, features), is there where its
    weights are; heads behind the encoder are left out. Source: Devlin et al. 2019, arXiv:1810.04805
    """
    kind = config.get("model_type") if isinstance(config, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise UnsupportedError(f"model_type of config must be one of {', '.join(KINDS)}, got {kind!r:.80}")
    for key, wanted in (
        ("position_embedding_type", "absolute"), ("is_decoder", False), ("add_cross_attention", False)
    ):  # fmt: skip
        if config.get(key, wanted) != wanted:
            raise UnsupportedError(f"{key} of config must be {wanted!r}, got {config[key]!r:.80}")
    made = _Encoder(config, kind, set(names), read)
    model = made.model()
    made.check_all_read()
    return model


class _Encoder:
    def __init__(self, config: Mapping, kind: str, names: set[str], read: Callable[[str], np.ndarray]):
        self.config, self.kind, self.own = config, kind, KINDS[kind]
        start = f"{'roberta' if kind in COUNTED else kind}."
        self.prefix = start if any(name.startswith(start) for name in names) else ""
        self.names, self.read, self.seen = names, read, set()
        self.hidden, self.heads, self.count = (
            self.whole(key) for key in (self.own.hidden, self.own.heads, self.own.layers)
        )
        if self.hidden % self.heads:
            raise ArgumentError(
                f"{self.own.heads} of config must divide the {self.hidden} features, got {self.heads}"
            )
        self.epsilon = config.get("layer_norm_eps", 1e-12)
        if type(self.epsilon) not in (int, float) or not 0 <= self.epsilon <= MOST_EPSILON:
            raise ArgumentError(
                f"layer_norm_eps of config must be a number in [0, {MOST_EPSILON:g}], got "
                f"{self.epsilon!r:.80}"
            )
        activation = config.get(self.own.activation, "gelu")
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise UnsupportedError(
                f"{self.own.activation} of config must be one of {known}, got {activation!r:.80}"
            )
        self.activation = ACTIVATIONS[activation]

    def whole(self, key: str, default: int | None = None, minimum: int = 1) -> int:
        value = self.config.get(key, default)
        if type(value) is not int or not minimum <= value < 1 << 20:
            raise ArgumentError(
                f"{key} of config must be a whole number in [{minimum}, 2^20), got {value!r:.80}"
            )
        return value

    def tensor(self, name: str, *shape: int | None) -> np.ndarray:
        """As float32, finite, of that shape; None: any size."""
        full = self.prefix + name
        if full not in self.names:
            raise ArgumentError(f"the file must have the tensor {full!r}")
        self.seen.add(full)
        array = self.read(full)
        if array.dtype.kind != "f":
            raise UnsupportedError(
                f"tensor {full!r} must hold floating-point numbers, got {array.dtype}: what whole numbers "
                "are to be multiplied by is not known"
            )
        check_finite(array, f"tensor {full!r}")
        array = as_float32(array, f"tensor {full!r}")
        sizes = zip(array.shape, shape, strict=False)
        if array.ndim != len(shape) or any(own != size for own, size in sizes if size is not None):
            shown = tuple("any" if size is None else size for size in shape)
            raise ArgumentError(f"tensor {full!r} must have shape {shown}, got {array.shape}")
        return array

    def linear(self, x: Value, name: str, rows: int | None, columns: int) -> Value:
        """At every token: x (batch, columns, tokens) -> (batch, rows, tokens)."""
        weight = self.tensor(f"{name}.weight", rows, columns)
        bias = self.tensor(f"{name}.bias", len(weight))
        if np.count_nonzero(weight) <= (1 - BREAK_EVEN) * weight.size:
            weight = scipy.sparse.csr_array(weight)
        made = snn.Conv2d(weight, bias, kernel_size=1)(snn.Reshape((columns, 1, -1))(x))
        return snn.Reshape((weight.shape[0], -1))(made)

    def norm(self, x: Value, name: str, axis: int = 1) -> Value:
        old = f"{self.prefix}{name}.gamma" in self.names  # as the first files name them
        scale, shift = (
            self.tensor(f"{name}.{part}", self.hidden)
            for part in (("gamma", "beta") if old else ("weight", "bias"))
        )
        return snn.LayerNorm(scale, shift, axis=axis, epsilon=self.epsilon)(x)

    def block(self, x: Value, mask: Value, start: str) -> Value:
        own, size = self.own, self.hidden

        def split(name: str) -> Value:
            return snn.Reshape((self.heads, size // self.heads, -1))(self.linear(x, start + name, size, size))

        mixed = snn.Reshape((size, -1))(snn.Attention()(split(own.q), split(own.k), split(own.v), mask))
        x = self.norm(snn.Add()(self.linear(mixed, start + own.out, size, size), x), start + own.first_norm)
        up = self.activation()(self.linear(x, start + own.up, None, size))
        down = self.linear(up, start + own.down, size, up.dims[1])
        return self.norm(snn.Add()(down, x), start + own.second_norm)

    def places(self, ids: Value, x: Value, table: np.ndarray) -> Value:
        """The rows of the table for the places of tokens."""
        if self.kind not in COUNTED:
            return snn.Prefix()(table, x)
        padding = np.float32(self.whole("pad_token_id", 1, minimum=0))
        real = snn.Sub()(1.0, snn.Equal()(ids, padding))
        number = snn.Prefix()(np.arange(len(table), dtype=np.float32), ids)
        before = snn.LessEqual()(snn.Reshape((-1, 1))(number), snn.Reshape((1, -1))(number))
        counted = snn.Reshape((-1,))(snn.MatMul()(snn.Reshape((1, -1))(real), before))
        return snn.Embedding(table)(snn.Add()(snn.Mul()(counted, real), padding))

    def model(self) -> Model:
        ids, seen = Input((None,), name="input_ids"), Input((None,), name="attention_mask")
        start = "embeddings."
        x = snn.Embedding(self.tensor(f"{start}word_embeddings.weight", None, self.hidden))(ids)
        table = self.tensor(f"{start}position_embeddings.weight", None, self.hidden)
        types = f"{start}token_type_embeddings.weight"
        if self.prefix + types in self.names:
            table = table + self.tensor(types, None, self.hidden)[:1]
        x = self.norm(snn.Add()(x, self.places(ids, x, table)), f"{start}LayerNorm", axis=2)
        x = snn.Transpose((2, 1))(x)
        mask = snn.Mul()(snn.Sub()(1.0, snn.Reshape((1, 1, -1))(seen)), HIDDEN)
        for index in range(self.count):
            x = self.block(x, mask, self.own.block.format(index))
        outputs = {"last_hidden_state": snn.Transpose((2, 1))(x)}
        if f"{self.prefix}pooler.dense.weight" in self.names:
            first = snn.Slice(axis=2, start=0, end=1)(x)
            pooled = self.linear(first, "pooler.dense", self.hidden, self.hidden)
            outputs["pooler_output"] = snn.Tanh()(snn.Reshape((self.hidden,))(pooled))
        return Model(inputs=[ids, seen], outputs=outputs)

    def check_all_read(self) -> None:
        """UnsupportedError for tensors of the encoder whose effect is not known."""
        parts = ("embeddings.", self.own.block.split("{")[0], "pooler.")
        inside = {name for name in self.names if name.startswith(tuple(self.prefix + own for own in parts))}
        if unknown := sorted(inside - self.seen - {f"{self.prefix}embeddings.position_ids"}):
            raise UnsupportedError(
                f"the meaning of some tensors of the encoder is not known: {', '.join(unknown[:8])}"
            )
