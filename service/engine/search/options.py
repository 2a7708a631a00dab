"""Options of decoding a sentence, and the hypotheses that it results in."""

from dataclasses import dataclass
from typing import Literal

from service.engine.search.trace import SearchTrace

MAX_BEAM_SIZE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeOptions:
    """Options of one sentence, with the bundle's defaults filled in."""

    beam_size: int = 1
    """Live hypotheses; 1 is greedy search."""
    num_hypotheses: int = 1
    """Finished hypotheses to return, best first; at most `beam_size`."""
    length_penalty: float = 0.6
    """Alpha of Wu et al. (2016)."""
    max_target_tokens: int = 256
    """Longest output in tokens, end token included."""
    min_target_tokens: int = 0
    """Shortest output in tokens, without the end token."""
    no_repeat_ngram: int = 0
    """Size of the n-grams that may occur only once; 0: no such rule."""
    prefix_ids: tuple[int, ...] = ()
    """Forced tokens at the start of the output; counted and scored like all others."""
    max_loop_tokens: int | None = None
    """Longest tail of one repeated unit: beyond it the sentence is decoded again, without repeated
    n-grams. None: loops are not detected."""
    with_scores: bool = True
    """Whether greedy search returns log-probabilities, which cost a pass over the vocabulary."""
    with_trace: bool = False
    """Whether the best hypothesis comes with the trace of its search; needs `with_scores`."""

    @property
    def needs_whole_vocabulary(self) -> bool:
        """Whether the sentence cannot be decoded with a shortlist.

        A beam compares probabilities, which need all logits; a prefix may contain any token.
        """
        return self.beam_size > 1 or bool(self.prefix_ids)

    def __post_init__(self) -> None:
        assert 1 <= self.num_hypotheses <= self.beam_size <= MAX_BEAM_SIZE, self
        assert self.length_penalty >= 0 and self.max_target_tokens >= 1, self
        assert self.no_repeat_ngram >= 0 and len(self.prefix_ids) <= self.max_target_tokens, self
        assert self.with_scores or not self.with_trace, self
        assert 0 <= self.min_target_tokens < self.max_target_tokens, self


FinishReason = Literal["stop", "length", "repetition", "deadline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One output of a search."""

    target_ids: tuple[int, ...]
    """Target ids without start and end token."""
    token_log_probs: tuple[float, ...]
    """Log-probability of every token, nats, including the end token where it was reached."""
    finish_reason: FinishReason
    has_ended: bool
    """Whether the end token was reached; if not, the translation was cut off."""
    score: float
    """Length-normalised log-probability that the search ranked by, nats."""
    trace: SearchTrace | None = None
    """Of the search that found it, if it is the best one and a trace was requested."""

    @property
    def log_prob(self) -> float:
        """Summed log-probability, nats."""
        return sum(self.token_log_probs)
