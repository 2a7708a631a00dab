"""A trained network as plain arrays, which the graphs are built from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bundle import manifest
from bundle.manifest import SpecialIds
from export.errors import ExportError
from export.quantization import StoredMatrix
from model.architecture import LAYER_NORM_EPS

if TYPE_CHECKING:
    from model.architecture import Architecture
    from model.transformer import Transformer

Float32 = NDArray[np.float32]
HEAD_DIM_STEP = 8
"""onnxruntime's fused attention takes only multiples of it as the width of a head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Weights by the names of the state dict, and the constants of the arithmetic."""

    architecture: manifest.Architecture
    special_ids: SpecialIds
    weights: dict[str, Float32]
    """Matrices of linear layers are [out, in], as torch stores them."""
    source_positions: Float32
    """[max_source_tokens, d_model], or of no width where nothing is added to embeddings."""
    target_positions: Float32
    """[max_target_tokens, d_model], likewise."""
    embedding_scale: float
    is_tied: bool
    """The output projection is the embedding of the target."""
    is_shared: bool
    """Source and target have one embedding."""
    layer_norm_eps: float = LAYER_NORM_EPS
    stored: Mapping[str, StoredMatrix] = field(default_factory=dict)
    """Matrices that the checkpoint holds in int8, by the names of `weights`, which has their values
    in float32."""

    @property
    def max_source_tokens(self) -> int:
        """Longest source, end token included."""
        return len(self.source_positions)

    @property
    def max_target_tokens(self) -> int:
        """Longest target, end token included."""
        return len(self.target_positions)


def network_of(model: "Transformer", *, max_source: int, max_target: int) -> Network:
    """Take the arrays out of a torch model.

    Args:
        model: A trained model.
        max_source: Longest source in tokens that the bundle will accept.
        max_target: Longest target in tokens that the bundle will generate.

    Raises:
        ExportError: A weight is NaN or infinite.
    """
    shape = model.architecture
    arrays = as_float32(model.state_dict(keep_vars=True))
    weights = {name: values.copy() for name, values in arrays.items()}
    _check_finite(weights)
    return Network(
        architecture=architecture_of(model),
        special_ids=SpecialIds(
            pad=shape.pad_id, unk=shape.unk_id, bos=shape.bos_id, eos=shape.eos_id
        ),
        weights=weights,
        source_positions=model.source_positions.weight.detach().numpy()[:max_source].copy(),
        target_positions=model.target_positions.weight.detach().numpy()[:max_target].copy(),
        embedding_scale=model.source_positions.scale,
        is_tied=shape.tie_embeddings,
        is_shared=shape.tie_embeddings,
    )


def _check_finite(weights: Mapping[str, Float32]) -> None:
    """Check before int8, which rounds NaN to a finite number and so hides it."""
    broken = sorted(name for name, values in weights.items() if not np.isfinite(values).all())
    if broken:
        raise ExportError(
            f"the checkpoint has NaN or infinite weights in {', '.join(broken)}: "
            "export an earlier one"
        )


def as_float32(state: Mapping[str, object]) -> dict[str, Float32]:
    """The tensors of a state dict as arrays; other values are left out."""
    from torch import Tensor  # here: imports of other programs' models may do without

    return {
        name: value.detach().float().numpy()
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def num_parameters(weights: Mapping[str, Float32], *, is_tied: bool, is_shared: bool) -> int:
    """Size of a network's weights, each shared matrix counted once."""
    counted = dict(weights)
    if is_shared:
        del counted["source_embedding.weight"]
    if is_tied:
        counted.pop("output_projection.weight", None)
    return sum(values.size for values in counted.values())


def architecture_of(model: "Transformer") -> manifest.Architecture:
    """The manifest's description of a model's shape."""
    shape = model.architecture
    return manifest.Architecture(
        vocab_size=shape.vocab_size,
        d_model=shape.d_model,
        d_ff=shape.d_ff,
        num_heads=shape.num_heads,
        num_encoder_layers=shape.num_encoder_layers,
        num_decoder_layers=shape.num_decoder_layers,
        activation=shape.activation,
        norm_position=shape.norm_position,
        positions=shape.positions,
        attention_score=shape.attention_score,
        attention_operator=attention_operator(shape),
        num_parameters=sum(p.numel() for p in model.parameters()),
    )


def attention_operator(shape: "Architecture") -> manifest.AttentionOperator:
    """`fused` where the fused operator computes the attention of the network, else `plain`."""
    # Attention does not see positions that are added to embeddings.
    is_added = shape.positions in ("sinusoidal", "learned")
    is_known = shape.attention_score == "scaled_dot" and is_added
    return dot_product_operator(shape.head_dim) if is_known else "plain"


def dot_product_operator(head_dim: int) -> manifest.AttentionOperator:
    """The operator for scaled dot products with heads of a width."""
    return "plain" if head_dim % HEAD_DIM_STEP else "fused"
