"""Reads Transformers of fairseq: a checkpoint, its dictionaries, and SentencePiece models."""

import json
from collections.abc import Iterator

import numpy as np

from bundle.manifest import LanguagePair, SpecialIds
from export.errors import ExportError
from export.graphs.builder import MASKED_SCORE
from export.importers.fairseq.checkpoint import Checkpoint, open_checkpoint
from export.importers.fairseq.vocabulary import END, PADDING, SPECIALS, UNKNOWN, read_dictionary
from export.importers.imported_model import ImportedModel
from export.importers.languages import directions, language_code
from export.importers.networks.activations import known_activation
from export.importers.networks.bart_layers import bart_layers
from export.importers.networks.building import NetworkDescription, build_network
from export.importers.networks.layers import STACKS, StackShape
from export.importers.networks.positions import fairseq_positions
from export.importers.networks.tensor_reader import TensorReader
from export.importers.option_checks import Supported, missing_counts, unsupported
from export.importers.options import ImportOptions
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.network import Float32, Network
from export.verification.original_program import OriginalProgram

LAYER_NORM_EPS = 1e-5
PAD_ID = SPECIALS.index(PADDING)
FIRST_POSITION = PAD_ID + 1
"""Row of the first token in a table of positions: rows up to the padding's are not used."""
_SUPPORTED: Supported = {
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
_EQUAL = ("embed_dim", "ffn_embed_dim", "attention_heads", "normalize_before")
"""Options that have to be equal in encoder and decoder."""
_COUNTS = ("embed_dim", "ffn_embed_dim", "attention_heads", "layers")


def read(options: ImportOptions) -> ImportedModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is of another kind, or a part of it is missing or broken.
    """
    checkpoint = open_checkpoint(options.path)
    _check_supported(checkpoint)
    source, target = (_dictionary(checkpoint, options, side) for side in ("source", "target"))
    return ImportedModel(
        path=checkpoint.path,
        files=(checkpoint.path,),
        config_text=_config_text(checkpoint),
        network=_network(checkpoint, source, target, options),
        source=source,
        target=target,
        pairs=_pairs(checkpoint, options),
        original=_original(checkpoint, source, target),
    )


def _check_supported(checkpoint: Checkpoint) -> None:
    options = checkpoint.options
    faults = unsupported(options, _SUPPORTED)
    arch = str(options.get("arch"))
    if not arch.startswith("transformer") or arch.startswith("transformer_lm"):
        faults.insert(0, f"arch {arch!r} (only those that are a transformer)")
    sizes = [f"{stack}_{name}" for stack in STACKS for name in _COUNTS]
    faults += [f"no {name}" for name in missing_counts(options, sizes)]
    faults += [
        f"encoder_{name} {options.get(f'encoder_{name}')!r} and decoder_{name} "
        f"{options.get(f'decoder_{name}')!r} (only the same)"
        for name in _EQUAL
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


def _dictionary(checkpoint: Checkpoint, options: ImportOptions, side: str) -> SideVocabulary:
    """The dictionary of the language of training, else of the command line's."""
    given = options.sources if side == "source" else options.targets
    languages = filter(None, [checkpoint.options.get(f"{side}_lang"), *given])
    paths = [checkpoint.path.parent / f"dict.{language}.txt" for language in languages]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        names = " and no ".join(path.name for path in paths)
        missing = names or f"language of the {side}: --{side} says which"
        raise ExportError(f"{checkpoint.path.parent} has no {missing}")
    return read_dictionary(found, side)


def _pairs(checkpoint: Checkpoint, options: ImportOptions) -> tuple[LanguagePair, ...]:
    """Directions of the command line, else of the checkpoint's training."""
    codes = [language_code(checkpoint.options.get(f"{s}_lang")) for s in ("source", "target")]
    sources = options.sources or tuple(filter(None, codes[:1]))
    targets = options.targets or tuple(filter(None, codes[1:]))
    return directions(sources, targets, {})


def _config_text(checkpoint: Checkpoint) -> str:
    """Options of the arithmetic; the others are about files and training."""
    names = [
        "arch",
        *_SUPPORTED,
        *(f"{stack}_{name}" for stack in STACKS for name in (*_COUNTS, "normalize_before")),
        *(f"{stack}_learned_pos" for stack in STACKS),
        "activation_fn",
        "layernorm_embedding",
        "no_decoder_final_norm",
        "no_scale_embedding",
        "no_token_positional_embeddings",
        "share_all_embeddings",
        "share_decoder_input_output_embed",
    ]
    found = {name: checkpoint.options[name] for name in names if name in checkpoint.options}
    return json.dumps(found, indent=2, default=str) + "\n"


def _network(
    checkpoint: Checkpoint, source: SideVocabulary, target: SideVocabulary, options: ImportOptions
) -> Network:
    config, reader = checkpoint.options, TensorReader(checkpoint.tensors, checkpoint.path)
    weights = _embeddings(checkpoint, reader, source, target) | _layers(checkpoint, reader)
    positions = (
        _positions(checkpoint, reader, "encoder", options.source_limit),
        _positions(checkpoint, reader, "decoder", options.target_limit),
    )
    reader.check()
    reader.check_all_taken()
    end = SPECIALS.index(END)  # of targets, and the decoder's first input
    description = NetworkDescription(
        special_ids=SpecialIds(pad=PAD_ID, unk=SPECIALS.index(UNKNOWN), bos=end, eos=end),
        num_heads=config["encoder_attention_heads"],
        activation=known_activation(config.get("activation_fn") or "relu"),
        norm_position="pre" if checkpoint.is_set("encoder_normalize_before") else "post",
        positions="learned" if checkpoint.is_set("encoder_learned_pos") else "sinusoidal",
        embedding_scale=checkpoint.embedding_scale,
        layer_norm_eps=LAYER_NORM_EPS,
        is_shared=checkpoint.is_set("share_all_embeddings"),
    )
    return build_network(weights, positions, description)


def _embeddings(
    checkpoint: Checkpoint, reader: TensorReader, source: SideVocabulary, target: SideVocabulary
) -> dict[str, Float32]:
    """Embeddings and output; the bias only masks padding, as fairseq's own search does."""
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
    is_tied = checkpoint.is_set("share_all_embeddings") or checkpoint.is_set(
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
    encoder, decoder = (
        StackShape(
            num_layers=options[f"{stack}_layers"],
            d_model=d_model,
            d_ff=options["encoder_ffn_embed_dim"],
            has_final_norm=checkpoint.has_final_norm(stack),
        )
        for stack in STACKS
    )
    weights = bart_layers(reader, (encoder, decoder), prefix="")
    if checkpoint.is_set("layernorm_embedding"):
        for stack, side in zip(STACKS, ("source", "target"), strict=True):
            theirs, ours = f"{stack}.layernorm_embedding", f"{side}_positions.norm"
            weights |= reader.take_module(theirs, ours, (d_model,))
    return weights


def _positions(checkpoint: Checkpoint, reader: TensorReader, stack: str, limit: int) -> Float32:
    d_model = checkpoint.options["encoder_embed_dim"]
    if checkpoint.is_set("no_token_positional_embeddings"):
        return np.zeros((limit, d_model), dtype=np.float32)
    if checkpoint.is_set(f"{stack}_learned_pos"):
        table = reader.take(f"{stack}.embed_positions.weight", (None, d_model))
        return table[FIRST_POSITION : FIRST_POSITION + limit]
    return fairseq_positions(limit, d_model, FIRST_POSITION)


def _original(
    checkpoint: Checkpoint, source: SideVocabulary, target: SideVocabulary
) -> OriginalProgram | None:
    try:
        from export.importers.fairseq.original import FairseqOriginal
    except ImportError:
        return None
    return FairseqOriginal(checkpoint, source.pieces, target.pieces)
