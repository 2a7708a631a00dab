"""`pellucid attention FILE --output`: every line of a file inspected, and written as one file."""

import argparse
import asyncio
import codecs
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from service.cli.local import open_translator
from service.cli.paths import check_output, naming
from service.errors import InvalidRequestError, PayloadTooLargeError, StartupError
from service.inspection.corpora.inseq_file import inseq_json
from service.inspection.corpora.pharaoh_file import (
    GoldError,
    GoldLinks,
    Link,
    alignment_error_rate,
    gold_links,
    links_beyond,
    links_of,
    pharaoh_line,
)
from service.inspection.heat_map.arrays import pair_entries
from service.inspection.values import AttentionRequest, InspectedPair
from service.translation.translator import Translator

_LINES_AT_ONCE = 8
SUFFIXES = (".npz", ".pharaoh", ".json")


class _Writer(Protocol):
    def __call__(self, number: int, pair: InspectedPair) -> None:
        """Take the pair of a line."""


def run_corpus(arguments: argparse.Namespace, request: AttentionRequest) -> int:
    """Inspect a file; returns the exit code.

    Args:
        arguments: Of `pellucid attention`.
        request: What is wanted of each line; its texts are replaced.

    Raises:
        StartupError: A file or a setting cannot be used.
        ServiceError: A line cannot be inspected.
    """
    if arguments.output is None:
        raise StartupError("--gold needs --output: the alignments come from a file")
    _check(arguments, request)
    lines = _lines(Path(arguments.text))
    gold = None if arguments.gold is None else _gold(arguments.gold, len(lines))
    found: list[set[Link]] = []
    beyond: list[tuple[int, Link]] = []
    with ExitStack() as stack:
        translator = stack.enter_context(open_translator(arguments))
        write = stack.enter_context(_writer(arguments.output, request))
        for number, pair in enumerate(_inspected(translator, lines, request)):
            write(number, pair)
            if gold is not None:
                found.append(links_of(pair))
                beyond += [(number + 1, link) for link in links_beyond(gold[number], pair)]
    if gold is not None:
        rate = alignment_error_rate(zip(found, gold, strict=True))
        sys.stdout.write(f"alignment error rate {rate:.4f} over {len(lines)} lines\n")
        _warn_of_links_beyond(arguments.gold, beyond)
    return 0


def _warn_of_links_beyond(path: Path, beyond: Sequence[tuple[int, Link]]) -> None:
    """Say that gold has links of tokens that no text has: the rate counts them as missed."""
    if not beyond:
        return
    num_lines = len({number for number, _ in beyond})
    number, (source, target) = beyond[0]
    sys.stderr.write(
        f"{path}: links of tokens that are not there in {num_lines} of its lines, first "
        f"{source}-{target} in line {number}: tokens count from 0\n"
    )


def _check(arguments: argparse.Namespace, request: AttentionRequest) -> None:
    output = arguments.output
    if output.suffix.lower() not in SUFFIXES:
        raise StartupError(f"--output {output}: the suffix must be one of {', '.join(SUFFIXES)}")
    check_output(output, "--output")
    if arguments.table or not (arguments.translation is arguments.contrast is None):
        raise StartupError("a file of lines goes without --table, --translation and --contrast")
    if output.suffix.lower() == ".json" and request.selection.method == "attention":
        raise StartupError(f"--output {output}: inseq reads contributions: give another --method")


def _lines(path: Path) -> list[tuple[str, str | None]]:
    """Text and translation, if any, of every line."""
    if not path.is_file():
        raise StartupError(f"there is no file {path}: give one with a text a line, or a text")
    rows = [line.split("\t") for line in _read_lines(path)]
    with_translation = [len(row) > 1 for row in rows]
    if any(with_translation) and not all(with_translation):
        number = 1 + with_translation.index(not with_translation[0])
        raise InvalidRequestError(
            f"line {number} of {path} differs from those before: give all lines a translation, "
            "behind a tab, or none"
        )
    return [(row[0], row[1] if len(row) > 1 else None) for row in rows]


def _read_lines(path: Path) -> list[str]:
    """The lines of a file without their ends; no other character than a line feed ends one.

    Raises:
        InvalidRequestError: One is not UTF-8.
    """
    with naming(path):
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    lines = []
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), 1):
        try:
            lines.append(line.removesuffix(b"\r").decode("utf-8"))
        except UnicodeDecodeError:
            raise InvalidRequestError(f"line {number} of {path} is not UTF-8") from None
    return lines if content else []


def _gold(path: Path, count: int) -> list[GoldLinks]:
    lines = _read_lines(path)
    if len(lines) != count:
        raise InvalidRequestError(f"{path} has {len(lines)} lines, not {count}: one for each text")
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(gold_links(line))
        except GoldError as error:
            raise InvalidRequestError(f"line {number} of {path}: {error}") from error
    return found


def _inspected(
    translator: Translator, lines: Sequence[tuple[str, str | None]], request: AttentionRequest
) -> Iterator[InspectedPair]:
    """The lines in order, a few at a time; each is a request of its own, with its own limit."""

    async def inspected(number: int, text: str, given: str | None) -> InspectedPair:
        translations = None if given is None else (given,)
        try:
            (pair,) = await translator.attention(
                replace(request, texts=(text,), translations=translations)
            )
        except (InvalidRequestError, PayloadTooLargeError) as error:
            raise InvalidRequestError(f"line {number}: {error}") from error
        return pair

    async def some(start: int) -> list[InspectedPair]:
        batch = enumerate(lines[start : start + _LINES_AT_ONCE], start + 1)
        return await asyncio.gather(*(inspected(number, *line) for number, line in batch))

    with asyncio.Runner() as runner:
        for start in range(0, len(lines), _LINES_AT_ONCE):
            yield from runner.run(some(start))


@contextmanager
def _writer(path: Path, request: AttentionRequest) -> Iterator[_Writer]:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with zipfile.ZipFile(path, "w") as archive:
            yield lambda number, pair: _write_arrays(archive, number, pair)
    elif suffix == ".pharaoh":
        with path.open("w", encoding="utf-8") as file:
            yield lambda _, pair: print(pharaoh_line(links_of(pair)), file=file)
    else:
        pairs: list[InspectedPair] = []
        yield lambda _, pair: pairs.append(pair)
        path.write_text(inseq_json(pairs, request.selection.method), encoding="utf-8")


def _write_arrays(archive: zipfile.ZipFile, number: int, pair: InspectedPair) -> None:
    """Line by line: a corpus need not fit into memory."""
    for name, values in pair_entries(pair):
        with archive.open(f"{number}.{name}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.asanyarray(values), allow_pickle=False)
