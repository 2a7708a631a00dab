"""`.po`: gettext catalogues; fills in missing translations."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from service.documents.document import Document, DocumentString, LanguageCode, Part
from service.documents.encoding import decode
from service.documents.errors import DocumentError

_FIELD = re.compile(
    r"^[ \t]*+(?P<name>msgctxt|msgid_plural|msgid|msgstr(?:\[(?P<index>\d{1,3})\])?)[ \t]*+"
    r'(?P<literal>"[^\r\n]*(?:\r?\n[ \t]*+"[^\r\n]*)*+)',
    re.MULTILINE,
)
_QUOTED = re.compile(r'"((?:[^"\\\r\n]|\\.)*+)(?P<end>"?)')
"""A string, or one that is not closed on its line: its quotes are not looked at again."""
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_LANGUAGE = re.compile(r'(?:"|\\n)Language:(?P<code>[^"\\\r\n]*+)(?=\\n|")')
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_TO_WRITE = str.maketrans(
    {"\\": "\\\\", '"': '\\"'} | {char: f"\\{name}" for name, char in _CONTROLS.items()}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    index: int
    start: int
    end: int
    value: str


def read(data: bytes) -> Document:
    """Parse a catalogue; translated and obsolete entries and the header are kept.

    Raises:
        DocumentError: The file has no entry.
    """
    text, encoding = decode(data, may_declare=True)
    fields = list(_fields(text))
    if text.strip() and not fields:
        raise DocumentError("it has no line that begins with msgid: it is not a .po file")
    newline = "\r\n" if "\r\n" in text else "\n"
    parts: list[Part] = []
    end = 0
    if fields and (language := _language(text, fields)):
        parts += text[: language.start("code")], _code(language["code"])
        end = language.end("code")
    for field, source in _untranslated(fields):
        parts.append(text[end : field.start])
        render = partial(_literal, newline=newline)
        parts.append(DocumentString(text=source, original=None, render=render))
        end = field.end
    return Document(parts=(*parts, text[end:]), encoding=encoding)


def _fields(text: str) -> Iterator[_Field]:
    for match in _FIELD.finditer(text):
        start, end = match.span("literal")
        while text[end - 1] in " \t\r":
            end -= 1
        yield _Field(
            name=match["name"].partition("[")[0],
            index=int(match["index"] or 0),
            start=start,
            end=end,
            value=_unescaped("".join(_strings(match["literal"]))),
        )


def _language(text: str, fields: list[_Field]) -> re.Match[str] | None:
    """The value of `Language:` in the header, which is the translation of the empty message."""
    message = next((field for field in fields if field.name == "msgid"), None)
    header = next((field for field in fields if field.name == "msgstr"), None)
    if header is None or message is None or message.value or header.start < message.start:
        return None
    return _LANGUAGE.search(text, header.start, header.end)


def _code(original: str) -> LanguageCode:
    """The place of a language, with a blank before it; gettext writes `pt_BR`."""
    return LanguageCode(original=original, render=lambda language: " " + language.replace("-", "_"))


def _strings(literal: str) -> Iterator[str]:
    return (match[1] for match in _QUOTED.finditer(literal) if match["end"])


def _untranslated(fields: list[_Field]) -> Iterator[tuple[_Field, str]]:
    """Fields of empty translations, with their source texts."""
    num_messages = 0

    def entry(field: _Field) -> int:
        nonlocal num_messages
        num_messages += field.name == "msgid"
        return num_messages

    for _, group in groupby(fields, key=entry):
        entry_fields = list(group)
        values = {field.name: field.value for field in entry_fields if field.name != "msgstr"}
        singular, plural = values.get("msgid", ""), values.get("msgid_plural", "")
        forms = [field for field in entry_fields if field.name == "msgstr"]
        for field in forms:
            # A language with one form uses it for all numbers.
            is_plural = plural and (field.index or len(forms) == 1)
            source = plural if is_plural else singular
            if singular and source.strip() and not field.value:
                yield field, source


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(escape: re.Match[str]) -> str:
    octal, hexadecimal, other = escape.groups()
    if other:
        return _CONTROLS.get(other, str(other))
    return chr(int(octal, 8) if octal else int(hexadecimal, 16))


def _literal(text: str, *, newline: str) -> str:
    """A string in gettext's format: several lines begin on a line of their own."""
    lines = text.splitlines(keepends=True) if "\n" in text[:-1] else [text]
    literals = [f'"{line.translate(_TO_WRITE)}"' for line in lines]
    return newline.join(literals if len(literals) == 1 else ['""', *literals])
