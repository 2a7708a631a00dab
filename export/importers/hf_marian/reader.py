"""Reads Marian models as Hugging Face's transformers stores them, OPUS-MT among them.

A folder with `config.json`, the weights and the vocabulary. Marian itself normalises behind the
residual; `normalize_before` in the configuration moves the norms before the sub-layers, as in
Pegasus, which is otherwise the same network.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.manifest import LanguagePair, SpecialIds
from export.errors import ExportError
from export.graphs.builder import MASKED_SCORE
from export.importers.files.json_file import read_json_object
from export.importers.files.tensor_files import (
    PICKLED_NAME,
    SAFETENSORS_NAME,
    read_safetensors,
    read_state_dict,
)
from export.importers.imported_model import ImportedModel
from export.importers.languages import directions, language_code, target_tags
from export.importers.networks.activations import known_activation
from export.importers.networks.bart_layers import bart_layers
from export.importers.networks.building import NetworkDescription, build_network
from export.importers.networks.layers import StackShape
from export.importers.networks.positions import sines_then_cosines
from export.importers.networks.tensor_reader import TensorReader
from export.importers.option_checks import missing_counts
from export.importers.options import ImportOptions
from export.importers.tokenizers.renumbering import pieces_by_id, read_model, renumbered
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.network import Float32
from export.verification.original_program import OriginalProgram

LAYER_NORM_EPS = 1e-5
UNKNOWN = "<unk>"
_CONTROLS = ("</s>", "<pad>", "<s>", "<eop>", "<eod>")
_REQUIRED = ("config.json", "vocab.json", "source.spm", "target.spm")
_OPTIONAL = ("generation_config.json", "target_vocab.json", "tokenizer_config.json")
_COUNTS = (
    "vocab_size",
    "d_model",
    "encoder_layers",
    "decoder_layers",
    "encoder_attention_heads",
    "decoder_attention_heads",
    "encoder_ffn_dim",
    "decoder_ffn_dim",
)
_IDS = ("pad_token_id", "eos_token_id", "decoder_start_token_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """Content of a checkpoint's folder."""

    path: Path
    config: dict[str, Any]
    files: dict[str, Path]
    """Paths by name."""

    @property
    def weights(self) -> Path:
        """File of the weights; safetensors where there are both."""
        return self.files.get(SAFETENSORS_NAME) or self.files[PICKLED_NAME]

    @property
    def vocab_size(self) -> int:
        """Pieces of the source, and of the target where they share them."""
        return int(self.config["vocab_size"])

    @property
    def target_vocab_size(self) -> int:
        """Pieces of the target."""
        own = None if self.is_shared else self.config.get("decoder_vocab_size")
        return int(own or self.vocab_size)

    @property
    def target_vocab(self) -> Path:
        """File of the target's vocabulary."""
        return self.files["vocab.json" if self.is_shared else "target_vocab.json"]

    @property
    def is_shared(self) -> bool:
        """Source and target have one embedding."""
        return bool(self.config.get("share_encoder_decoder_embeddings", True))

    @property
    def is_tied(self) -> bool:
        """The output projection is the target's embedding."""
        return bool(self.config.get("tie_word_embeddings", True))

    @property
    def is_pre_norm(self) -> bool:
        """Norms come before the sub-layers, not behind the residuals."""
        return bool(self.config.get("normalize_before"))

    @property
    def banned(self) -> tuple[int, ...]:
        """Ids that are never generated: Marian's own vocabulary has no padding."""
        words = [w[0] for w in self.config.get("bad_words_ids") or () if len(w) == 1]
        return tuple(sorted({int(i) for i in (*words, self.config["pad_token_id"])}))


def read(options: ImportOptions) -> ImportedModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is of another kind, or a part of it is missing or broken.
    """
    folder = _open(options.path)
    _check_supported(folder)
    weights, positions = _weights(folder, options)
    source = _vocabulary(folder, "source", folder.files["vocab.json"], folder.vocab_size)
    target = _vocabulary(folder, "target", folder.target_vocab, folder.target_vocab_size)
    return ImportedModel(
        path=options.path,
        files=tuple(folder.files.values()),
        config_text=folder.files["config.json"].read_text(encoding="utf-8"),
        network=build_network(weights, positions, _description(folder, source, target)),
        source=source,
        target=target,
        pairs=_pairs(folder, source, options),
        original=_original(folder),
    )


def _open(path: Path) -> _Folder:
    if not path.is_dir():
        raise ExportError(
            f"{path} is no folder: an hf-marian checkpoint is one, with a config.json"
        )
    names = (*_REQUIRED, *_OPTIONAL, SAFETENSORS_NAME, PICKLED_NAME)
    files = {name: path / name for name in names if (path / name).is_file()}
    missing = [name for name in _REQUIRED if name not in files]
    if SAFETENSORS_NAME in files:
        files.pop(PICKLED_NAME, None)
    elif PICKLED_NAME not in files:
        missing.append(f"{SAFETENSORS_NAME} or {PICKLED_NAME}")
    if missing:
        raise ExportError(f"{path} has no {', no '.join(missing)}")
    config = read_json_object(files["config.json"])
    if "generation_config.json" in files:
        config = {**read_json_object(files["generation_config.json"]), **config}
    return _Folder(path=path, config=config, files=files)


def _check_supported(folder: _Folder) -> None:
    config, path = folder.config, folder.files["config.json"]
    if config.get("model_type", "marian") != "marian":
        raise ExportError(f"{path}: model_type {config['model_type']!r} is not marian")
    missing = missing_counts(config, _COUNTS)
    missing += [name for name in _IDS if not isinstance(config.get(name), int)]
    faults = [f"{name} is missing" for name in missing]
    faults += [
        f"encoder and decoder differ in {name}, which is not supported"
        for name in ("attention_heads", "ffn_dim")
        if config.get(f"encoder_{name}") != config.get(f"decoder_{name}")
    ]
    if not faults and config["d_model"] % config["encoder_attention_heads"]:
        faults.append(
            f"d_model {config['d_model']} is not a multiple of "
            f"{config['encoder_attention_heads']} heads"
        )
    if config.get("normalize_embedding"):
        faults.append("normalize_embedding is not supported")
    if not folder.is_shared and "target_vocab.json" not in folder.files:
        faults.append("the embeddings are separate, but there is no target_vocab.json")
    if faults:
        raise ExportError(f"{path}: {'; '.join(faults)}")


def _weights(
    folder: _Folder, options: ImportOptions
) -> tuple[dict[str, Float32], tuple[Float32, Float32]]:
    """Weights, and the positions of source and target."""
    path = folder.weights
    read_tensors = read_safetensors if path.name == SAFETENSORS_NAME else read_state_dict
    reader = TensorReader(read_tensors(path), path)
    weights = _embeddings(reader, folder) | bart_layers(reader, _shapes(folder))
    positions = (
        _positions(reader, folder, "encoder", options.source_limit),
        _positions(reader, folder, "decoder", options.target_limit),
    )
    reader.check()
    for token in folder.banned:
        weights["output_projection.bias"][token] = MASKED_SCORE
    return weights, positions


def _description(
    folder: _Folder, source: SideVocabulary, target: SideVocabulary
) -> NetworkDescription:
    config = folder.config
    return NetworkDescription(
        special_ids=_special_ids(folder, source, target),
        num_heads=config["encoder_attention_heads"],
        activation=known_activation(config.get("activation_function", "gelu")),
        norm_position="pre" if folder.is_pre_norm else "post",
        positions="sinusoidal",
        embedding_scale=config["d_model"] ** 0.5 if config.get("scale_embedding") else 1.0,
        layer_norm_eps=LAYER_NORM_EPS,
        is_shared=folder.is_shared,
    )


def _shapes(folder: _Folder) -> tuple[StackShape, StackShape]:
    config = folder.config
    encoder, decoder = (
        StackShape(
            num_layers=config[f"{stack}_layers"],
            d_model=config["d_model"],
            d_ff=config["encoder_ffn_dim"],
            has_final_norm=folder.is_pre_norm,
        )
        for stack in ("encoder", "decoder")
    )
    return encoder, decoder


def _embeddings(reader: TensorReader, folder: _Folder) -> dict[str, Float32]:
    """Embeddings and output; tied matrices are stored once, under any of their names."""
    d_model = folder.config["d_model"]
    names = {stack: [f"model.{stack}.embed_tokens.weight"] for stack in ("encoder", "decoder")}
    if folder.is_tied:
        names["decoder"].append("lm_head.weight")
    if folder.is_shared:
        common = ["model.shared.weight", *names["encoder"], *names["decoder"]]
        names = {"encoder": common, "decoder": common}
    target_shape = (folder.target_vocab_size, d_model)
    bias = (1, folder.target_vocab_size)
    weights = {
        "source_embedding.weight": reader.take(names["encoder"], (folder.vocab_size, d_model)),
        "target_embedding.weight": reader.take(names["decoder"], target_shape),
        "output_projection.bias": reader.take_or_zeros("final_logits_bias", bias)[0].copy(),
    }
    if not folder.is_tied:
        weights["output_projection.weight"] = reader.take("lm_head.weight", target_shape)
    return weights


def _positions(reader: TensorReader, folder: _Folder, stack: str, limit: int) -> Float32:
    """The checkpoint's table where it has one, else sinusoids up to the limit."""
    name, d_model = f"model.{stack}.embed_positions.weight", folder.config["d_model"]
    if name in reader:
        return reader.take(name, (None, d_model))[:limit]
    return sines_then_cosines(limit, d_model)


def _special_ids(folder: _Folder, source: SideVocabulary, target: SideVocabulary) -> SpecialIds:
    missing = [
        piece
        for piece in (UNKNOWN, "</s>")
        if piece not in source.pieces or piece not in target.pieces
    ]
    if missing:
        raise ExportError(f"{folder.path}: no {' and no '.join(missing)} in the vocabulary")
    eos, padding = folder.config["eos_token_id"], folder.config["pad_token_id"]
    source_end = source.pieces.index("</s>")
    return SpecialIds(
        # Any id will do in padding, but it has to exist on both sides.
        pad=padding if padding < min(len(source.pieces), len(target.pieces)) else eos,
        unk=target.pieces.index(UNKNOWN),
        bos=folder.config["decoder_start_token_id"],
        eos=eos,
        source_end=None if source_end == eos else (source_end,),
    )


def _vocabulary(folder: _Folder, side: str, file: Path, size: int) -> SideVocabulary:
    pieces = tuple(pieces_by_id(read_json_object(file), size, str(file)))
    model = renumbered(
        pieces,
        read_model(folder.files[f"{side}.spm"]),
        unknown=UNKNOWN,
        controls=[*_CONTROLS, *target_tags(pieces).values()],
        is_target=side == "target",
    )
    return SideVocabulary(pieces=pieces, model=model, files=())


def _pairs(
    folder: _Folder, source: SideVocabulary, options: ImportOptions
) -> tuple[LanguagePair, ...]:
    """Directions of the command line, else of the tags, else of the tokenizer's configuration."""
    file = folder.files.get("tokenizer_config.json")
    config = read_json_object(file) if file else {}
    tags = target_tags(source.pieces)
    codes = [language_code(config.get(f"{side}_lang")) for side in ("source", "target")]
    sources = options.sources or tuple(filter(None, codes[:1]))
    targets = options.targets or (() if tags else tuple(filter(None, codes[1:])))
    return directions(sources, targets, tags)


def _original(folder: _Folder) -> OriginalProgram | None:
    """None where transformers is missing, or cannot load embeddings of different sizes itself."""
    if folder.target_vocab_size != folder.vocab_size:
        return None
    try:
        from export.importers.hf_marian.original import TransformersOriginal
    except ImportError:
        return None
    return TransformersOriginal(folder.path, banned=folder.banned, is_pre_norm=folder.is_pre_norm)
