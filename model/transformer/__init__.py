"""The encoder-decoder Transformer of Vaswani et al. (2017), from attention to logits.

Axes: batch, source, target, query, key (lengths), heads, head_dim, d_model, vocab. Masks are
boolean, True where attention is allowed. The full pass and the cached step are the same code: a
cache only saves computing keys and values of earlier tokens again.
"""

from model.transformer.attention import MASKED_SCORE, KeyValues, MultiHeadAttention
from model.transformer.encoder_decoder import (
    AttentionMaps,
    Decoder,
    DecoderCache,
    Encoder,
    Transformer,
    causal_mask,
)
from model.transformer.layers import DecoderLayer, EncoderLayer, FeedForward, LayerCache

__all__ = [
    "MASKED_SCORE",
    "AttentionMaps",
    "Decoder",
    "DecoderCache",
    "DecoderLayer",
    "Encoder",
    "EncoderLayer",
    "FeedForward",
    "KeyValues",
    "LayerCache",
    "MultiHeadAttention",
    "Transformer",
    "causal_mask",
]
