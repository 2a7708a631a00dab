"""`.json`: string values at any depth, no keys.

The language of the translation is named where the file names its own: by `@@locale`, by a language
that is its only key, and in the header that gettext's programs write as the value of an empty key.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import partial

from service.documents.document import Document, DocumentString, LanguageCode, Part
from service.documents.encoding import decode
from service.documents.errors import DocumentError
from service.documents.readers.file_language import (
    header_parts,
    is_gettext_header,
    is_language_key,
    language_code,
)

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"(?P<colon>\s*:)?')
_HEADER = re.compile(r"\s*+\{[^{}]*+\}")
_HEADER_FIELDS = frozenset(["plural_forms", "plural-forms"])
_HEADER_LANGUAGE = re.compile(r'"(?:lang|language|Language)"\s*+:\s*+"(?P<code>[A-Za-z0-9_@.-]*+)"')
_LOCALE = '"@@locale"'
_ESCAPED = re.compile(r"\\u[0-9A-Fa-f]{4}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_loads = partial(json.loads, parse_int=str)
"""Numbers are not looked at, and may have more digits than Python reads."""


def read(data: bytes) -> Document:
    """Parse a JSON file.

    Raises:
        DocumentError: The file is not valid JSON.
    """
    text, encoding = decode(data)
    is_below_language = _is_below_language(_parsed(text))
    # An escaped letter in an ASCII file means that the file is to stay ASCII.
    render = partial(json.dumps, ensure_ascii=text.isascii() and bool(_ESCAPED.search(text)))
    parts: list[Part] = []
    end = 0
    for start, stop, content in _places(text, is_below_language=is_below_language):
        parts.append(text[end:start])
        if isinstance(content, str):
            original = text[start:stop]
            parts.append(DocumentString(text=content, original=original, render=render))
        else:
            parts += content
        end = stop
    return Document(parts=(*parts, text[end:]), encoding=encoding)


def _parsed(text: str) -> object:
    try:
        content: object = _loads(text)
    except json.JSONDecodeError as error:
        raise DocumentError(f"it is not valid JSON: {error}") from None
    except RecursionError:
        raise DocumentError(
            "its lists and objects are nested too deeply to be read: flatten them"
        ) from None
    return content


def _is_below_language(content: object) -> bool:
    """Whether a language is the only key, and has keys below it."""
    if not isinstance(content, dict) or len(content) != 1:
        return False
    ((key, value),) = content.items()
    return isinstance(value, dict) and is_language_key(key)


def _places(
    text: str, *, is_below_language: bool
) -> Iterator[tuple[int, int, str | Sequence[Part]]]:
    """Start, end and content of every string to translate, and of what names the language."""
    # In valid JSON, a quotation mark outside a string begins one, and only keys precede colons.
    end, key = 0, ""
    for match in _STRING.finditer(text):
        start, stop = match.span()
        if start < end:
            continue
        if not match["colon"]:
            value: str = json.loads(match.group())
            if (key == _LOCALE and is_language_key(value)) or (
                key == '""' and is_gettext_header(value)
            ):
                yield start + 1, stop - 1, _named(text[start + 1 : stop - 1], key)
            elif value.strip() and "\0" not in value and not _SURROGATE.search(value):
                yield start, stop, value
            key = ""
            continue
        key = match.group().removesuffix(match["colon"])
        if is_below_language and not end:
            yield start, start + len(key), [_quoted_code(key)]
        end = stop
        if key == '""' and (header := _header(text, stop)):
            end = header.end()
            yield stop, end, _object_parts(header[0])


def _named(raw: str, key: str) -> Sequence[Part]:
    return [language_code(raw)] if key == _LOCALE else header_parts(raw)


def _quoted_code(key: str) -> LanguageCode:
    code = language_code(key[1:-1])
    return LanguageCode(original=key, render=lambda language: f'"{code.written(language)}"')


def _header(text: str, start: int) -> re.Match[str] | None:
    """The object behind an empty key, if it has a field of gettext's headers."""
    found = _HEADER.match(text, start)
    if found is None:
        return None
    try:
        fields = _loads(found[0])
    except json.JSONDecodeError:  # a brace stands in a string
        return None
    return found if _HEADER_FIELDS & {field.lower() for field in fields} else None


def _object_parts(raw: str) -> Sequence[Part]:
    found = _HEADER_LANGUAGE.search(raw)
    if found is None:
        return [raw]
    start, end = found.span("code")
    return [raw[:start], language_code(found["code"]), raw[end:]]
