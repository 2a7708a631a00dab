"""Runs a state dict with torch's own Transformer, which the import is compared with."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from export.importers.networks.building import OUTPUT_PROJECTION
from export.importers.networks.torch_activations import activation_module
from export.importers.networks.uncached_search import UncachedSearch
from export.network import Float32, Network
from export.verification.original_program import Ids
from model.greedy import pad_sources


class TorchOriginal(UncachedSearch):
    """`OriginalProgram` of torch: both stacks run without a cache for every token.

    In double precision, so that a difference holds the rounding of the graphs only.
    """

    def __init__(self, network: Network, tensors: Mapping[str, Float32], prefix: str) -> None:
        """Load the stacks from a checkpoint.

        Args:
            network: As it was read, for what is around the stacks.
            tensors: Of the checkpoint.
            prefix: Before `encoder` and `decoder` in names.
        """
        super().__init__(network.special_ids.eos)
        self._network, shape = network, network.architecture
        self._encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**_layer_options(network)),
            shape.num_encoder_layers,
            _final_norm(network, "encoder"),
            enable_nested_tensor=False,
        )
        self._decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(**_layer_options(network)),
            shape.num_decoder_layers,
            _final_norm(network, "decoder"),
        )
        for name, stack in (("encoder.", self._encoder), ("decoder.", self._decoder)):
            stack.load_state_dict(_below(tensors, prefix + name))
            stack.double().eval()
        weights = network.weights
        projection = weights.get(OUTPUT_PROJECTION, weights["target_embedding.weight"])
        self._projection = torch.from_numpy(projection).double()
        self._bias = torch.from_numpy(weights["output_projection.bias"]).double()

    @property
    def implementation(self) -> str:
        """See `OriginalProgram`."""
        return f"torch {torch.__version__}"

    def _encode(self, sources: Ids) -> tuple[Tensor, Tensor]:
        ids, mask = pad_sources(sources, self._network.special_ids.pad)
        inputs = self._embedded(ids, "source", self._network.source_positions)
        # The stacks have torch's default layout: length first.
        memory = self._encoder(inputs.transpose(0, 1), src_key_padding_mask=~mask)
        return memory.transpose(0, 1), ~mask

    def _next_logits(self, rows: list[list[int]], memory: Tensor, padding: Tensor) -> Tensor:
        ids = torch.tensor([[self._network.special_ids.bos, *row] for row in rows])
        inputs = self._embedded(ids, "target", self._network.target_positions)
        later = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)
        hidden = self._decoder(
            inputs.transpose(0, 1),
            memory.transpose(0, 1),
            tgt_mask=later,
            memory_key_padding_mask=padding,
        )
        logits: Tensor = hidden[-1] @ self._projection.T + self._bias
        return logits

    def _embedded(self, ids: Tensor, side: str, positions: Float32) -> Tensor:
        table = torch.from_numpy(self._network.weights[f"{side}_embedding.weight"])
        scaled = table[ids].double() * self._network.embedding_scale
        return scaled + torch.from_numpy(positions)[: ids.shape[1]]


def _layer_options(network: Network) -> dict[str, Any]:
    shape = network.architecture
    return {
        "d_model": shape.d_model,
        "nhead": shape.num_heads,
        "dim_feedforward": shape.d_ff,
        "dropout": 0.0,
        # A function: torch's decoder layer turns a module into ReLU when it is copied.
        "activation": activation_module(shape.activation).forward,
        "layer_norm_eps": network.layer_norm_eps,
        "norm_first": shape.norm_position == "pre",
    }


def _final_norm(network: Network, stack: str) -> nn.LayerNorm | None:
    has_norm = f"{stack}.final_norm.weight" in network.weights
    width = network.architecture.d_model
    return nn.LayerNorm(width, eps=network.layer_norm_eps) if has_norm else None


def _below(tensors: Mapping[str, Float32], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(values)
        for name, values in tensors.items()
        if name.startswith(prefix)
    }
