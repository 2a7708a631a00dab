"""Reads Marian's own models: `model.npz` with its configuration, and vocabularies beside it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError
from export.importers.files.tensor_files import read_npz
from export.importers.files.yaml_text import parse_yaml
from export.importers.imported_model import ImportedModel
from export.importers.languages import directions, target_tags
from export.importers.marian.layers import stack_weights
from export.importers.marian.vocabulary import read_vocabularies, special_ids
from export.importers.networks.building import (
    OUTPUT_PROJECTION,
    NetworkDescription,
    build_network,
    with_zero_start,
    without_piece,
)
from export.importers.networks.layers import StackShape
from export.importers.networks.positions import marian_positions
from export.importers.networks.tensor_reader import TensorReader
from export.importers.option_checks import Supported, missing_counts, unsupported
from export.importers.options import ImportOptions
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.network import Float32, Network
from export.verification.original_program import OriginalProgram

LAYER_NORM_EPS = 1e-6
CONFIG_NAME = "special:model.yml"
_ACTIVATIONS = {"relu": "relu", "swish": "swish", "gelu": "gelu-sigmoid"}
_NORMS = {("", "dan", ""): "post", ("n", "da", "n"): "pre"}
"""Norm position by what is done before a sub-layer, behind it, and at the end of a stack."""
_COUNTS = ("dim-emb", "transformer-dim-ffn", "transformer-heads", "enc-depth", "dec-depth")
_SUPPORTED: Supported = {
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
    """Content of a model file."""

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
        """None: neither of the two that the graphs support."""
        parts = ("preprocess", "postprocess", "postprocess-top")
        pre, post, top = (str(self.config.get(f"transformer-{p}") or "") for p in parts)
        return _NORMS.get((pre, post, top))


def read(options: ImportOptions) -> ImportedModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is of another kind, or a part of it is missing or broken.
    """
    checkpoint = _open(_model_file(options.path))
    _check_supported(checkpoint)
    source, target = read_vocabularies(checkpoint.path)
    network = _network(checkpoint, source, target, options)
    return ImportedModel(
        path=checkpoint.path,
        files=(checkpoint.path,),
        config_text=checkpoint.config_text,
        network=network,
        source=source,
        target=target,
        pairs=directions(options.sources, options.targets, target_tags(source.pieces)),
        original=_original(checkpoint, (source, target), network),
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
        f"{path} has no model.npz: `pellucid import firefox` reads .bin files whose decoder is "
        "recurrent; else take the .npz that it was made of"
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
    faults = unsupported(config, _SUPPORTED)
    if checkpoint.norm_position is None:
        faults.append(
            "transformer-preprocess, -postprocess and -postprocess-top other than '', dan, '' or "
            "n, da, n"
        )
    if config.get("transformer-ffn-activation") not in _ACTIVATIONS:
        faults.append(f"transformer-ffn-activation {config.get('transformer-ffn-activation')!r}")
    faults += [f"no {name}" for name in missing_counts(config, _COUNTS)]
    if not faults and config["dim-emb"] % config["transformer-heads"]:
        faults.append("a dim-emb that is no multiple of transformer-heads")
    faults += [
        f"{n}, which is factored" for n in checkpoint.tensors if re.search(r"lemma|factor", n)
    ]
    if faults:
        raise ExportError(f"{checkpoint.path} is not supported: it has {'; '.join(faults)}")


def _network(
    checkpoint: _Checkpoint, source: SideVocabulary, target: SideVocabulary, options: ImportOptions
) -> Network:
    config, reader = checkpoint.config, TensorReader(checkpoint.tensors, checkpoint.path)
    d_model, is_learned = config["dim-emb"], "Wpos" in reader
    weights = _embeddings(checkpoint, reader, len(source.pieces), len(target.pieces))
    for stack, depth in (("encoder", "enc-depth"), ("decoder", "dec-depth")):
        shape = StackShape(
            num_layers=config[depth],
            d_model=d_model,
            d_ff=config["transformer-dim-ffn"],
            has_final_norm=checkpoint.norm_position == "pre",
        )
        weights |= stack_weights(reader, stack, shape)
    longest = max(options.source_limit, options.target_limit)
    table = (
        reader.take("Wpos", (None, d_model)) if is_learned else marian_positions(longest, d_model)
    )
    reader.check()
    description = NetworkDescription(
        special_ids=special_ids(source, target),
        num_heads=config["transformer-heads"],
        activation=_ACTIVATIONS[config["transformer-ffn-activation"]],
        norm_position=checkpoint.norm_position or "",
        positions="learned" if is_learned else "sinusoidal",
        embedding_scale=d_model**0.5,
        layer_norm_eps=LAYER_NORM_EPS,
        is_shared=checkpoint.is_shared,
    )
    positions = (table[: options.source_limit], table[: options.target_limit])
    weights = without_piece(weights, description.special_ids.unk)
    return build_network(with_zero_start(weights), positions, description)


def _embeddings(
    checkpoint: _Checkpoint, reader: TensorReader, num_source: int, num_target: int
) -> dict[str, Float32]:
    d_model = checkpoint.config["dim-emb"]
    source_names, target_names = ("encoder_Wemb",), ("decoder_Wemb",)
    if checkpoint.is_shared:
        source_names = target_names = ("Wemb",)
    weights = {
        "source_embedding.weight": reader.take(source_names, (num_source, d_model)),
        "target_embedding.weight": reader.take(target_names, (num_target, d_model)),
        "output_projection.bias": reader.take_or_zeros("decoder_ff_logit_out_b", (1, num_target))[
            0
        ],
    }
    if not checkpoint.is_tied:
        weights[OUTPUT_PROJECTION] = _projection(reader, num_target, d_model)
    return weights


def _projection(reader: TensorReader, num_target: int, d_model: int) -> Float32:
    """Output projection [vocab, d_model]; Marian stores it either way round."""
    if "decoder_ff_logit_out_W" in reader:
        return np.ascontiguousarray(reader.take("decoder_ff_logit_out_W", (d_model, num_target)).T)
    return reader.take("decoder_ff_logit_out_Wt", (num_target, d_model))


def _original(
    checkpoint: _Checkpoint, sides: tuple[SideVocabulary, SideVocabulary], network: Network
) -> OriginalProgram | None:
    try:
        from export.importers.marian.original import MarianOriginal
    except ImportError:
        return None
    tables = (network.source_positions, network.target_positions)
    return MarianOriginal(checkpoint.path, sides, LAYER_NORM_EPS, max(tables, key=len))
