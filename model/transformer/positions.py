"""Position encodings: the paper's sinusoids and their alternatives.

Sinusoidal and learned positions are added to embeddings. Relative and rotary ones are part of every
self-attention and depend only on the distance between two tokens.
"""

import math

import torch
from torch import Tensor, nn

from model.architecture import Architecture

WAVELENGTH_BASE = 10000.0


def sinusoidal_positions(num_positions: int, d_model: int) -> Tensor:
    """Sines in even and cosines in odd columns, wavelengths from 2 pi to 10000 * 2 pi.

    Vaswani et al. (2017), section 3.5. Returns float32 [num_positions, d_model].
    """
    angle = wave_angles(num_positions, d_model)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).float()


def wave_angles(num_positions: int, width: int) -> Tensor:
    """Angles in radians, float64 [num_positions, width / 2]; each column has its wavelength."""
    position = torch.arange(num_positions, dtype=torch.float64)[:, None]
    exponent = torch.arange(0, width, 2, dtype=torch.float64) / width
    return position * WAVELENGTH_BASE**-exponent


class PositionedEmbedding(nn.Module):
    """Scales embeddings and adds absolute positions, if the model has any; then dropout."""

    weight: Tensor
    """Float32 [max_positions, d_model]; [max_positions, 0] if positions are part of attention."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        size = (architecture.max_positions, architecture.d_model)
        if architecture.positions == "learned":
            self.weight = nn.Parameter(torch.randn(size))
        elif architecture.positions == "sinusoidal":
            self.register_buffer("weight", sinusoidal_positions(*size), persistent=False)
        else:
            nothing = torch.empty(architecture.max_positions, 0)
            self.register_buffer("weight", nothing, persistent=False)
        self.scale = math.sqrt(architecture.d_model) if architecture.scale_embedding else 1.0
        self.dropout = nn.Dropout(architecture.dropout)

    def forward(self, embedded: Tensor, first_position: int = 0) -> Tensor:
        """[batch, length, d_model] -> the same; the first token is at `first_position`.

        Raises:
            ValueError: The last token is beyond the last position.
        """
        end = first_position + embedded.shape[1]
        if end > len(self.weight):
            raise ValueError(f"{end} tokens, but the model has {len(self.weight)} positions")
        scaled = embedded * self.scale
        if self.weight.shape[1]:
            scaled = scaled + self.weight[first_position:end]
        return self.dropout(scaled)


class RelativePositions(nn.Module):
    """Adds a learned bias per head and distance between query and key to a score.

    Shaw et al. (2018) in the form of Raffel et al. (2020), with distances clipped to a maximum.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.max_distance = architecture.max_distance
        num_distances = 2 * architecture.max_distance + 1
        self.weight = nn.Parameter(torch.empty(num_distances, architecture.num_heads))

    def forward(self, num_queries: int, num_keys: int) -> Tensor:
        """Float32 [heads, query, key]; the last query is at the position of the last key."""
        key = torch.arange(num_keys, device=self.weight.device)
        distance = key - key[num_keys - num_queries :, None]
        clipped = distance.clamp(-self.max_distance, self.max_distance)
        return self.weight[clipped + self.max_distance].permute(2, 0, 1)


class RotaryPositions(nn.Module):
    """Rotates pairs of channels of queries and keys by angles that grow with the position.

    Su et al. (2021), "RoFormer". The dot product of two rotated vectors depends on their positions
    only through the distance.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        angle = wave_angles(architecture.max_positions, architecture.head_dim)
        self.register_buffer("cosine", angle.cos().float(), persistent=False)
        self.register_buffer("sine", angle.sin().float(), persistent=False)

    def forward(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Both [batch, heads, length, head_dim]; the last query is at the last key's position."""
        num_keys = key.shape[-2]
        return self._rotate(query, num_keys - query.shape[-2]), self._rotate(key, 0)

    def _rotate(self, vectors: Tensor, first: int) -> Tensor:
        end = first + vectors.shape[-2]
        cosine, sine = self.cosine[first:end], self.sine[first:end]
        even, odd = vectors[..., 0::2], vectors[..., 1::2]
        rotated = (even * cosine - odd * sine, even * sine + odd * cosine)
        return torch.stack(rotated, dim=-1).flatten(-2)
