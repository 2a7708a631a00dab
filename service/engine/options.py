"""How one sentence is to be decoded."""

from dataclasses import dataclass

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
