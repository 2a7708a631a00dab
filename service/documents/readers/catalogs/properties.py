"""`.properties`: the values of Java's resource bundles; keys, comments and escapes are kept."""

import re
from collections.abc import Iterator
from functools import partial

from service.documents.document import Document, DocumentString
from service.documents.encoding import Encoding, decode
from service.documents.packages.slots import is_translatable

_ENTRY = re.compile(
    r"^[ \t\f]*+(?:"
    r"(?P<comment>[#!][^\r\n]*+)"
    r"|(?:[^\r\n\\:= \t\f]|\\(?:\r\n|[^\r]|\r))++"
    r"(?:[ \t\f]|\\(?:\r\n|\r|\n))*+[:=]?(?:[ \t\f]|\\(?:\r\n|\r|\n))*+"
    r"(?P<value>(?:[^\r\n\\]|\\(?:\r\n|[^\r]|\r))*+)"
    r")",
    re.MULTILINE,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(?:\r\n|\r|\n)[ \t\f]*+|(.)|\Z)", re.DOTALL)
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_TO_WRITE = str.maketrans({"\\": "\\\\"} | {char: f"\\{name}" for name, char in _CONTROLS.items()})
_ARGUMENT = re.compile(r"\{\d{1,3}[,}]")
"""Of Java's `MessageFormat`, where two apostrophes stand for one."""


def read(data: bytes) -> Document:
    """Parse properties.

    A file that is not Unicode is in Latin-1, as Java defines it. What the encoding lacks, or a file
    in ASCII, is written with escapes.

    Raises:
        DocumentError: The file is not text.
    """
    text, encoding = decode(data)
    if encoding.name == "cp1252":
        text, encoding = data.decode("latin-1"), Encoding(name="latin-1")
    charset = "ascii" if text.isascii() else encoding.name
    return Document(parts=tuple(_parts(text, charset)), encoding=encoding)


def _parts(text: str, charset: str) -> Iterator[str | DocumentString]:
    end = 0
    for match in _ENTRY.finditer(text):
        value = _unescaped(match["value"] or "")
        if value is None or not is_translatable(value):
            continue
        has_apostrophes = _has_doubled_apostrophes(value)
        start, stop = match.span("value")
        content = value.replace("''", "'") if has_apostrophes else value
        yield text[end:start]
        yield DocumentString(
            text=content,
            original=text[start:stop],
            render=partial(_written, charset=charset, has_apostrophes=has_apostrophes),
        )
        end = stop
    yield text[end:]


def _has_doubled_apostrophes(value: str) -> bool:
    """Whether an apostrophe is written twice: in patterns that quote nothing with single ones."""
    return _ARGUMENT.search(value) is not None and "'" not in value.replace("''", "")


def _unescaped(raw: str) -> str | None:
    """The value as the program sees it; None if that is no text."""
    value = _ESCAPE.sub(_character, raw)
    value = _SURROGATES.sub(lambda pair: _joined(pair[0]), value)
    return None if "\0" in value or _LONE_SURROGATE.search(value) else value


def _joined(pair: str) -> str:
    return pair.encode("utf-16", "surrogatepass").decode("utf-16")


def _character(escape: re.Match[str]) -> str:
    code, other = escape.groups()
    if code:
        return chr(int(code, 16))
    return _CONTROLS.get(other, other) if other else ""


def _written(translation: str, *, charset: str, has_apostrophes: bool) -> str:
    value = translation.replace("'", "''") if has_apostrophes else translation
    value = value.translate(_TO_WRITE)
    if value.startswith(" "):
        value = "\\" + value
    return "".join(char if _is_in(char, charset) else _escaped(char) for char in value)


def _is_in(character: str, charset: str) -> bool:
    try:
        return bool(character.encode(charset))
    except UnicodeEncodeError:
        return False


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
