"""Which characters the bytes of a file are, and back."""

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
"""What a text is that is no Unicode and says nothing about itself; undefined bytes: latin-1."""
_DECLARATION = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_NO_CHARACTER_SETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7"}
)
"""Codecs of Python's that are ways of writing ASCII, or would let markup hide in it."""
_DECLARED_WITHIN = 4096
"""Bytes at the beginning of a file where it may say what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How characters become bytes."""

    name: str = "utf-8"
    mark: bytes = b""
    """The byte order mark that the file begins with."""
    is_declared: bool = False
    """Whether the file itself names its encoding."""
    has_references: bool = False
    """Whether the format can write any character as `&#8364;`."""

    def encode(self, text: str) -> bytes:
        """The file's bytes; all of it is UTF-8 if there is no other way to write a character."""
        if self.has_references:
            return self.mark + text.encode(self.name, "xmlcharrefreplace")
        try:
            return self.mark + text.encode(self.name)
        except UnicodeEncodeError:
            data = text.encode("utf-8")
            return _DECLARATION.sub(b"charset=UTF-8", data, count=1) if self.is_declared else data


def decode(data: bytes, *, may_declare: bool = False) -> tuple[str, Encoding]:
    """Text and encoding of a file.

    A byte order mark decides; else it is UTF-16 if every other byte is NUL, else UTF-8 if it can
    be, else what it declares, else Western European.

    Args:
        data: The file.
        may_declare: Whether the format has `charset=` for its encoding.

    Raises:
        DocumentError: It is no text.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], Encoding(name=name, mark=mark))
    if b"\0" in data:
        return _decoded(data, Encoding(name=_utf_16_by_zeros(data)))
    declared = _declared_encoding(data) if may_declare else None
    # ASCII is valid in nearly every encoding; what is added to it has to be in the declared one.
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
    """What `charset=` at the beginning of a page or catalogue names, if there is such an encoding.

    Only encodings that write ASCII as itself, since a declaration could be read.
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
        raise DocumentError("it has NUL characters: it is no text file")
    return text, encoding


def _utf_16_by_zeros(data: bytes) -> str:
    """UTF-16 of mostly Western text has a zero in nearly every pair; its place tells the order."""
    high, low = data[0::2].count(0), data[1::2].count(0)
    if len(data) % 2 == 0 and max(high, low) >= len(data) // 4:
        return "utf-16-le" if low > high else "utf-16-be"
    return "utf-8"
