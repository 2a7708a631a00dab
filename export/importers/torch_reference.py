"""A state dict as torch's own Transformer runs it: what an import is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bundle.manifest import SpecialIds
from export.importers.activations import activation_module
from export.importers.full_pass import FullPassReference
from export.importers.torch_layers import StackShape
from export.network import Float32
from export.reference import Ids
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


class TorchReference(FullPassReference):
    """Runs both stacks without a cache, from beginning to end for every token.

    In double precision: what is left of a difference is the rounding of one side only.
    """

    def __init__(self, made: TorchTransformer, tensors: Mapping[str, Float32], prefix: str) -> None:
        """Load the stacks from a checkpoint, where `prefix` is before `encoder` and `decoder`."""
        super().__init__(made.special_ids.eos)
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

    def _encode(self, sources: Ids) -> tuple[Tensor, Tensor]:
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
