"""Reads state dicts of modules around `torch.nn.Transformer`, by a description beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bundle.manifest import LanguagePair, SpecialIds
from export.errors import ExportError
from export.importers.files.tensor_files import load_pickled, read_safetensors, state_dict_tensors
from export.importers.imported_model import ImportedModel
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
from export.importers.torch_module.description import NAME, Description, read_description
from export.importers.torch_module.layers import stack_shape, stack_weights
from export.importers.torch_module.original import TorchOriginal
from export.importers.torch_module.vocabulary import read_vocabulary
from export.network import Float32, Network
from model.transformer.positions import sinusoidal_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    """A description, and the state dict that it describes."""

    path: Path
    """File of the description."""
    description: Description
    text: str
    """Text of the description."""
    tensors: Mapping[str, Float32]

    @property
    def weights_path(self) -> Path:
        """File of the state dict."""
        return self.path.parent / self.description.weights

    @property
    def prefix(self) -> str:
        """Before `encoder` and `decoder` in names."""
        name = self.description.tensors.transformer
        return f"{name}." if name else ""

    @property
    def is_shared(self) -> bool:
        """Source and target have one embedding."""
        names = self.description.tensors
        return names.source_embedding == names.target_embedding


def read(options: ImportOptions) -> ImportedModel:
    """Read a checkpoint by its description.

    Raises:
        ExportError: It cannot be read, or a part of it is missing or broken.
    """
    checkpoint = _open(options.path)
    source, target = _vocabularies(checkpoint)
    network = _network(checkpoint, source, target, options)
    _check_sizes(network, source, target)
    return ImportedModel(
        path=checkpoint.weights_path,
        files=(checkpoint.path, checkpoint.weights_path),
        config_text=checkpoint.text,
        network=network,
        source=source,
        target=target,
        pairs=_pairs(checkpoint.description, options),
        original=TorchOriginal(network, checkpoint.tensors, checkpoint.prefix),
    )


def _open(path: Path) -> _Checkpoint:
    path = path / NAME if path.is_dir() else path
    description, text = read_description(path)
    tensors = _read_tensors(path.parent / description.weights, description.state)
    return _Checkpoint(
        path=path,
        description=description,
        text=text,
        tensors=_without_batch_axis(tensors, description),
    )


def _read_tensors(path: Path, state: str | None) -> dict[str, Float32]:
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    content = load_pickled(path)
    if state is not None:
        found = content.get(state) if isinstance(content, Mapping) else None
        if found is None:
            raise ExportError(f"{path} has no {state!r} that would be the state dict")
        content = found
    return state_dict_tensors(content, path)


def _without_batch_axis(
    tensors: dict[str, Float32], description: Description
) -> dict[str, Float32]:
    """Tensors whose tables of positions have two axes; many modules keep a third of size 1."""
    names = description.tensors
    for name in {names.source_positions, names.target_positions}:
        if name in tensors and tensors[name].ndim == 3:
            axis = 0 if tensors[name].shape[0] == 1 else 1
            tensors[name] = np.take(tensors[name], 0, axis=axis)
    return tensors


def _vocabularies(checkpoint: _Checkpoint) -> tuple[SideVocabulary, SideVocabulary]:
    description, folder = checkpoint.description, checkpoint.path.parent
    specials = description.specials
    source = read_vocabulary(description.source, specials, folder, is_target=False)
    if description.target is None:
        return source, source
    return source, read_vocabulary(description.target, specials, folder, is_target=True)


def _special_ids(
    description: Description, source: SideVocabulary, target: SideVocabulary
) -> SpecialIds:
    specials = description.specials
    smaller = min(len(source.pieces), len(target.pieces))
    eos, padding = target.pieces.index(specials.end), target.pieces.index(specials.padding)
    end = (source.pieces.index(specials.end),) if specials.source_has_end else ()
    return SpecialIds(
        # Any id will do in padding, but it has to exist on both sides.
        pad=padding if padding < smaller else eos,
        unk=target.pieces.index(specials.unknown),
        bos=target.pieces.index(specials.start),
        eos=eos,
        source_end=None if end == (eos,) else end,
    )


def _pairs(description: Description, options: ImportOptions) -> tuple[LanguagePair, ...]:
    specials = description.specials
    prefix = specials.start if specials.source_has_start else None
    pairs = directions(options.sources, options.targets, {})
    return tuple(pair.model_copy(update={"source_prefix": prefix}) for pair in pairs)


def _check_sizes(network: Network, source: SideVocabulary, target: SideVocabulary) -> None:
    weights = network.weights
    faults = [
        f"{len(side.pieces)} pieces of the {name}, but {len(table)} rows in its embedding"
        for name, side, table in (
            ("source", source, weights["source_embedding.weight"]),
            ("target", target, weights["target_embedding.weight"]),
        )
        if len(side.pieces) != len(table)
    ]
    if faults:
        raise ExportError("; ".join(faults))


def _network(
    checkpoint: _Checkpoint, source: SideVocabulary, target: SideVocabulary, options: ImportOptions
) -> Network:
    description = checkpoint.description
    reader = TensorReader(checkpoint.tensors, checkpoint.weights_path)
    weights = _embeddings(reader, description)
    d_model = weights["source_embedding.weight"].shape[1]
    prefix = checkpoint.prefix
    shapes = {name: stack_shape(checkpoint.tensors, prefix + name, d_model) for name in STACKS}
    for name, shape in shapes.items():
        weights |= stack_weights(reader, prefix + name, name, shape)
    names = description.tensors
    positions = (
        _positions(reader, names.source_positions, options.source_limit, d_model),
        _positions(reader, names.target_positions, options.target_limit, d_model),
    )
    reader.check()
    _check_shapes(shapes, checkpoint)
    scale = description.embedding_scale
    return build_network(
        weights,
        positions,
        NetworkDescription(
            special_ids=_special_ids(description, source, target),
            num_heads=description.num_heads,
            activation=known_activation(description.activation),
            norm_position="pre" if description.norm_first else "post",
            positions="learned" if names.source_positions else "sinusoidal",
            embedding_scale=d_model**0.5 if scale == "sqrt" else float(scale),
            layer_norm_eps=description.layer_norm_eps,
            is_shared=checkpoint.is_shared,
        ),
    )


def _embeddings(reader: TensorReader, description: Description) -> dict[str, Float32]:
    """Embeddings, and the output projection where it is a matrix of its own."""
    names = description.tensors
    source = reader.take(names.source_embedding, (None, None))
    target = reader.take(names.target_embedding, (None, source.shape[1]))
    weights = {"source_embedding.weight": source, "target_embedding.weight": target}
    bias = np.zeros(len(target), dtype=np.float32)
    if names.generator is not None:
        matrix = reader.take(f"{names.generator}.weight", target.shape)
        bias = reader.take_or_zeros(f"{names.generator}.bias", bias.shape)
        if not np.array_equal(matrix, target):  # a tied one is saved under both its names
            weights[OUTPUT_PROJECTION] = matrix
    return {**weights, "output_projection.bias": bias}


def _positions(reader: TensorReader, name: str | None, limit: int, d_model: int) -> Float32:
    """The checkpoint's table, or sinusoids up to the limit where it has none."""
    if name is None:
        return sinusoidal_positions(limit, d_model).numpy()
    return reader.take(name, (None, d_model))[:limit]


def _check_shapes(shapes: Mapping[str, StackShape], checkpoint: _Checkpoint) -> None:
    prefix, num_heads = checkpoint.prefix, checkpoint.description.num_heads
    faults = [f"no layers in {prefix}{s}" for s, shape in shapes.items() if not shape.num_layers]
    if shapes["encoder"].d_ff != shapes["decoder"].d_ff:
        faults.append("encoder and decoder differ in the width of linear1")
    d_model = shapes["encoder"].d_model
    if d_model % num_heads:
        faults.append(f"{d_model} wide is no multiple of {num_heads} heads")
    if faults:
        raise ExportError(f"{checkpoint.weights_path}: {'; '.join(faults)}")
