"""The network of a CTranslate2 model: its tensors by our names."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bundle.manifest import Architecture, SpecialIds
from export.errors import ExportError
from export.graph_builder import MASKED_SCORE
from export.importers.ct2_attributes import Attributes
from export.importers.ct2_folder import Config, Folder
from export.importers.ct2_layers import depth, stack_weights, widths
from export.importers.options import ImportOptions
from export.importers.positions import sines_then_cosines_from_one
from export.importers.side import Side
from export.importers.tensors import TensorReader
from export.network import Float32, Network, dot_product_operator, num_parameters

_PROJECTION = "output_projection.weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    """Widths and depths, read off the tensors."""

    d_model: int
    d_ff: int
    num_encoder_layers: int
    num_decoder_layers: int


def read_network(
    folder: Folder,
    tensors: Mapping[str, Float32],
    attributes: Attributes,
    sides: tuple[Side, Side],
    options: ImportOptions,
) -> Network:
    """Take what is expected out of a model.

    Raises:
        ExportError: Something is missing or has another shape.
    """
    sizes = _sizes(folder, tensors, attributes.num_heads)
    reader = TensorReader(tensors, str(folder.stored.path))
    weights = _vocabulary_weights(reader, sides, sizes.d_model)
    both = (sizes.d_model, sizes.d_ff)
    weights |= stack_weights(reader, "encoder", sizes.num_encoder_layers, both)
    weights |= stack_weights(reader, "decoder", sizes.num_decoder_layers, both)
    source = _positions(reader, "encoder", options.max_source_tokens, sizes.d_model)
    target = _positions(reader, "decoder", options.max_target_tokens, sizes.d_model)
    reader.check()
    return _network(folder.config, attributes, sizes, sides, weights, (source, target))


def _sizes(folder: Folder, tensors: Mapping[str, Float32], num_heads: int) -> _Sizes:
    d_model, d_ff = widths(tensors)
    depths = {side: depth(tensors, side) for side in ("encoder", "decoder")}
    faults = [f"no layers in its {side}" for side, layers in depths.items() if not layers]
    if not d_model:
        faults.append("no feed-forward in its first layers")
    elif num_heads < 1 or d_model % num_heads:
        faults.append(f"{d_model} wide is no multiple of {num_heads} heads")
    if faults:
        raise ExportError(f"{folder.stored.path}: {'; '.join(faults)}")
    return _Sizes(
        d_model=d_model,
        d_ff=d_ff,
        num_encoder_layers=depths["encoder"],
        num_decoder_layers=depths["decoder"],
    )


def _vocabulary_weights(
    reader: TensorReader, sides: tuple[Side, Side], d_model: int
) -> dict[str, Float32]:
    num_source, num_target = (len(side.pieces) for side in sides)
    names = ("encoder/embeddings_0/weight", "encoder/embeddings/weight")
    return {
        "source_embedding.weight": reader.take(names, (num_source, d_model)),
        "target_embedding.weight": reader.take("decoder/embeddings/weight", (num_target, d_model)),
        _PROJECTION: reader.take("decoder/projection/weight", (num_target, d_model)),
        "output_projection.bias": reader.take_or_zeros("decoder/projection/bias", (num_target,)),
    }


def _positions(reader: TensorReader, side: str, longest: int, d_model: int) -> Float32:
    name = f"{side}/position_encodings/encodings"
    if name in reader:
        return reader.take(name, (None, d_model))[:longest]
    return sines_then_cosines_from_one(longest, d_model)


def _network(
    config: Config,
    attributes: Attributes,
    sizes: _Sizes,
    sides: tuple[Side, Side],
    weights: dict[str, Float32],
    positions: tuple[Float32, Float32],
) -> Network:
    source, target = weights["source_embedding.weight"], weights["target_embedding.weight"]
    is_shared = np.array_equal(source, target)
    is_tied = np.array_equal(weights[_PROJECTION], target)
    if is_tied:
        del weights[_PROJECTION]
    if attributes.starts_from_zero:
        weights |= _with_start(weights)
    more, scale = int(attributes.starts_from_zero), attributes.embedding_scale
    return Network(
        architecture=Architecture(
            vocab_size=len(target) + more,
            source_vocab_size=None if is_shared else len(source) + more,
            d_model=sizes.d_model,
            d_ff=sizes.d_ff,
            num_heads=attributes.num_heads,
            num_encoder_layers=sizes.num_encoder_layers,
            num_decoder_layers=sizes.num_decoder_layers,
            activation=attributes.activation,
            norm_position=attributes.norm_position,
            positions="sinusoidal" if _is_sinusoidal(positions[0]) else "learned",
            attention_operator=dot_product_operator(sizes.d_model // attributes.num_heads),
            num_parameters=num_parameters(weights, is_tied=is_tied, is_shared=is_shared),
        ),
        special_ids=_special_ids(config, sides, starts_from_zero=attributes.starts_from_zero),
        weights=weights,
        source_positions=positions[0],
        target_positions=positions[1],
        embedding_scale=sizes.d_model**0.5 if scale is None else scale,
        is_tied=is_tied,
        is_shared=is_shared,
        layer_norm_eps=config.layer_norm_eps,
    )


def _with_start(weights: Mapping[str, Float32]) -> dict[str, Float32]:
    """With a row of zeros more, which nobody writes: what the decoder begins with."""
    longer = {n: np.pad(a, ((0, 1), (0, 0))) for n, a in weights.items() if _is_table(n)}
    bias = np.append(weights["output_projection.bias"], np.float32(MASKED_SCORE))
    return {**longer, "output_projection.bias": bias}


def _is_table(name: str) -> bool:
    return name.endswith("_embedding.weight") or name == _PROJECTION


def _is_sinusoidal(table: Float32) -> bool:
    """Sine and cosine of the same angles, in whatever order and precision they are kept."""
    lengths = np.square(table).sum(axis=1)
    return bool(np.allclose(lengths, table.shape[1] / 2, rtol=0.02))


def _special_ids(config: Config, sides: tuple[Side, Side], *, starts_from_zero: bool) -> SpecialIds:
    source, target = (side.pieces for side in sides)
    eos = target.index(config.end)
    ends = () if config.source_end is None else (source.index(config.source_end),)
    bos = len(target) if starts_from_zero else target.index(config.decoder_start or "")
    return SpecialIds(
        pad=eos if eos < len(source) else 0,  # it only fills up: any id will do
        unk=target.index(config.unknown),
        bos=bos,
        eos=eos,
        source_end=None if ends == (eos,) else ends,
    )
