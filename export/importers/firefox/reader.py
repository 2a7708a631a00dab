"""Reads a model of Firefox: Marian's binary format, a recurrent decoder, int8 as it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bundle.manifest import AlignmentHead
from export.errors import ExportError
from export.importers.files.marian_binary import (
    INT8,
    INTGEMM8,
    MarianItem,
    float_tensors,
    read_marian_binary,
    read_unpacked,
)
from export.importers.files.yaml_text import parse_yaml
from export.importers.firefox.activation_scales import (
    SUFFIX,
    activation_plan,
    output_scale,
    stored_matrices,
    tensor_readers,
)
from export.importers.firefox.folder import ModelFiles, find_files
from export.importers.firefox.lexicon import read_lexicon
from export.importers.imported_model import ImportedModel
from export.importers.languages import directions
from export.importers.marian.layers import matrix_names, stack_weights
from export.importers.marian.vocabulary import END, side_vocabulary, special_ids
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
from export.importers.tokenizers.renumbering import check_model, pieces_of
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.lexicon.shortlist import ShortlistPlan
from export.network import Float32, Network
from export.quantization import ActivationPlan, StoredMatrix

LICENCE = "MPL-2.0"
LAYER_NORM_EPS = 1e-6
CONFIG_NAME = "special:model.yml"
_COUNTS = ("dim-emb", "transformer-dim-ffn", "transformer-heads", "enc-depth", "dec-depth")
_SUPPORTED: Supported = {
    "type": ("transformer",),
    "transformer-decoder-autoreg": ("rnn",),
    "dec-cell": ("ssru",),
    "transformer-ffn-activation": ("relu",),
    "transformer-ffn-depth": (2, None),
    "transformer-decoder-ffn-depth": (0, 2, None),
    "transformer-no-projection": (False, None),
    "transformer-rnn-projection": (False, None),
    "transformer-preprocess": ("", None),
    "transformer-postprocess": ("dan",),
    "transformer-postprocess-top": ("", None),
    "transformer-postprocess-emb": ("d", "", None),
    "transformer-tied-layers": ([], None),
    "transformer-train-position-embeddings": (False, None),
    "lemma-dim-emb": (0, None),
    "ulr": (False, None),
    "input-types": ([], ["sequence"], None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    """Content of a model file."""

    path: Path
    config: Mapping[str, Any]
    config_text: str
    items: Mapping[str, MarianItem]
    """Tensors, without the configuration."""

    @property
    def is_shared(self) -> bool:
        """Source and target have one embedding."""
        return "Wemb" in self.items

    @property
    def is_int8(self) -> bool:
        """Whether its matrices are stored in int8."""
        return any(item.kind == INTGEMM8 for item in self.items.values())

    def shape(self, stack: str) -> StackShape:
        """Shape of the encoder or the decoder."""
        return StackShape(
            num_layers=self.config["enc-depth" if stack == "encoder" else "dec-depth"],
            d_model=self.config["dim-emb"],
            d_ff=self.config["transformer-dim-ffn"],
            has_final_norm=False,
        )


def read(options: ImportOptions) -> ImportedModel:
    """Read a model.

    Raises:
        ExportError: It is of another kind, or a part of it is missing or broken.
    """
    files = find_files(options.path)
    checkpoint = _open(files.model)
    _check_supported(checkpoint)
    sides = _vocabularies(files)
    named = files.languages
    sources = options.sources or (named[:1] if named else ())
    targets = options.targets or (named[1:] if named else ())
    network = _network(checkpoint, *sides, options)
    used = (files.model, *((files.lexicon,) if files.lexicon else ()))
    return ImportedModel(
        path=files.model.parent if options.path.is_dir() else files.model,
        files=used,
        config_text=checkpoint.config_text,
        network=network,
        source=sides[0],
        target=sides[1],
        pairs=directions(sources, targets, {}),
        plan=_plan(checkpoint) if checkpoint.is_int8 else None,
        shortlist=_shortlist(files.lexicon, *sides) if files.lexicon else None,
        # Guided alignment trains the first head of the last layer.
        alignment_head=AlignmentHead(layer=checkpoint.config["dec-depth"] - 1, head=0),
        licence=LICENCE,
    )


def _open(path: Path) -> _Checkpoint:
    items = read_marian_binary(path)
    if CONFIG_NAME not in items or items[CONFIG_NAME].kind != INT8:
        raise ExportError(f"{path} has no {CONFIG_NAME}: it is no model of Marian")
    text = items.pop(CONFIG_NAME).values.tobytes().rstrip(b"\0").decode("utf-8", "replace")
    config = parse_yaml(text, f"{path}, {CONFIG_NAME}")
    if not isinstance(config, Mapping):
        raise ExportError(f"{path}: {CONFIG_NAME} holds no options")
    return _Checkpoint(path=path, config=config, config_text=text, items=items)


def _check_supported(checkpoint: _Checkpoint) -> None:
    config = checkpoint.config
    faults = unsupported(config, _SUPPORTED)
    faults += [f"no {name}" for name in missing_counts(config, _COUNTS)]
    if not faults and config["dim-emb"] % config["transformer-heads"]:
        faults.append("a dim-emb that is no multiple of transformer-heads")
    if config.get("transformer-decoder-autoreg") == "self-attention":
        faults.append("a decoder that `pellucid import marian` reads from a .npz")
    if faults:
        raise ExportError(f"{checkpoint.path} is not supported: it has {'; '.join(faults)}")


def _vocabularies(files: ModelFiles) -> tuple[SideVocabulary, SideVocabulary]:
    source = _vocabulary(files.source_vocabulary, is_target=False)
    return source, _vocabulary(files.target_vocabulary, is_target=True)


def _vocabulary(path: Path, *, is_target: bool) -> SideVocabulary:
    model = check_model(read_unpacked(path), path)
    return side_vocabulary(pieces_of(model), model, (path,), is_target=is_target)


def _network(
    checkpoint: _Checkpoint, source: SideVocabulary, target: SideVocabulary, options: ImportOptions
) -> Network:
    config = checkpoint.config
    named = {n: item for n, item in checkpoint.items.items() if not n.endswith(SUFFIX)}
    reader = TensorReader(dict(float_tensors(named)), checkpoint.path)
    weights = _embeddings(checkpoint, reader, len(source.pieces), len(target.pieces))
    for stack in ("encoder", "decoder"):
        weights |= stack_weights(reader, stack, checkpoint.shape(stack), "ssru")
    reader.check()
    reader.check_all_taken()
    description = NetworkDescription(
        special_ids=special_ids(source, target),
        num_heads=config["transformer-heads"],
        activation="relu",
        norm_position="post",
        positions="sinusoidal",
        embedding_scale=config["dim-emb"] ** 0.5,
        layer_norm_eps=LAYER_NORM_EPS,
        is_shared=checkpoint.is_shared,
        decoder_cell="ssru",
    )
    limits = (options.source_limit, options.target_limit)
    table = marian_positions(max(limits), config["dim-emb"])
    weights = without_piece(weights, description.special_ids.unk)
    return build_network(
        with_zero_start(weights),
        (table[: limits[0]], table[: limits[1]]),
        description,
        _stored(checkpoint),
    )


def _embeddings(
    checkpoint: _Checkpoint, reader: TensorReader, num_source: int, num_target: int
) -> dict[str, Float32]:
    d_model = checkpoint.config["dim-emb"]
    source, target = _tables(checkpoint)
    weights = {
        "source_embedding.weight": reader.take(source, (num_source, d_model)),
        "target_embedding.weight": reader.take(target, (num_target, d_model)),
        "output_projection.bias": reader.take("decoder_ff_logit_out_b", (1, num_target))[0],
    }
    if "decoder_ff_logit_out_W" in reader:
        matrix = reader.take("decoder_ff_logit_out_W", (d_model, num_target))
        weights[OUTPUT_PROJECTION] = np.ascontiguousarray(matrix.T)
    return weights


def _tables(checkpoint: _Checkpoint) -> tuple[str, str]:
    """Names of the embeddings of source and target."""
    return ("Wemb", "Wemb") if checkpoint.is_shared else ("encoder_Wemb", "decoder_Wemb")


def _layer_names(checkpoint: _Checkpoint) -> dict[str, str]:
    encoder = matrix_names("encoder", checkpoint.shape("encoder"), "ssru")
    return encoder | matrix_names("decoder", checkpoint.shape("decoder"), "ssru")


def _stored(checkpoint: _Checkpoint) -> dict[str, StoredMatrix]:
    """Matrices in int8; embeddings have a row of zeros for the start behind the others."""
    names = _layer_names(checkpoint)
    stored = stored_matrices(checkpoint.items, names)
    for side, name in zip(("source", "target"), _tables(checkpoint), strict=True):
        if checkpoint.items[name].kind == INTGEMM8:
            table = checkpoint.items[name].stored(is_transposed=False)
            stored[f"{side}_embedding.weight"] = _with_zero_row(table)
    output = checkpoint.items.get("decoder_ff_logit_out_W")
    if output is not None and output.kind == INTGEMM8:
        stored[OUTPUT_PROJECTION] = _with_zero_row(output.stored(is_transposed=True))
    return stored


def _with_zero_row(matrix: StoredMatrix) -> StoredMatrix:
    values = np.pad(matrix.values, ((0, 1), (0, 0)))
    return StoredMatrix(values=values, multiplier=matrix.multiplier)


def _plan(checkpoint: _Checkpoint) -> ActivationPlan:
    names = _layer_names(checkpoint)
    readers = tensor_readers(checkpoint.config["enc-depth"], checkpoint.config["dec-depth"])
    output = "output_projection"
    names[output] = (
        "decoder_ff_logit_out_W"
        if "decoder_ff_logit_out_W_QuantMultA" in checkpoint.items
        else output_scale(checkpoint.items)
    )
    return activation_plan(checkpoint.items, {**readers, output: [output]}, names)


def _shortlist(path: Path, source: SideVocabulary, target: SideVocabulary) -> ShortlistPlan | None:
    end = target.pieces.index(END)
    return read_lexicon(path, len(source.pieces), len(target.pieces), end)
