"""A stretch of a sentence that the model must not change."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """What stands at `[start, end)` in a sentence, and what has to stand in its translation."""

    start: int
    end: int
    """Character offsets in the sentence, end exclusive."""
    replacement: str
    """The same characters for a placeholder, the wanted term for a glossary entry."""
