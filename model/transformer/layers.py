"""The layers of encoder and decoder, from attention and feed-forward."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.architecture import LAYER_NORM_EPS, Activation, Architecture
from model.transformer.attention import KeyValues, MultiHeadAttention


@dataclass(slots=True)
class LayerCache:
    """Keys and values that a decoder layer keeps between steps; the layer updates it in place."""

    self_attention: KeyValues | None = None
    cross_attention: KeyValues | None = None


class FeedForward(nn.Module):
    """`activation(x W1 + b1) W2 + b2` on each position separately."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.inner = nn.Linear(architecture.d_model, architecture.d_ff)
        self.outer = nn.Linear(architecture.d_ff, architecture.d_model)
        self.activation = _activation(architecture.activation)
        self.dropout = nn.Dropout(architecture.dropout_inside)

    def forward(self, inputs: Tensor) -> Tensor:
        """[batch, length, d_model] -> the same."""
        return self.outer(self.dropout(self.activation(self.inner(inputs))))


def _activation(name: Activation) -> nn.Module:
    return {"relu": nn.ReLU, "gelu": nn.GELU, "swish": nn.SiLU}[name]()


class _Layer(nn.Module):
    """Residual connection and normalisation around a sub-layer, in either order."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.is_pre_norm = architecture.norm_position == "pre"
        self.dropout = nn.Dropout(architecture.dropout)

    def _before(self, norm: nn.Module, inputs: Tensor) -> Tensor:
        return norm(inputs) if self.is_pre_norm else inputs

    def _after(self, norm: nn.Module, inputs: Tensor, outputs: Tensor) -> Tensor:
        total = inputs + self.dropout(outputs)
        return total if self.is_pre_norm else norm(total)


class EncoderLayer(_Layer):
    """Self-attention, then feed-forward."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.self_attention = MultiHeadAttention(architecture)
        self.self_attention_norm = layer_norm(architecture)
        self.feed_forward = FeedForward(architecture)
        self.feed_forward_norm = layer_norm(architecture)

    def forward(self, hidden: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """[batch, source, d_model] -> the same, and attention [batch, heads, source, source]."""
        inputs = self._before(self.self_attention_norm, hidden)
        attended = self.self_attention.keys_and_values(inputs)
        outputs, weights = self.self_attention(inputs, attended, mask)
        hidden = self._after(self.self_attention_norm, hidden, outputs)
        outputs = self.feed_forward(self._before(self.feed_forward_norm, hidden))
        return self._after(self.feed_forward_norm, hidden, outputs), weights


class DecoderLayer(_Layer):
    """Masked self-attention, cross-attention to the encoder, then feed-forward."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.self_attention = MultiHeadAttention(architecture)
        self.self_attention_norm = layer_norm(architecture)
        self.cross_attention = MultiHeadAttention(architecture, is_self=False)
        self.cross_attention_norm = layer_norm(architecture)
        self.feed_forward = FeedForward(architecture)
        self.feed_forward_norm = layer_norm(architecture)

    def forward(
        self,
        hidden: Tensor,
        memory: Tensor,
        self_mask: Tensor,
        cross_mask: Tensor | None,
        cache: LayerCache,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode new tokens after those in `cache`, which is extended in place.

        Returns:
            Hidden states [batch, target, d_model], self-attention [batch, heads, target, key] and
            cross-attention [batch, heads, target, source].
        """
        inputs = self._before(self.self_attention_norm, hidden)
        attended = _appended(cache.self_attention, self.self_attention.keys_and_values(inputs))
        cache.self_attention = attended
        outputs, self_weights = self.self_attention(inputs, attended, self_mask)
        hidden = self._after(self.self_attention_norm, hidden, outputs)

        if cache.cross_attention is None:
            cache.cross_attention = self.cross_attention.keys_and_values(memory)
        inputs = self._before(self.cross_attention_norm, hidden)
        outputs, cross_weights = self.cross_attention(inputs, cache.cross_attention, cross_mask)
        hidden = self._after(self.cross_attention_norm, hidden, outputs)

        outputs = self.feed_forward(self._before(self.feed_forward_norm, hidden))
        return self._after(self.feed_forward_norm, hidden, outputs), self_weights, cross_weights


def layer_norm(architecture: Architecture) -> nn.LayerNorm:
    """The norm of one sub-layer, or of a whole stack."""
    return nn.LayerNorm(architecture.d_model, eps=LAYER_NORM_EPS)


def _appended(past: KeyValues | None, new: KeyValues) -> KeyValues:
    if past is None:
        return new
    return KeyValues(torch.cat((past.key, new.key), 2), torch.cat((past.value, new.value), 2))
