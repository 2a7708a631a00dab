"""A stretch of running text from a marked-up document, with the inline tags in it."""

from dataclasses import dataclass, field
from typing import Literal

TagKind = Literal["open", "close", "single"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """Markup inside a passage that comes back as it was written."""

    position: int
    """Offset in the passage's text before whose character it stands; tags at one offset keep
    their order."""
    text: str
    """As written: `<b class="x">`, `</b>`, `<img/>`, a comment, a whole `<script>`."""
    kind: TagKind
    partner: int | None = None
    """Index of its other half among the tags of the passage; None: single, or never closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Text to translate, and what has to be put back into it."""

    text: str
    """With entities resolved."""
    tags: tuple[Tag, ...] = ()
    """By position."""
    spellings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """How the source wrote a character, each time in turn: `{"\\xa0": ("&nbsp;", "&#160;")}`."""
    sentinels: str = ""
    """Characters of `text` that each stand for an element that must not be translated; the model
    must not touch them, and they are spelt as that element."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkupOptions:
    """The language of the markup, and what some of its elements are; names in lower case."""

    kind: Literal["html", "xml"] = "html"
    ignore_tags: frozenset[str] = frozenset()
    """Elements whose content is not translated."""
    splitting_tags: frozenset[str] = frozenset()
    """Elements that separate sentences, beside the block elements of HTML."""
    non_splitting_tags: frozenset[str] = frozenset()
    """Elements that do not, even if HTML says they do."""
