"""How a marked-up text is to be read."""

from dataclasses import dataclass
from typing import Literal


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
