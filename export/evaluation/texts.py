"""Reads texts of one sentence per line."""

import gzip
import lzma
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.evaluation.errors import EvaluationError


@dataclass(frozen=True, slots=True, kw_only=True)
class TestText:
    """Sentences and their references."""

    sources: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    """One or more sets, each with a line for every source."""


def read_test_text(source: Path, references: Sequence[Path]) -> TestText:
    """Read a source and its references, plain or compressed (.xz, .gz).

    Unlike in training no line is left out, because the score would be another.

    Raises:
        EvaluationError: A file cannot be read, is empty, has lines that are not UTF-8, or another
            number of lines than the source.
    """
    sources = _read_lines(source)
    read = [_read_lines(path) for path in references]
    faults = [
        f"{path} has {len(lines)} lines and {source} has {len(sources)}"
        for path, lines in zip(references, read, strict=True)
        if len(lines) != len(sources)
    ]
    if faults:
        raise EvaluationError(f"{'; '.join(faults)}: line i of one must translate line i")
    return TestText(sources=tuple(sources), references=tuple(map(tuple, read)))


def _read_lines(path: Path) -> list[str]:
    try:
        content = _read(path)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from error
    lines = content.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n")
    bad = [number for number, line in enumerate(lines, start=1) if not _is_utf8(line)]
    if bad:
        raise EvaluationError(f"{path}: not UTF-8 in line {', '.join(map(str, bad[:5]))}")
    if not content.strip():
        raise EvaluationError(f"{path} has no sentence")
    return [line.decode().strip() for line in lines]


def _read(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
