"""What the models did for a request, for the one line that is logged at its end."""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts up while the request is worked on; its tasks share it."""

    sentences: int = 0
    source_tokens: int = 0
    target_tokens: int = 0


TALLY: ContextVar[Tally | None] = ContextVar("tally", default=None)
"""Of the request that the current task works for."""


def count_sentences(lengths: Iterable[tuple[int, int]]) -> None:
    """Add sentences to the request that the current task works for, if there is one.

    Args:
        lengths: Source and target tokens of each.
    """
    tally = TALLY.get()
    if tally is None:
        return
    for source_tokens, target_tokens in lengths:
        tally.sentences += 1
        tally.source_tokens += source_tokens
        tally.target_tokens += target_tokens
