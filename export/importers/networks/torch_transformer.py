"""Reference implementation of an imported network: our torch model with the same arrays.

The parity check compares the graphs with it. Both are given the same arrays, so it finds wrong
graphs; wrong arrays are found by the comparison with the original program.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.importers.networks.torch_activations import activation_module
from export.network import Float32, Network
from model.architecture import Architecture
from model.transformer import FeedForward, Transformer
from model.transformer.positions import PositionedEmbedding


def torch_transformer(network: Network) -> Transformer:
    """Build the model, in evaluation mode."""
    model = Transformer(_architecture(network))
    weights = {name: torch.from_numpy(array) for name, array in network.weights.items()}
    source = weights["source_embedding.weight"]
    model.source_embedding = nn.Embedding.from_pretrained(source)
    if network.is_tied:
        weights["output_projection.weight"] = weights["target_embedding.weight"]
    for side in ("source", "target"):
        table: Float32 = getattr(network, f"{side}_positions")
        weights[f"{side}_positions.weight"] = _padded(table, model.architecture.max_positions)
    for name, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        has_norm = f"{name}.final_norm.weight" in weights
        stack.final_norm = nn.LayerNorm(source.shape[1]) if has_norm else nn.Identity()
    _add_embedding_norms(model, weights)
    model.load_state_dict(weights)
    _set_constants(model, network)
    return model.eval().requires_grad_(False)


def _add_embedding_norms(model: Transformer, weights: dict[str, Tensor]) -> None:
    """Normalise embeddings with their positions; our own networks have no such norm."""
    for name, positions in _positions(model).items():
        if f"{name}.norm.weight" in weights:
            positions.norm = nn.LayerNorm(model.architecture.d_model)
            positions.register_forward_hook(_normalised)


def _set_constants(model: Transformer, network: Network) -> None:
    for positions in _positions(model).values():
        positions.scale = network.embedding_scale
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = network.layer_norm_eps
        elif isinstance(module, FeedForward):
            module.activation = activation_module(network.architecture.activation)


def _positions(model: Transformer) -> dict[str, PositionedEmbedding]:
    return {name: getattr(model, name) for name in ("source_positions", "target_positions")}


def _normalised(positions: nn.Module, _: object, embedded: Tensor) -> Tensor:
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
        positions="learned",  # of any kind: the table is given
        max_positions=max(network.max_source_tokens, network.max_target_tokens),
        tie_embeddings=False,
        pad_id=ids.pad,
        unk_id=ids.unk,
        bos_id=ids.bos,
        eos_id=ids.eos,
    )


def _padded(table: Float32, length: int) -> Tensor:
    """The table with rows of zeros behind: our model has as many positions on both sides."""
    return functional.pad(torch.from_numpy(np.array(table)), (0, 0, 0, length - len(table)))
