"""Checks that numbers, dates, units and currencies are those of the source."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.text.checks.check import Check, SentencePair
from service.text.numbers.comparison import Comparison, compare
from service.text.numbers.units import unit_code
from service.text.numbers.values import Date, Time, Value
from service.text.numbers.words import number_words

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?")
_UNIT_WORD = re.compile(r"[%€$£¥]|°[CF]|[^\W\d_]+")
_STRICT_UNITS = frozenset(("%", "EUR", "USD", "GBP", "JPY", "CHF", "km", "mile", "kg", "°C", "°F"))
"""Units that hardly any translation leaves out."""
_CLOCK_WORDS = frozenset(
    ("half", "quarter", "past", "halb", "halber", "viertel", "dreiviertel", "nach", "vor")
)
_SCALES = frozenset(
    ("hundred", "thousand", "million", "millions", "billion", "trillion", "dozen", "score",
     "hundert", "tausend", "million", "millionen", "milliarde", "milliarden", "billion",
     "billionen", "dutzend", "mio", "mrd")
)  # fmt: skip
"""A number beside one of these is written in many ways."""


_IN_COMPOUNDS = (
    "percent", "prozent", "euro", "dollar", "franken", "pfund", "kilometer", "meile", "celsius",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What the words of a text say about numbers."""

    text: str
    words: frozenset[str]
    """In small letters, compounds with hyphens also in their parts."""
    numbers: frozenset[str]
    """Values of the number words, in digits."""

    def may_say(self, value: Value) -> bool:
        """Whether the words may stand for a value of the other text."""
        if not _SCALES.isdisjoint(self.words):
            return True
        meaning = value.meaning
        if isinstance(meaning, Time) and not _CLOCK_WORDS.isdisjoint(self.words):
            return True
        if isinstance(meaning, Date):
            return str(meaning.day) in self.numbers and meaning.year in self.text
        return not self.numbers.isdisjoint(value.parts())


def check_numbers(pair: SentencePair) -> Iterator[Check]:
    """Numbers, dates and times that changed, vanished or came from nowhere; units likewise."""
    found = compare(pair.source, pair.target, pair.source_language, pair.target_language)
    if found.lost or found.added:
        yield from _differences(pair, found)
    yield from _units(pair, found)


def _differences(pair: SentencePair, found: Comparison) -> Iterator[Check]:
    source = _words_of(pair.source, pair.source_language)
    target = _words_of(pair.target, pair.target_language)
    changed = found.changed()
    for old, new in changed:
        if not target.may_say(old):
            yield _changed(pair, old, new)
    for value in _others(found.lost, [old for old, _ in changed]):
        if not target.may_say(value):
            shown = pair.source[value.start : value.end]
            yield _number(value, None, f"{shown} is not in the translation")
    for value in _others(found.added, [new for _, new in changed]):
        if not source.may_say(value):
            shown = pair.target[value.start : value.end]
            yield _number(None, value, f"{shown} is not in the source")


def _words_of(text: str, language: str) -> _Words:
    words = {word.lower() for word in _WORD.findall(text)}
    words |= {part for word in words for part in word.split("-")}
    known = number_words(language)
    return _Words(
        text=text,
        words=frozenset(words),
        numbers=frozenset(str(known[word]) for word in words & known.keys()),
    )


def _changed(pair: SentencePair, old: Value, new: Value) -> Check:
    before, after = pair.source[old.start : old.end], pair.target[new.start : new.end]
    return _number(old, new, f"{before} became {after}")


def _number(old: Value | None, new: Value | None, message: str) -> Check:
    return Check(
        name="number",
        source_span=(old.start, old.end) if old else None,
        target_span=(new.start, new.end) if new else None,
        message=message,
    )


def _others(values: Sequence[Value], reported: Sequence[Value]) -> Iterator[Value]:
    spans = {(value.start, value.end) for value in reported}
    return (value for value in values if (value.start, value.end) not in spans)


def _units(pair: SentencePair, found: Comparison) -> Iterator[Check]:
    """Numbers that were kept while their unit or currency was not."""
    wanted = [(old, new) for old, new in found.kept if old.unit in _STRICT_UNITS]
    if not wanted:
        return
    words = [word.casefold() for word in _UNIT_WORD.findall(pair.target)]
    present = {unit_code(word) for word in words}
    # Longer words name units, too: Euro-Schein, Kilometerstand.
    present |= {unit_code(name) for name in _IN_COMPOUNDS if any(name in word for word in words)}
    for old, new in wanted:
        if old.unit not in present:
            yield _number(old, new, f"the unit of {pair.source[old.start : old.end]} changed")
