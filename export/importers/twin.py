"""A foreign network as a torch model of our own: what its graphs are compared with.

The graphs are built from arrays, so the model is given the very same arrays; only what they mean
is then left to be wrong, and that is what the original program is asked about.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.importers.activations import activation_module
from export.network import Float32, Network
from model.architecture import Architecture
from model.positions import PositionedEmbedding
from model.transformer import FeedForward, Transformer


def twin_of(network: Network) -> Transformer:
    """Build it, in evaluation mode."""
    model = Transformer(_architecture(network))
    weights = {name: torch.from_numpy(array) for name, array in network.weights.items()}
    source = weights["source_embedding.weight"]
    model.source_embedding = nn.Embedding.from_pretrained(source)
    if network.is_tied:
        weights["output_projection.weight"] = weights["target_embedding.weight"]
    for side in ("source", "target"):
        table: Float32 = getattr(network, f"{side}_positions")
        weights[f"{side}_positions.weight"] = _lengthened(table, model.architecture.max_positions)
    for name, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        has_norm = f"{name}.final_norm.weight" in weights
        stack.final_norm = nn.LayerNorm(source.shape[1]) if has_norm else nn.Identity()
    for name, positions in _positions(model).items():
        if f"{name}.norm.weight" in weights:
            positions.norm = nn.LayerNorm(source.shape[1])
            positions.register_forward_hook(_normalised)
    model.load_state_dict(weights)
    for positions in _positions(model).values():
        positions.scale = network.embedding_scale
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = network.layer_norm_eps
        elif isinstance(module, FeedForward):
            module.activation = activation_module(network.architecture.activation)
    return model.eval().requires_grad_(False)


def _positions(model: Transformer) -> dict[str, PositionedEmbedding]:
    return {name: getattr(model, name) for name in ("source_positions", "target_positions")}


def _normalised(positions: nn.Module, _: object, embedded: Tensor) -> Tensor:
    """Ours end where positions are added."""
    norm = positions.get_submodule("norm")
    normalised: Tensor = norm(embedded)
    return normalised


def _architecture(network: Network) -> Architecture:
    shape, ids = network.architecture, network.special_ids
    return Architecture(
        vocab_size=shape.vocab_size,
        d_model=shape.d_model,
        d_ff=shape.d_ff,
        num_heads=shape.num_heads,
        num_encoder_layers=shape.num_encoder_layers,
        num_decoder_layers=shape.num_decoder_layers,
        dropout=0.0,
        norm_position="pre" if shape.norm_position == "pre" else "post",
        positions="learned",  # whatever they are: a table is given
        max_positions=max(len(network.source_positions), len(network.target_positions)),
        tie_embeddings=False,
        pad_id=ids.pad,
        unk_id=ids.unk,
        bos_id=ids.bos,
        eos_id=ids.eos,
    )


def _lengthened(table: Float32, length: int) -> Tensor:
    """With rows of zeros behind: both sides of a model have equally many."""
    return functional.pad(torch.from_numpy(np.array(table)), (0, 0, 0, length - len(table)))
