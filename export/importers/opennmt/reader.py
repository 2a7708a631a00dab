"""Reads Transformers of OpenNMT-py: a `.pt` file, and SentencePiece models beside it."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from bundle.manifest import SpecialIds
from export.errors import ExportError
from export.importers.imported_model import ImportedModel
from export.importers.languages import directions
from export.importers.networks.building import (
    OUTPUT_PROJECTION,
    NetworkDescription,
    build_network,
)
from export.importers.networks.layers import StackShape
from export.importers.networks.tensor_reader import TensorReader
from export.importers.opennmt.checkpoint import END, PADDING, UNKNOWN, Checkpoint, open_checkpoint
from export.importers.opennmt.layers import stack_weights, without_bias
from export.importers.opennmt.vocabulary import read_vocabularies
from export.importers.option_checks import Supported, missing_counts, unsupported
from export.importers.options import ImportOptions
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.network import Float32, Network
from export.verification.original_program import OriginalProgram

LAYER_NORM_EPS = 1e-6
"""Default of the options."""
_DEPTHS = {"encoder": "enc_layers", "decoder": "dec_layers"}
_TABLES = "embeddings.make_embedding"
_SUPPORTED: Supported = {
    "encoder_type": ("transformer",),
    "decoder_type": ("transformer",),
    "model_type": ("text", None),
    "model_task": ("seq2seq", None),
    "position_encoding": (True,),
    "max_relative_positions": (0, None),
    "self_attn_type": ("scaled-dot", "scaled-dot-flash", None),
    "pos_ffn_activation_fn": ("relu", "gelu", None),
    "layer_norm": ("standard", None),
    "generator_function": ("softmax", None),
    "copy_attn": (False, None),
    "multiquery": (False, None),
    "num_kv": (0, None),
    "num_experts": (0, None),
    "sliding_window": (0, None),
    "parallel_residual": (False, None),
    "lora_layers": ([], None),
    "lora_embedding": (False, None),
    "quant_layers": ([], None),
}
_COUNTS = (*_DEPTHS.values(), "heads", "transformer_ff")
_ADDED = ("prefix", "suffix")
"""Transforms that put words around every sentence."""


def read(options: ImportOptions) -> ImportedModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is of another kind, or a part of it is missing or broken.
    """
    checkpoint = open_checkpoint(options.path)
    _check_supported(checkpoint)
    source, target = read_vocabularies(checkpoint)
    network = _network(checkpoint, source, target, options)
    return ImportedModel(
        path=checkpoint.path,
        files=checkpoint.files,
        config_text=_config_text(checkpoint),
        network=network,
        source=source,
        target=target,
        pairs=directions(options.sources, options.targets, {}),
        original=_original(checkpoint, network),
    )


def _check_supported(checkpoint: Checkpoint) -> None:
    options = checkpoint.options
    faults = unsupported(options, _SUPPORTED)
    faults += [
        f"{name} {options.get(name)!r} (only a number)" for name in missing_counts(options, _COUNTS)
    ]
    transforms = {*(options.get("transforms") or ()), *(options.get("_all_transform") or ())}
    faults += [
        f"the transform {name}, which adds words that a bundle would not"
        for name in _ADDED
        if name in transforms
    ]
    if faults:
        raise ExportError(f"{checkpoint.path} is not supported: it has {'; '.join(faults)}")


def _config_text(checkpoint: Checkpoint) -> str:
    """Options of the arithmetic; the others are about files and training."""
    names = (*_SUPPORTED, *_COUNTS, "norm_eps", "add_qkvbias", "add_ffnbias")
    found = {name: checkpoint.options[name] for name in names if name in checkpoint.options}
    return json.dumps(found, indent=2, default=str) + "\n"


def _network(
    checkpoint: Checkpoint, source: SideVocabulary, target: SideVocabulary, options: ImportOptions
) -> Network:
    config, reader = checkpoint.options, TensorReader(checkpoint.tensors, checkpoint.path)
    weights = _embeddings(reader, len(source.pieces), len(target.pieces))
    d_model = weights["source_embedding.weight"].shape[1]
    weights |= _layers(reader, config, d_model)
    source_table, target_table = (
        reader.take(f"{stack}.{_TABLES}.pe.pe", (None, 1, d_model)) for stack in _DEPTHS
    )
    reader.check()
    reader.check_all_taken()
    if d_model % config["heads"]:
        raise ExportError(
            f"{checkpoint.path}: {d_model} wide is no multiple of {config['heads']} heads"
        )
    description = NetworkDescription(
        special_ids=_special_ids(source, target, checkpoint.start),
        num_heads=config["heads"],
        activation=config.get("pos_ffn_activation_fn") or "relu",
        norm_position="pre",
        positions="sinusoidal",
        embedding_scale=d_model**0.5,
        layer_norm_eps=config.get("norm_eps") or LAYER_NORM_EPS,
        is_shared=_is_shared(weights, source, target),
    )
    positions = (source_table[: options.source_limit, 0], target_table[: options.target_limit, 0])
    return build_network(weights, positions, description)


def _layers(reader: TensorReader, config: Mapping[str, Any], d_model: int) -> dict[str, Float32]:
    weights: dict[str, Float32] = {}
    for stack, depth in _DEPTHS.items():
        shape = StackShape(
            num_layers=config[depth],
            d_model=d_model,
            d_ff=config["transformer_ff"],
            has_final_norm=True,
        )
        weights |= stack_weights(reader, stack, shape, without_bias(config))
    return weights


def _embeddings(reader: TensorReader, num_source: int, num_target: int) -> dict[str, Float32]:
    """Embeddings and output; every name has a copy of a tied matrix, which is left out."""
    source = reader.take(f"encoder.{_TABLES}.emb_luts.0.weight", (num_source, None))
    shape = (num_target, source.shape[1])
    target = reader.take(f"decoder.{_TABLES}.emb_luts.0.weight", shape)
    # Before version 3 the projection was the first of several modules.
    projection = reader.take(("generator.weight", "generator.0.weight"), shape)
    weights = {
        "source_embedding.weight": source,
        "target_embedding.weight": target,
        "output_projection.bias": reader.take(("generator.bias", "generator.0.bias"), shape[:1]),
    }
    if not np.array_equal(projection, target):
        weights[OUTPUT_PROJECTION] = projection
    return weights


def _is_shared(
    weights: Mapping[str, Float32], source: SideVocabulary, target: SideVocabulary
) -> bool:
    return source.pieces == target.pieces and np.array_equal(
        weights["source_embedding.weight"], weights["target_embedding.weight"]
    )


def _special_ids(source: SideVocabulary, target: SideVocabulary, start: str) -> SpecialIds:
    pieces = target.pieces
    eos, smaller = pieces.index(END), min(len(source.pieces), len(pieces))
    padding = pieces.index(PADDING) if PADDING in pieces else eos
    return SpecialIds(
        # Any id will do in padding, but it has to exist on both sides.
        pad=padding if padding < smaller else pieces.index(UNKNOWN),
        unk=pieces.index(UNKNOWN),
        bos=pieces.index(start),
        eos=eos,
        source_end=(),
    )


def _original(checkpoint: Checkpoint, network: Network) -> OriginalProgram | None:
    try:
        from export.importers.opennmt.original import OpenNmtOriginal
    except ImportError:
        return None
    return OpenNmtOriginal(checkpoint, network.layer_norm_eps)
