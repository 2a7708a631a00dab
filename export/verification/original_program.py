"""The program that an imported checkpoint belongs to, as far as the import compares with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ids = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GreedyTranslation:
    """Result of the original's greedy search."""

    target_ids: tuple[int, ...]
    """Without the start token; the last is the end token, unless the translation was cut off."""
    logits: NDArray[np.float32]
    """Logits that each token was chosen from, float32 [target, vocab]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamTranslation:
    """Best hypothesis of the original's beam search, without length penalty."""

    target_ids: tuple[int, ...]
    """Ids as in `GreedyTranslation`."""
    log_prob: float
    """Sum over all tokens, the end token included, in nats."""


class OriginalProgram(Protocol):
    """Runs a checkpoint as its own program does."""

    @property
    def implementation(self) -> str:
        """Library and version."""

    def greedy(self, sources: Ids, max_tokens: int) -> list[GreedyTranslation]:
        """Translate by greedy search.

        Args:
            sources: Source ids of a few sentences, complete as the encoder takes them.
            max_tokens: Longest output, end token included.
        """

    def beam(self, sources: Ids, beam_size: int, max_tokens: int) -> list[BeamTranslation]:
        """Translate by beam search; arguments as in `greedy`."""
