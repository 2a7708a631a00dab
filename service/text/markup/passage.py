"""A stretch of running text from a marked-up document, with the inline tags in it."""

from dataclasses import dataclass, field
from typing import Literal

TagKind = Literal["open", "close", "single"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """Markup inside a passage, which is kept as written."""

    position: int
    """Offset in the passage's text of the character behind it; tags at one offset keep their
    order."""
    text: str
    """As written: `<b class="x">`, `</b>`, `<img/>`, a comment, a whole `<script>`."""
    kind: TagKind
    partner: int | None = None
    """Index of the matching tag in the passage; None: single, or never closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Running text, with what must be put back into its translation."""

    text: str
    """With entities resolved."""
    tags: tuple[Tag, ...] = ()
    """By position."""
    spellings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """How the source spells each occurrence of a character: `{"\\xa0": ("&nbsp;", "&#160;")}`."""
    sentinels: str = ""
    """Private-use characters of `text`, each in place of an element that must not be translated;
    `spellings` has the element."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkupOptions:
    """The markup language, and how some of its elements are treated; names in lower case."""

    kind: Literal["html", "xml"] = "html"
    ignore_tags: frozenset[str] = frozenset()
    """Elements whose content is not translated."""
    splitting_tags: frozenset[str] = frozenset()
    """Elements that separate sentences, in addition to the block elements of HTML."""
    non_splitting_tags: frozenset[str] = frozenset()
    """Elements that do not separate sentences, even if they are block elements of HTML."""
