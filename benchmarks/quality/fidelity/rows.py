"""Numbers of kept properties, by category of text and by property."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from benchmarks.quality.fidelity.outcome import Outcome
from tests.service.fidelity.nasty_text import NastyText


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One category, one property, or all of them."""

    name: str
    texts: int
    """Texts with this property, or of this category."""
    properties: int
    """Properties; each counts once per text."""
    kept: dict[str, int]
    """Properties, by contestant."""


Outcomes = Mapping[str, Sequence[Outcome]]


def rows_by_category(texts: Sequence[NastyText], outcomes: Outcomes) -> list[Row]:
    """One row for each category, in the order of the corpus, and one for all."""
    names = {nasty.category: None for nasty in texts}
    rows = [_row(name, texts, outcomes, category=name) for name in names]
    return [*rows, _row("all", texts, outcomes)]


def rows_by_property(texts: Sequence[NastyText], outcomes: Outcomes) -> list[Row]:
    """One row for each property, and one for all."""
    names = {each.name: None for nasty in texts for each in nasty.properties}
    rows = [_row(name, texts, outcomes, wanted=name) for name in sorted(names)]
    return [*rows, _row("all", texts, outcomes)]


def _row(
    name: str,
    texts: Sequence[NastyText],
    outcomes: Outcomes,
    *,
    category: str | None = None,
    wanted: str | None = None,
) -> Row:
    asked = [
        (index, {x.name for x in nasty.properties if wanted in (None, x.name)})
        for index, nasty in enumerate(texts)
        if category in (None, nasty.category)
    ]
    asked = [(index, names) for index, names in asked if names]
    return Row(
        name=name,
        texts=len(asked),
        properties=sum(len(names) for _, names in asked),
        kept={
            contestant: sum(_num_kept(of_texts[index], names) for index, names in asked)
            for contestant, of_texts in outcomes.items()
        },
    )


def _num_kept(outcome: Outcome, names: AbstractSet[str]) -> int:
    return 0 if outcome.error else len(names - outcome.faults.keys())


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """A table in Markdown."""
    contestants = [*rows[0].kept]
    print(f"| {title} | texts | properties | {' | '.join(contestants)} |")
    print("|---|--:|--:|" + "--:|" * len(contestants))
    for row in rows:
        cells = [str(row.texts), str(row.properties), *(str(row.kept[x]) for x in contestants)]
        print(f"| {row.name} | {' | '.join(cells)} |")
    print()
