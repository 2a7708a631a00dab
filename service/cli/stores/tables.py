"""Rows on standard output: as a table, or as JSON lines for programs."""

import json
import sys
from collections.abc import Mapping, Sequence


def print_rows(
    rows: Sequence[Mapping[str, object]], columns: tuple[str, ...], *, as_json: bool
) -> None:
    """An aligned table of `columns`, or all of each row as JSON."""
    if as_json:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    else:
        table = [columns, *(tuple(_cell(row[name]) for name in columns) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table]
    sys.stdout.write("".join(line + "\n" for line in lines))


def _cell(value: object) -> str:
    """A value on one line."""
    return "-" if value is None else " ".join(str(value).split())
