"""Splits HTML and XML into tags and text, as browsers do, without losing a character."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from service.text.markup.passage import TagKind

_SPACE = r" \t\n\f\r"
_ATTRIBUTE = (
    rf"[{_SPACE}/]*+(?P<name>[^{_SPACE}/>][^{_SPACE}/>=]*+)"
    rf"(?:[{_SPACE}]*+=[{_SPACE}]*+"
    rf"""(?P<value>"[^"]*+"|'[^']*+'|[^{_SPACE}>"'][^{_SPACE}>]*+)?+)?+"""
)
ATTRIBUTE = re.compile(_ATTRIBUTE)
"""An attribute of a tag, with the groups `name` and `value`, quotes included."""
_UNNAMED_ATTRIBUTE = _ATTRIBUTE.replace("?P<name>", "?:").replace("?P<value>", "?:")

HTML_START = re.compile(r"<(?=/?[a-zA-Z]|[/!?])")
XML_START = re.compile(r"<(?=/?(?:[^\W\d]|[:_])|[/!?])")
TAG = re.compile(rf"</?(?P<name>[^{_SPACE}/>]++)(?:{_UNNAMED_ATTRIBUTE})*+(?P<end>[{_SPACE}/]*+)>")
_LOOSE_TAG = re.compile(rf"</?(?P<name>[^{_SPACE}/<>]++)(?P<end>[^<>]*+)>")
_CUT_OFF_TAG = re.compile(rf"</?[^{_SPACE}/<>]++[{_SPACE}][^<>=]*+=[^<>]*+\Z")
_OTHER = re.compile(r"<[^<>]*+>")

_COMMENT_END = re.compile(r"--!?>")
_CDATA_END = re.compile(r"\]\]>")
_INSTRUCTION_END = re.compile(r"\?>")
_DECLARATION_END = re.compile(r">")
_TITLE_END = re.compile(rf"(?i)(?=</title[{_SPACE}/>])")
_SUBSET_END = re.compile(rf"\][{_SPACE}]*+>")

_VOID = frozenset(
    [
        "area",
        "base",
        "basefont",
        "bgsound",
        "br",
        "col",
        "embed",
        "frame",
        "hr",
        "img",
        "input",
        "keygen",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
_RAW = frozenset(["iframe", "noembed", "noframes", "script", "style", "textarea", "xmp"])
"""Elements of HTML whose content has no tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkupToken:
    """A span of a document: text, a tag, or a whole comment, declaration or script."""

    kind: TagKind | None
    """None: text."""
    text: str
    """As written."""
    name: str = ""
    """The element's, in lower case; empty for text, comments, declarations and instructions."""


def read_tokens(text: str, kind: Literal["html", "xml"]) -> Iterator[MarkupToken]:
    """The tokens of `text`; joined they are `text`.

    Follows the tokenizer of the HTML standard, but keeps as text what a browser drops: a tag or a
    declaration that never ends. A tag whose quotes never end stops at its first `>`. `<script>`
    and similar elements are one token. In XML, declarations may contain `[...]`. The cost is
    linear: a search for an end that failed once is not repeated.
    """
    return _Scanner(text, is_html=kind == "html").tokens()


class _Scanner:
    """Remembers which ends no longer occur in the rest of the text."""

    def __init__(self, text: str, *, is_html: bool) -> None:
        self._text = text
        self._is_html = is_html
        self._absent: set[re.Pattern[str]] = set()

    def tokens(self) -> Iterator[MarkupToken]:
        start_pattern = HTML_START if self._is_html else XML_START
        done = position = 0
        while match := start_pattern.search(self._text, position):
            token = self._markup(match.start())
            position = match.end() if token is None else match.start() + len(token.text)
            if token is None:
                continue
            if match.start() > done:
                yield MarkupToken(kind=None, text=self._text[done : match.start()])
            yield token
            done = position
            if self._is_html and token.kind == "open" and token.name == "title":
                position = self._end_of_title(position)
        if done < len(self._text):
            yield MarkupToken(kind=None, text=self._text[done:])

    def _markup(self, start: int) -> MarkupToken | None:
        following = self._text[start + 1 : start + 3]
        if following[0] == "!":
            end = self._end_of_declaration(start)
        elif following[0] == "?":
            end = self._find_end(_INSTRUCTION_END, start) or self._find_end(_DECLARATION_END, start)
        elif following[0] != "/" or self._is_name_start(following[1:]):
            return self._tag(start)
        else:
            match = _OTHER.match(self._text, start)
            end = match.end() if match else None
        return MarkupToken(kind="single", text=self._text[start:end]) if end else None

    def _is_name_start(self, character: str) -> bool:
        if self._is_html:
            return character.isascii() and character.isalpha()
        return character.isalpha() or character in (":", "_")

    def _end_of_declaration(self, start: int) -> int | None:
        if self._text.startswith("<!--", start):  # browsers take `<!-->` and `<!--->` for whole
            return self._find_end(_COMMENT_END, start + 2) or len(self._text)
        if self._text.startswith("<![CDATA[", start):
            return self._find_end(_CDATA_END, start) or self._find_end(_DECLARATION_END, start)
        end = self._find_end(_DECLARATION_END, start)
        if not self._is_html and "[" in self._text[start:end]:
            return self._find_end(_SUBSET_END, start) or end
        return end

    def _tag(self, start: int) -> MarkupToken | None:
        match = None
        if TAG not in self._absent:
            match = TAG.match(self._text, start)
        if match is None:  # it reads to the end of the text: from now on, quotes are ignored
            self._absent.add(TAG)
            match = _LOOSE_TAG.match(self._text, start)
        if match is None:
            cut_off = _CUT_OFF_TAG.match(self._text, start)
            return MarkupToken(kind="single", text=cut_off.group()) if cut_off else None
        name = match["name"].lower()
        if self._text[start + 1] == "/":
            return MarkupToken(kind="close", text=match.group(), name=name)
        if match["end"].endswith("/") or (self._is_html and name in _VOID):
            return MarkupToken(kind="single", text=match.group(), name=name)
        if self._is_html and name in _RAW:
            end = self._end_of_raw(name, match.end())
            return MarkupToken(kind="single", text=self._text[start:end], name=name)
        return MarkupToken(kind="open", text=match.group(), name=name)

    def _end_of_raw(self, name: str, position: int) -> int:
        match = re.compile(rf"(?i)</{name}(?=[{_SPACE}/>])").search(self._text, position)
        end = self._find_end(_DECLARATION_END, match.end()) if match else None
        return end or len(self._text)

    def _end_of_title(self, position: int) -> int:
        """Where tags begin again: a title contains none."""
        # The pattern looks ahead at the end tag, so it ends where that tag begins.
        return self._find_end(_TITLE_END, position) or position

    def _find_end(self, pattern: re.Pattern[str], start: int) -> int | None:
        """Offset behind the next match; None, from now on, if there is none."""
        if pattern in self._absent:
            return None
        match = pattern.search(self._text, start)
        if match is None:
            self._absent.add(pattern)
            return None
        return match.end()
