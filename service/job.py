"""The unit of scheduling: one sentence to translate, and what became of it."""

from dataclasses import dataclass

from service.engine.hypothesis import Hypothesis
from service.engine.options import DecodeOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One sentence, tokenised."""

    source_ids: tuple[int, ...]
    """Language prefix, pieces, end token."""
    options: DecodeOptions
    deadline_s: float | None = None
    """Moment on the scheduler's monotonic clock after which nobody wants the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A finished job. Times are wall-clock seconds."""

    hypotheses: tuple[Hypothesis, ...]
    """Best first."""
    queue_s: float
    encode_s: float
    decode_s: float
