"""Marian models as Hugging Face's transformers keeps them, OPUS-MT among them.

A folder with `config.json`, the weights and the vocabulary. Marian proper normalises behind the
residual; with `normalize_before` in the configuration it is done before the sub-layer, as in
Pegasus, which is the same network otherwise.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.manifest import Architecture, LanguagePair, SpecialIds
from export.errors import ExportError
from export.graph_builder import MASKED_SCORE
from export.importers.activations import known_activation
from export.importers.bart_layers import bart_layers
from export.importers.foreign import ForeignModel, origin_of
from export.importers.json_files import read_json_object
from export.importers.languages import directions, language_code, target_tags
from export.importers.options import ImportOptions
from export.importers.positions import sines_then_cosines
from export.importers.tensors import (
    PICKLED_NAME,
    SAFE_NAME,
    TensorReader,
    read_pickled,
    read_safetensors,
)
from export.importers.vocabulary import in_order_of, numbered, read_model
from export.network import Float32, Network, dot_product_operator, num_parameters
from export.reference import Reference

KIND = "hf-marian"
LAYER_NORM_EPS = 1e-5
UNKNOWN = "<unk>"
_CONTROLS = ("</s>", "<pad>", "<s>", "<eop>", "<eod>")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """What is in a checkpoint's folder."""

    path: Path
    config: dict[str, Any]
    files: dict[str, Path]

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
    def is_shared(self) -> bool:
        """Source and target have one embedding."""
        return bool(self.config.get("share_encoder_decoder_embeddings", True))

    @property
    def is_tied(self) -> bool:
        """The output projection is the target's embedding."""
        return bool(self.config.get("tie_word_embeddings", True))

    @property
    def norm_position(self) -> str:
        """Before the sub-layer, or behind the residual."""
        return "pre" if self.config.get("normalize_before") else "post"

    @property
    def banned(self) -> tuple[int, ...]:
        """What is never written: padding is not in Marian's own vocabulary."""
        words = [w[0] for w in self.config.get("bad_words_ids") or () if len(w) == 1]
        return tuple(sorted({int(i) for i in (*words, self.config["pad_token_id"])}))


def read(options: ImportOptions) -> ForeignModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is not one of these, or something in it is missing or broken.
    """
    folder = _open(options.path)
    _check_supported(folder)
    network = _network(folder, options)
    pieces = _vocabulary(folder, "vocab.json", folder.vocab_size)
    source, target = _tokenizers(folder, pieces)
    return ForeignModel(
        network=network,
        source_tokenizer=source,
        target_tokenizer=None if target == source else target,
        pairs=_pairs(folder, pieces, options),
        origin=origin_of(KIND, options.path, folder.files),
        config_text=folder.files["config.json"].read_text(encoding="utf-8"),
        reference=_reference(folder),
    )


def _open(path: Path) -> _Folder:
    if not path.is_dir():
        raise ExportError(f"{path} is no folder: a {KIND} checkpoint is one, with a config.json")
    wanted = ["config.json", "vocab.json", "source.spm", "target.spm"]
    files = {name: path / name for name in wanted}
    missing = [name for name, file in files.items() if not file.is_file()]
    if not any((path / name).is_file() for name in (SAFE_NAME, PICKLED_NAME)):
        missing.append(f"{SAFE_NAME} or {PICKLED_NAME}")
    if missing:
        raise ExportError(f"{path} has no {', no '.join(missing)}")
    for name in ("generation_config.json", "target_vocab.json", "tokenizer_config.json"):
        if (path / name).is_file():
            files[name] = path / name
    config = read_json_object(files["config.json"])
    if "generation_config.json" in files:
        config = {**read_json_object(files["generation_config.json"]), **config}
    return _Folder(path=path, config=config, files=files)


def _check_supported(folder: _Folder) -> None:
    config, path = folder.config, folder.files["config.json"]
    if config.get("model_type", "marian") != "marian":
        raise ExportError(f"{path}: model_type {config['model_type']!r} is not marian")
    needed = [
        "vocab_size",
        "d_model",
        "pad_token_id",
        "eos_token_id",
        "decoder_start_token_id",
        "encoder_layers",
        "decoder_layers",
        "encoder_attention_heads",
        "decoder_attention_heads",
        "encoder_ffn_dim",
        "decoder_ffn_dim",
    ]
    faults = [f"{name} is missing" for name in needed if not isinstance(config.get(name), int)]
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


def _network(folder: _Folder, options: ImportOptions) -> Network:
    config, path = folder.config, folder.path / SAFE_NAME
    is_safe = path.is_file()
    path = path if is_safe else folder.path / PICKLED_NAME
    tensors = read_safetensors(path) if is_safe else read_pickled(path)
    folder.files[path.name] = path
    reader = TensorReader(tensors, str(path))
    weights = _embeddings(reader, folder)
    weights |= bart_layers(
        reader,
        num_encoder_layers=config["encoder_layers"],
        num_decoder_layers=config["decoder_layers"],
        d_model=config["d_model"],
        d_ff=config["encoder_ffn_dim"],
        has_final_norm=folder.norm_position == "pre",
    )
    tables = [
        _positions(reader, folder, side, longest)
        for side, longest in (
            ("encoder", options.max_source_tokens),
            ("decoder", options.max_target_tokens),
        )
    ]
    reader.check()
    for token in folder.banned:
        weights["output_projection.bias"][token] = MASKED_SCORE
    return Network(
        architecture=_architecture(folder, weights),
        special_ids=_special_ids(folder),
        weights=weights,
        source_positions=tables[0],
        target_positions=tables[1],
        embedding_scale=config["d_model"] ** 0.5 if config.get("scale_embedding") else 1.0,
        is_tied=folder.is_tied,
        is_shared=folder.is_shared,
        layer_norm_eps=LAYER_NORM_EPS,
    )


def _embeddings(reader: TensorReader, folder: _Folder) -> dict[str, Float32]:
    """Tied matrices are saved once, under the one or the other of their names."""
    d_model = folder.config["d_model"]
    own = {side: [f"model.{side}.embed_tokens.weight"] for side in ("encoder", "decoder")}
    if folder.is_tied:
        own["decoder"].append("lm_head.weight")
    if folder.is_shared:
        common = ["model.shared.weight", *own["encoder"], *own["decoder"]]
        own = {"encoder": common, "decoder": common}
    target_shape = (folder.target_vocab_size, d_model)
    bias = (1, folder.target_vocab_size)
    weights = {
        "source_embedding.weight": reader.take(own["encoder"], (folder.vocab_size, d_model)),
        "target_embedding.weight": reader.take(own["decoder"], target_shape),
        "output_projection.bias": reader.take_or_zeros("final_logits_bias", bias)[0].copy(),
    }
    if not folder.is_tied:
        weights["output_projection.weight"] = reader.take("lm_head.weight", target_shape)
    return weights


def _positions(reader: TensorReader, folder: _Folder, side: str, longest: int) -> Float32:
    """Those of the checkpoint where it has any, else as many sinusoids as are wanted."""
    name, d_model = f"model.{side}.embed_positions.weight", folder.config["d_model"]
    if name in reader:
        return reader.take(name, (None, d_model))[:longest]
    return sines_then_cosines(longest, d_model)


def _architecture(folder: _Folder, weights: dict[str, Float32]) -> Architecture:
    config = folder.config
    return Architecture(
        vocab_size=folder.target_vocab_size,
        source_vocab_size=None if folder.is_shared else folder.vocab_size,
        d_model=config["d_model"],
        d_ff=config["encoder_ffn_dim"],
        num_heads=config["encoder_attention_heads"],
        num_encoder_layers=config["encoder_layers"],
        num_decoder_layers=config["decoder_layers"],
        activation=known_activation(config.get("activation_function", "gelu")),
        norm_position=folder.norm_position,
        positions="sinusoidal",
        attention_operator=dot_product_operator(
            config["d_model"] // config["encoder_attention_heads"]
        ),
        num_parameters=num_parameters(weights, is_tied=folder.is_tied, is_shared=folder.is_shared),
    )


def _special_ids(folder: _Folder) -> SpecialIds:
    pieces = read_json_object(folder.files["vocab.json"])
    target = pieces if folder.is_shared else read_json_object(folder.files["target_vocab.json"])
    missing = [piece for piece in (UNKNOWN, "</s>") if piece not in pieces or piece not in target]
    if missing:
        raise ExportError(f"{folder.path}: no {' and no '.join(missing)} in the vocabulary")
    eos, config = folder.config["eos_token_id"], folder.config
    padding = config["pad_token_id"]
    smaller = min(folder.vocab_size, folder.target_vocab_size)
    return SpecialIds(
        pad=padding if padding < smaller else eos,  # it only fills up: any id will do
        unk=target[UNKNOWN],
        bos=config["decoder_start_token_id"],
        eos=eos,
        source_end=None if pieces["</s>"] == eos else (pieces["</s>"],),
    )


def _vocabulary(folder: _Folder, name: str, size: int) -> list[str]:
    return numbered(read_json_object(folder.files[name]), size, str(folder.files[name]))


def _tokenizers(folder: _Folder, pieces: list[str]) -> tuple[bytes, bytes]:
    if not folder.is_shared:
        target_pieces = _vocabulary(folder, "target_vocab.json", folder.target_vocab_size)
    else:
        target_pieces = pieces
    made = []
    for side, vocabulary in (("source", pieces), ("target", target_pieces)):
        model = read_model(folder.files[f"{side}.spm"])
        controls = [*_CONTROLS, *target_tags(vocabulary).values()]
        is_written = side == "target"
        made.append(
            in_order_of(
                vocabulary, model, unknown=UNKNOWN, controls=controls, is_written=is_written
            )
        )
    return made[0], made[1]


def _pairs(folder: _Folder, pieces: list[str], options: ImportOptions) -> tuple[LanguagePair, ...]:
    """By what the user says, else by the tags, else by the tokenizer's configuration."""
    file = folder.files.get("tokenizer_config.json")
    said = read_json_object(file) if file else {}
    tags = target_tags(pieces)
    codes = [language_code(said.get(f"{side}_lang")) for side in ("source", "target")]
    sources = options.sources or tuple(filter(None, codes[:1]))
    targets = options.targets or (() if tags else tuple(filter(None, codes[1:])))
    return directions(sources, targets, tags)


def _reference(folder: _Folder) -> Reference | None:
    """None where transformers is missing, or cannot have embeddings of different sizes itself."""
    if folder.target_vocab_size != folder.vocab_size:
        return None
    try:
        from export.importers.hf_reference import HuggingFaceReference
    except ImportError:
        return None
    return HuggingFaceReference(
        folder.path, banned=folder.banned, is_pre_norm=folder.norm_position == "pre"
    )
