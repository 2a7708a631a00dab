"""A state dict as torch's own Transformer runs it: what an import is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bundle.manifest import SpecialIds
from export.importers.activations import activation_module
from export.importers.torch_layers import StackShape
from export.network import Float32
from export.reference import BeamTranslation, GreedyTranslation, Ids
from model.greedy import pad_sources


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchTransformer:
    """What `nn.Transformer` is made with, and what is around it."""

    encoder: StackShape
    decoder: StackShape
    num_heads: int
    activation: str
    """By the manifest's name."""
    norm_first: bool
    layer_norm_eps: float
    embedding_scale: float
    source_embedding: Float32
    target_embedding: Float32
    source_positions: Float32
    target_positions: Float32
    generator: Float32
    generator_bias: Float32
    special_ids: SpecialIds


class TorchReference:
    """Runs both stacks without a cache, from beginning to end for every token.

    In double precision: what is left of a difference is the rounding of one side only.
    """

    def __init__(self, made: TorchTransformer, tensors: Mapping[str, Float32], prefix: str) -> None:
        """Load the stacks from a checkpoint, where `prefix` is before `encoder` and `decoder`."""
        self._made = made
        encoder_layer = nn.TransformerEncoderLayer(
            made.encoder.d_model, made.num_heads, made.encoder.d_ff, **_layer_options(made)
        )
        decoder_layer = nn.TransformerDecoderLayer(
            made.decoder.d_model, made.num_heads, made.decoder.d_ff, **_layer_options(made)
        )
        self._encoder = nn.TransformerEncoder(
            encoder_layer,
            made.encoder.num_layers,
            _norm(made, made.encoder),
            enable_nested_tensor=False,
        )
        self._decoder = nn.TransformerDecoder(
            decoder_layer, made.decoder.num_layers, _norm(made, made.decoder)
        )
        for name, stack in (("encoder.", self._encoder), ("decoder.", self._decoder)):
            stack.load_state_dict(_below(tensors, prefix + name))
            stack.double().eval()
        self._generator = torch.from_numpy(made.generator).double()
        self._bias = torch.from_numpy(made.generator_bias).double()

    @property
    def implementation(self) -> str:
        """See `Reference`."""
        return f"torch {torch.__version__}"

    @torch.inference_mode()
    def greedy(self, sources: Ids, max_tokens: int) -> list[GreedyTranslation]:
        """See `Reference`."""
        memory, padding = self._encode(sources)
        end = self._made.special_ids.eos
        rows: list[list[int]] = [[] for _ in sources]
        logits: list[Tensor] = []
        while len(logits) < max_tokens and not all(end in row for row in rows):
            logits.append(self._next_logits(rows, memory, padding))
            for row, token in zip(rows, logits[-1].argmax(dim=-1).tolist(), strict=True):
                row.append(token)
        every = torch.stack(logits, dim=1).float().numpy()
        lengths = [row.index(end) + 1 if end in row else len(row) for row in rows]
        return [
            GreedyTranslation(target_ids=tuple(row[:length]), logits=every[i, :length])
            for i, (row, length) in enumerate(zip(rows, lengths, strict=True))
        ]

    @torch.inference_mode()
    def beam(self, sources: Ids, beam_size: int, max_tokens: int) -> list[BeamTranslation]:
        """See `Reference`."""
        return [self._search(source, beam_size, max_tokens) for source in sources]

    def _search(self, source: Sequence[int], beam_size: int, max_tokens: int) -> BeamTranslation:
        memory, padding = self._encode([source])
        live: list[tuple[list[int], float]] = [([], 0.0)]
        best: tuple[list[int], float] | None = None
        for _ in range(max_tokens):
            # Log-probabilities only fall: what has ended cannot be overtaken from below.
            if best and best[1] >= live[0][1]:
                break
            wide = (memory.expand(len(live), -1, -1), padding.expand(len(live), -1))
            extended = self._extended(live, *wide, count=2 * beam_size)
            ended = [found for found in extended[:beam_size] if self._has_ended(found[0])]
            best = max([*ended, *([best] if best else [])], key=lambda f: f[1], default=None)
            live = [found for found in extended if not self._has_ended(found[0])][:beam_size]
        ids, score = best or live[0]
        return BeamTranslation(target_ids=tuple(ids), log_prob=score)

    def _extended(
        self, live: list[tuple[list[int], float]], memory: Tensor, padding: Tensor, *, count: int
    ) -> list[tuple[list[int], float]]:
        """The most probable continuations of all hypotheses, best first."""
        logits = self._next_logits([ids for ids, _ in live], memory, padding)
        past = torch.tensor([[score] for _, score in live], dtype=torch.double)
        scores = logits.log_softmax(dim=-1) + past
        found = scores.flatten().topk(min(count, scores.numel()))
        return [
            ([*live[place // scores.shape[1]][0], place % scores.shape[1]], score)
            for place, score in zip(found.indices.tolist(), found.values.tolist(), strict=True)
        ]

    def _has_ended(self, ids: Sequence[int]) -> bool:
        return ids[-1] == self._made.special_ids.eos

    def _encode(self, sources: Ids) -> tuple[Tensor, Tensor]:
        """Memory [batch, source, d_model], and True where a row is only filled up."""
        made = self._made
        ids, mask = pad_sources(sources, made.special_ids.pad)
        inputs = self._embedded(ids, made.source_embedding, made.source_positions)
        # The stacks are as they are made: length first.
        memory = self._encoder(inputs.transpose(0, 1), src_key_padding_mask=~mask)
        return memory.transpose(0, 1), ~mask

    def _next_logits(self, rows: list[list[int]], memory: Tensor, padding: Tensor) -> Tensor:
        made = self._made
        ids = torch.tensor([[made.special_ids.bos, *row] for row in rows])
        inputs = self._embedded(ids, made.target_embedding, made.target_positions)
        later = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)
        hidden = self._decoder(
            inputs.transpose(0, 1),
            memory.transpose(0, 1),
            tgt_mask=later,
            memory_key_padding_mask=padding,
        )
        logits: Tensor = hidden[-1] @ self._generator.T + self._bias
        return logits

    def _embedded(self, ids: Tensor, table: Float32, positions: Float32) -> Tensor:
        scaled = torch.from_numpy(table)[ids].double() * self._made.embedding_scale
        return scaled + torch.from_numpy(positions)[: ids.shape[1]]


def _layer_options(made: TorchTransformer) -> dict[str, Any]:
    return {
        "dropout": 0.0,
        # A function: of a module, torch's decoder layer makes ReLU when it is copied.
        "activation": activation_module(made.activation).forward,
        "layer_norm_eps": made.layer_norm_eps,
        "norm_first": made.norm_first,
    }


def _norm(made: TorchTransformer, shape: StackShape) -> nn.LayerNorm | None:
    return nn.LayerNorm(shape.d_model, eps=made.layer_norm_eps) if shape.has_final_norm else None


def _below(tensors: Mapping[str, Float32], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(values)
        for name, values in tensors.items()
        if name.startswith(prefix)
    }
