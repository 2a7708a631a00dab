"""Terms as tab-separated or comma-separated values, in the two forms that DeepL takes."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Literal

from service.api.glossaries.stored import Term
from service.text.masking.glossary import Glossary, GlossaryEntry, GlossaryError

EntriesFormat = Literal["tsv", "csv"]
MAX_STORED_ENTRIES = 5_000
"""Of one direction of a glossary: compiled once for all requests, see decision 70."""
_SHOWN_CHARS = 20
_LANGUAGE_COLUMNS = 4
"""DeepL's own CSV files have the languages in two further columns."""
_CONTROL = re.compile(r"[\0-\x1f\x80-\x9f\u2028\u2029]")
"""What DeepL forbids in terms: tabs and the ends of lines, which a cell of CSV may have, would
divide a term where it is written as tab-separated values."""


def read_terms(text: str, entries_format: EntriesFormat) -> tuple[Term, ...]:
    """The terms of a file, without empty lines and the byte order mark of spreadsheets.

    Raises:
        GlossaryError: A line has not two columns, or a term has a control character or occurs
            twice, or there are too many.
    """
    text = text.removeprefix("\ufeff")
    rows = _tsv_rows(text) if entries_format == "tsv" else _csv_rows(text)
    terms: dict[str, str] = {}
    for number, (source, target) in rows:
        if found := _CONTROL.search(source) or _CONTROL.search(target):
            raise GlossaryError(
                f"entry {number} has the control character U+{ord(found[0]):04X} in "
                f"{found.string[:_SHOWN_CHARS]!r}: write a space instead"
            )
        if source in terms:
            raise GlossaryError(
                f"entry {number} has the term {source[:_SHOWN_CHARS]!r} again: keep one"
            )
        terms[source] = target
        if len(terms) > MAX_STORED_ENTRIES:
            raise GlossaryError(
                f"there are more than {MAX_STORED_ENTRIES:,} terms for one direction: send fewer"
            )
    return tuple(terms.items())


def check_terms(terms: tuple[Term, ...]) -> None:
    """Check the terms of one direction.

    Raises:
        GlossaryError: A term cannot be used, or there are none or too many.
    """
    if not terms:
        raise GlossaryError("a glossary has no entries: send a line for each term")
    if len(terms) > MAX_STORED_ENTRIES:
        raise GlossaryError(
            f"{len(terms):,} terms for one direction; the limit is {MAX_STORED_ENTRIES:,}: "
            "send fewer"
        )
    entries = [GlossaryEntry(source=source, target=target) for source, target in terms]
    Glossary(entries, tells_cases=True)


def write_tsv(terms: tuple[Term, ...]) -> str:
    """The terms, one a line."""
    return "\n".join(f"{source}\t{target}" for source, target in terms)


def _tsv_rows(text: str) -> Iterator[tuple[int, Term]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != 2:
            raise GlossaryError(
                f"entry {number} has {len(cells) - 1} tabs: write a term, one tab, its translation"
            )
        yield number, (cells[0].strip(), cells[1].strip())


def _csv_rows(text: str) -> Iterator[tuple[int, Term]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for number, cells in enumerate(reader, 1):
            if not any(cells):
                continue
            if not 2 <= len(cells) <= _LANGUAGE_COLUMNS:
                raise GlossaryError(
                    f"entry {number} has {len(cells)} columns: write a term, a comma, its "
                    "translation, in quotes if they have commas"
                )
            yield number, (cells[0].strip(), cells[1].strip())
    except csv.Error as error:
        raise GlossaryError(f"entry {reader.line_num} is no CSV: {error}") from None
