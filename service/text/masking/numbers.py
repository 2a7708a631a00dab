"""Numbers, dates and times in the notation of the target language.

Those that models often get wrong are masked by symbols that stand for the notation of the target
language; in the translation the others are compared with the source and mended.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from service.text.masking.edits import Edit, Rewritten, rewrite
from service.text.masking.protected import Protected, standing_alone
from service.text.masking.symbols import Masked
from service.text.numbers.comparison import compare_values
from service.text.numbers.finder import find_values
from service.text.numbers.notation import Notation, notation_of
from service.text.numbers.units import CURRENCY_SIGNS
from service.text.numbers.values import Date, Number, Time, Value
from service.text.numbers.writer import write_date, write_number, write_time

_DIGIT = re.compile(r"\d")
_MARKS = re.compile(r"\D")
_SPACES = " \u00a0\u202f"
_MINUS = "-−–"  # noqa: RUF001
_QUANTITY = re.compile(
    r"(?P<sign>[-+±]?)(?P<number>\d{1,15}(?:[.,]\d{1,9}){0,5})"
    r"(?P<unit>(?:[ \u00a0\u202f]?[^\d\s]{1,5})?)"
)
"""A placeholder that is a number, with or without a unit."""
_SCALE = re.compile(
    r"[ \u00a0\u202f]?(?:k|m|bn|tn|thousand|hundred|million|billion|trillion|lakh|crore|Mio|Mrd"
    r"|tausend|hundert|Million(?:en)?|Milliarden?|Billion(?:en)?)(?!\w)"
)
"""A word behind a number that multiplies it; the number without it is no amount of money."""
_HALF_BEHIND = re.compile(
    r"[ \u00a0\u202f]?(?:[ap](?:m(?!\w)|\. ?m\.)|o['’]clock|Uhr(?!\w))",  # noqa: RUF001
    re.IGNORECASE,
)
"""What languages put behind a time of day."""
_DAY_STOP = re.compile(r"\d{1,2}(?:st|nd|rd|th)?\.")
"""A day in the order of German."""
_YEAR_DIGITS = 4
_FREE_UNITS = frozenset(("", "%", "EUR", "USD", "GBP", "JPY", "CHF"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLocales:
    """The notations that numbers are rewritten from and to."""

    source_language: str
    target_language: str
    source: Notation
    target: Notation


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
        values = _outside(values, [(term.start, term.end) for term in terms])
    is_masked = _is_maskable if masks_all else _is_masked
    masked = [_protected(v, text, locales) for v in values if is_masked(v, text)]
    return _merged(fixed, masked)


def mend_numbers(
    target: str, masked: Masked, locales: NumberLocales, protected_texts: Collection[str]
) -> Rewritten:
    """A translation whose unmasked numbers are those of the source, as the language writes them.

    A number that changed is replaced if it is clear which one it was; one that vanished cannot be
    put back.

    Args:
        target: The translation.
        masked: What the model saw.
        locales: Of source and target.
        protected_texts: What stands in the translation and must not be touched.
    """
    if not _DIGIT.search(masked.text):
        return Rewritten(text=target)
    taken = [(span.start, span.end) for span in masked.protected]
    sources = _outside(find_values(masked.text, locales.source_language), taken)
    if not sources:
        return Rewritten(text=target)
    kept = list(standing_alone(frozenset(filter(None, protected_texts)), target))
    targets = _outside(find_values(target, locales.target_language), kept)
    comparison = compare_values(sources, targets)
    edits = [
        edit
        for old, new in comparison.kept
        if not (old.is_fixed or new.is_fixed)
        for edit in _renotated(old, new, target, locales)
    ]
    edits += [
        _replaced(old, new, masked.text, target, locales) for old, new in comparison.changed()
    ]
    return rewrite(target, _disjoint(edits))


def _localised_quantity(placeholder: Protected, locales: NumberLocales) -> Protected:
    """A placeholder with its number as the target language writes it, if it is a quantity."""
    match = _QUANTITY.fullmatch(placeholder.replacement)
    if match is None:
        return placeholder
    (value, *others) = find_values(match["number"], locales.source_language)
    if others or not isinstance(value.meaning, Number):
        return placeholder
    number = write_number(value.meaning, locales.target)
    return replace(placeholder, replacement=match["sign"] + number + match["unit"])


def _is_masked(value: Value, text: str) -> bool:
    """Whether models hardly ever get a value right by themselves."""
    meaning = value.meaning
    if isinstance(meaning, Number):
        return not value.is_fixed and _sign_span(value, text) is not None
    is_named = isinstance(meaning, Date) and meaning.is_named
    return not is_named and _is_maskable(value, text)


def _is_maskable(value: Value, text: str) -> bool:
    """Whether a value can be rewritten without a look at the words around it."""
    meaning = value.meaning
    if value.is_fixed:
        return False
    if isinstance(meaning, Time):
        return meaning.is_exact and meaning.is_marked
    if isinstance(meaning, Date):
        return _is_clear(meaning, value, text)
    if not isinstance(meaning, Number):
        return False
    # Behind a symbol models decline the word of a unit wrongly.
    is_measure = value.unit not in _FREE_UNITS
    has_marks = meaning.is_grouped or bool(meaning.fraction)
    return _sign_span(value, text) is not None or (has_marks and not is_measure)


def _is_clear(date: Date, value: Value, text: str) -> bool:
    """Whether a date means one day alone, and is not in the order of ISO 8601."""
    if len(date.year) not in (0, _YEAR_DIGITS):
        return False
    is_iso = text[value.start : value.start + _YEAR_DIGITS].isdecimal()
    return date.is_named or (not is_iso and len(value.keys()) == 1)


def _protected(value: Value, text: str, locales: NumberLocales) -> Protected:
    start, end, written = _written(value, text, locales)
    return Protected(start=start, end=end, replacement=written)


def _written(value: Value, text: str, locales: NumberLocales) -> tuple[int, int, str]:
    """A span of the text and its notation in the target language."""
    meaning = value.meaning
    if isinstance(meaning, Time):
        return value.start, value.end, write_time(meaning, locales.target)
    if isinstance(meaning, Date):
        return value.start, value.end, _date(meaning, locales.target)
    if not isinstance(meaning, Number):
        return value.start, value.end, text[value.start : value.end]
    written = write_number(meaning, locales.target)
    span = _sign_span(value, text)
    if span is None:
        return value.start, value.end, written
    sign = text[span[0] : span[1]].strip(_SPACES + "0123456789.,'’")  # noqa: RUF001
    return *span, f"{sign}{written}" if locales.target.sign_first else f"{written} {sign}"


def _date(date: Date, notation: Notation) -> str:
    """A date in digits; with a month's name where digits could be taken for another day."""
    is_doubtful = notation.numeric_date.startswith("{m") or "/" in notation.numeric_date
    return write_date(replace(date, is_named=date.is_named or is_doubtful), notation)


def _sign_span(value: Value, text: str) -> tuple[int, int] | None:
    """An amount with its currency sign; None without one, in a range, and before a scale."""
    if _SCALE.match(text, value.end) or text[value.end : value.end + 1] in tuple(_MINUS):
        return None
    start, end = value.start, value.end
    if start and text[start - 1] in CURRENCY_SIGNS:
        is_alone = start == 1 or not (text[start - 2].isalnum() or text[start - 2] in _MINUS)
        return (start - 1, end) if is_alone else None
    behind = end + (text[end : end + 1] in tuple(_SPACES))
    if text[behind : behind + 1] in tuple(CURRENCY_SIGNS):
        is_alone = not text[behind + 1 : behind + 2].isalnum()
        return (start, behind + 1) if is_alone else None
    return None


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


def _outside(values: Sequence[Value], spans: Sequence[tuple[int, int]]) -> list[Value]:
    """Values that touch none of `spans`, which are sorted and disjoint."""
    ends = [end for _, end in spans]
    found = []
    for value in values:
        at = bisect_left(ends, value.start + 1)
        if at == len(spans) or spans[at][0] >= value.end:
            found.append(value)
    return found


def _renotated(old: Value, new: Value, target: str, locales: NumberLocales) -> Iterator[Edit]:
    """The edit of a value that was kept, if it is written as another language does."""
    meaning = next((m for m in old.meanings if not set(m.keys()).isdisjoint(new.keys())), None)
    shown = target[new.start : new.end]
    if isinstance(meaning, Number) and isinstance(new.meaning, Number):
        yield from _renotated_number(meaning, new, target, locales)
    elif isinstance(meaning, Date) and isinstance(new.meaning, Date):
        yield from _renotated_date(meaning, new, shown, locales)
    elif isinstance(meaning, Time) and (foreign := _foreign_half(new, target, locales)):
        yield Edit(start=new.start, end=foreign, text=write_time(meaning, locales.target))


def _renotated_date(
    meaning: Date, new: Value, shown: str, locales: NumberLocales
) -> Iterator[Edit]:
    if isinstance(new.meaning, Date) and new.meaning.is_named:
        if _is_foreign_name(shown, locales):
            yield Edit(start=new.start, end=new.end, text=_named(new.meaning, shown, locales))
    elif _is_foreign_date(new, shown, locales):
        yield Edit(start=new.start, end=new.end, text=_date(meaning, locales.target))


def _renotated_number(
    meaning: Number, new: Value, target: str, locales: NumberLocales
) -> Iterator[Edit]:
    marks = _MARKS.findall(target[new.start : new.end])
    is_grouped = meaning.is_grouped or len(marks) > bool(meaning.fraction)
    has_own_marks = _has_own_marks(marks, new, locales.target)
    start, end, written = new.start, new.end, target[new.start : new.end]
    if not has_own_marks:
        written = write_number(replace(meaning, is_grouped=is_grouped), locales.target)
    sign_span = _sign_span(new, target)
    if sign_span and (sign_span[0] < new.start) != locales.target.sign_first:
        start, end = sign_span
        sign = target[start] if sign_span[0] < new.start else target[end - 1]
        written = f"{sign}{written}" if locales.target.sign_first else f"{written} {sign}"
    if written != target[start:end]:
        yield Edit(start=start, end=end, text=written)


def _has_own_marks(marks: Sequence[str], value: Value, notation: Notation) -> bool:
    """Whether the marks of a number are those of a language; any space may separate thousands."""
    groups = list(marks)
    has_fraction = isinstance(value.meaning, Number) and bool(value.meaning.fraction)
    if has_fraction and groups.pop() != notation.decimal:
        return False
    return all(mark == notation.group or mark in _SPACES for mark in groups)


def _is_foreign_name(shown: str, locales: NumberLocales) -> bool:
    """Whether a date with a month's name has the full stop of another language, or lacks it."""
    has_stop = _DAY_STOP.match(shown) is not None
    return has_stop != ("{d}." in locales.target.named_day)


def _named(date: Date, shown: str, locales: NumberLocales) -> str:
    """A date with a month's name; where the day may come first, it stays there."""
    written = write_date(date, locales.target)
    if not shown[:1].isdecimal() or written[:1].isdecimal():
        return written
    return f"{date.day} {locales.target.months[date.month - 1]} {date.year}".rstrip()


def _is_foreign_date(new: Value, shown: str, locales: NumberLocales) -> bool:
    """Whether a date in digits has other marks than the target language writes."""
    marks = set(_MARKS.findall(shown)) - set(_SPACES)
    own = set(_MARKS.findall(locales.target.numeric_date.format(d=1, m=1, y=2000)))
    is_iso = shown[:_YEAR_DIGITS].isdecimal()
    return not is_iso and len(new.keys()) == 1 and not marks.issubset(own)


def _foreign_half(new: Value, target: str, locales: NumberLocales) -> int | None:
    """End of a time with what another language puts behind it."""
    match = _HALF_BEHIND.match(target, new.end)
    if match is None or ("uhr" in match.group().lower()) != locales.target.has_halves:
        return None
    return match.end()


def _replaced(old: Value, new: Value, source: str, target: str, locales: NumberLocales) -> Edit:
    """The edit that puts a value of the source in place of what became of it."""
    if old.is_fixed:
        return Edit(start=new.start, end=new.end, text=source[old.start : old.end])
    start, end, meaning = new.start, new.end, old.meaning
    if isinstance(meaning, Time) and meaning.is_marked:
        behind = _HALF_BEHIND.match(target, end)
        end = behind.end() if behind else end
        return Edit(start=start, end=end, text=write_time(meaning, locales.target))
    if isinstance(meaning, Date):
        return Edit(start=start, end=end, text=_date(meaning, locales.target))
    if not isinstance(meaning, Number):
        return Edit(start=start, end=end, text=source[old.start : old.end])
    written = write_number(meaning, locales.target)
    was_negative = isinstance(new.meaning, Number) and new.meaning.is_negative
    if was_negative and not meaning.is_negative and target[start - 1 : start] in tuple(_MINUS):
        start -= 1
    sign = "-" if meaning.is_negative and not was_negative else ""
    return Edit(start=start, end=end, text=sign + written)


def _disjoint(edits: Sequence[Edit]) -> list[Edit]:
    """Edits by position, without those that overlap an earlier one."""
    chosen: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: edit.start):
        if not chosen or chosen[-1].end <= edit.start:
            chosen.append(edit)
    return chosen
