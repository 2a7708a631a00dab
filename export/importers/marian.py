"""Marian's own models: `model.npz`, with its configuration inside, and vocabularies beside it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bundle.manifest import Architecture, SpecialIds
from export.errors import ExportError
from export.graph_builder import MASKED_SCORE
from export.importers.expectations import Expected, unexpected
from export.importers.foreign import ForeignModel, origin_of
from export.importers.languages import directions, target_tags
from export.importers.marian_layers import stack_weights
from export.importers.marian_vocabulary import Side, read_sides
from export.importers.options import ImportOptions
from export.importers.positions import sines_then_cosines
from export.importers.tensors import TensorReader, read_npz
from export.importers.yaml_files import parse_yaml
from export.network import Float32, Network, dot_product_operator, num_parameters
from export.reference import Reference

KIND = "marian"
LAYER_NORM_EPS = 1e-6
CONFIG_NAME = "special:model.yml"
_ACTIVATIONS = {"relu": "relu", "swish": "swish", "gelu": "gelu-sigmoid"}
_NORMS = {("", "dan", ""): "post", ("n", "da", "n"): "pre"}
"""What is done before a sub-layer, after it and at the top of a stack."""
_COUNTS = ("dim-emb", "transformer-dim-ffn", "transformer-heads", "enc-depth", "dec-depth")
_EXPECTED: Expected = {
    "type": ("transformer", None),
    "transformer-decoder-autoreg": ("self-attention", None),
    "transformer-no-projection": (False, None),
    "transformer-ffn-depth": (2, None),
    "transformer-decoder-ffn-depth": (0, 2, None),
    "transformer-tied-layers": ([], None),
    "transformer-postprocess-emb": ("d", "", None),
    "lemma-dim-emb": (0, None),
    "ulr": (False, None),
    "transformer-rnn-projection": (False, None),
    "input-types": ([], ["sequence"], None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    """A model file, read."""

    path: Path
    config: Mapping[str, Any]
    config_text: str
    tensors: dict[str, Float32]

    @property
    def is_tied(self) -> bool:
        """The output projection is the target's embedding."""
        names = ("decoder_ff_logit_out_W", "decoder_ff_logit_out_Wt")
        return not any(name in self.tensors for name in names)

    @property
    def is_shared(self) -> bool:
        """Source and target have one embedding."""
        return "Wemb" in self.tensors

    @property
    def norm_position(self) -> str | None:
        """None: neither of the two that there are graphs for."""
        parts = ("preprocess", "postprocess", "postprocess-top")
        pre, post, top = (str(self.config.get(f"transformer-{p}") or "") for p in parts)
        return _NORMS.get((pre, post, top))


def read(options: ImportOptions) -> ForeignModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is not one of these, or something in it is missing or broken.
    """
    checkpoint = _open(_model_file(options.path))
    _check_supported(checkpoint)
    source, target = read_sides(checkpoint.path)
    network = _network(checkpoint, source, target, options)
    tags = target_tags(source.pieces)
    files = {file.name: file for file in (checkpoint.path, *source.files, *target.files)}
    is_one = source.model == target.model
    return ForeignModel(
        network=network,
        source_tokenizer=source.model,
        target_tokenizer=None if is_one else target.model,
        pairs=directions(options.sources, options.targets, tags),
        origin=origin_of(KIND, checkpoint.path, files),
        config_text=checkpoint.config_text,
        reference=_reference(checkpoint, source, target),
    )


def _model_file(path: Path) -> Path:
    if path.is_file():
        return path
    found = sorted(path.glob("*.npz"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.name for file in found)
        raise ExportError(f"{path} has several models, name one of them: {names}")
    raise ExportError(
        f"{path} has no model.npz; a .bin file is one that was packed for one processor: take the "
        ".npz that it was made of"
    )


def _open(path: Path) -> _Checkpoint:
    arrays = read_npz(path)
    if CONFIG_NAME not in arrays:
        raise ExportError(f"{path} has no {CONFIG_NAME}: it is no model of Marian")
    text = arrays.pop(CONFIG_NAME).tobytes().rstrip(b"\0").decode("utf-8", "replace")
    config = parse_yaml(text, f"{path}, {CONFIG_NAME}")
    if not isinstance(config, Mapping):
        raise ExportError(f"{path}: {CONFIG_NAME} holds no options")
    tensors = {n: a.astype(np.float32) for n, a in arrays.items() if a.dtype.kind == "f"}
    return _Checkpoint(path=path, config=config, config_text=text, tensors=tensors)


def _check_supported(checkpoint: _Checkpoint) -> None:
    config = checkpoint.config
    faults = unexpected(config, _EXPECTED)
    if checkpoint.norm_position is None:
        faults.append(
            "transformer-preprocess, -postprocess and -postprocess-top other than '', dan, '' or "
            "n, da, n"
        )
    if config.get("transformer-ffn-activation") not in _ACTIVATIONS:
        faults.append(f"transformer-ffn-activation {config.get('transformer-ffn-activation')!r}")
    faults += [f"no {name}" for name in _COUNTS if not isinstance(config.get(name), int)]
    if not faults and config["dim-emb"] % config["transformer-heads"]:
        faults.append("a dim-emb that is no multiple of transformer-heads")
    faults += [
        f"{n}, which is factored" for n in checkpoint.tensors if re.search(r"lemma|factor", n)
    ]
    if faults:
        raise ExportError(f"{checkpoint.path} is not supported: it has {'; '.join(faults)}")


def _network(
    checkpoint: _Checkpoint, source: Side, target: Side, options: ImportOptions
) -> Network:
    config, reader = checkpoint.config, TensorReader(checkpoint.tensors, str(checkpoint.path))
    d_model, is_pre = config["dim-emb"], checkpoint.norm_position == "pre"
    weights = _embeddings(checkpoint, reader, source.num_own, target.num_own)
    sizes = (d_model, config["transformer-dim-ffn"])
    for side, depth in (("encoder", "enc-depth"), ("decoder", "dec-depth")):
        weights |= stack_weights(reader, side, config[depth], sizes, is_pre_norm=is_pre)
    longest = max(options.max_source_tokens, options.max_target_tokens)
    trained = "Wpos" in reader
    table = reader.take("Wpos", (None, d_model)) if trained else None
    reader.check()
    table = sines_then_cosines(longest, d_model) if table is None else table
    is_tied, is_shared = checkpoint.is_tied, checkpoint.is_shared
    return Network(
        architecture=Architecture(
            vocab_size=target.num_own + 1,
            source_vocab_size=None if is_shared else source.num_own + 1,
            d_model=d_model,
            d_ff=config["transformer-dim-ffn"],
            num_heads=config["transformer-heads"],
            num_encoder_layers=config["enc-depth"],
            num_decoder_layers=config["dec-depth"],
            activation=_ACTIVATIONS[config["transformer-ffn-activation"]],
            norm_position=checkpoint.norm_position or "",
            positions="learned" if trained else "sinusoidal",
            attention_operator=dot_product_operator(d_model // config["transformer-heads"]),
            num_parameters=num_parameters(weights, is_tied=is_tied, is_shared=is_shared),
        ),
        special_ids=_special_ids(source, target),
        weights=weights,
        source_positions=table[: options.max_source_tokens],
        target_positions=table[: options.max_target_tokens],
        embedding_scale=d_model**0.5,
        is_tied=is_tied,
        is_shared=is_shared,
        layer_norm_eps=LAYER_NORM_EPS,
    )


def _special_ids(source: Side, target: Side) -> SpecialIds:
    return SpecialIds(
        pad=target.eos,
        unk=target.unk,
        bos=target.num_own,
        eos=target.eos,
        source_end=None if source.eos == target.eos else (source.eos,),
    )


def _embeddings(
    checkpoint: _Checkpoint, reader: TensorReader, num_source: int, num_target: int
) -> dict[str, Float32]:
    """With a row of zeros more: Marian's decoder begins with an embedding of nothing."""
    d_model = checkpoint.config["dim-emb"]
    source_names, target_names = ("encoder_Wemb",), ("decoder_Wemb",)
    if checkpoint.is_shared:
        source_names = target_names = ("Wemb",)
    weights = {
        "source_embedding.weight": reader.take(source_names, (num_source, d_model)),
        "target_embedding.weight": reader.take(target_names, (num_target, d_model)),
    }
    if not checkpoint.is_tied:
        weights["output_projection.weight"] = _projection(reader, num_target, d_model)
    bias = reader.take_or_zeros("decoder_ff_logit_out_b", (1, num_target))[0]
    longer = {name: np.pad(table, ((0, 1), (0, 0))) for name, table in weights.items()}
    return {**longer, "output_projection.bias": np.append(bias, np.float32(MASKED_SCORE))}


def _projection(reader: TensorReader, num_target: int, d_model: int) -> Float32:
    """[vocab, d_model], which Marian keeps either way round."""
    if "decoder_ff_logit_out_W" in reader:
        return np.ascontiguousarray(reader.take("decoder_ff_logit_out_W", (d_model, num_target)).T)
    return reader.take("decoder_ff_logit_out_Wt", (num_target, d_model))


def _reference(checkpoint: _Checkpoint, source: Side, target: Side) -> Reference | None:
    try:
        from export.importers.marian_reference import MarianReference
    except ImportError:
        return None
    return MarianReference(checkpoint.path, source, target, LAYER_NORM_EPS)
