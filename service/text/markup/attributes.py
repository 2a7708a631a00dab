"""Finds attributes in the tags of HTML, such as the texts that a page holds outside of its text."""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.text.markup.passage import MarkupOptions
from service.text.markup.references import unescaped
from service.text.markup.structure import is_untranslated, merge_untranslated
from service.text.markup.tokenizer import ATTRIBUTE, TAG, MarkupToken, read_tokens

_HTML = MarkupOptions(kind="html")
_NAMELESS = frozenset(["link", "meta", "style"])
"""Elements whose `title` is the name of a style, not a text."""
_QUOTES = {'"': "&quot;", "'": "&#39;"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute with a value."""

    element: str
    """Name of the element, in lower case."""
    name: str
    """In lower case."""
    start: int
    """Offset of the value, with its quotes."""
    end: int
    spelling: str
    """The value as written, with its quotes."""

    @property
    def value(self) -> str:
        """The value with its references resolved."""
        return unescaped(self.spelling.strip(self._quote))

    def spelt(self, value: str) -> str:
        """Another value in the quotes of this one."""
        quote = self._quote or '"'
        escaped = html.escape(value, quote=False).replace(quote, _QUOTES[quote])
        return f"{quote}{escaped}{quote}"

    @property
    def _quote(self) -> str:
        return self.spelling[0] if self.spelling[:1] in ("'", '"') else ""


def find_attributes(text: str, names: frozenset[str]) -> Iterator[Attribute]:
    """Attributes with these names, of the elements that are translated; in order.

    Args:
        text: HTML.
        names: In lower case.
    """
    tokens, _ = merge_untranslated(list(read_tokens(text, _HTML.kind)), _HTML)
    position = 0
    for token in tokens:
        if _has_texts(token):
            yield from _attributes(token, position, names)
        position += len(token.text)


def replace_values(text: str, names: frozenset[str], values: Mapping[str, str]) -> str:
    """`text` with other values of attributes, by their spelling with quotes.

    Args:
        text: HTML.
        names: Attributes whose values may be replaced.
        values: The new spelling of each value, by the old one.
    """
    parts: list[str] = []
    done = 0
    for attribute in find_attributes(text, names):
        parts += text[done : attribute.start], values.get(attribute.spelling, attribute.spelling)
        done = attribute.end
    return "".join((*parts, text[done:]))


def _has_texts(token: MarkupToken) -> bool:
    if not token.name or token.kind == "close" or token.name in _NAMELESS:
        return False
    # The content of a text area is a user's, its attributes are the page's.
    return token.name == "textarea" or not is_untranslated(token, _HTML)


def _attributes(token: MarkupToken, position: int, names: frozenset[str]) -> Iterator[Attribute]:
    tag = TAG.match(token.text)
    if tag is None:
        return
    for match in ATTRIBUTE.finditer(token.text, len(token.name) + 1, tag.end() - 1):
        if match["value"] and match["name"].lower() in names:
            yield Attribute(
                element=token.name,
                name=match["name"].lower(),
                start=position + match.start("value"),
                end=position + match.end("value"),
                spelling=match["value"],
            )
