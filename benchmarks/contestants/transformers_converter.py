"""Converts the weights for Hugging Face transformers, and from there for Optimum."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the packages are imported

import torch
from torch import Tensor
from transformers import (
    MarianConfig,
    MarianMTModel,
    PegasusConfig,
    PegasusForConditionalGeneration,
)

from benchmarks.contestants.transformers import POSITIONS_NAME, load_network
from model.architecture import Architecture
from model.transformer import Transformer

_SUBLAYERS = {
    "self_attention_norm": "self_attn_layer_norm",
    "cross_attention_norm": "encoder_attn_layer_norm",
    "feed_forward_norm": "final_layer_norm",
    "feed_forward.inner": "fc1",
    "feed_forward.outer": "fc2",
    **{
        f"{ours}.{part}": f"{theirs}.{part[0] if part != 'output' else 'out'}_proj"
        for ours, theirs in (("self_attention", "self_attn"), ("cross_attention", "encoder_attn"))
        for part in ("query", "key", "value", "output")
    },
}


def convert_to_transformers(
    model: Transformer, folder: Path, *, scale_in_weights: bool = False
) -> None:
    """Write a folder for `from_pretrained`.

    Marian's network is post-norm; a pre-norm network becomes Pegasus', which is otherwise the same.

    Args:
        model: In evaluation mode.
        folder: New, or empty.
        scale_in_weights: Multiply the embeddings by their scale, beside an output projection of its
            own: the same network for programs that give it embedded tokens.

    Raises:
        ValueError: Source and target do not share their embedding and their positions, as both
            networks require.
    """
    shape = model.architecture
    if not shape.tie_embeddings or shape.positions == "learned":
        raise ValueError("transformers has no such network: it needs tied embeddings, sinusoids")
    is_pre_norm = shape.norm_position == "pre"
    config = _config(shape, scale_in_weights=scale_in_weights)
    network_class = PegasusForConditionalGeneration if is_pre_norm else MarianMTModel
    network = network_class(config).eval()
    state = dict(_state(model))
    if scale_in_weights:
        state["lm_head.weight"] = state["model.shared.weight"]
        state["model.shared.weight"] = state["model.shared.weight"] * model.source_positions.scale
    _load(network, state)
    network.generation_config.max_length = shape.max_positions
    network.save_pretrained(folder)
    # Marian keeps no sinusoids: it would make them again, in another order than ours.
    torch.save(network.model.encoder.embed_positions.weight.detach(), folder / POSITIONS_NAME)


def _config(shape: Architecture, *, scale_in_weights: bool) -> MarianConfig | PegasusConfig:
    config_class = PegasusConfig if shape.norm_position == "pre" else MarianConfig
    return config_class(
        vocab_size=shape.vocab_size,
        d_model=shape.d_model,
        encoder_layers=shape.num_encoder_layers,
        decoder_layers=shape.num_decoder_layers,
        encoder_attention_heads=shape.num_heads,
        decoder_attention_heads=shape.num_heads,
        encoder_ffn_dim=shape.d_ff,
        decoder_ffn_dim=shape.d_ff,
        activation_function=shape.activation,
        max_position_embeddings=shape.max_positions,
        scale_embedding=shape.scale_embedding and not scale_in_weights,
        tie_word_embeddings=not scale_in_weights,
        pad_token_id=shape.pad_id,
        bos_token_id=shape.bos_id,
        eos_token_id=shape.eos_id,
        forced_eos_token_id=None,
        decoder_start_token_id=shape.bos_id,
    )


def convert_to_optimum(transformers_folder: Path, folder: Path) -> None:
    """Export that model's ONNX graphs, with a cache, as Optimum does by default."""
    from optimum.exporters.onnx import onnx_export_from_model  # here: few installations have it

    network = load_network(transformers_folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, of Python values that become constants
        onnx_export_from_model(
            network, output=folder, task="text2text-generation-with-past", do_validation=False
        )


def _load(network: torch.nn.Module, state: dict[str, Tensor]) -> None:
    """Copy every weight, and check that none keeps its initial value."""
    missing, unexpected = network.load_state_dict(state, strict=False)
    tied = {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"}
    faults = {*missing, *unexpected} - tied - {"lm_head.weight"}
    if faults:
        raise ValueError(f"the networks differ in {', '.join(sorted(faults))}")


def _state(model: Transformer) -> Iterator[tuple[str, Tensor]]:
    yield "model.shared.weight", model.source_embedding.weight
    yield "model.encoder.embed_positions.weight", model.source_positions.weight
    yield "model.decoder.embed_positions.weight", model.target_positions.weight
    yield "final_logits_bias", model.output_projection.bias[None]
    for name, weight in model.state_dict().items():
        stack, _, rest = name.partition(".")
        if stack not in ("encoder", "decoder"):
            continue
        if rest.startswith("final_norm"):
            yield f"model.{stack}.{rest.replace('final_norm', 'layer_norm')}", weight
            continue
        _, layer, sublayer = rest.split(".", 2)
        sublayer, _, parameter = sublayer.rpartition(".")
        yield f"model.{stack}.layers.{layer}.{_SUBLAYERS[sublayer]}.{parameter}", weight
