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
    with_scores: bool = True
    """Whether greedy search keeps log-probabilities; they cost a pass over the vocabulary."""

    def __post_init__(self) -> None:
        assert 1 <= self.num_hypotheses <= self.beam_size <= MAX_BEAM_SIZE, self
        assert self.length_penalty >= 0 and self.max_target_tokens >= 1, self
