"""Numbers of kept properties, in all formats and in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.documents.kept import Kept

_ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One property in one format, or in all of them."""

    name: str
    suffix: str
    """Of the format; `all` for the sum."""
    asked: int
    """How often the documents have it."""
    kept: dict[str, int]
    """By contestant."""


def rows_of(kept: Mapping[str, Sequence[tuple[str, Kept]]]) -> list[Row]:
    """A row for each property in all formats, then in each format."""
    keys = dict.fromkeys(
        (suffix, each.name) for found in kept.values() for own, each in found
        for suffix in (_ALL, own)
    )  # fmt: skip
    rows = [_row(suffix, name, kept) for suffix, name in keys]
    return sorted(rows, key=lambda row: (row.suffix != _ALL, row.suffix))


def _row(suffix: str, name: str, kept: Mapping[str, Sequence[tuple[str, Kept]]]) -> Row:
    wanted = {
        contestant: [each for own, each in found if each.name == name and suffix in (_ALL, own)]
        for contestant, found in kept.items()
    }
    return Row(
        name=name,
        suffix=suffix,
        asked=max(sum(each.asked for each in found) for found in wanted.values()),
        kept={who: sum(each.kept for each in found) for who, found in wanted.items()},
    )


def print_rows(rows: Sequence[Row]) -> None:
    """Tables in Markdown: the sums, then each format."""
    contestants = [*rows[0].kept]
    print(f"| property | format | asked | {' | '.join(contestants)} |")
    print("|---|---|--:|" + "--:|" * len(contestants))
    for row in rows:
        cells = [row.suffix, str(row.asked), *(str(row.kept[each]) for each in contestants)]
        print(f"| {row.name} | {' | '.join(cells)} |")
