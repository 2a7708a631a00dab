"""Reads parallel text from files and reports the lines that were left out."""

import codecs
import gzip
import lzma
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from model.directions import Direction
from model.errors import CorpusError

MAX_LINE_CHARACTERS = 4000
MAX_NAMED_LINES = 5


@dataclass(frozen=True, slots=True)
class SentencePair:
    """A sentence and its translation."""

    source: str
    target: str
    origin: str = ""
    """Name of its corpus: the third column, or the name of a file without one."""
    prefix: str | None = None
    """Piece before the source that selects the target language."""
    is_split: bool = False
    """Whether random pieces of the source are split when it is encoded."""

    def towards(self, direction: Direction) -> "SentencePair":
        """The pair in `direction`, with its prefix."""
        source, target = self.source, self.target
        if direction.is_reversed:
            source, target = target, source
        return SentencePair(source, target, self.origin, direction.prefix)


@dataclass(slots=True)
class LineReport:
    """Numbers of the bad lines by fault."""

    num_lines: int = 0
    faults: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, fault: str, line: int) -> None:
        """Record that `line`, counted from 1, was left out because of `fault`."""
        self.faults[fault].append(line)

    @property
    def num_bad(self) -> int:
        """Lines that were left out."""
        return sum(map(len, self.faults.values()))

    def describe(self, where: str) -> str:
        """A summary in one line: counts, and the first line numbers of each fault."""
        parts = []
        for fault, lines in sorted(self.faults.items()):
            named = ", ".join(map(str, lines[:MAX_NAMED_LINES]))
            more = ", ..." if len(lines) > MAX_NAMED_LINES else ""
            parts.append(f"{len(lines)} {fault} (line {named}{more})")
        bad = "; ".join(parts) or "no bad lines"
        return f"{where}: {self.num_lines - self.num_bad} of {self.num_lines} lines kept; {bad}"


def read_pairs(where: str | tuple[str, str], data: Path) -> tuple[list[SentencePair], LineReport]:
    """Read one tab-separated file (source, target, optionally origin) or two aligned ones.

    A tab-separated file without a third column is one corpus, named after the file.

    Lines with an empty side, too few columns, bytes that are not UTF-8 or more than
    `MAX_LINE_CHARACTERS` characters are left out and reported.

    Args:
        where: File, or source file and target file, relative to `data`.
        data: Folder.

    Raises:
        CorpusError: A file cannot be read, two files differ in length, or nothing is left.
    """
    report = LineReport()
    rows = _tab_separated(data / where) if isinstance(where, str) else _aligned(where, data)
    origin = Path(where).name.partition(".")[0] if isinstance(where, str) else ""
    pairs = []
    for line, row in enumerate(rows, start=1):
        report.num_lines = line
        fault = _fault(row)
        if fault:
            report.add(fault, line)
        else:
            source, target, name = (column.strip() for column in [*row, origin][:3])
            pairs.append(SentencePair(source, target, name))
    if not pairs:
        raise CorpusError(report.describe(f"{where}: nothing to train on"))
    return pairs, report


def _tab_separated(path: Path) -> Iterator[list[str]]:
    return (line.rstrip("\r\n").split("\t") for line in _lines(path))


def _aligned(where: tuple[str, str], data: Path) -> Iterator[list[str]]:
    source, target = (list(_lines(data / name)) for name in where)
    if len(source) != len(target):
        raise CorpusError(
            f"{where[0]} has {len(source)} lines and {where[1]} has {len(target)}: "
            "line i of one must translate line i of the other"
        )
    return ([s.rstrip("\r\n"), t.rstrip("\r\n")] for s, t in zip(source, target, strict=True))


def _lines(path: Path) -> Iterator[str]:
    """Lines as text; bytes that are not UTF-8 become surrogates, which `_fault` reports.

    A byte order mark, which some editors write, is no part of the first sentence.
    """
    try:
        with _open(path) as file:
            for number, line in enumerate(file):
                content = line if number else line.removeprefix(codecs.BOM_UTF8)
                yield content.decode("utf-8", errors="surrogateescape")
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise CorpusError(f"{path} cannot be read: {error}") from error


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _fault(row: list[str]) -> str | None:
    if len(row) < 2:
        return "without a tab"
    if not row[0].strip() or not row[1].strip():
        return "with an empty side"
    if max(len(row[0]), len(row[1])) > MAX_LINE_CHARACTERS:
        return f"over {MAX_LINE_CHARACTERS} characters"
    if any("\ud800" <= c <= "\udfff" for column in row[:2] for c in column):
        return "not UTF-8"
    return None
