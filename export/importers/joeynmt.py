"""JoeyNMT's own models: a folder with `config.yaml`, a checkpoint of torch, and vocabularies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bundle.manifest import Architecture, SpecialIds
from export.errors import ExportError
from export.graph_builder import MASKED_SCORE
from export.importers.activations import known_activation
from export.importers.checkpoint_file import checkpoint_file
from export.importers.foreign import ForeignModel, origin_of
from export.importers.joeynmt_config import NAME, Config, read_config
from export.importers.joeynmt_layers import stack_weights
from export.importers.joeynmt_reference import JoeyReference
from export.importers.joeynmt_vocabulary import read_side
from export.importers.languages import directions
from export.importers.options import ImportOptions
from export.importers.side import Side
from export.importers.tensors import TensorReader, load_pickled
from export.network import Float32, Network, dot_product_operator, num_parameters

KIND = "joeynmt"
LAYER_NORM_EPS = 1e-6
_BEST = ("best.ckpt", "latest.ckpt")
_NUMBERS = ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
"""What the best score is kept as by some versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    """A folder, read as far as it needs no network."""

    path: Path
    """Of the weights."""
    config: Config
    text: str
    tensors: Mapping[str, Float32]
    source: Side
    target: Side

    @property
    def norm_position(self) -> str | None:
        """None: neither the configuration nor the tensors tell."""
        said = self.config.model.encoder.layer_norm
        return said or ("pre" if "encoder.layer_norm.weight" in self.tensors else None)

    @property
    def is_shared(self) -> bool:
        """Source and target have one embedding."""
        return self.config.model.tied_embeddings


def read(options: ImportOptions) -> ForeignModel:
    """Read a checkpoint.

    Raises:
        ExportError: It is not one of these, or something in it is missing or broken.
    """
    checkpoint = _open(options.path)
    source, target = checkpoint.source, checkpoint.target
    network = _network(checkpoint, options)
    config_file = checkpoint.path.parent / NAME
    files = [config_file, checkpoint.path, *source.files, *target.files]
    texts = checkpoint.config.data
    return ForeignModel(
        network=network,
        source_tokenizer=source.model,
        target_tokenizer=None if source.model == target.model else target.model,
        pairs=directions(
            options.sources or _said(texts.src.lang), options.targets or _said(texts.trg.lang), {}
        ),
        origin=origin_of(KIND, checkpoint.path.parent, {file.name: file for file in files}),
        config_text=checkpoint.text,
        reference=JoeyReference(
            checkpoint.config.model,
            checkpoint.tensors,
            network.special_ids,
            is_pre_norm=checkpoint.norm_position == "pre",
        ),
    )


def _said(language: str | None) -> tuple[str, ...]:
    return (language,) if language else ()


def _open(path: Path) -> _Checkpoint:
    folder = path if path.is_dir() else path.parent
    config, text = read_config(folder / NAME)
    weights = checkpoint_file(path, ".ckpt", _BEST)
    specials = config.data.special_symbols
    source = read_side(config.data.src, specials, folder, name="src_vocab.txt", is_written=False)
    target = read_side(config.data.trg, specials, folder, name="trg_vocab.txt", is_written=True)
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
    tensors = {n: t for n, t in state.items() if isinstance(t, torch.Tensor)}
    return {name: tensor.detach().float().numpy() for name, tensor in tensors.items()}


def _network(checkpoint: _Checkpoint, options: ImportOptions) -> Network:
    if checkpoint.norm_position is None:
        raise ExportError(
            f"{checkpoint.path.parent / NAME} does not say what layer_norm is, and versions of "
            "JoeyNMT differ: add layer_norm, pre or post, to encoder and decoder"
        )
    reader = TensorReader(checkpoint.tensors, str(checkpoint.path))
    weights = _embeddings(reader, checkpoint)
    model, is_pre = checkpoint.config.model, checkpoint.norm_position == "pre"
    factors = model.residual_factors()
    for side, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        weights |= stack_weights(reader, side, stack, factor=factors[side], has_final_norm=is_pre)
    width = model.encoder.hidden_size
    tables = [reader.take(f"{side}.pe.pe", (1, None, width)) for side in ("encoder", "decoder")]
    reader.check()
    is_tied = "output_projection.weight" not in weights
    return Network(
        architecture=_architecture(checkpoint, weights, is_tied=is_tied),
        special_ids=_special_ids(checkpoint),
        weights=weights,
        source_positions=tables[0][0, : options.max_source_tokens],
        target_positions=tables[1][0, : options.max_target_tokens],
        embedding_scale=_scale(checkpoint, "decoder"),
        is_tied=is_tied,
        is_shared=checkpoint.is_shared,
        layer_norm_eps=LAYER_NORM_EPS,
    )


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
        ratio = _scale(checkpoint, "encoder") / _scale(checkpoint, "decoder")
        weights["source_embedding.weight"] = weights["source_embedding.weight"] * np.float32(ratio)
    if not checkpoint.config.model.tied_softmax:
        weights["output_projection.weight"] = reader.take(
            "decoder.output_layer.weight", target.shape
        )
    return weights


def _bias(checkpoint: _Checkpoint) -> Float32:
    """None of its own; but what JoeyNMT's searches never write is here never written either."""
    bias = np.zeros(len(checkpoint.target.pieces), dtype=np.float32)
    specials = checkpoint.config.data.special_symbols
    bias[[specials.pad_id, specials.bos_id]] = MASKED_SCORE
    return bias


def _scale(checkpoint: _Checkpoint, side: str) -> float:
    model = checkpoint.config.model
    is_source = side == "encoder" or checkpoint.is_shared
    embeddings = (model.encoder if is_source else model.decoder).embeddings
    return float(embeddings.embedding_dim**0.5) if embeddings.scale else 1.0


def _architecture(
    checkpoint: _Checkpoint, weights: dict[str, Float32], *, is_tied: bool
) -> Architecture:
    encoder, decoder = checkpoint.config.model.encoder, checkpoint.config.model.decoder
    return Architecture(
        vocab_size=len(checkpoint.target.pieces),
        source_vocab_size=None if checkpoint.is_shared else len(checkpoint.source.pieces),
        d_model=encoder.hidden_size,
        d_ff=encoder.ff_size,
        num_heads=encoder.num_heads,
        num_encoder_layers=encoder.num_layers,
        num_decoder_layers=decoder.num_layers,
        activation=known_activation(encoder.activation),
        norm_position=checkpoint.norm_position or "",
        positions="sinusoidal",
        attention_operator=dot_product_operator(encoder.hidden_size // encoder.num_heads),
        num_parameters=num_parameters(weights, is_tied=is_tied, is_shared=checkpoint.is_shared),
    )


def _special_ids(checkpoint: _Checkpoint) -> SpecialIds:
    specials = checkpoint.config.data.special_symbols
    return SpecialIds(
        pad=specials.pad_id, unk=specials.unk_id, bos=specials.bos_id, eos=specials.eos_id
    )
