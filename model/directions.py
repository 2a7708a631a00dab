"""Which way a pair of languages is translated, and the piece that asks for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """From one language to another."""

    source: str
    target: str
    prefix: str | None = None
    """Piece before every source; None where a model has only one direction."""
    is_reversed: bool = False
    """Against the order of the columns in the files."""

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


def language_tag(language: str) -> str:
    """The piece that asks for translation into `language`: `>>de<<`."""
    return f">>{language}<<"
