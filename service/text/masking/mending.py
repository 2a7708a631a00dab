"""Numbers of a translation, mended: those of the source, as the target language writes them."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from service.text.masking.edits import Edit, Rewritten, rewrite
from service.text.masking.protected import standing_alone
from service.text.masking.symbols import Masked
from service.text.numbers.amounts import amount_span
from service.text.numbers.comparison import compare_values
from service.text.numbers.finder import find_values
from service.text.numbers.locales import NumberLocales, localised_date
from service.text.numbers.notation import Notation
from service.text.numbers.units import UNIT, unit_name
from service.text.numbers.values import Date, Number, Time, Value, outside
from service.text.numbers.writer import write_date, write_number, write_time

_DIGIT = re.compile(r"\d")
_MARKS = re.compile(r"\D")
_SPACES = " \u00a0\u202f"
_MINUS = "-−–"  # noqa: RUF001
_HALF_BEHIND = re.compile(
    r"[ \u00a0\u202f]?(?:[ap](?:m(?!\w)|\. ?m\.)|o['’]clock|Uhr(?!\w))",  # noqa: RUF001
    re.IGNORECASE,
)
"""What languages put behind a time of day."""
_DAY_STOP = re.compile(r"\d{1,2}(?:st|nd|rd|th)?[.,]")
"""A day in the order of German."""
_YEAR_DIGITS = 4


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
    source = masked.rewritten.text
    if not _DIGIT.search(source):
        return Rewritten(text=target)
    taken = [(span.start, span.end) for span in masked.protected]
    sources = outside(find_values(source, locales.source_language), taken)
    if not sources:
        return Rewritten(text=target)
    kept = list(standing_alone(frozenset(filter(None, protected_texts)), target))
    targets = outside(find_values(target, locales.target_language), kept)
    comparison = compare_values(sources, targets)
    edits = [
        edit
        for old, new in comparison.kept
        if not (old.is_fixed or new.is_fixed)
        for edit in _renotated(old, new, target, locales)
    ]
    edits += [
        edit for old, new in comparison.kept for edit in _renamed_unit(old, new, target, locales)
    ]
    edits += [_replaced(old, new, source, target, locales) for old, new in comparison.changed()]
    return rewrite(target, _disjoint(edits))


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
        yield Edit(start=new.start, end=new.end, text=localised_date(meaning, locales.target))


def _renotated_number(
    meaning: Number, new: Value, target: str, locales: NumberLocales
) -> Iterator[Edit]:
    marks = _MARKS.findall(target[new.start : new.end])
    is_grouped = meaning.is_grouped or len(marks) > bool(meaning.fraction)
    has_own_marks = _has_own_marks(marks, new, locales.target)
    start, end, written = new.start, new.end, target[new.start : new.end]
    if not has_own_marks:
        written = write_number(replace(meaning, is_grouped=is_grouped), locales.target)
    sign_span = amount_span(new, target)
    if sign_span and (sign_span[0] < new.start) != locales.target.sign_first:
        start, end = sign_span
        sign = target[start] if sign_span[0] < new.start else target[end - 1]
        written = f"{sign}{written}" if locales.target.sign_first else f"{written} {sign}"
    if written != target[start:end]:
        yield Edit(start=start, end=end, text=written)


def _renamed_unit(old: Value, new: Value, target: str, locales: NumberLocales) -> Iterator[Edit]:
    """The edit of a unit that was copied from the source language."""
    match = UNIT.match(target, new.end) if old.unit and old.unit == new.unit else None
    if match is None or match["word"] is None or not isinstance(new.meaning, Number):
        return
    is_one = new.meaning.whole == "1" and not new.meaning.fraction
    name = unit_name(match["word"], locales.target_language, is_one=is_one)
    if name != match["word"]:
        yield Edit(start=match.start("word"), end=match.end("word"), text=name)


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
        return Edit(start=start, end=end, text=localised_date(meaning, locales.target))
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
