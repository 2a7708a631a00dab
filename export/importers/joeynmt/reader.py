"""Reads JoeyNMT's own models: `config.yaml`, a checkpoint of torch, and vocabularies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bundle.manifest import SpecialIds
from export.errors import ExportError
from export.graphs.builder import MASKED_SCORE
from export.importers.files.checkpoint_file import checkpoint_file
from export.importers.files.tensor_files import load_pickled, state_dict_tensors
from export.importers.imported_model import ImportedModel
from export.importers.joeynmt.config import NAME, Config, read_config
from export.importers.joeynmt.layers import stack_weights
from export.importers.joeynmt.original import JoeyOriginal
from export.importers.joeynmt.vocabulary import read_vocabulary
from export.importers.languages import directions
from export.importers.networks.activations import known_activation
from export.importers.networks.building import (
    OUTPUT_PROJECTION,
    NetworkDescription,
    build_network,
)
from export.importers.networks.layers import STACKS, StackShape
from export.importers.networks.tensor_reader import TensorReader
from export.importers.options import ImportOptions
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.network import Float32, Network

LAYER_NORM_EPS = 1e-6
_PREFERRED = ("best.ckpt", "latest.ckpt")
_NUMBERS = ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
"""Classes of the best score, as some versions store it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    """Content of a folder, before a network is built of it."""

    path: Path
    """File of the weights."""
    config: Config
    text: str
    """Text of the configuration."""
    tensors: Mapping[str, Float32]
    source: SideVocabulary
    target: SideVocabulary

    @property
    def norm_position(self) -> str | None:
        """None where neither the configuration nor the tensors tell."""
        configured = self.config.model.encoder.layer_norm
        return configured or ("pre" if "encoder.layer_norm.weight" in self.tensors else None)

    @property
    def is_shared(self) -> bool:
        """Source and target have one embedding."""
        return self.config.model.tied_embeddings

    def embedding_scale(self, stack: str) -> float:
        """Factor of the embeddings that a stack reads."""
        model = self.config.model
        is_source = stack == "encoder" or self.is_shared
        embeddings = (model.encoder if is_source else model.decoder).embeddings
        return float(embeddings.embedding_dim**0.5) if embeddings.scale else 1.0


def read(options: ImportOptions) -> ImportedModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is of another kind, or a part of it is missing or broken.
    """
    checkpoint = _open(options.path)
    network = _network(checkpoint, options)
    folder, texts = checkpoint.path.parent, checkpoint.config.data
    sources = options.sources or _language(texts.src.lang)
    targets = options.targets or _language(texts.trg.lang)
    return ImportedModel(
        path=folder,
        files=(folder / NAME, checkpoint.path),
        config_text=checkpoint.text,
        network=network,
        source=checkpoint.source,
        target=checkpoint.target,
        pairs=directions(sources, targets, {}),
        original=JoeyOriginal(
            checkpoint.config.model,
            checkpoint.tensors,
            network.special_ids,
            is_pre_norm=checkpoint.norm_position == "pre",
        ),
    )


def _language(code: str | None) -> tuple[str, ...]:
    return (code,) if code else ()


def _open(path: Path) -> _Checkpoint:
    folder = path if path.is_dir() else path.parent
    config, text = read_config(folder / NAME)
    weights = checkpoint_file(path, ".ckpt", _PREFERRED)
    data, specials = config.data, config.data.special_symbols
    source = read_vocabulary(data.src, specials, folder, name="src_vocab.txt", is_target=False)
    target = read_vocabulary(data.trg, specials, folder, name="trg_vocab.txt", is_target=True)
    if config.model.tied_embeddings and source.pieces != target.pieces:
        raise ExportError(f"{folder}: embeddings are tied, but the vocabularies differ")
    return _Checkpoint(
        path=weights,
        config=config,
        text=text,
        tensors=_read_tensors(weights),
        source=source,
        target=target,
    )


def _read_tensors(path: Path) -> dict[str, Float32]:
    content = load_pickled(path, _NUMBERS)
    state = content.get("model_state") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        raise ExportError(f"{path} has no model_state: it is no checkpoint of JoeyNMT")
    return state_dict_tensors(state, path)


def _network(checkpoint: _Checkpoint, options: ImportOptions) -> Network:
    if checkpoint.norm_position is None:
        raise ExportError(
            f"{checkpoint.path.parent / NAME} does not say what layer_norm is, and versions of "
            "JoeyNMT differ: add layer_norm, pre or post, to encoder and decoder"
        )
    reader = TensorReader(checkpoint.tensors, checkpoint.path)
    weights = _embeddings(reader, checkpoint) | _layers(reader, checkpoint)
    encoder = checkpoint.config.model.encoder
    source, target = (
        reader.take(f"{stack}.pe.pe", (1, None, encoder.hidden_size)) for stack in STACKS
    )
    reader.check()
    specials = checkpoint.config.data.special_symbols
    description = NetworkDescription(
        special_ids=SpecialIds(
            pad=specials.pad_id, unk=specials.unk_id, bos=specials.bos_id, eos=specials.eos_id
        ),
        num_heads=encoder.num_heads,
        activation=known_activation(encoder.activation),
        norm_position=checkpoint.norm_position,
        positions="sinusoidal",
        embedding_scale=checkpoint.embedding_scale("decoder"),
        layer_norm_eps=LAYER_NORM_EPS,
        is_shared=checkpoint.is_shared,
    )
    positions = (source[0, : options.source_limit], target[0, : options.target_limit])
    return build_network(weights, positions, description)


def _layers(reader: TensorReader, checkpoint: _Checkpoint) -> dict[str, Float32]:
    model = checkpoint.config.model
    factors = model.residual_factors()
    weights: dict[str, Float32] = {}
    for name, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        shape = StackShape(
            num_layers=stack.num_layers,
            d_model=stack.hidden_size,
            d_ff=stack.ff_size,
            has_final_norm=checkpoint.norm_position == "pre",
        )
        weights |= stack_weights(reader, name, shape, factors[name])
    return weights


def _embeddings(reader: TensorReader, checkpoint: _Checkpoint) -> dict[str, Float32]:
    width = checkpoint.config.model.encoder.hidden_size
    sizes = (len(checkpoint.source.pieces), len(checkpoint.target.pieces))
    target = reader.take("trg_embed.lut.weight", (sizes[1], width))
    weights = {
        "source_embedding.weight": reader.take("src_embed.lut.weight", (sizes[0], width)),
        "target_embedding.weight": target,
        "output_projection.bias": _bias(checkpoint),
    }
    if not checkpoint.is_shared:
        # The graphs have one scale for both sides.
        ratio = checkpoint.embedding_scale("encoder") / checkpoint.embedding_scale("decoder")
        weights["source_embedding.weight"] = weights["source_embedding.weight"] * np.float32(ratio)
    if not checkpoint.config.model.tied_softmax:
        weights[OUTPUT_PROJECTION] = reader.take("decoder.output_layer.weight", target.shape)
    return weights


def _bias(checkpoint: _Checkpoint) -> Float32:
    """Masks the ids that JoeyNMT's searches never generate; it has no bias of its own."""
    bias = np.zeros(len(checkpoint.target.pieces), dtype=np.float32)
    specials = checkpoint.config.data.special_symbols
    bias[[specials.pad_id, specials.bos_id]] = MASKED_SCORE
    return bias
