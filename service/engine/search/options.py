"""How one sentence is to be decoded."""

from dataclasses import dataclass
from typing import Literal

MAX_BEAM_SIZE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeOptions:
    """Complete: the bundle's defaults are already filled in."""

    beam_size: int = 1
    """Hypotheses kept alive; 1 is greedy search."""
    num_hypotheses: int = 1
    """Finished hypotheses to return, best first; at most `beam_size`."""
    length_penalty: float = 0.6
    """Alpha of Wu et al. (2016)."""
    max_target_tokens: int = 256
    """Longest output in tokens, end token included."""
    min_target_tokens: int = 0
    """Shortest output in tokens, without the end token."""
    no_repeat_ngram: int = 0
    """Size of the n-grams that may occur only once; 0: they may all be repeated."""
    prefix_ids: tuple[int, ...] = ()
    """Tokens that the output begins with; they count as its tokens, and are scored like them."""
    max_loop_tokens: int | None = None
    """Longest tail of one repeated unit: beyond it the sentence is decoded once more, without
    repeating n-grams. None: it may loop."""
    with_scores: bool = True
    """Whether greedy search keeps log-probabilities; they cost a pass over the vocabulary."""

    @property
    def needs_whole_vocabulary(self) -> bool:
        """Whether a shortlist would not do.

        A beam compares probabilities, which a shortlist has no share of; a prefix may hold
        anything.
        """
        return self.beam_size > 1 or bool(self.prefix_ids)

    def __post_init__(self) -> None:
        assert 1 <= self.num_hypotheses <= self.beam_size <= MAX_BEAM_SIZE, self
        assert self.length_penalty >= 0 and self.max_target_tokens >= 1, self
        assert self.no_repeat_ngram >= 0 and len(self.prefix_ids) <= self.max_target_tokens, self
        assert 0 <= self.min_target_tokens < self.max_target_tokens, self


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
