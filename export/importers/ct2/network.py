"""Builds the network of a CTranslate2 model from its tensors."""

from collections.abc import Mapping

import numpy as np

from bundle.manifest import SpecialIds
from export.errors import ExportError
from export.importers.ct2.attributes import Attributes
from export.importers.ct2.folder import Config, Folder
from export.importers.ct2.layers import num_layers, stack_weights, widths
from export.importers.networks.building import (
    OUTPUT_PROJECTION,
    NetworkDescription,
    build_network,
    with_zero_start,
)
from export.importers.networks.layers import STACKS, StackShape
from export.importers.networks.positions import sines_then_cosines_from_one
from export.importers.networks.tensor_reader import TensorReader
from export.importers.options import ImportOptions
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.network import Float32, Network

Vocabularies = tuple[SideVocabulary, SideVocabulary]
"""Vocabularies of source and target."""


def read_network(
    folder: Folder,
    tensors: Mapping[str, Float32],
    attributes: Attributes,
    vocabularies: Vocabularies,
    options: ImportOptions,
) -> Network:
    """Build the network of a model.

    Raises:
        ExportError: A tensor is missing or has another shape.
    """
    shapes = _shapes(folder, tensors, attributes.num_heads)
    reader = TensorReader(tensors, folder.stored.path)
    d_model = shapes["encoder"].d_model
    weights = _vocabulary_weights(reader, vocabularies, d_model)
    for stack, shape in shapes.items():
        weights |= stack_weights(reader, stack, shape)
    positions = (
        _positions(reader, "encoder", options.source_limit, d_model),
        _positions(reader, "decoder", options.target_limit, d_model),
    )
    reader.check()
    scale = attributes.embedding_scale
    description = NetworkDescription(
        special_ids=_special_ids(folder.config, attributes, vocabularies),
        num_heads=attributes.num_heads,
        activation=attributes.activation,
        norm_position=attributes.norm_position,
        positions="sinusoidal" if _is_sinusoidal(positions[0]) else "learned",
        embedding_scale=d_model**0.5 if scale is None else scale,
        layer_norm_eps=folder.config.layer_norm_eps,
        is_shared=np.array_equal(
            weights["source_embedding.weight"], weights["target_embedding.weight"]
        ),
    )
    return build_network(_finished(weights, attributes), positions, description)


def _shapes(
    folder: Folder, tensors: Mapping[str, Float32], num_heads: int
) -> dict[str, StackShape]:
    """Shapes of encoder and decoder, from the tensors."""
    d_model, d_ff = widths(tensors)
    counts = {stack: num_layers(tensors, stack) for stack in STACKS}
    faults = [f"no layers in its {stack}" for stack, layers in counts.items() if not layers]
    if not d_model:
        faults.append("no feed-forward in its first layers")
    elif num_heads < 1 or d_model % num_heads:
        faults.append(f"{d_model} wide is no multiple of {num_heads} heads")
    if faults:
        raise ExportError(f"{folder.stored.path}: {'; '.join(faults)}")
    return {
        stack: StackShape(
            num_layers=layers,
            d_model=d_model,
            d_ff=d_ff,
            has_final_norm=f"{stack}/layer_norm/gamma" in tensors,
        )
        for stack, layers in counts.items()
    }


def _vocabulary_weights(
    reader: TensorReader, vocabularies: Vocabularies, d_model: int
) -> dict[str, Float32]:
    num_source, num_target = (len(vocabulary.pieces) for vocabulary in vocabularies)
    names = ("encoder/embeddings_0/weight", "encoder/embeddings/weight")
    return {
        "source_embedding.weight": reader.take(names, (num_source, d_model)),
        "target_embedding.weight": reader.take("decoder/embeddings/weight", (num_target, d_model)),
        OUTPUT_PROJECTION: reader.take("decoder/projection/weight", (num_target, d_model)),
        "output_projection.bias": reader.take_or_zeros("decoder/projection/bias", (num_target,)),
    }


def _positions(reader: TensorReader, stack: str, limit: int, d_model: int) -> Float32:
    name = f"{stack}/position_encodings/encodings"
    if name in reader:
        return reader.take(name, (None, d_model))[:limit]
    return sines_then_cosines_from_one(limit, d_model)


def _finished(weights: Mapping[str, Float32], attributes: Attributes) -> dict[str, Float32]:
    """Without a copy of a tied embedding, and with a row of zeros where the decoder starts so."""
    finished = dict(weights)
    if np.array_equal(weights[OUTPUT_PROJECTION], weights["target_embedding.weight"]):
        del finished[OUTPUT_PROJECTION]
    return with_zero_start(finished) if attributes.starts_from_zero else finished


def _is_sinusoidal(table: Float32) -> bool:
    """Rows hold sine and cosine of the same angles, in any order and precision."""
    lengths = np.square(table).sum(axis=1)
    return bool(np.allclose(lengths, table.shape[1] / 2, rtol=0.02))


def _special_ids(config: Config, attributes: Attributes, vocabularies: Vocabularies) -> SpecialIds:
    source, target = (vocabulary.pieces for vocabulary in vocabularies)
    eos = target.index(config.end)
    ends = () if config.source_end is None else (source.index(config.source_end),)
    starts_from_zero = attributes.starts_from_zero
    return SpecialIds(
        pad=eos if eos < len(source) else 0,  # any id will do in padding
        unk=target.index(config.unknown),
        bos=len(target) if starts_from_zero else target.index(config.decoder_start or ""),
        eos=eos,
        source_end=None if ends == (eos,) else ends,
    )
