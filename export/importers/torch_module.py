"""State dicts of modules that `torch.nn.Transformer` is in, with a description beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bundle.manifest import Architecture, LanguagePair, SpecialIds
from export.errors import ExportError
from export.importers.activations import known_activation
from export.importers.foreign import ForeignModel, origin_of
from export.importers.languages import directions
from export.importers.options import ImportOptions
from export.importers.side import Side
from export.importers.tensors import TensorReader, load_pickled, read_safetensors
from export.importers.torch_description import NAME, Description, read_description
from export.importers.torch_layers import StackShape, stack_shape, stack_weights
from export.importers.torch_reference import TorchReference, TorchTransformer
from export.importers.torch_vocabulary import read_side
from export.network import Float32, Network, dot_product_operator, num_parameters
from model.positions import sinusoidal_positions

KIND = "torch"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    """A description, and the state dict that it describes."""

    path: Path
    """Of the description."""
    description: Description
    text: str
    tensors: Mapping[str, Float32]

    @property
    def weights_path(self) -> Path:
        """Of the state dict."""
        return self.path.parent / self.description.weights

    @property
    def prefix(self) -> str:
        """Before `encoder` and `decoder`."""
        name = self.description.tensors.transformer
        return f"{name}." if name else ""

    @property
    def is_shared(self) -> bool:
        """Source and target have one embedding."""
        names = self.description.tensors
        return names.source_embedding == names.target_embedding


def read(options: ImportOptions) -> ForeignModel:
    """Read a checkpoint by its description.

    Raises:
        ExportError: It cannot be read, or something in it is missing or broken.
    """
    checkpoint = _open(options.path)
    source, target = _sides(checkpoint)
    ids = _special_ids(checkpoint.description, source, target)
    made, network = _read_network(checkpoint, ids, options)
    _check_sizes(network, source, target)
    files = {file.name: file for file in (checkpoint.path, checkpoint.weights_path)}
    files |= {file.name: file for side in (source, target) for file in side.files}
    return ForeignModel(
        network=network,
        source_tokenizer=source.model,
        target_tokenizer=None if source.model == target.model else target.model,
        pairs=_pairs(checkpoint.description, options),
        origin=origin_of(KIND, checkpoint.weights_path, files),
        config_text=checkpoint.text,
        reference=TorchReference(made, checkpoint.tensors, checkpoint.prefix),
    )


def _open(path: Path) -> _Checkpoint:
    path = path / NAME if path.is_dir() else path
    description, text = read_description(path)
    weights = path.parent / description.weights
    return _Checkpoint(
        path=path,
        description=description,
        text=text,
        tensors=_squeezed(_read_tensors(weights, description.state), description),
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
    if not isinstance(content, Mapping):
        raise ExportError(f"{path}: a {type(content).__name__}, not a state dict")
    tensors = {n: t for n, t in content.items() if isinstance(t, torch.Tensor)}
    return {name: tensor.detach().float().numpy() for name, tensor in tensors.items()}


def _squeezed(tensors: dict[str, Float32], description: Description) -> dict[str, Float32]:
    """Tables of positions have an axis for the batch in many modules."""
    names = description.tensors
    for name in {names.source_positions, names.target_positions}:
        if name in tensors and tensors[name].ndim == 3:
            axis = 0 if tensors[name].shape[0] == 1 else 1
            tensors[name] = np.take(tensors[name], 0, axis=axis)
    return tensors


def _sides(checkpoint: _Checkpoint) -> tuple[Side, Side]:
    description, folder = checkpoint.description, checkpoint.path.parent
    source = read_side(description.source, description.specials, folder, is_written=False)
    if description.target is None:
        return source, source
    return source, read_side(description.target, description.specials, folder, is_written=True)


def _special_ids(description: Description, source: Side, target: Side) -> SpecialIds:
    specials = description.specials
    smaller = min(len(source.pieces), len(target.pieces))
    eos, padding = target.pieces.index(specials.end), target.pieces.index(specials.padding)
    end = (source.pieces.index(specials.end),) if specials.source_has_end else ()
    return SpecialIds(
        pad=padding if padding < smaller else eos,  # it only fills up: any id will do
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


def _check_sizes(network: Network, source: Side, target: Side) -> None:
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


def _read_network(
    checkpoint: _Checkpoint, ids: SpecialIds, options: ImportOptions
) -> tuple[TorchTransformer, Network]:
    description = checkpoint.description
    reader = TensorReader(checkpoint.tensors, str(checkpoint.weights_path))
    weights = _around(reader, description)
    d_model = weights["source_embedding.weight"].shape[1]
    stacks = {
        side: stack_shape(checkpoint.tensors, checkpoint.prefix + side, d_model)
        for side in ("encoder", "decoder")
    }
    for side, shape in stacks.items():
        weights |= stack_weights(reader, checkpoint.prefix + side, side, shape)
    source_positions, target_positions = _both_positions(reader, description, options, d_model)
    reader.check()
    _check_stacks(stacks, checkpoint)
    scale = description.embedding_scale
    made = TorchTransformer(
        encoder=stacks["encoder"],
        decoder=stacks["decoder"],
        num_heads=description.num_heads,
        activation=known_activation(description.activation),
        norm_first=description.norm_first,
        layer_norm_eps=description.layer_norm_eps,
        embedding_scale=d_model**0.5 if scale == "sqrt" else float(scale),
        source_embedding=weights["source_embedding.weight"],
        target_embedding=weights["target_embedding.weight"],
        source_positions=source_positions,
        target_positions=target_positions,
        generator=weights.get("output_projection.weight", weights["target_embedding.weight"]),
        generator_bias=weights["output_projection.bias"],
        special_ids=ids,
    )
    return made, _network(made, weights, description, is_shared=checkpoint.is_shared)


def _around(reader: TensorReader, description: Description) -> dict[str, Float32]:
    """Embeddings, and the projection to the vocabulary, if it is a matrix of its own."""
    names = description.tensors
    source = reader.take(names.source_embedding, (None, None))
    target = reader.take(names.target_embedding, (None, source.shape[1]))
    weights = {"source_embedding.weight": source, "target_embedding.weight": target}
    bias = np.zeros(len(target), dtype=np.float32)
    if names.generator is not None:
        matrix = reader.take(f"{names.generator}.weight", target.shape)
        bias = reader.take_or_zeros(f"{names.generator}.bias", bias.shape)
        if not np.array_equal(matrix, target):  # a tied one is saved under both its names
            weights["output_projection.weight"] = matrix
    return {**weights, "output_projection.bias": bias}


def _both_positions(
    reader: TensorReader, description: Description, options: ImportOptions, d_model: int
) -> tuple[Float32, Float32]:
    """Of source and target: the checkpoint's, or as many sinusoids as are wanted."""
    names = description.tensors
    tables = [
        sinusoidal_positions(longest, d_model).numpy()
        if name is None
        else reader.take(name, (None, d_model))[:longest]
        for name, longest in (
            (names.source_positions, options.max_source_tokens),
            (names.target_positions, options.max_target_tokens),
        )
    ]
    return tables[0], tables[1]


def _check_stacks(stacks: Mapping[str, StackShape], checkpoint: _Checkpoint) -> None:
    prefix, num_heads = checkpoint.prefix, checkpoint.description.num_heads
    faults = [f"no layers in {prefix}{s}" for s, shape in stacks.items() if not shape.num_layers]
    if stacks["encoder"].d_ff != stacks["decoder"].d_ff:
        faults.append("encoder and decoder differ in the width of linear1")
    d_model = stacks["encoder"].d_model
    if d_model % num_heads:
        faults.append(f"{d_model} wide is no multiple of {num_heads} heads")
    if faults:
        raise ExportError(f"{checkpoint.weights_path}: {'; '.join(faults)}")


def _network(
    made: TorchTransformer,
    weights: dict[str, Float32],
    description: Description,
    *,
    is_shared: bool,
) -> Network:
    d_model, is_tied = made.encoder.d_model, "output_projection.weight" not in weights
    sizes = (len(made.source_embedding), len(made.target_embedding))
    return Network(
        architecture=Architecture(
            vocab_size=sizes[1],
            source_vocab_size=None if is_shared else sizes[0],
            d_model=d_model,
            d_ff=made.encoder.d_ff,
            num_heads=made.num_heads,
            num_encoder_layers=made.encoder.num_layers,
            num_decoder_layers=made.decoder.num_layers,
            activation=made.activation,
            norm_position="pre" if made.norm_first else "post",
            positions="learned" if description.tensors.source_positions else "sinusoidal",
            attention_operator=dot_product_operator(d_model // made.num_heads),
            num_parameters=num_parameters(weights, is_tied=is_tied, is_shared=is_shared),
        ),
        special_ids=made.special_ids,
        weights=weights,
        source_positions=made.source_positions,
        target_positions=made.target_positions,
        embedding_scale=made.embedding_scale,
        is_tied=is_tied,
        is_shared=is_shared,
        layer_norm_eps=made.layer_norm_eps,
    )
