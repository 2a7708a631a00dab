"""`.yaml`, `.yml`: string values at any depth, no keys; comments, anchors and layout are kept.

PyYAML says where every value stands. Its events are read, not its objects: nothing is constructed,
and aliases are not followed. A language that is the only key of the file names that of the
translation.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from service.documents.document import Document, DocumentString, LanguageCode, Part
from service.documents.encoding import decode
from service.documents.errors import DocumentError
from service.documents.packages.slots import is_translatable
from service.documents.readers.file_language import is_language_key, language_code
from service.documents.readers.wrapping import filled

if TYPE_CHECKING:
    from yaml.resolver import Resolver

_MAX_DEPTH = 200
_PROPERTIES = re.compile(r"(?:[&!]\S*+\s*+(?:#[^\r\n]*+\s*+)*+)*+")
"""Anchor and tag before a value, and comments between."""
_STRING_TAGS = (None, "!", "tag:yaml.org,2002:str")
_LINE_END = re.compile(r"\r\n|\r|\n")
_FIRST_KEY = re.compile(
    r"(?P<quote>[\"']?)(?P<code>[A-Za-z_-]{2,10}+)(?P=quote)[ \t]*+:"
    r"[ \t]*+(?:#[^\r\n]*+)?(?=[\r\n])"
)
"""A key whose values stand on the lines below it."""
_OUTERMOST = re.compile(r"(?:\A|(?<=[\r\n]))(?!---[ \t]*+(?:[\r\n]|\Z))[^\s#]")
"""The beginning of a line that is not indented."""
_HEADER = re.compile(r"[|>][^\r\n]*+(?:\r\n|\r|\n)(?:[ \t]*+(?:\r\n|\r|\n))*+")
"""Head of a block: its style, and the blank lines before its text."""
_NOT_PLAIN = re.compile(
    r"\A[^\w(/$]|\A\d|:(?:\s|\Z)| #|\s\Z|[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
)
"""A text that might be something else without quotation marks."""
_NOT_PLAIN_IN_FLOW = re.compile(r"[,:\[\]{}]")
_NO_TEXT = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_NOT_IN_QUOTES = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NOT_IN_BLOCK = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_BLANK_LINES = re.compile(r"\A(?:[ \t]*+\n)++")
_ANY = re.compile("")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """A scalar by its place in the file."""

    text: str
    start: int
    end: int
    style: str
    """`'`, `"`, `|`, `>`, or none."""
    is_in_flow: bool


def read(data: bytes) -> Document:
    """Parse a YAML file.

    Raises:
        DocumentError: The file is not valid YAML, or PyYAML is not installed.
    """
    text, encoding = decode(data)
    found = _LINE_END.search(text)
    newline = found[0] if found else "\n"
    parts: list[Part] = []
    end = 0
    if language := _language_key(text):
        end = language.end("code") + len(language["quote"])
        parts += text[: language.start()], _key(language)
    for value in _values(text):
        is_block = value.style in ("|", ">")
        start, stop, string = _block(text, value, newline) if is_block else _inline(text, value)
        parts += [text[end:start], string]
        end = stop
    return Document(parts=(*parts, text[end:]), encoding=encoding)


def _language_key(text: str) -> re.Match[str] | None:
    """The only key that is not indented, if it is a language: as in the files of Rails."""
    lines = list(islice(_OUTERMOST.finditer(text), 2))
    found = _FIRST_KEY.match(text, lines[0].start()) if len(lines) == 1 else None
    return found if found and is_language_key(found["code"]) else None


def _key(found: re.Match[str]) -> LanguageCode:
    """The place of such a key; `no` is a language only in quotation marks."""
    code, quote = language_code(found["code"]), found["quote"]

    def render(language: str) -> str:
        return _written_inline(code.written(language), style=quote, is_in_flow=False)

    return LanguageCode(original=f"{quote}{code.original}{quote}", render=render)


def _values(text: str) -> Iterator[_Value]:
    """The values that are translatable strings.

    Raises:
        DocumentError: The file is not valid YAML.
    """
    levels: list[_Level] = []
    for event in _events(text):
        name = type(event).__name__
        if name in ("MappingEndEvent", "SequenceEndEvent"):
            levels.pop()
            continue
        if name not in _NODES:
            continue
        is_key = levels[-1].begins_node() if levels else False
        is_in_flow = bool(levels) and levels[-1].is_in_flow
        if name == "ScalarEvent":
            value = _value(text, event, is_in_flow=is_in_flow)
            if value and not is_key:
                yield value
        elif name != "AliasEvent":
            if len(levels) >= _MAX_DEPTH:
                raise DocumentError(
                    f"its lists and mappings are nested over {_MAX_DEPTH} deep: flatten them"
                )
            levels.append(_Level(
                is_mapping=name == "MappingStartEvent",
                is_in_flow=is_in_flow or bool(event.flow_style),
                is_below_key=is_key,
            ))  # fmt: skip


_NODES = frozenset(["ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"])


@dataclass(slots=True, kw_only=True)
class _Level:
    """A list or mapping that is being read."""

    is_mapping: bool
    is_in_flow: bool
    is_below_key: bool
    num_nodes: int = 0

    def begins_node(self) -> bool:
        """Count a node of this level; whether it is a key or within one."""
        self.num_nodes += 1
        return self.is_below_key or (self.is_mapping and self.num_nodes % 2 == 1)


def _events(text: str) -> Iterator[Any]:
    try:
        import yaml
    except ImportError:
        raise DocumentError(
            "this server reads no YAML: install PyYAML with pellucid[documents]"
        ) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from yaml.parse(text, Loader=loader)
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", "")
        raise DocumentError(f"it is not valid YAML: {place}{problem or 'a character'}") from None


def _value(text: str, event: Any, *, is_in_flow: bool) -> _Value | None:  # noqa: ANN401
    """A scalar, if it is a string with letters."""
    is_plain_string = bool(event.style) or _is_string(event.value)
    if event.tag not in _STRING_TAGS or not (event.tag or is_plain_string):
        return None
    if not is_translatable(event.value) or "\0" in event.value:
        return None
    found = _PROPERTIES.match(text, event.start_mark.index)
    start = found.end() if found else event.start_mark.index
    return _Value(
        text=event.value,
        start=start,
        end=event.end_mark.index,
        style=event.style or "",
        is_in_flow=is_in_flow,
    )


def _is_string(text: str) -> bool:
    """Whether a scalar without quotation marks is a string."""
    import yaml

    if text.lower() in _NO_TEXT:
        return False
    tag = _resolver().resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return bool(tag == "tag:yaml.org,2002:str")


@cache
def _resolver() -> "Resolver":
    from yaml.resolver import Resolver

    return Resolver()


def _inline(text: str, value: _Value) -> tuple[int, int, DocumentString]:
    render = partial(_written_inline, style=value.style, is_in_flow=value.is_in_flow)
    original = text[value.start : value.end]
    return value.start, value.end, DocumentString(text=value.text, original=original, render=render)


def _written_inline(translation: str, *, style: str, is_in_flow: bool) -> str:
    """As it was, if that is possible; else in double quotation marks."""
    if not style and _may_be_plain(translation, is_in_flow=is_in_flow):
        return translation
    if style == "'" and not _NOT_IN_BLOCK.search(translation) and "\n" not in translation:
        return "'" + translation.replace("'", "''") + "'"
    written = json.dumps(translation, ensure_ascii=False)
    return _NOT_IN_QUOTES.sub(lambda char: f"\\u{ord(char[0]):04x}", written)


def _may_be_plain(text: str, *, is_in_flow: bool) -> bool:
    if not text or _NOT_PLAIN.search(text) or (is_in_flow and _NOT_PLAIN_IN_FLOW.search(text)):
        return False
    return _is_string(text)


def _block(text: str, value: _Value, newline: str) -> tuple[int, int, DocumentString]:
    """The lines of a block, without blank ones before and behind them.

    With its header where lines that are indented would not survive folding: it becomes literal.
    """
    found = _HEADER.match(text, value.start)
    start = found.end() if found else value.start
    lines = text[start : value.end].rstrip()
    content = _BLANK_LINES.sub("", value.text).rstrip()
    own_indent = len(content) - len(content.lstrip(" "))
    indent = len(lines) - len(lines.lstrip(" ")) - own_indent
    is_folded = value.style == ">" and not re.search(r"(?:\A|\n)[ \t]", content)
    becomes_literal = value.style == ">" and not is_folded
    layout = _BlockLayout(
        header="|" + text[value.start + 1 : start] if becomes_literal else "",
        newline=newline,
        indent=" " * indent,
        may_be_indented=own_indent > 0,
        width=max(map(len, _LINE_END.split(lines))) - indent if is_folded else 0,
    )
    start = value.start if becomes_literal else start
    end = start + len(text[start : value.end].rstrip())
    while text[end : end + 1] in (" ", "\t"):
        end += 1
    string = DocumentString(text=content, original=text[start:end], render=layout.written)
    return start, end, string


@dataclass(frozen=True, slots=True, kw_only=True)
class _BlockLayout:
    """How the text of a block is written."""

    header: str
    """Written anew; empty: it stays."""
    newline: str
    indent: str
    may_be_indented: bool
    """Whether the header says how far lines are indented, so that the first may be further."""
    width: int
    """Width to fold lines to; 0: they stay as they are."""

    def written(self, translation: str) -> str:
        """The lines of a translation."""
        content = _NOT_IN_BLOCK.sub(" ", "\n".join(_LINE_END.split(translation))).strip("\n")
        content = content if self.may_be_indented else content.lstrip(" ")
        lines = [line.rstrip() for line in content.split("\n")]
        if self.width:
            lines = self._folded(lines)
        return self.header + self.newline.join(self.indent + line if line else "" for line in lines)

    def _folded(self, lines: list[str]) -> list[str]:
        """An empty line stands for a line end."""
        folded: list[str] = []
        for number, line in enumerate(line.strip() for line in lines):
            folded += [""] if number else []
            folded += [line] if "  " in line else filled(line, self.width, _ANY) if line else []
        return folded
