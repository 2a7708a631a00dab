"""A finished translation of one sentence, in token ids."""

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length", "repetition", "deadline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One output of a search."""

    target_ids: tuple[int, ...]
    """Without start and end token."""
    token_log_probs: tuple[float, ...]
    """Natural log-probability of every token, the end token included where it was reached."""
    finish_reason: FinishReason
    has_ended: bool
    """Whether the end token was reached; else the translation was cut off."""
    score: float
    """Length-normalised log-probability that the search ranked by, nats."""

    @property
    def log_prob(self) -> float:
        """Summed log-probability, nats."""
        return sum(self.token_log_probs)
