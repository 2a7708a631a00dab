"""Directions of translation, and the piece that selects one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """From one language to another."""

    source: str
    target: str
    prefix: str | None = None
    """Piece before every source; None if the model has a single direction."""
    is_reversed: bool = False
    """True if the files have the target in the first column."""

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


def language_tag(language: str) -> str:
    """The piece that selects translation into `language`: `>>de<<`."""
    return f">>{language}<<"
