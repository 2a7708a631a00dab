"""`.strings`: the values of Apple's string tables; keys, comments and layout are kept.

gettext writes its header as the value of an empty key.
"""

import re
from collections.abc import Iterator

from service.documents.document import Document, DocumentString, Part
from service.documents.encoding import decode
from service.documents.errors import DocumentError
from service.documents.packages.slots import is_translatable
from service.documents.readers.file_language import header_parts, is_gettext_header

_COMPILED = b"bplist"
_TOKEN = re.compile(
    r"(?P<space>\s++|//[^\r\n]*+|/\*(?s:.*?)\*/)"
    r'|(?P<text>"(?P<content>(?:[^"\\]|\\(?s:.))*+)"|(?P<word>[\w$./:-]++))'
    r"|(?P<mark>[=;])"
)
_ESCAPE = re.compile(r"\\(?:[Uu]([0-9A-Fa-f]{4})|([0-7]{1,3})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_TO_WRITE = str.maketrans(
    {"\\": "\\\\", '"': '\\"'} | {char: f"\\{name}" for name, char in _CONTROLS.items()}
)
_ENTRIES = frozenset(["k", "k=v"])
"""What may stand before a semicolon: a key that is its own value, or a key and its value."""


def read(data: bytes) -> Document:
    """Parse a string table.

    Raises:
        DocumentError: The file is compiled, or not such a table.
    """
    if data.startswith(_COMPILED):
        raise DocumentError("it is a compiled .strings file: send the one that it was made from")
    text, encoding = decode(data)
    parts: list[Part] = []
    end = 0
    for key, match in _values(text):
        value = _unescaped(match["content"])
        if not is_translatable(value) or "\0" in value or _has_surrogates(value):
            continue
        start, stop = match.span("content")
        parts.append(text[end:start])
        if not key and is_gettext_header(value):
            parts += header_parts(text[start:stop])
        else:
            parts.append(DocumentString(text=value, original=text[start:stop], render=_written))
        end = stop
    return Document(parts=(*parts, text[end:]), encoding=encoding)


def _values(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """The quoted values of all entries, each behind its key.

    Raises:
        DocumentError: Something else stands in the file.
    """
    position, entry, key, value = 0, "", "", None
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise _malformed(text, position)
        position = token.end()
        if token["text"]:
            entry += "v" if entry.endswith("=") else "k"
            value = token if entry == "k=v" else None
            key = key if value else token["content"] or token["word"] or ""
        elif token["mark"] == "=":
            entry += "="
        elif token["mark"] == ";":
            if entry not in _ENTRIES:
                raise _malformed(text, token.start())
            if value is not None and value["content"] is not None:
                yield key, value
            entry, value = "", None
        if len(entry) > len("k=v"):
            raise _malformed(text, token.start())
    if entry:
        raise _malformed(text, len(text))


def _malformed(text: str, position: int) -> DocumentError:
    line = text.count("\n", 0, position) + 1
    return DocumentError(f'line {line}: it is not like "key" = "value"; as in a .strings file')


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(escape: re.Match[str]) -> str:
    code, octal, other = escape.groups()
    if code or octal:
        return chr(int(code, 16) if code else int(octal, 8))
    return _CONTROLS.get(other, str(other))


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _written(translation: str) -> str:
    return translation.translate(_TO_WRITE)
