"""A trained network as plain arrays: what graphs are built from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle import manifest
from bundle.manifest import SpecialIds
from model.transformer import LAYER_NORM_EPS, Transformer

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Weights by the names of the state dict, and what else decides the arithmetic."""

    architecture: manifest.Architecture
    special_ids: SpecialIds
    weights: dict[str, Float32]
    """Matrices of linear layers are [out, in], as torch stores them."""
    source_positions: Float32
    """[max_source_tokens, d_model]."""
    target_positions: Float32
    """[max_target_tokens, d_model]."""
    embedding_scale: float
    is_tied: bool
    """Source, target and output projection share one matrix."""
    layer_norm_eps: float = LAYER_NORM_EPS


def network_of(model: Transformer, *, max_source: int, max_target: int) -> Network:
    """Take the arrays out of a torch model.

    Args:
        model: A trained model.
        max_source: Longest source in tokens that the bundle will accept.
        max_target: Longest target in tokens that the bundle will generate.
    """
    shape = model.architecture
    weights = {
        name: parameter.detach().float().numpy().copy()
        for name, parameter in model.state_dict(keep_vars=True).items()
    }
    return Network(
        architecture=architecture_of(model),
        special_ids=SpecialIds(
            pad=shape.pad_id, unk=shape.unk_id, bos=shape.bos_id, eos=shape.eos_id
        ),
        weights=weights,
        source_positions=model.source_positions.weight.detach().numpy()[:max_source].copy(),
        target_positions=model.target_positions.weight.detach().numpy()[:max_target].copy(),
        embedding_scale=model.source_positions.scale,
        is_tied=shape.tie_embeddings,
    )


def architecture_of(model: Transformer) -> manifest.Architecture:
    """What the manifest says of a model's shape."""
    shape = model.architecture
    return manifest.Architecture(
        vocab_size=shape.vocab_size,
        d_model=shape.d_model,
        d_ff=shape.d_ff,
        num_heads=shape.num_heads,
        num_encoder_layers=shape.num_encoder_layers,
        num_decoder_layers=shape.num_decoder_layers,
        activation=shape.activation,
        norm_position=shape.norm_position,
        positions=shape.positions,
        num_parameters=sum(p.numel() for p in model.parameters()),
    )
