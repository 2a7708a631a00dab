"""The architecture of a Transformer, as one frozen value."""

from dataclasses import dataclass
from typing import Literal, get_args

from model.errors import ConfigError

Activation = Literal["relu", "gelu", "swish"]
NormPosition = Literal["post", "pre"]
Positions = Literal["sinusoidal", "learned", "relative", "rotary"]
AttentionScore = Literal["scaled_dot", "additive", "bilinear", "euclidean", "cosine"]

LAYER_NORM_EPS = 1e-5

ROTARY_SCORES: tuple[AttentionScore, ...] = ("scaled_dot", "euclidean", "cosine")
"""Scores that keep rotary positions relative: functions of the dot product and the two lengths.

Rotating query and key changes neither but by their distance. An additive score sums the two before
a non-linearity and a bilinear one puts a matrix between them: both depend on the positions.
"""

_COUNTS = (
    "vocab_size",
    "d_model",
    "d_ff",
    "num_heads",
    "max_positions",
    "max_distance",
    "num_encoder_layers",
    "num_decoder_layers",
)
_CHOICES = {
    "activation": get_args(Activation),
    "norm_position": get_args(NormPosition),
    "positions": get_args(Positions),
    "attention_score": get_args(AttentionScore),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Everything that decides which parameters there are and what they compute.

    Raises:
        ConfigError: Values are impossible or do not fit together; lists all of them.
    """

    vocab_size: int
    """Pieces in the vocabulary that source and target share."""
    d_model: int = 512
    d_ff: int = 2048
    num_heads: int = 8
    num_encoder_layers: int = 6
    num_decoder_layers: int = 6
    dropout: float = 0.1
    """Share of dropout on embeddings and on the output of every sub-layer."""
    inner_dropout: float | None = None
    """Share on attention weights and within the feed-forward; None: that of `dropout`."""
    activation: Activation = "relu"
    norm_position: NormPosition = "post"
    """After the residual sum, as in Vaswani et al. (2017), or before the sub-layer."""
    positions: Positions = "sinusoidal"
    """Sinusoidal and learned ones are added to embeddings; relative and rotary ones act within
    self-attention."""
    max_positions: int = 512
    """Tokens of the longest sequence; learned positions have a row for each."""
    max_distance: int = 16
    """Relative positions give all longer distances the same weight."""
    attention_score: AttentionScore = "scaled_dot"
    scale_embedding: bool = True
    """Multiply embeddings by sqrt(d_model)."""
    tie_embeddings: bool = True
    """Source, target and output projection share one matrix."""
    pad_id: int = 0
    unk_id: int = 1
    bos_id: int = 2
    eos_id: int = 3

    def __post_init__(self) -> None:
        faults = self._faults()
        if faults:
            raise ConfigError("architecture", faults)

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.d_model // self.num_heads

    @property
    def dropout_inside(self) -> float:
        """Share of dropout on attention weights and within the feed-forward."""
        return self.dropout if self.inner_dropout is None else self.inner_dropout

    def _faults(self) -> list[str]:
        faults = [
            f"{n} is {getattr(self, n)}, must be >= 1" for n in _COUNTS if getattr(self, n) < 1
        ]
        if self.num_heads >= 1 and self.d_model % self.num_heads:
            faults.append(f"d_model {self.d_model} is not a multiple of num_heads {self.num_heads}")
        if self.positions == "sinusoidal" and self.d_model % 2:
            faults.append(
                f"d_model {self.d_model} is odd, but sinusoidal positions fill its columns in "
                "pairs: make it even or choose other positions"
            )
        if self.positions == "rotary":
            faults += self._rotary_faults()
        dropouts = {"dropout": self.dropout, "inner_dropout": self.inner_dropout or 0.0}
        faults += [f"{n} is {p}, must be in [0, 1)" for n, p in dropouts.items() if not 0 <= p < 1]
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                faults.append(f"{name} is {getattr(self, name)!r}, must be one of {allowed}")
        return faults

    def _rotary_faults(self) -> list[str]:
        faults = []
        if self.num_heads >= 1 and self.head_dim % 2:
            faults.append(
                f"heads are {self.head_dim} wide (d_model {self.d_model} / num_heads "
                f"{self.num_heads}), but rotary positions turn pairs of channels: make it even"
            )
        if self.attention_score not in ROTARY_SCORES:
            faults.append(
                f"attention_score {self.attention_score!r} makes rotary positions absolute: "
                f"choose one of {ROTARY_SCORES}, or relative positions"
            )
        return faults
