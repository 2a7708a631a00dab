"""What a document holds, as it is compared before and after a translation."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Element: TypeAlias = Any
"""An element of lxml, which ships no types."""
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A document by its parts; counters because a translation may reorder within a paragraph."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    """Paragraphs with letters, by the place where they stand, white space collapsed."""
    looks: Counter[str] = field(default_factory=Counter)
    """Stretches of text that look different from the rest of their paragraph, by their look."""
    links: Counter[str] = field(default_factory=Counter)
    """Targets of links that have a text."""
    images: Counter[str] = field(default_factory=Counter)
    """References to images."""
    code: Counter[str] = field(default_factory=Counter)
    """Texts that are code."""
    elements: Counter[str] = field(default_factory=Counter)
    """Elements other than runs, or whatever the format has for structure."""
    languages: Counter[str] = field(default_factory=Counter)
    """Languages that the document names, primary subtags."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Entries of the archive that are no XML."""
    packing: Counter[str] = field(default_factory=Counter)
    """Method of compression of each entry; of other files encoding and line ends."""
    faults: list[str] = field(default_factory=list)
    """Why a strict program would not open it."""

    def add_text(self, place: str, text: str) -> None:
        """Add a paragraph, if it has letters."""
        if any(map(str.isalpha, text)):
            self.texts.setdefault(place, []).append(text)

    def add_stretches(self, stretches: Iterable[tuple[str, str]]) -> None:
        """Add the looks of a paragraph.

        Args:
            stretches: Look and text of each run, in order; an empty look is that of the paragraph.
        """
        previous = ""
        for look, text in stretches:
            if look not in ("", "code", previous) and any(map(str.isalpha, text)):
                self.looks[look] += 1
            previous = look


def collapsed(text: str) -> str:
    """The text with single spaces, and none at its ends."""
    return _SPACES.sub(" ", text).strip()


def name_of(element: Element) -> str:
    """The name of an element without its namespace; empty for comments and instructions."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """The value of an attribute of any namespace; empty if there is none."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return ""


def is_within(element: Element, *names: str) -> bool:
    """Whether an ancestor has one of these names."""
    return any(name_of(above) in names for above in element.iterancestors())
