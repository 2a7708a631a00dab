"""The program that a foreign checkpoint belongs to, as far as an import compares with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ids = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GreedyTranslation:
    """What greedy search of the original wrote."""

    target_ids: tuple[int, ...]
    """Without start token; the end token is the last, unless the translation was cut off."""
    logits: NDArray[np.float32]
    """What each was chosen from, float32 [target, vocab]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamTranslation:
    """The best hypothesis of a beam search of the original, without length penalty."""

    target_ids: tuple[int, ...]
    """As in `GreedyTranslation`."""
    log_prob: float
    """Of all tokens, the end token included, nats."""


class Reference(Protocol):
    """A network as its own library runs it."""

    @property
    def implementation(self) -> str:
        """Library and version."""

    def greedy(self, sources: Ids, max_tokens: int) -> list[GreedyTranslation]:
        """Translate source ids (complete, as the encoder takes them).

        Args:
            sources: A few sentences.
            max_tokens: Longest output, end token included.
        """

    def beam(self, sources: Ids, beam_size: int, max_tokens: int) -> list[BeamTranslation]:
        """Translate with a beam; arguments as in `greedy`."""
