"""TMX 1.4, the format in which tools of translators exchange memories: read and written.

The parser is expat, which reads a file piece by piece. Entities are neither declared nor loaded.
"""

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat  # nosec B405 - hardened below

from bundle.languages import best_match
from service.errors import BadFileError
from service.translation.memory.unit import MAX_UNIT_CHARS, Unit

PIECE_BYTES = 65_536
"""Bytes of a file that are parsed at once."""
_MAX_DEPTH = 50
_MAX_SEGMENT_CHARS = 20 * MAX_UNIT_CHARS
"""Longest segment, markup included; a longer one counts as empty."""
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
TMX_END = "  </body>\n</tmx>\n"


@dataclass(slots=True)
class Skipped:
    """Units of a file that were not read, counted while it is read."""

    num_other_languages: int = 0
    """They lack one of the two languages."""
    num_unusable: int = 0
    """One of their texts is empty or too long."""


class TmxParser:
    """Finds the units of a file in two languages while the file comes in, piece by piece."""

    def __init__(self, name: str, source: str, target: str, skipped: Skipped) -> None:
        """Begins with nothing.

        Args:
            name: Of the file, for messages.
            source: Language code; `en` finds `en-US` as well.
            target: Language code.
            skipped: Counts the units that are left out.
        """
        self._name = name
        self._languages = source, target
        self._skipped = skipped
        self._reader = _Reader(name)

    def feed(self, piece: bytes) -> list[Unit]:
        """The units that end in the next piece of the file.

        Raises:
            BadFileError: It is no TMX, or defines entities.
        """
        return self._parsed(piece, is_last=False)

    def end(self) -> list[Unit]:
        """The last units: there are no further pieces.

        Raises:
            BadFileError: The file is cut off.
        """
        return self._parsed(b"", is_last=True)

    def _parsed(self, piece: bytes, *, is_last: bool) -> list[Unit]:
        try:
            self._reader.parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            message = expat.errors.messages.get(error.code, "it is not XML")
            raise BadFileError(f"{self._name} is no TMX (line {error.lineno}: {message})") from None
        except (LookupError, ValueError):
            raise BadFileError(
                f"{self._name} is in an encoding that is not read: save it in UTF-8"
            ) from None
        found = (self._unit(variants) for variants in self._reader.taken())
        return [unit for unit in found if unit is not None]

    def _unit(self, variants: dict[str, str]) -> Unit | None:
        source, target = (_chosen(variants, language) for language in self._languages)
        if source is None or target is None:
            self._skipped.num_other_languages += 1
            return None
        unit = Unit(source=source, target=target)
        if not unit.is_usable:
            self._skipped.num_unusable += 1
            return None
        return unit


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
    parser = TmxParser(path.name, source, target, skipped)
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield from parser.feed(piece)
    yield from parser.end()


def write_tmx(units: Iterable[Unit], source: str, target: str) -> Iterator[str]:
    """The lines of a file with these units."""
    yield tmx_head(source)
    for unit in units:
        yield tmx_unit(unit, source, target)
    yield TMX_END


def tmx_head(source: str) -> str:
    """How a file begins."""
    return _HEADER.format(source=_escaped(source))


def tmx_unit(unit: Unit, source: str, target: str) -> str:
    """The lines of one unit."""
    return _UNIT.format(
        source_language=_escaped(source),
        target_language=_escaped(target),
        source=_escaped(unit.source),
        target=_escaped(unit.target),
    )


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
