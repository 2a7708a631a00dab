"""Builds a `Network` from weights by our names and from what weights do not say."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bundle.manifest import Architecture, DecoderCell, SpecialIds
from export.graphs.builder import MASKED_SCORE
from export.network import Float32, Network, dot_product_operator, num_parameters
from export.quantization import StoredMatrix

OUTPUT_PROJECTION = "output_projection.weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDescription:
    """Constants and options of the arithmetic, besides the weights."""

    special_ids: SpecialIds
    num_heads: int
    activation: str
    """Name of the activation in the manifest."""
    norm_position: str
    """`pre`: before the sub-layers; `post`: behind the residuals."""
    positions: str
    """`sinusoidal` or `learned`."""
    embedding_scale: float
    layer_norm_eps: float
    is_shared: bool
    """Source and target have one embedding."""
    decoder_cell: DecoderCell = "self_attention"


def build_network(
    weights: dict[str, Float32],
    positions: tuple[Float32, Float32],
    description: NetworkDescription,
    stored: Mapping[str, StoredMatrix] | None = None,
) -> Network:
    """A network whose sizes are those of its weights.

    Args:
        weights: By the names of our state dict; without an output projection it is tied to the
            embedding of the target.
        positions: Tables of source and target, float32 [max tokens, d_model].
        description: What the weights do not say.
        stored: Matrices that the checkpoint holds in int8.
    """
    is_tied = OUTPUT_PROJECTION not in weights
    return Network(
        architecture=_architecture(weights, description, is_tied=is_tied),
        special_ids=description.special_ids,
        weights=weights,
        source_positions=positions[0],
        target_positions=positions[1],
        embedding_scale=description.embedding_scale,
        is_tied=is_tied,
        is_shared=description.is_shared,
        layer_norm_eps=description.layer_norm_eps,
        stored=stored or {},
    )


def with_zero_start(weights: Mapping[str, Float32]) -> dict[str, Float32]:
    """Weights with one more piece behind the others, whose embedding is zeros.

    It is the first input of decoders that begin with zeros instead of an embedding; its bias keeps
    it from being generated.
    """
    longer = {name: np.pad(a, ((0, 1), (0, 0))) for name, a in weights.items() if _is_table(name)}
    bias = np.append(weights["output_projection.bias"], np.float32(MASKED_SCORE))
    return {**weights, **longer, "output_projection.bias": bias}


def without_piece(weights: Mapping[str, Float32], piece: int) -> dict[str, Float32]:
    """Weights whose bias keeps a piece from being generated, such as the unknown token."""
    bias = weights["output_projection.bias"].copy()
    bias[piece] = MASKED_SCORE
    return {**weights, "output_projection.bias": bias}


def _is_table(name: str) -> bool:
    return name.endswith("_embedding.weight") or name == OUTPUT_PROJECTION


def _architecture(
    weights: dict[str, Float32], description: NetworkDescription, *, is_tied: bool
) -> Architecture:
    is_shared, num_heads = description.is_shared, description.num_heads
    vocab_size, d_model = weights["target_embedding.weight"].shape
    return Architecture(
        vocab_size=vocab_size,
        source_vocab_size=None if is_shared else len(weights["source_embedding.weight"]),
        d_model=d_model,
        d_ff=len(weights["encoder.layers.0.feed_forward.inner.weight"]),
        num_heads=num_heads,
        num_encoder_layers=_num_layers(weights, "encoder"),
        num_decoder_layers=_num_layers(weights, "decoder"),
        activation=description.activation,
        norm_position=description.norm_position,
        positions=description.positions,
        attention_operator=dot_product_operator(d_model // num_heads),
        decoder_cell=description.decoder_cell,
        num_parameters=num_parameters(weights, is_tied=is_tied, is_shared=is_shared),
    )


def _num_layers(weights: dict[str, Float32], stack: str) -> int:
    name = "feed_forward.inner.weight"
    return sum(n.startswith(f"{stack}.layers.") and n.endswith(name) for n in weights)
