"""The network that graphs are compared with: what every implementation of it computes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Ids = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherForced:
    """A pass over given pairs, padded; what stands on padding is arbitrary."""

    encoder: Float
    """Maps, float32 [layers, batch, heads, source, source]."""
    decoder: Float
    """[layers, batch, heads, target, target]."""
    cross: Float
    """[layers, batch, heads, target, source]."""
    logits: Float
    """[batch, target, vocab]."""


class ReferenceNetwork(Protocol):
    """Computes a network's formulas in another way than the graphs."""

    def memory(self, sources: Ids) -> list[tuple[Float, Float]]:
        """Keys and values of each decoder layer, float32 [batch, heads, source, head_dim]."""

    def teacher_forced(
        self, sources: Ids, targets: Ids, *, is_cached: bool = False
    ) -> TeacherForced:
        """One pass over pairs, or, with `is_cached`, token by token as in a search.

        Args:
            sources: Source ids, end token included.
            targets: Target ids, end token included, without the start token.
            is_cached: See above.
        """

    def greedy(self, sources: Ids, max_tokens: int) -> list[list[int]]:
        """Greedy translations without the end token."""
