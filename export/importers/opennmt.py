"""Transformers of OpenNMT-py: a `.pt` file, and SentencePiece models beside it."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from bundle.manifest import Architecture, SpecialIds
from export.errors import ExportError
from export.importers.expectations import Expected, unexpected
from export.importers.foreign import ForeignModel, origin_of
from export.importers.languages import directions
from export.importers.opennmt_checkpoint import END, PADDING, UNKNOWN, Checkpoint, open_checkpoint
from export.importers.opennmt_layers import LayerShape, stack_weights
from export.importers.opennmt_vocabulary import read_sides
from export.importers.options import ImportOptions
from export.importers.side import Side
from export.importers.tensors import TensorReader
from export.network import Float32, Network, dot_product_operator, num_parameters
from export.reference import Reference

KIND = "opennmt"
LAYER_NORM_EPS = 1e-6
"""Where the options do not say."""
_DEPTHS = {"encoder": "enc_layers", "decoder": "dec_layers"}
_TABLES = "embeddings.make_embedding"
_EXPECTED: Expected = {
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


def read(options: ImportOptions) -> ForeignModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is not one of these, or something in it is missing or broken.
    """
    checkpoint = open_checkpoint(options.path)
    _check_supported(checkpoint)
    source, target = read_sides(checkpoint)
    network = _network(checkpoint, source, target, options)
    files = {file.name: file for file in (*checkpoint.files, *source.files, *target.files)}
    return ForeignModel(
        network=network,
        source_tokenizer=source.model,
        target_tokenizer=None if source.model == target.model else target.model,
        pairs=directions(options.sources, options.targets, {}),
        origin=origin_of(KIND, checkpoint.path, files),
        config_text=_config_text(checkpoint),
        reference=_reference(checkpoint, network),
    )


def _check_supported(checkpoint: Checkpoint) -> None:
    options = checkpoint.options
    faults = unexpected(options, _EXPECTED)
    faults += [
        f"{name} {options.get(name)!r} (only a number)"
        for name in _COUNTS
        if not isinstance(options.get(name), int) or options[name] < 1
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
    """What decides the arithmetic: the other options are about files and training."""
    names = (*_EXPECTED, *_COUNTS, "norm_eps", "add_qkvbias", "add_ffnbias")
    said = {name: checkpoint.options[name] for name in names if name in checkpoint.options}
    return json.dumps(said, indent=2, default=str) + "\n"


def _network(checkpoint: Checkpoint, source: Side, target: Side, options: ImportOptions) -> Network:
    said, reader = checkpoint.options, TensorReader(checkpoint.tensors, str(checkpoint.path))
    weights = _around(reader, len(source.pieces), len(target.pieces))
    d_model = weights["source_embedding.weight"].shape[1]
    shape = _layer_shape(said, d_model)
    for side, depth in _DEPTHS.items():
        weights |= stack_weights(reader, side, said[depth], shape)
    tables = [reader.take(f"{s}.{_TABLES}.pe.pe", (None, 1, d_model)) for s in _DEPTHS]
    reader.check()
    reader.check_all_taken()
    if d_model % said["heads"]:
        raise ExportError(
            f"{checkpoint.path}: {d_model} wide is no multiple of {said['heads']} heads"
        )
    is_tied, is_shared = _without_copies(weights, source, target)
    return Network(
        architecture=Architecture(
            vocab_size=len(target.pieces),
            source_vocab_size=None if is_shared else len(source.pieces),
            d_model=d_model,
            d_ff=shape.d_ff,
            num_heads=said["heads"],
            num_encoder_layers=said["enc_layers"],
            num_decoder_layers=said["dec_layers"],
            activation=said.get("pos_ffn_activation_fn") or "relu",
            norm_position="pre",
            positions="sinusoidal",
            attention_operator=dot_product_operator(d_model // said["heads"]),
            num_parameters=num_parameters(weights, is_tied=is_tied, is_shared=is_shared),
        ),
        special_ids=_special_ids(source, target, checkpoint.start),
        weights=weights,
        source_positions=tables[0][: options.max_source_tokens, 0],
        target_positions=tables[1][: options.max_target_tokens, 0],
        embedding_scale=d_model**0.5,
        is_tied=is_tied,
        is_shared=is_shared,
        layer_norm_eps=said.get("norm_eps") or LAYER_NORM_EPS,
    )


def _layer_shape(options: Mapping[str, Any], d_model: int) -> LayerShape:
    """Before there were options for biases, there were biases."""
    return LayerShape(
        d_model=d_model,
        d_ff=options["transformer_ff"],
        has_attention_biases=options.get("add_qkvbias", True),
        has_inner_biases=options.get("add_ffnbias", True),
    )


def _around(reader: TensorReader, num_source: int, num_target: int) -> dict[str, Float32]:
    """Embeddings, and the projection to the vocabulary."""
    source = reader.take(f"encoder.{_TABLES}.emb_luts.0.weight", (num_source, None))
    shape = (num_target, source.shape[1])
    return {
        "source_embedding.weight": source,
        "target_embedding.weight": reader.take(f"decoder.{_TABLES}.emb_luts.0.weight", shape),
        # Before version 3 the projection was the first of several modules.
        "output_projection.weight": reader.take(("generator.weight", "generator.0.weight"), shape),
        "output_projection.bias": reader.take(("generator.bias", "generator.0.bias"), shape[:1]),
    }


def _without_copies(weights: dict[str, Float32], source: Side, target: Side) -> tuple[bool, bool]:
    """Whether output and source use the target's embedding; every name has a copy when saved."""
    embedding = weights["target_embedding.weight"]
    is_tied = np.array_equal(weights["output_projection.weight"], embedding)
    if is_tied:
        del weights["output_projection.weight"]
    has_one = source.pieces == target.pieces
    return is_tied, has_one and np.array_equal(weights["source_embedding.weight"], embedding)


def _special_ids(source: Side, target: Side, start: str) -> SpecialIds:
    pieces = target.pieces
    eos, smaller = pieces.index(END), min(len(source.pieces), len(pieces))
    padding = pieces.index(PADDING) if PADDING in pieces else eos
    return SpecialIds(
        pad=padding if padding < smaller else pieces.index(UNKNOWN),  # it only fills up
        unk=pieces.index(UNKNOWN),
        bos=pieces.index(start),
        eos=eos,
        source_end=(),
    )


def _reference(checkpoint: Checkpoint, network: Network) -> Reference | None:
    try:
        from export.importers.opennmt_reference import OpenNmtReference
    except ImportError:
        return None
    return OpenNmtReference(checkpoint, network.layer_norm_eps)
