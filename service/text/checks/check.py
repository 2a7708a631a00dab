"""What a check found."""

from dataclasses import dataclass

Span = tuple[int, int]
"""Character offsets, end exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something in a translation that does not look right."""

    name: str
    """One of `CHECK_NAMES`."""
    source_span: Span | None
    """In the source; None if the fault is in the translation alone."""
    target_span: Span | None
    """In the translation; None if something is missing there."""
    message: str
    """In English, for a reader of the translation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentencePair:
    """A sentence and its translation."""

    source: str
    target: str
    source_language: str
    target_language: str

    @property
    def source_base(self) -> str:
        """The source language without region or script."""
        return base(self.source_language)

    @property
    def target_base(self) -> str:
        """The target language without region or script."""
        return base(self.target_language)


def base(language: str) -> str:
    """A language code without region or script."""
    return language.partition("-")[0].lower()
