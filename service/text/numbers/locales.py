"""The two notations that the numbers of a translation are rewritten between."""

from dataclasses import dataclass, replace
from functools import cache

from service.text.numbers.notation import Notation, notation_of
from service.text.numbers.values import Date
from service.text.numbers.writer import write_date


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLocales:
    """The notations that numbers are rewritten from and to."""

    source_language: str
    target_language: str
    source: Notation
    target: Notation


@cache
def number_locales(source_language: str, target_language: str) -> NumberLocales | None:
    """Notations of two languages; None if one is not known, or both are the same."""
    source, target = notation_of(source_language), notation_of(target_language)
    if source is None or target is None or source == target:
        return None
    return NumberLocales(
        source_language=source_language,
        target_language=target_language,
        source=source,
        target=target,
    )


def localised_date(date: Date, notation: Notation) -> str:
    """A date in digits; with a month's name where digits could be taken for another day."""
    is_doubtful = notation.numeric_date.startswith("{m") or "/" in notation.numeric_date
    return write_date(replace(date, is_named=date.is_named or is_doubtful), notation)
