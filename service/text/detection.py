"""Which language a text is in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A language, and how sure that is."""

    language: str
    confidence: float
    """From 0 to 100."""
