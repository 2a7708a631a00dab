"""TMX 1.4, the format in which tools of translators exchange memories: read and written.

The parser is expat, which reads a file piece by piece. Entities are neither declared nor loaded.
"""

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat  # nosec B405 - hardened below

from bundle.languages import best_match
from service.errors import BadFileError
from service.translation.memory.unit import MAX_UNIT_CHARS, Unit

_PIECE_BYTES = 65_536
_MAX_DEPTH = 50
_MAX_SEGMENT_CHARS = 20 * MAX_UNIT_CHARS
"""With the markup in it; a longer one counts as empty."""
_CODES = frozenset({"bpt", "ept", "it", "ut", "ph"})
"""Elements whose content is markup of the file that was translated."""
_LANGUAGES = ("xml:lang", "lang")
_HEADER = """\
<?xml version="1.0" encoding="UTF-8"?>
<tmx version="1.4">
  <header creationtool="pellucid" creationtoolversion="1" segtype="sentence" o-tmf="pellucid" \
adminlang="en" srclang="{source}" datatype="plaintext"/>
  <body>
"""
_UNIT = """\
    <tu>
      <tuv xml:lang="{source_language}"><seg>{source}</seg></tuv>
      <tuv xml:lang="{target_language}"><seg>{target}</seg></tuv>
    </tu>
"""
_FOOTER = "  </body>\n</tmx>\n"


@dataclass(slots=True)
class Skipped:
    """Units of a file that were not read, counted while it is read."""

    num_other_languages: int = 0
    """They lack one of the two languages."""
    num_unusable: int = 0
    """One of their texts is empty or too long."""


def read_tmx(path: Path, source: str, target: str, skipped: Skipped) -> Iterator[Unit]:
    """The units of a file in two languages.

    Args:
        path: The file, in UTF-8, UTF-16 or what its declaration says.
        source: Language code; `en` finds `en-US` as well.
        target: Language code.
        skipped: Counts the units that are left out.

    Raises:
        BadFileError: It is no TMX, or defines entities.
    """
    with path.open("rb") as file:
        for variants in _variants(file, path.name):
            texts = _chosen(variants, source), _chosen(variants, target)
            if texts[0] is None or texts[1] is None:
                skipped.num_other_languages += 1
            elif not all(0 < len(text) <= MAX_UNIT_CHARS for text in texts if text is not None):
                skipped.num_unusable += 1
            else:
                yield Unit(source=texts[0], target=texts[1])


def write_tmx(units: Iterable[Unit], source: str, target: str) -> Iterator[str]:
    """The lines of a file with these units."""
    yield _HEADER.format(source=_escaped(source))
    for unit in units:
        yield _UNIT.format(
            source_language=_escaped(source),
            target_language=_escaped(target),
            source=_escaped(unit.source),
            target=_escaped(unit.target),
        )
    yield _FOOTER


def _variants(file: BinaryIO, name: str) -> Iterator[dict[str, str]]:
    """The texts of each unit by language code."""
    reader = _Reader(name)
    try:
        while piece := file.read(_PIECE_BYTES):
            reader.parser.Parse(piece, False)
            yield from reader.taken()
        reader.parser.Parse(b"", True)
    except expat.ExpatError as error:
        message = expat.errors.messages.get(error.code, "it is not XML")
        raise BadFileError(f"{name} is no TMX (line {error.lineno}: {message})") from None
    except (LookupError, ValueError):
        raise BadFileError(f"{name} is in an encoding that is not read: save it in UTF-8") from None
    yield from reader.taken()


def _chosen(variants: dict[str, str], language: str) -> str | None:
    match = best_match(language, variants)
    return None if match is None else variants[match]


def _escaped(text: str) -> str:
    """Text for XML; characters that XML has not are left out."""
    kept = "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
    return html.escape(kept).replace("\r", "&#13;")


class _Reader:
    """Collects the texts of the units that the parser has passed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._path: list[str] = []
        self._found: list[dict[str, str]] = []
        self._variants: dict[str, str] = {}
        self._language = ""
        self._text: list[str] = []
        self._code: list[str] = []
        self._size = 0
        parser = self.parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.CharacterDataHandler = self._add
        parser.EntityDeclHandler = self._refuse_entity
        parser.ExternalEntityRefHandler = self._refuse_entity

    def taken(self) -> list[dict[str, str]]:
        """The units since the last call."""
        found, self._found = self._found, []
        return found

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != "tmx":
            raise BadFileError(f"{self._name} is no TMX: its outermost element is <{name[:40]}>")
        if len(self._path) > _MAX_DEPTH:
            raise BadFileError(f"{self._name} is no TMX: over {_MAX_DEPTH} elements in each other")
        self._path.append(name)
        if name == "tu":
            self._variants = {}
        elif name == "tuv":
            self._language = next((attributes[k] for k in _LANGUAGES if k in attributes), "")
        elif name == "seg":
            self._text, self._size = [], 0
        elif name in _CODES and not self._in_code(self._path[:-1]):
            self._code = []

    def _close(self, name: str) -> None:
        self._path.pop()
        if name == "seg" and self._language:
            text = "" if self._size > _MAX_SEGMENT_CHARS else "".join(self._text)
            self._variants.setdefault(self._language, " ".join(text.split()))
        elif name == "tu":
            self._found.append(self._variants)
        elif name == "ph" and "seg" in self._path and not self._in_code(self._path):
            self._text.append(_placeholder("".join(self._code)))

    def _add(self, text: str) -> None:
        if "seg" not in self._path or self._size > _MAX_SEGMENT_CHARS:
            return
        self._size += len(text)
        (self._code if self._in_code(self._path) else self._text).append(text)

    def _in_code(self, path: list[str]) -> bool:
        return not _CODES.isdisjoint(path)

    def _refuse_entity(self, *_: object) -> int:
        raise BadFileError(f"{self._name} defines entities: it is no TMX")


def _placeholder(code: str) -> str:
    """What a `<ph>` stands for in plain text: `{0}` is kept, `<br/>` is markup."""
    return "" if code.lstrip().startswith("<") else code
