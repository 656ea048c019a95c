"""Fused operators of ONNX Runtime's, and the switches of its optimizer that leave them out."""

from __future__ import annotations

SWITCHES = {
    "Attention": "--disable_attention",
    "MultiHeadAttention": "--disable_attention",
    "PackedAttention": "--disable_attention",
    "PackedMultiHeadAttention": "--disable_attention",
    "LayerNormalization": "--disable_layer_norm",
    "SimplifiedLayerNormalization": "--disable_layer_norm",
    "SkipLayerNormalization": "--disable_skip_layer_norm",
    "SkipSimplifiedLayerNormalization": "--disable_skip_layer_norm",
    "EmbedLayerNormalization": "--disable_embed_layer_norm",
    "Gelu": "--disable_gelu",
    "BiasGelu": "--disable_bias_gelu",
    "FastGelu": "--disable_bias_gelu and without --approximate_gelu",
    "QuickGelu": "--disable_gelu",
    "RotaryEmbedding": "--disable_rotary_embeddings",
}


def switch(op: str) -> str:
    """What to give the optimizer so that a file has no such operator."""
    return SWITCHES.get(op, "--opt_level 0")
