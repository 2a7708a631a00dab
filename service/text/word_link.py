"""An alignment of a word of the source with a word of the translation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WordLink:
    """Two stretches of text that say the same; several links may share a side."""

    source: tuple[int, int]
    """Character offsets in the source sentence, end exclusive."""
    target: tuple[int, int]
    """Character offsets in its translation, end exclusive."""
    weight: float = 1.0
    """From 0 to 1."""
