"""The stacks of layers, and the whole network from ids to logits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.architecture import Architecture
from model.transformer.layers import DecoderLayer, EncoderLayer, LayerCache, layer_norm
from model.transformer.positions import PositionedEmbedding


@dataclass(slots=True)
class DecoderCache:
    """The caches of all layers, for the tokens decoded so far."""

    layers: list[LayerCache]
    num_tokens: int = 0


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
    return layer_norm(architecture) if architecture.norm_position == "pre" else nn.Identity()


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
