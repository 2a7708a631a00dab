"""Converts a network of `model` into a model folder of CTranslate2."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ctranslate2.specs.attention_spec import MultiHeadAttentionSpec
from ctranslate2.specs.common_spec import Activation, LayerNormSpec, LinearSpec
from ctranslate2.specs.transformer_spec import (
    TransformerDecoderLayerSpec,
    TransformerEncoderLayerSpec,
    TransformerSpec,
)
from numpy.typing import NDArray
from torch import Tensor, nn

from model.architecture import LAYER_NORM_EPS
from model.transformer import (
    DecoderLayer,
    EncoderLayer,
    MultiHeadAttention,
    Transformer,
)

_ACTIVATIONS = {"relu": Activation.RELU, "gelu": Activation.GELU, "swish": Activation.SWISH}


def convert(
    model: Transformer, pieces: Sequence[str], folder: Path, *, quantization: str | None = None
) -> None:
    """Write a model folder.

    Args:
        model: In float32.
        pieces: The vocabulary that source and target share.
        folder: Must not exist.
        quantization: As CTranslate2 names it; None keeps float32.
    """
    spec = _spec(model)
    spec.register_source_vocabulary(list(pieces))
    spec.register_target_vocabulary(list(pieces))
    architecture = model.architecture
    spec.config.bos_token = spec.config.decoder_start_token = pieces[architecture.bos_id]
    spec.config.eos_token = pieces[architecture.eos_id]
    spec.config.unk_token = pieces[architecture.unk_id]
    spec.config.layer_norm_epsilon = LAYER_NORM_EPS
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir()
    spec.save(str(folder))


def _spec(model: Transformer) -> TransformerSpec:
    architecture = model.architecture
    spec = TransformerSpec.from_config(
        (architecture.num_encoder_layers, architecture.num_decoder_layers),
        architecture.num_heads,
        pre_norm=architecture.norm_position == "pre",
        activation=_ACTIVATIONS[architecture.activation],
    )
    sides = (
        (spec.encoder, spec.encoder.embeddings[0], model.source_embedding, model.encoder),
        (spec.decoder, spec.decoder.embeddings, model.target_embedding, model.decoder),
    )
    for target, embeddings, embedding, stack in sides:
        embeddings.weight = _array(embedding.weight)
        target.scale_embeddings = architecture.scale_embedding
        if architecture.norm_position == "pre":
            _set_norm(target.layer_norm, stack.final_norm)
    # Given in full: CTranslate2's own sinusoids are arranged in another order.
    spec.encoder.position_encodings.encodings = _array(model.source_positions.weight)
    spec.decoder.position_encodings.encodings = _array(model.target_positions.weight)
    for layer, ours in zip(spec.encoder.layer, model.encoder.layers, strict=True):
        assert isinstance(ours, EncoderLayer), "the encoder has nothing else"
        _set_layer(layer, ours)
    for layer, ours in zip(spec.decoder.layer, model.decoder.layers, strict=True):
        assert isinstance(ours, DecoderLayer), "the decoder has nothing else"
        _set_layer(layer, ours)
        _set_cross_attention(layer.attention, ours)
    _set_linear(spec.decoder.projection, model.output_projection)
    # The trained start token, not the zero vector that other toolkits begin with.
    spec.decoder.start_from_zero_embedding = False
    return spec


def _set_layer(
    spec: TransformerEncoderLayerSpec | TransformerDecoderLayerSpec,
    layer: EncoderLayer | DecoderLayer,
) -> None:
    attention = layer.self_attention
    _set_linear(spec.self_attention.linear[0], attention.query, attention.key, attention.value)
    _set_linear(spec.self_attention.linear[1], attention.output)
    _set_norm(spec.self_attention.layer_norm, layer.self_attention_norm)
    _set_linear(spec.ffn.linear_0, layer.feed_forward.inner)
    _set_linear(spec.ffn.linear_1, layer.feed_forward.outer)
    _set_norm(spec.ffn.layer_norm, layer.feed_forward_norm)


def _set_cross_attention(spec: MultiHeadAttentionSpec, layer: DecoderLayer) -> None:
    attention: MultiHeadAttention = layer.cross_attention
    _set_linear(spec.linear[0], attention.query)
    _set_linear(spec.linear[1], attention.key, attention.value)
    _set_linear(spec.linear[2], attention.output)
    _set_norm(spec.layer_norm, layer.cross_attention_norm)


def _set_linear(spec: LinearSpec, *linears: nn.Linear) -> None:
    """Concatenate linears, as CTranslate2 expects projections of the same input."""
    spec.weight = np.concatenate([_array(linear.weight) for linear in linears])
    spec.bias = np.concatenate([_array(linear.bias) for linear in linears])


def _set_norm(spec: LayerNormSpec, norm: nn.Module) -> None:
    assert isinstance(norm, nn.LayerNorm), "post-norm stacks end without one"
    spec.gamma = _array(norm.weight)
    spec.beta = _array(norm.bias)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    """A copy: CTranslate2 quantises in place."""
    return np.array(tensor.detach().numpy(), dtype=np.float32)
