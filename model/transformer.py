"""The encoder-decoder Transformer of Vaswani et al. (2017), from attention to logits.

Axes: batch, source, target, query, key (lengths), heads, head_dim, d_model, vocab. Masks are
boolean, True where attention is allowed. The full pass and the cached step are the same code: a
cache only saves computing keys and values of earlier tokens again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.architecture import LAYER_NORM_EPS, Activation, Architecture
from model.attention_scores import attention_score
from model.positions import PositionedEmbedding, RelativePositions, RotaryPositions

# Finite, so that a fully masked row becomes uniform instead of NaN; representable in bfloat16.
MASKED_SCORE = -1e9


class KeyValues(NamedTuple):
    """Keys and values of one attention, each [batch, heads, key, head_dim]."""

    key: Tensor
    value: Tensor


@dataclass(slots=True)
class LayerCache:
    """Keys and values that a decoder layer keeps between steps; the layer updates it in place."""

    self_attention: KeyValues | None = None
    cross_attention: KeyValues | None = None


@dataclass(slots=True)
class DecoderCache:
    """The caches of all layers, for the tokens decoded so far."""

    layers: list[LayerCache]
    num_tokens: int = 0


class MultiHeadAttention(nn.Module):
    """`softmax(Q K^T / sqrt(head_dim)) V` in several heads, with separate projections.

    Other scores may replace the product. Relative and rotary positions apply to self-attention
    only, where queries and keys are in one sequence; the cache holds keys before their rotation.
    """

    def __init__(self, architecture: Architecture, *, is_self: bool = True) -> None:
        super().__init__()
        d_model = architecture.d_model
        self.num_heads = architecture.num_heads
        self.score = attention_score(architecture)
        positions = architecture.positions if is_self else None
        self.rotary = RotaryPositions(architecture) if positions == "rotary" else None
        self.distance = RelativePositions(architecture) if positions == "relative" else None
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(architecture.dropout_inside)

    def keys_and_values(self, inputs: Tensor) -> KeyValues:
        """Project [batch, key, d_model] to keys and values."""
        return KeyValues(self._split(self.key(inputs)), self._split(self.value(inputs)))

    def forward(
        self, inputs: Tensor, attended: KeyValues, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Attend from every input to every key.

        Args:
            inputs: Queries before their projection, [batch, query, d_model].
            attended: Keys and values.
            mask: Bool, broadcastable to [batch, heads, query, key]; None allows everything.

        Returns:
            Output [batch, query, d_model] and attention weights [batch, heads, query, key].
        """
        # Two batched products: measured faster on CPU than the fused operator at these lengths.
        scores = self._scores(self._split(self.query(inputs)), attended.key)
        if mask is not None:
            scores = scores.masked_fill(~mask, MASKED_SCORE)
        weights = scores.softmax(dim=-1)
        context = self.dropout(weights) @ attended.value  # [batch, heads, query, head_dim]
        joined = context.transpose(1, 2).flatten(2)  # [batch, query, heads * head_dim]
        return self.output(joined), weights

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        """Scores [batch, heads, query, key] with the positions of self-attention."""
        if self.rotary is not None:
            query, key = self.rotary(query, key)
        scores: Tensor = self.score(query, key)
        if self.distance is not None:
            scores = scores + self.distance(query.shape[-2], key.shape[-2])
        return scores

    def _split(self, projected: Tensor) -> Tensor:
        """[batch, length, d_model] -> [batch, heads, length, head_dim]."""
        return projected.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


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
        self.self_attention_norm = _norm(architecture)
        self.feed_forward = FeedForward(architecture)
        self.feed_forward_norm = _norm(architecture)

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
        self.self_attention_norm = _norm(architecture)
        self.cross_attention = MultiHeadAttention(architecture, is_self=False)
        self.cross_attention_norm = _norm(architecture)
        self.feed_forward = FeedForward(architecture)
        self.feed_forward_norm = _norm(architecture)

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


def _norm(architecture: Architecture) -> nn.LayerNorm:
    return nn.LayerNorm(architecture.d_model, eps=LAYER_NORM_EPS)


def _appended(past: KeyValues | None, new: KeyValues) -> KeyValues:
    if past is None:
        return new
    return KeyValues(torch.cat((past.key, new.key), 2), torch.cat((past.value, new.value), 2))


class Encoder(nn.Module):
    """A stack of encoder layers."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        layers = [EncoderLayer(architecture) for _ in range(architecture.num_encoder_layers)]
        self.layers = nn.ModuleList(layers)
        self.final_norm = _final_norm(architecture)

    def forward(self, hidden: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """[batch, source, d_model] -> the same, and the attention of every layer."""
        attention = []
        for layer in self.layers:
            hidden, weights = layer(hidden, mask)
            attention.append(weights)
        return self.final_norm(hidden), attention


class Decoder(nn.Module):
    """A stack of decoder layers."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        layers = [DecoderLayer(architecture) for _ in range(architecture.num_decoder_layers)]
        self.layers = nn.ModuleList(layers)
        self.final_norm = _final_norm(architecture)

    def forward(
        self, hidden: Tensor, memory: Tensor, cross_mask: Tensor | None, cache: DecoderCache
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """[batch, target, d_model] -> the same, self-attention and cross-attention per layer."""
        self_mask = causal_mask(hidden.shape[1], cache.num_tokens, hidden.device)
        self_attention, cross_attention = [], []
        for layer, layer_cache in zip(self.layers, cache.layers, strict=True):
            hidden, own, cross = layer(hidden, memory, self_mask, cross_mask, layer_cache)
            self_attention.append(own)
            cross_attention.append(cross)
        cache.num_tokens += hidden.shape[1]
        return self.final_norm(hidden), self_attention, cross_attention

    @property
    def last_norm(self) -> nn.LayerNorm:
        """The norm before the output projection."""
        if isinstance(self.final_norm, nn.LayerNorm):
            return self.final_norm
        return cast("DecoderLayer", self.layers[-1]).feed_forward_norm


def _final_norm(architecture: Architecture) -> nn.Module:
    """Normalises the output of a pre-norm stack, which would be a plain sum of its layers."""
    return _norm(architecture) if architecture.norm_position == "pre" else nn.Identity()


def causal_mask(num_new: int, num_past: int, device: torch.device | None = None) -> Tensor:
    """Bool [new, past + new]: each new token sees the past, itself and nothing later."""
    full = torch.ones(num_new, num_past + num_new, dtype=torch.bool, device=device)
    return full.tril(diagonal=num_past)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionMaps:
    """Attention weights of a teacher-forced pass."""

    encoder: Tensor
    """[layers, batch, heads, source, source]."""
    decoder: Tensor
    """[layers, batch, heads, target, target]."""
    cross: Tensor
    """[layers, batch, heads, target, source]."""
    logits: Tensor = field(repr=False)
    """[batch, target, vocab]."""


class Transformer(nn.Module):
    """Source ids and target ids in, logits of each next target token out."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        size = (architecture.vocab_size, architecture.d_model)
        self.source_embedding = nn.Embedding(*size)
        self.source_positions = PositionedEmbedding(architecture)
        self.encoder = Encoder(architecture)
        self.target_embedding = nn.Embedding(*size)
        self.target_positions = PositionedEmbedding(architecture)
        self.decoder = Decoder(architecture)
        self.output_projection = nn.Linear(architecture.d_model, architecture.vocab_size)
        if architecture.tie_embeddings:
            self.target_embedding.weight = self.source_embedding.weight
            self.output_projection.weight = self.source_embedding.weight
        self._initialise()

    def forward(self, source_ids: Tensor, source_mask: Tensor | None, target_ids: Tensor) -> Tensor:
        """Logits of all target positions at once, as in training.

        Args:
            source_ids: int64 [batch, source].
            source_mask: Bool [batch, source], True on tokens; None where nothing is padded.
            target_ids: Decoder input, the start token first, int64 [batch, target].

        Returns:
            Logits [batch, target, vocab].
        """
        return self.output_projection(self.hidden(source_ids, source_mask, target_ids))

    def hidden(self, source_ids: Tensor, source_mask: Tensor | None, target_ids: Tensor) -> Tensor:
        """Like `forward`, up to the output projection: [batch, target, d_model]."""
        memory = self.encode(source_ids, source_mask)
        cache = self.new_cache()
        return self._decode(target_ids, memory, source_mask, cache)[0]

    def encode(self, source_ids: Tensor, source_mask: Tensor | None) -> Tensor:
        """Source ids [batch, source] -> memory [batch, source, d_model]."""
        return self._encode(source_ids, source_mask)[0]

    def decode(
        self,
        target_ids: Tensor,
        memory: Tensor,
        source_mask: Tensor | None,
        cache: DecoderCache | None = None,
    ) -> Tensor:
        """Logits [batch, new, vocab] after each of the new tokens [batch, new].

        With a cache they follow the tokens that it holds, and it is extended in place.
        """
        cache = cache or self.new_cache()
        hidden = self._decode(target_ids, memory, source_mask, cache)[0]
        return self.output_projection(hidden)

    def new_cache(self) -> DecoderCache:
        """An empty cache."""
        return DecoderCache([LayerCache() for _ in self.decoder.layers])

    def attention_maps(
        self,
        source_ids: Tensor,
        source_mask: Tensor | None,
        target_ids: Tensor,
        *,
        is_cached: bool = False,
    ) -> AttentionMaps:
        """Every attention weight of the teacher-forced pass; arguments as in `forward`.

        With `is_cached` the target is decoded token by token, as in a search.
        """
        memory, encoder = self._encode(source_ids, source_mask)
        steps = target_ids.split(1, dim=1) if is_cached else (target_ids,)
        cache = self.new_cache()
        outputs = [self._decode(step, memory, source_mask, cache) for step in steps]
        hidden, decoder, cross = zip(*outputs, strict=True)
        return AttentionMaps(
            encoder=torch.stack(encoder),
            decoder=_joined_rows(decoder, target_ids.shape[1]),
            cross=_joined_rows(cross, source_ids.shape[1]),
            logits=self.output_projection(torch.cat(hidden, dim=1)),
        )

    def _encode(
        self, source_ids: Tensor, source_mask: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        embedded = self.source_positions(self.source_embedding(source_ids))
        return self.encoder(embedded, _over_keys(source_mask))

    def _decode(
        self, target_ids: Tensor, memory: Tensor, source_mask: Tensor | None, cache: DecoderCache
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        embedded = self.target_embedding(target_ids)
        embedded = self.target_positions(embedded, first_position=cache.num_tokens)
        return self.decoder(embedded, memory, _over_keys(source_mask), cache)

    def _initialise(self) -> None:
        """Unit variance for scaled embeddings, learned positions and logits; Glorot for matrices.

        As an output projection, a tied embedding that is not scaled is too large by a factor of
        sqrt(d_model): the gain of the last norm compensates.
        """
        narrow = self.architecture.d_model**-0.5
        for name, parameter in self.named_parameters():
            if name.endswith("embedding.weight"):
                nn.init.normal_(parameter, std=1 / self.source_positions.scale)
            elif name == "output_projection.weight":
                nn.init.normal_(parameter, std=narrow)
            elif parameter.dim() == 2 and "positions" not in name:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        if self.architecture.tie_embeddings and not self.architecture.scale_embedding:
            nn.init.constant_(self.decoder.last_norm.weight, narrow)


def _joined_rows(steps: Sequence[Sequence[Tensor]], num_keys: int) -> Tensor:
    """Per step and layer [batch, heads, new, keys so far] -> [layers, batch, heads, target, keys].

    Keys that did not exist yet have the weight 0.
    """
    stacked = [torch.stack(list(step)) for step in steps]
    padded = [functional.pad(step, (0, num_keys - step.shape[-1])) for step in stacked]
    return torch.cat(padded, dim=-2)


def _over_keys(mask: Tensor | None) -> Tensor | None:
    """[batch, key] -> [batch, 1, 1, key]: the same for every head and query."""
    return None if mask is None else mask[:, None, None, :]
