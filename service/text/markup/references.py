"""Characters that markup writes by name or number: `&nbsp;`, `&#39;`, `&#x1F600;`."""

import html
import re
import unicodedata
from dataclasses import dataclass
from html.entities import html5
from typing import Literal

from service.text.markup.tokenizer import XML_START

_REFERENCE = re.compile(
    r"&(?:#[xX][0-9a-fA-F]{1,8}+(?![0-9a-fA-F])|#[0-9]{1,10}+(?![0-9])|[a-zA-Z][a-zA-Z0-9]{0,31});?"
)
_LONG_NUMBER = re.compile(r"&(?=#[0-9]{11})")
_XML_NAMES = frozenset(["amp;", "lt;", "gt;", "quot;", "apos;"])
_MAX_LEGACY = 6
"""Letters of the longest name that HTML allows without a semicolon."""
_UNSEEN = frozenset(["Cc", "Cf", "Cn", "Co", "Cs"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A character reference in a document."""

    text: str
    """As written."""
    character: str
    """The character that it stands for; empty if unknown, or if it stands for several."""

    @property
    def is_unseen(self) -> bool:
        """Whether it only affects layout: a soft hyphen, a line feed, a joiner."""
        characters = self.character or html.unescape(self.text)
        is_known = characters != self.text
        return is_known and all(
            unicodedata.category(character) in _UNSEEN or character == "\ufffd"
            for character in characters
        )


def unescaped(text: str) -> str:
    """Text with its references resolved; a number that is too long for one is text."""
    return html.unescape(_LONG_NUMBER.sub("&amp;", text))


def read_reference(text: str, start: int, kind: Literal["html", "xml"]) -> Reference | None:
    """The reference at `start`; None if the ampersand there is just text."""
    match = _REFERENCE.match(text, start)
    if match is None:
        return None
    written = match.group()
    if kind == "html":
        written = _known_part(written)
    if not (written.endswith(";") or (kind == "html" and html.unescape(written) != written)):
        return None
    is_known = kind == "html" or written[1] == "#" or written[1:] in _XML_NAMES
    characters = html.unescape(written) if is_known else ""
    return Reference(text=written, character=characters if len(characters) == 1 else "")


def reads_as_markup(text: str, offset: int) -> bool:
    """Whether the `&` or `<` at `offset` begins markup, in HTML or in XML."""
    if text[offset] == "<":
        return XML_START.match(text, offset) is not None
    return read_reference(text, offset, "html") is not None


def _known_part(written: str) -> str:
    """The part of `written` that is a legacy name: `&copy2024` is `&copy` and a year."""
    name = written[1:]
    if name[0] == "#" or name in html5:
        return written
    for length in range(min(len(name), _MAX_LEGACY), 1, -1):
        if name[:length] in html5:
            return written[: 1 + length]
    return written
