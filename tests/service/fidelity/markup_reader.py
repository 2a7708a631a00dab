"""Tags of a text as the standard library parses them, to check our own parser."""

import re
from collections import Counter
from functools import lru_cache
from html.parser import HTMLParser

_VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr")
_BLOCK = re.compile(
    "address|article|aside|blockquote|body|caption|dd|div|dl|dt|fieldset|figcaption|figure|footer"
    "|form|h[1-6]|head|header|hr|html|legend|li|main|nav|ol|option|p|pre|section|table|tbody|td"
    "|tfoot|th|thead|title|tr|ul"
)
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")

Attributes = list[tuple[str, str | None]]


def tags_as_written(text: str) -> list[str]:
    """Tags, comments, declarations and instructions, in order."""
    return _read(text).tags


def tags(text: str) -> list[str]:
    """The same, those that mean the same written alike: `<br>` and `<BR />`, `a=b` and `a="b"`."""
    return _read(text).meanings


def block_tags(text: str) -> list[str]:
    """Starts and ends of block elements, in order."""
    reader = _read(text)
    named = zip(reader.meanings, reader.names, strict=True)
    return [tag for tag, name in named if _BLOCK.fullmatch(name)]


def parents(text: str) -> Counter[tuple[str, str]]:
    """How often an element stands directly in another, both by their starts."""
    return Counter(_read(text).parents)


def is_well_nested(text: str) -> bool:
    """Whether every element that has to be closed is, in the right order."""
    reader = _read(text)
    return not reader.open and not reader.is_broken


def without_tags(text: str) -> str:
    """What is left without what looks like a tag."""
    return _TAG.sub(" ", text)


@lru_cache(maxsize=2)  # a source and its translation, each looked at several times
def _read(text: str) -> "_Reader":
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.tags: list[str] = []
        self.meanings: list[str] = []
        self.names: list[str] = []
        self.parents: list[tuple[str, str]] = []
        self.open: list[tuple[str, str]] = []
        """Name and start of each open element, innermost last."""
        self.is_broken = False

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self._start(tag, attrs)
        if not _VOID.fullmatch(tag):
            self.open.append((tag, self.meanings[-1]))

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self._start(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._add(tag, f"</{tag}>")
        if self.open and self.open[-1][0] == tag:
            self.open.pop()
        else:
            self.is_broken = True

    def handle_comment(self, data: str) -> None:
        self._add("", f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self._add("", f"<!{decl}>")

    def unknown_decl(self, data: str) -> None:
        self._add("", f"<![{data}]>")

    def handle_pi(self, data: str) -> None:
        self._add("", f"<?{data}>")

    def _start(self, name: str, attributes: Attributes) -> None:
        values = sorted((key, value or "") for key, value in attributes)
        self._add(name, self.get_starttag_text() or "", f"<{name} {values}>")
        self.parents.append((self.open[-1][1] if self.open else "", self.meanings[-1]))

    def _add(self, name: str, tag: str, meaning: str | None = None) -> None:
        self.names.append(name)
        self.tags.append(tag)
        self.meanings.append(tag if meaning is None else meaning)
