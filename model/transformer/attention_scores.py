"""Attention scores: the scaled dot product and its alternatives.

All map queries [batch, heads, query, head_dim] and keys [batch, heads, key, head_dim] to scores
[batch, heads, query, key], before mask and softmax. Both are projected already.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.architecture import Architecture

INITIAL_SHARPNESS = 10.0
"""Factor of cosines, which lie in [-1, 1]: too flat for a softmax over many keys."""


class ScaledDotProduct(nn.Module):
    """`q k / sqrt(head_dim)`: Vaswani et al. (2017)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.scale = architecture.head_dim**-0.5

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Scores."""
        return (query * self.scale) @ key.mT


class Additive(nn.Module):
    """`v tanh(q + k)`, a small network: Bahdanau et al. (2015)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        shape = (architecture.num_heads, architecture.head_dim)
        self.weight = nn.Parameter(torch.empty(shape))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Scores; holds [batch, heads, query, key, head_dim] on the way."""
        hidden = (query.unsqueeze(-2) + key.unsqueeze(-3)).tanh()
        return (hidden @ self.weight[:, None, :, None]).squeeze(-1)


class Bilinear(nn.Module):
    """`q W k / sqrt(head_dim)` with a matrix for every head: Luong et al. (2015)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        head_dim = architecture.head_dim
        self.scale = head_dim**-0.5
        # Initially the dot product.
        self.weight = nn.Parameter(torch.eye(head_dim).repeat(architecture.num_heads, 1, 1))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Scores."""
        return (query * self.scale) @ self.weight @ key.mT


class Euclidean(nn.Module):
    """`-|q - k|^2 / (2 sqrt(head_dim))`: the scaled dot product, less for long keys.

    Squared, because the distance itself has no gradient where query and key are equal.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.scale = architecture.head_dim**-0.5

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Scores, without the differences of all pairs in memory."""
        lengths = query.square().sum(-1)[..., :, None] + key.square().sum(-1)[..., None, :]
        return (query @ key.mT - lengths / 2) * self.scale


class Cosine(nn.Module):
    """`sharpness * q k / (|q| |k|)` with a learned sharpness for every head."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.full((architecture.num_heads,), INITIAL_SHARPNESS))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Scores."""
        cosine = functional.normalize(query, dim=-1) @ functional.normalize(key, dim=-1).mT
        return cosine * self.sharpness[:, None, None]


def attention_score(architecture: Architecture) -> nn.Module:
    """The score that `architecture` names."""
    kinds = {
        "scaled_dot": ScaledDotProduct,
        "additive": Additive,
        "bilinear": Bilinear,
        "euclidean": Euclidean,
        "cosine": Cosine,
    }
    return kinds[architecture.attention_score](architecture)
