"""Transformers of fairseq: a checkpoint, the dictionaries beside it, and SentencePiece models."""

import json
from collections.abc import Iterator

import numpy as np

from bundle.manifest import Architecture, LanguagePair, SpecialIds
from export.errors import ExportError
from export.graph_builder import MASKED_SCORE
from export.importers.activations import known_activation
from export.importers.bart_layers import bart_layers
from export.importers.expectations import Expected, unexpected
from export.importers.fairseq_checkpoint import Checkpoint, open_checkpoint
from export.importers.fairseq_vocabulary import END, PADDING, SPECIALS, UNKNOWN, read_dictionary
from export.importers.foreign import ForeignModel, origin_of
from export.importers.languages import directions, language_code
from export.importers.options import ImportOptions
from export.importers.positions import fairseq_positions
from export.importers.side import Side
from export.importers.tensors import TensorReader
from export.network import Float32, Network, dot_product_operator, num_parameters
from export.reference import Reference

KIND = "fairseq"
LAYER_NORM_EPS = 1e-5
PAD_ID = SPECIALS.index(PADDING)
FIRST_POSITION = PAD_ID + 1
"""Row of the first token in a table of positions: rows up to that of padding are for nothing."""
_EXPECTED: Expected = {
    "task": ("translation",),
    "adaptive_input": (False, None),
    "adaptive_softmax_cutoff": (None,),
    "base_layers": (0, None),
    "bpe": ("sentencepiece", None),
    "char_inputs": (False, None),
    "cross_self_attention": (False, None),
    "decoder_layers_to_keep": (None,),
    "encoder_layers_to_keep": (None,),
    "merge_src_tgt_embed": (False, None),
    "no_cross_attention": (False, None),
    "tokenizer": ("space", None),
}
_SAME = ("embed_dim", "ffn_embed_dim", "attention_heads", "normalize_before")
"""What encoder and decoder have to have in common."""
_COUNTS = ("embed_dim", "ffn_embed_dim", "attention_heads", "layers")
_SIDES = ("encoder", "decoder")


def read(options: ImportOptions) -> ForeignModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is not one of these, or something in it is missing or broken.
    """
    checkpoint = open_checkpoint(options.path)
    _check_supported(checkpoint)
    source, target = (_dictionary(checkpoint, options, side) for side in ("source", "target"))
    network = _network(checkpoint, source, target, options)
    files = {file.name: file for file in (checkpoint.path, *source.files, *target.files)}
    return ForeignModel(
        network=network,
        source_tokenizer=source.model,
        target_tokenizer=None if source.model == target.model else target.model,
        pairs=_pairs(checkpoint, options),
        origin=origin_of(KIND, checkpoint.path, files),
        config_text=_config_text(checkpoint),
        reference=_reference(checkpoint, source, target),
    )


def _check_supported(checkpoint: Checkpoint) -> None:
    options = checkpoint.options
    faults = unexpected(options, _EXPECTED)
    arch = str(options.get("arch"))
    if not arch.startswith("transformer") or arch.startswith("transformer_lm"):
        faults.insert(0, f"arch {arch!r} (only those that are a transformer)")
    sizes = [f"{side}_{name}" for side in _SIDES for name in _COUNTS]
    faults += [f"no {name}" for name in sizes if not isinstance(options.get(name), int)]
    faults += [
        f"encoder_{name} {options.get(f'encoder_{name}')!r} and decoder_{name} "
        f"{options.get(f'decoder_{name}')!r} (only the same)"
        for name in _SAME
        if options.get(f"encoder_{name}") != options.get(f"decoder_{name}")
    ]
    faults += _other_widths(checkpoint)
    if not faults and options["encoder_embed_dim"] % options["encoder_attention_heads"]:
        faults.append("an encoder_embed_dim that is no multiple of encoder_attention_heads")
    if faults:
        raise ExportError(f"{checkpoint.path} is not supported: it has {'; '.join(faults)}")


def _other_widths(checkpoint: Checkpoint) -> Iterator[str]:
    options = checkpoint.options
    d_model = options.get("decoder_embed_dim")
    for name in ("decoder_input_dim", "decoder_output_dim"):
        if options.get(name, d_model) != d_model:
            yield f"{name} {options[name]!r} (only decoder_embed_dim)"


def _dictionary(checkpoint: Checkpoint, options: ImportOptions, side: str) -> Side:
    """By the language that the checkpoint was trained with, else by the one that was said."""
    said = options.sources if side == "source" else options.targets
    languages = filter(None, [checkpoint.options.get(f"{side}_lang"), *said])
    paths = [checkpoint.path.parent / f"dict.{language}.txt" for language in languages]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        names = " and no ".join(path.name for path in paths)
        missing = names or f"language of the {side}: --{side} says which"
        raise ExportError(f"{checkpoint.path.parent} has no {missing}")
    return read_dictionary(found, side)


def _pairs(checkpoint: Checkpoint, options: ImportOptions) -> tuple[LanguagePair, ...]:
    """By what the user says, else by what the checkpoint was trained with."""
    codes = [language_code(checkpoint.options.get(f"{s}_lang")) for s in ("source", "target")]
    sources = options.sources or tuple(filter(None, codes[:1]))
    targets = options.targets or tuple(filter(None, codes[1:]))
    return directions(sources, targets, {})


def _config_text(checkpoint: Checkpoint) -> str:
    """What decides the arithmetic: the other options are about files and training."""
    names = [
        "arch",
        *_EXPECTED,
        *(f"{side}_{name}" for side in _SIDES for name in (*_COUNTS, "normalize_before")),
        *(f"{side}_learned_pos" for side in _SIDES),
        "activation_fn",
        "layernorm_embedding",
        "no_decoder_final_norm",
        "no_scale_embedding",
        "no_token_positional_embeddings",
        "share_all_embeddings",
        "share_decoder_input_output_embed",
    ]
    said = {name: checkpoint.options[name] for name in names if name in checkpoint.options}
    return json.dumps(said, indent=2, default=str) + "\n"


def _network(checkpoint: Checkpoint, source: Side, target: Side, options: ImportOptions) -> Network:
    said, reader = checkpoint.options, TensorReader(checkpoint.tensors, str(checkpoint.path))
    weights = _embeddings(checkpoint, reader, source, target) | _layers(checkpoint, reader)
    tables = [
        _positions(checkpoint, reader, side, longest)
        for side, longest in zip(
            _SIDES, (options.max_source_tokens, options.max_target_tokens), strict=True
        )
    ]
    reader.check()
    reader.check_all_taken()
    d_model, num_heads = said["encoder_embed_dim"], said["encoder_attention_heads"]
    is_tied = "output_projection.weight" not in weights
    is_shared = checkpoint.says("share_all_embeddings")
    return Network(
        architecture=Architecture(
            vocab_size=len(target.pieces),
            source_vocab_size=None if is_shared else len(source.pieces),
            d_model=d_model,
            d_ff=said["encoder_ffn_embed_dim"],
            num_heads=num_heads,
            num_encoder_layers=said["encoder_layers"],
            num_decoder_layers=said["decoder_layers"],
            activation=known_activation(said.get("activation_fn") or "relu"),
            norm_position="pre" if checkpoint.says("encoder_normalize_before") else "post",
            positions="learned" if checkpoint.says("encoder_learned_pos") else "sinusoidal",
            attention_operator=dot_product_operator(d_model // num_heads),
            num_parameters=num_parameters(weights, is_tied=is_tied, is_shared=is_shared),
        ),
        special_ids=_special_ids(),
        weights=weights,
        source_positions=tables[0],
        target_positions=tables[1],
        embedding_scale=1.0 if checkpoint.says("no_scale_embedding") else d_model**0.5,
        is_tied=is_tied,
        is_shared=is_shared,
        layer_norm_eps=LAYER_NORM_EPS,
    )


def _special_ids() -> SpecialIds:
    """The same in every dictionary; the decoder begins with the token that ends a target."""
    end = SPECIALS.index(END)
    return SpecialIds(pad=PAD_ID, unk=SPECIALS.index(UNKNOWN), bos=end, eos=end)


def _embeddings(
    checkpoint: Checkpoint, reader: TensorReader, source: Side, target: Side
) -> dict[str, Float32]:
    """With a bias that only keeps padding from being written, as fairseq's own search does."""
    d_model = checkpoint.options["encoder_embed_dim"]
    bias = np.zeros(len(target.pieces), dtype=np.float32)
    bias[PAD_ID] = MASKED_SCORE
    shape = (len(target.pieces), d_model)
    tables = {
        "source_embedding.weight": reader.take(
            "encoder.embed_tokens.weight", (len(source.pieces), d_model)
        ),
        "target_embedding.weight": reader.take("decoder.embed_tokens.weight", shape),
    }
    own = "decoder.output_projection.weight"
    is_tied = checkpoint.says("share_all_embeddings") or checkpoint.says(
        "share_decoder_input_output_embed"
    )
    if not is_tied or own in reader:
        projection = reader.take(own, shape)
        if not is_tied:
            tables["output_projection.weight"] = projection
    return {**tables, "output_projection.bias": bias}


def _layers(checkpoint: Checkpoint, reader: TensorReader) -> dict[str, Float32]:
    options = checkpoint.options
    d_model = options["encoder_embed_dim"]
    weights = bart_layers(
        reader,
        num_encoder_layers=options["encoder_layers"],
        num_decoder_layers=options["decoder_layers"],
        d_model=d_model,
        d_ff=options["encoder_ffn_embed_dim"],
        has_final_norm=False,  # each stack for itself
        prefix="",
    )
    ended = filter(checkpoint.has_final_norm, _SIDES)
    norms = {f"{side}.layer_norm": f"{side}.final_norm" for side in ended}
    if checkpoint.says("layernorm_embedding"):
        norms["encoder.layernorm_embedding"] = "source_positions.norm"
        norms["decoder.layernorm_embedding"] = "target_positions.norm"
    for theirs, ours in norms.items():
        for part in ("weight", "bias"):
            weights[f"{ours}.{part}"] = reader.take(f"{theirs}.{part}", (d_model,))
    return weights


def _positions(checkpoint: Checkpoint, reader: TensorReader, side: str, longest: int) -> Float32:
    d_model = checkpoint.options["encoder_embed_dim"]
    if checkpoint.says("no_token_positional_embeddings"):
        return np.zeros((longest, d_model), dtype=np.float32)
    if checkpoint.says(f"{side}_learned_pos"):
        table = reader.take(f"{side}.embed_positions.weight", (None, d_model))
        return table[FIRST_POSITION : FIRST_POSITION + longest]
    return fairseq_positions(longest, d_model, FIRST_POSITION)


def _reference(checkpoint: Checkpoint, source: Side, target: Side) -> Reference | None:
    try:
        from export.importers.fairseq_reference import FairseqReference
    except ImportError:
        return None
    return FairseqReference(checkpoint, source.pieces, target.pieces)
