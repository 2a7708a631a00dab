"""`.json`: string values at any depth, no keys."""

import json
import re
from collections.abc import Iterator
from functools import partial

from service.documents.document import Document, DocumentString
from service.documents.encoding import decode
from service.documents.errors import DocumentError

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"(?P<colon>\s*:)?')
_ESCAPED = re.compile(r"\\u[0-9A-Fa-f]{4}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read(data: bytes) -> Document:
    """Parse a JSON file.

    Raises:
        DocumentError: The file is not valid JSON.
    """
    text, encoding = decode(data)
    _check(text)
    # An escaped letter in an ASCII file means that the file is to stay ASCII.
    render = partial(json.dumps, ensure_ascii=text.isascii() and bool(_ESCAPED.search(text)))
    parts: list[str | DocumentString] = []
    end = 0
    for start, stop, value in _values(text):
        parts.append(text[end:start])
        parts.append(DocumentString(text=value, original=text[start:stop], render=render))
        end = stop
    return Document(parts=(*parts, text[end:]), encoding=encoding)


def _check(text: str) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise DocumentError(f"it is not valid JSON: {error}") from None
    except RecursionError:
        raise DocumentError("its lists and objects are nested too deeply") from None


def _values(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and content of every translatable string value."""
    # In valid JSON, a quotation mark outside a string begins one, and only keys precede colons.
    for match in _STRING.finditer(text):
        if match["colon"]:
            continue
        value: str = json.loads(match.group())
        if value.strip() and "\0" not in value and not _SURROGATE.search(value):
            yield match.start(), match.end(), value
