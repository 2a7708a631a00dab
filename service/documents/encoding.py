"""Detects the encoding of a file, decodes it and encodes it again."""

import codecs
import re
from dataclasses import dataclass

from service.documents.errors import DocumentError

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WESTERN = "cp1252"
"""Default encoding of text that is not Unicode; latin-1 if it has bytes undefined in it."""
_DECLARATION = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_NO_CHARACTER_SETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7"}
)
"""Python codecs that are transfer encodings, or could hide markup in ASCII."""
_DECLARED_WITHIN = 4096
"""Bytes at the beginning of a file that are searched for a declaration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """The encoding of a file."""

    name: str = "utf-8"
    mark: bytes = b""
    """Byte order mark at the beginning of the file."""
    is_declared: bool = False
    """Whether the file declares its encoding."""
    has_references: bool = False
    """Whether the format has character references such as `&#8364;`."""

    def encode(self, text: str) -> bytes:
        """The bytes of the file, in UTF-8 if its encoding lacks a character of `text`."""
        if self.has_references:
            return self.mark + text.encode(self.name, "xmlcharrefreplace")
        try:
            return self.mark + text.encode(self.name)
        except UnicodeEncodeError:
            data = text.encode("utf-8")
            return _DECLARATION.sub(b"charset=UTF-8", data, count=1) if self.is_declared else data


def decode(data: bytes, *, may_declare: bool = False) -> tuple[str, Encoding]:
    """Text and encoding of a file.

    In this order: byte order mark; UTF-16 if every other byte is NUL; UTF-8 if valid; the declared
    encoding; Western European.

    Args:
        data: The bytes of the file.
        may_declare: Whether the format can declare its encoding with `charset=`.

    Raises:
        DocumentError: The bytes are not text.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], Encoding(name=name, mark=mark))
    if b"\0" in data:
        return _decoded(data, Encoding(name=_utf_16_by_zeros(data)))
    declared = _declared_encoding(data) if may_declare else None
    # ASCII is valid in nearly every encoding; translations must be in the declared one.
    names = (declared, "utf-8") if data.isascii() else ("utf-8", declared)
    for name in (*names, _WESTERN):
        if name is None:
            continue
        try:
            return data.decode(name), Encoding(name=name, is_declared=name == declared)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), Encoding(name="latin-1")


def _declared_encoding(data: bytes) -> str | None:
    """The encoding named by `charset=`, if it exists and is a superset of ASCII.

    It must be a superset, because the declaration itself was read as ASCII.
    """
    found = _DECLARATION.search(data[:_DECLARED_WITHIN])
    if found is None:
        return None
    try:
        name = codecs.lookup(found[1].decode("ascii")).name
        is_usable = name not in _NO_CHARACTER_SETS and "charset=".encode(name) == b"charset="
        return name if is_usable else None
    except (LookupError, UnicodeError, TypeError):
        return None


def _decoded(data: bytes, encoding: Encoding) -> tuple[str, Encoding]:
    try:
        text = data.decode(encoding.name)
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"byte {len(encoding.mark) + error.start} is not {encoding.name}: "
            "save the file as UTF-8"
        ) from None
    if "\0" in text:
        raise DocumentError("it has NUL characters: it is not a text file")
    return text, encoding


def _utf_16_by_zeros(data: bytes) -> str:
    """UTF-16 with the byte order that the zeros suggest; UTF-8 if there are too few of them."""
    high, low = data[0::2].count(0), data[1::2].count(0)
    if len(data) % 2 == 0 and max(high, low) >= len(data) // 4:
        return "utf-16-le" if low > high else "utf-16-be"
    return "utf-8"
