"""Numbers, dates and times that are masked by symbols for their notation in the target language."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from service.text.masking.protected import Protected
from service.text.numbers.amounts import amount_span
from service.text.numbers.finder import find_values
from service.text.numbers.locales import NumberLocales, localised_date
from service.text.numbers.values import Date, Number, Time, Value, outside
from service.text.numbers.writer import is_half_known, write_number, write_time

_DIGIT = re.compile(r"\d")
_SPACES = " \u00a0\u202f"
_QUANTITY = re.compile(
    r"(?P<sign>[-+±]?)(?P<number>\d{1,15}(?:[.,]\d{1,9}){0,5})"
    r"(?P<unit>(?:[ \u00a0\u202f]?[^\d\s]{1,5})?)"
)
"""A placeholder that is a number, with or without a unit."""
_DASH = re.compile(r"[ \u00a0\u202f]?[-–—][ \u00a0\u202f]?")  # noqa: RUF001
_BETWEEN_TIMES = re.compile(rf"(?:{_DASH.pattern})|[ \u00a0\u202f](?:bis|à)[ \u00a0\u202f]")
"""Between the two times of a range."""
_YEAR_DIGITS = 4
_WORD = re.compile(r"[^\W\d_]{2,}")
_MARK_OR_WORD = re.compile(r"[\w.!?…:;]")
_LEAST_WORDS = 3
"""Of a sentence, before a time at its end."""
_FREE_UNITS = frozenset(("", "%", "EUR", "USD", "GBP", "JPY", "CHF"))


def localised_numbers(
    text: str,
    placeholders: Sequence[Protected],
    terms: Sequence[Protected],
    locales: NumberLocales,
    *,
    masks_all: bool = False,
) -> list[Protected]:
    """The placeholders of a sentence and the numbers to mask, in the notation of the target.

    Masked are what models rarely get right: amounts with a currency sign, times of day, and dates
    in digits that mean one day. Numbers with marks and dates with a month's name are left to the
    model first, because the words around them agree with them. What looks like a version, a chapter
    or part of a code is never rewritten.

    Args:
        text: The sentence.
        placeholders: As `find_placeholders` finds them.
        terms: Of the glossary; what they contain is theirs.
        locales: Of source and target.
        masks_all: Whether numbers with marks and dates with names are masked, too.

    Returns:
        Sorted and disjoint.
    """
    if not _DIGIT.search(text):
        return list(placeholders)
    fixed = [_localised_quantity(each, locales) for each in placeholders]
    values = find_values(text, locales.source_language)
    if terms:
        values = outside(values, [(term.start, term.end) for term in terms])
    is_masked = _is_maskable if masks_all else _is_masked
    chosen = [value for value in values if is_masked(value, text)]
    return _merged(fixed, _protected_values(chosen, text, locales))


def _localised_quantity(placeholder: Protected, locales: NumberLocales) -> Protected:
    """A placeholder with its number as the target language writes it, if it is a quantity."""
    match = _QUANTITY.fullmatch(placeholder.replacement)
    if match is None:
        return placeholder
    (value, *others) = find_values(match["number"], locales.source_language)
    if others or not isinstance(value.meaning, Number):
        return placeholder
    number, unit = write_number(value.meaning, locales.target), match["unit"]
    if unit.strip(_SPACES) == "%":
        unit = locales.target.percent_space + "%"
    return replace(placeholder, replacement=match["sign"] + number + unit)


def _is_masked(value: Value, text: str) -> bool:
    """Whether models hardly ever get a value right by themselves."""
    meaning = value.meaning
    if isinstance(meaning, Number):
        return not value.is_fixed and amount_span(value, text) is not None
    is_named = isinstance(meaning, Date) and meaning.is_named
    return not is_named and _is_maskable(value, text)


def _is_maskable(value: Value, text: str) -> bool:
    """Whether a value can be rewritten without a look at the words around it."""
    meaning = value.meaning
    if value.is_fixed:
        return False
    if isinstance(meaning, Time):
        return meaning.is_marked
    if isinstance(meaning, Date):
        return _is_clear(meaning, value, text)
    if not isinstance(meaning, Number):
        return False
    # Behind a symbol models decline the word of a unit wrongly.
    is_measure = value.unit not in _FREE_UNITS
    has_marks = meaning.is_grouped or bool(meaning.fraction)
    return amount_span(value, text) is not None or (has_marks and not is_measure)


def _is_clear(date: Date, value: Value, text: str) -> bool:
    """Whether a date means one day alone, and is not in the order of ISO 8601."""
    if len(date.year) not in (0, _YEAR_DIGITS):
        return False
    is_iso = text[value.start : value.start + _YEAR_DIGITS].isdecimal()
    return date.is_named or (not is_iso and len(value.keys()) == 1)


def _protected_values(
    values: Sequence[Value], text: str, locales: NumberLocales
) -> list[Protected]:
    """The values with their notation; times with a dash between them are one: models change it."""
    spans: list[Protected] = []
    was_time = False
    times = _times_of_24(values, text)
    for value in values:
        is_time = isinstance(value.meaning, Time)
        start, end, written = _written(value, text, locales, is_of_24=value.start in times)
        if was_time and is_time and _DASH.fullmatch(text, spans[-1].end, start):
            first = spans.pop()
            written = first.replacement + text[first.end : start] + written
            start = first.start
        spans.append(Protected(start=start, end=end, replacement=written))
        was_time = is_time
    return spans


def _times_of_24(values: Sequence[Value], text: str) -> set[int]:
    """Where times of ranges begin that count to 24, as one of both shows: `8-20 Uhr`."""
    found: set[int] = set()
    for first, last in pairwise(values):
        pair = (first.meaning, last.meaning)
        if (
            all(isinstance(meaning, Time) for meaning in pair)
            and any(isinstance(meaning, Time) and is_half_known(meaning) for meaning in pair)
            and _BETWEEN_TIMES.fullmatch(text, first.end, last.start)
        ):
            found |= {first.start, last.start}
    return found


def _written(
    value: Value, text: str, locales: NumberLocales, *, is_of_24: bool
) -> tuple[int, int, str]:
    """A span of the text and its notation in the target language."""
    meaning = value.meaning
    if isinstance(meaning, Time):
        written = write_time(meaning, locales.target, is_of_24=is_of_24)
        return value.start, _end_of_time(value, text), written
    if isinstance(meaning, Date):
        return value.start, value.end, localised_date(meaning, locales.target)
    if not isinstance(meaning, Number):
        return value.start, value.end, text[value.start : value.end]
    written = write_number(meaning, locales.target)
    span = amount_span(value, text)
    if span is None:
        return value.start, value.end, written
    sign = text[span[0] : span[1]].strip(_SPACES + "0123456789.,'’")  # noqa: RUF001
    return *span, f"{sign}{written}" if locales.target.sign_first else f"{written} {sign}"


def _end_of_time(value: Value, text: str) -> int:
    """Its end, without the full stop of `p.m.` where that ends the sentence as well.

    A label like `Open until 5 p.m.` has none to lose, and looks the same: it has fewer words.
    """
    if text[value.end - 1] != "." or _MARK_OR_WORD.search(text, value.end):
        return value.end
    is_sentence = len(_WORD.findall(text, 0, value.start)) >= _LEAST_WORDS
    return value.end - is_sentence


def _merged(fixed: Sequence[Protected], values: Sequence[Protected]) -> list[Protected]:
    """Placeholders and numbers, disjoint: a number wins over placeholders within it."""
    chosen: list[Protected] = []
    remaining = list(reversed(fixed))
    for value in values:
        while remaining and remaining[-1].end <= value.start:
            chosen.append(remaining.pop())
        inside = 0
        while inside < len(remaining) and remaining[-1 - inside].start < value.end:
            inside += 1
        overlapping = remaining[len(remaining) - inside :]
        if all(value.start <= p.start and p.end <= value.end for p in overlapping):
            del remaining[len(remaining) - inside :]
            chosen.append(value)
    return [*chosen, *reversed(remaining)]
