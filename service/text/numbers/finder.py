"""Finds the numbers, dates and times of a text; the cost is linear in its length."""

import re
from collections.abc import Iterator
from functools import cache

from service.text.numbers.notation import Notation, notation_of
from service.text.numbers.numerals import read_numeral
from service.text.numbers.units import CURRENCY_SIGNS, UNIT, unit_code
from service.text.numbers.values import HALF_DAY, Date, Meaning, Time, Value

_NUMERAL = r"\d++(?:[.,:/'’\-]\d++|[\u00a0\u202f]\d{3}(?!\d))*+"  # noqa: RUF001
_SPACED_NUMERAL = r"(?<![\d.,])\d{1,3}(?: \d{3}){1,6}(?:,\d{1,9})?(?![\d.,]\d|\d)|"
"""Spaces between thousands, which every language but English has."""
_ISO_DATE = r"(?P<iso_y>[12]\d{3})-(?P<iso_m>\d{1,2})-(?P<iso_d>\d{1,2})(?![\d-])"
_DOTTED_DATE = r"(?P<dot_d>\d{1,2})\. ?(?P<dot_m>\d{1,2})\. ?(?P<dot_y>\d{4}|\d{2})(?![\d.]\d|\d)"
_SLASHED_DATE = r"(?P<sl_a>\d{1,2})/(?P<sl_b>\d{1,2})/(?P<sl_y>\d{4}|\d{2})(?![\d/])"
_DASHED_DATE = r"(?P<da_d>\d{1,2})-(?P<da_m>\d{1,2})-(?P<da_y>\d{4})(?![\d-])"
_SPACE = r"[ \u00a0\u202f]"
_FRENCH_BEFORE = (
    r"(?<=\b[Vv]ers{S})|(?<=\b[Dd]ès{S})"
    r"|(?<=\b[Àà]{S})(?<!\d{S}à{S})"  # `2 à 3 heures` takes so long
    r"|(?<=h{S}\d\d{S}à{S})|(?<=h\d\d{S}à{S})|(?<=h{S}et{S})"
    r"|(?<=h[-–])|(?<=h{S}[-–]{S})|(?<=h\d\d[-–])"  # noqa: RUF001
).replace("{S}", _SPACE)
"""What makes a time of day of `3 heures`, which else says how long."""
_TIMES = {
    "en": rf"(?P<h>\d{{1,2}})(?:[:.](?P<min>[0-5]\d)(?::(?P<s>[0-5]\d))?)?{_SPACE}?"
    r"(?:(?P<half>[AaPp])(?:\.{S}?[Mm]\.|[Mm](?!\w))|(?P<word>o['’]clock))".replace(  # noqa: RUF001
        "{S}", _SPACE
    ),
    "de": rf"(?P<h>\d{{1,2}})(?:[:.](?P<min>[0-5]\d)(?::(?P<s>[0-5]\d))?)?{_SPACE}?(?P<word>Uhr)"
    rf"(?!\w)(?:{_SPACE}(?P<min2>[0-5]\d)(?![\d.,:]\d|\d))?",
    "fr": r"(?P<h2>\d{1,2}){S}?h(?:eures?)?{S}?(?P<min3>[0-5]\d)(?!\w)"
    rf"|(?=\d)(?:{_FRENCH_BEFORE}|(?P<range>))(?P<h>\d{{1,2}}){{S}}?(?P<word>h(?:eures?)?)(?!\w)"
    r"(?!{S}de\b)(?(range)(?={S}?(?:à|et|[-–]){S}?\d{1,2}{S}?h))".replace("{S}", _SPACE),  # noqa: RUF001
}
_RANGES = {
    "en": (
        r"(?<=\b[Ff]rom )|(?<=\b[Bb]etween )|(?<=\b[Aa]t )",
        "to|and|or|until|till",
        r"(?P<last_h>\d{1,2})(?:[:.](?P<last_min>[0-5]\d))?{S}?"
        r"(?:(?P<last_half>[AaPp])(?:\.{S}?[Mm]\.|[Mm](?!\w))|o['’]clock)".replace(  # noqa: RUF001
            "{S}", _SPACE
        ),
    ),
    "de": (
        r"(?<=\b[Vv]on )|(?<=\b[Zz]wischen )|(?<=\b[Uu]m )",
        "bis|und|oder",
        rf"\d{{1,2}}(?:[:.][0-5]\d)?{_SPACE}?Uhr(?!\w)",
    ),
}
"""What stands before two times, what between them, and the second one."""
_CLOCK = (
    r"(?:(?<=\b[Aa]t )(?P<at>))?"
    r"(?P<clock_h>\d{1,2}):(?P<clock_m>[0-5]\d)(?::(?P<clock_s>[0-5]\d))?(?![\d:])"
)
_DIGIT = re.compile(r"\d")
_MINUTES = ("min", "min2", "min3", "clock_m", "first_min")
_MOST_HOURS = 24
_MONTHS = 12
_DAYS = 31
_HALF_WORDS = re.compile(
    r"\b(?:abends?|nachmittags?|nachts?|morgens?|vormittags?|früh|mittags?|night|evening|morning"
    r"|afternoon|noon|tonight|heute Abend)\b",
    re.IGNORECASE,
)
"""Say which half of the day is meant."""
_NEGATIVE = re.compile(r"(?:(?<![\w.,)\]%])[-−–]|\b[Mm]inus )\Z")  # noqa: RUF001
_NUMBERED = re.compile(
    r"(?:\b(?:[Vv]ersion|[Vv]er\.|[Rr]elease|[Ss]ection|[Cc]hapter|[Ff]igure|[Tt]able|[Rr]ule"
    r"|[Aa]rticle|[Pp]aragraph|[Kk]apitel|[Aa]bschnitt|[Aa]bbildung|[Tt]abelle|[Nn]o\.|[Nn]r\."
    r"|[Nn]ummer|[Nn]umber|[Rr]egel|[Aa]rtikel|[A-Z][A-Za-z]*[A-Z][A-Za-z]*"
    r"|Python|Windows|Debian|Linux|Ubuntu|Android|Firefox|Java|Office|Apache|Perl|Ruby|Bluetooth)"
    r" |§ |[§#v])\Z"
)
"""Stands before the number of a version or a chapter."""
_LOOK_BACK = 24
"""Characters before a number that say what it is."""


def find_values(text: str, language: str) -> list[Value]:
    """The numbers, dates and times of a text, by position.

    Args:
        text: Any text.
        language: Its code; decides what `1.234` means.
    """
    if not _DIGIT.search(text):
        return []
    notation = notation_of(language)
    says_half = bool(_HALF_WORDS.search(text))
    return [
        value
        for match in _pattern(language.lower()).finditer(text)
        for value in _values(match, text, notation, says_half=says_half)
    ]


@cache
def _pattern(code: str) -> re.Pattern[str]:
    notation, language = notation_of(code), code.partition("-")[0]
    parts = [_ISO_DATE, _DOTTED_DATE, _SLASHED_DATE, _DASHED_DATE]
    if notation is not None:
        parts = [*_named_dates(notation), *parts]
    if language in _RANGES:
        parts.append(_first_time(*_RANGES[language]))
    if language in _TIMES:
        parts.append(_TIMES[language])
    spaced = _SPACED_NUMERAL if language != "en" else ""
    parts += [_CLOCK, f"(?P<numeral>{spaced}{_NUMERAL})"]
    return re.compile(r"(?<!\d)(?:" + "|".join(parts) + ")")


def _first_time(before: str, words: str, last: str) -> str:
    """The pattern of the first of two times of which only the second says that it is one."""
    dash = rf"{_SPACE}?[-–—]{_SPACE}?"  # noqa: RUF001
    return (
        rf"(?=\d)(?:(?:{before})(?P<begins>))?(?<![\w.,:/€$£¥–-])"  # noqa: RUF001
        r"(?P<first_h>\d{1,2})(?:[:.](?P<first_min>[0-5]\d))?"
        rf"(?=(?:(?(begins){_SPACE}(?:{words}){_SPACE}|(?!))|{dash}){last})"
    )


def _named_dates(notation: Notation) -> Iterator[str]:
    """Patterns of dates with a month's name; the name's number is that of its group."""
    months = "|".join(
        f"(?P<{{0}}{number}>{_month_name(name)})"
        for number, name in enumerate(notation.months, start=1)
    )
    # Models write a month in front of its day in any language.
    yield (
        rf"\b(?:{months.format('a')}){_SPACE}(?P<a_d>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:%]|[.,]\d)"
        rf"(?:,?{_SPACE}(?P<a_y>[12]\d{{3}})(?![\d.,]\d|\d))?"
    )
    yield (
        rf"(?P<b_d>\d{{1,2}})(?:[.,]|º|er|(?:st|nd|rd|th)\.?)?(?:{_SPACE}(?:de|of))?{_SPACE}?"
        rf"(?:{months.format('b')})(?!\w)"
        rf"(?:,?{_SPACE}(?:de{_SPACE}|del{_SPACE})?(?P<b_y>[12]\d{{3}})(?![\d.,]\d|\d))?"
    )


def _month_name(name: str) -> str:
    """A month's name, or its first three letters with a full stop."""
    return rf"{name}(?!\w)|{name[:3]}\." if len(name) > 4 else rf"{name}(?!\w)"


def _values(
    match: re.Match[str], text: str, notation: Notation | None, *, says_half: bool
) -> Iterator[Value]:
    named = {name: found for name, found in match.groupdict().items() if found is not None}
    meanings = tuple(_special(named, notation, says_half=says_half))
    if meanings:
        yield Value(start=match.start(), end=match.end(), meanings=meanings)
        return
    yield from _numerals(match.start(), match.group(), text, notation)


def _special(
    named: dict[str, str], notation: Notation | None, *, says_half: bool
) -> Iterator[Meaning]:
    """A date or a time."""
    if "numeral" in named:
        return
    dates = [*_dates(named, notation)]
    yield from (date for date in dates if 1 <= date.day <= _DAYS and 1 <= date.month <= _MONTHS)
    if not dates:
        yield from _times(named, notation, says_half=says_half)


def _dates(named: dict[str, str], notation: Notation | None) -> Iterator[Date]:
    for style in "ab":
        if f"{style}_d" in named:
            month = next(int(n[1:]) for n in named if n[0] == style and n[1:].isdecimal())
            yield Date(
                day=int(named[f"{style}_d"]),
                month=month,
                year=named.get(f"{style}_y", ""),
                is_named=True,
            )
    for style in ("iso", "dot", "da"):
        if f"{style}_d" in named:
            day, month = int(named[f"{style}_d"]), int(named[f"{style}_m"])
            yield Date(day=day, month=month, year=named[f"{style}_y"])
    if "sl_a" in named:
        yield from _slashed(named, notation)


def _slashed(named: dict[str, str], notation: Notation | None) -> Iterator[Date]:
    """Both readings of `3/4/2024`, that of the language first."""
    first, second, year = int(named["sl_a"]), int(named["sl_b"]), named["sl_y"]
    readings = [Date(day=second, month=first, year=year), Date(day=first, month=second, year=year)]
    is_month_first = notation is not None and notation.numeric_date.startswith("{m")
    yield from readings if is_month_first else readings[::-1]


def _times(named: dict[str, str], notation: Notation | None, *, says_half: bool) -> Iterator[Time]:
    hour_text = next((named[n] for n in ("h", "h2", "clock_h", "first_h") if n in named), None)
    if hour_text is None:
        return
    minute = next((named[n] for n in _MINUTES if n in named), "0")
    second = named.get("s") or named.get("clock_s")
    hour, half = int(hour_text), named.get("half", "").lower() or _first_half(named)
    if hour > _MOST_HOURS or (half and not 1 <= hour <= HALF_DAY):
        return
    if half:
        hour = hour % HALF_DAY + (HALF_DAY if half == "p" else 0)
    counts_halves = notation is None or notation.has_halves
    yield Time(
        hour=hour,
        minute=int(minute),
        second=None if second is None else int(second),
        is_exact=bool(half) or hour > HALF_DAY or not (counts_halves or says_half),
        is_marked=bool(half) or not {"word", "h2", "at", "first_h"}.isdisjoint(named),
        is_whole=not any(n in named for n in _MINUTES),
    )


def _first_half(named: dict[str, str]) -> str:
    """The half of the day of the first of two times: `10 to 2 pm` begins in the morning."""
    half = named.get("last_half", "").lower()
    if not half:
        return ""
    first, last = (
        (int(named[f"{which}_h"]) % HALF_DAY, int(named.get(f"{which}_min", "0")))
        for which in ("first", "last")
    )
    return half if first < last else "ap".replace(half, "")


def _numerals(start: int, found: str, text: str, notation: Notation | None) -> Iterator[Value]:
    """The numbers of a numeral; one with slashes, hyphens or colons is several."""
    for match in re.finditer(r"[^:/\-]+", found):
        yield _number(start + match.start(), match.group(), text, notation)


def _number(start: int, found: str, text: str, notation: Notation | None) -> Value:
    end = start + len(found)
    before = text[max(0, start - _LOOK_BACK) : start]
    is_in_word = bool(before) and (before[-1].isalpha() or before[-1] == "_")
    sign = before[-1:] if before[-1:] in CURRENCY_SIGNS else ""
    negative = _NEGATIVE.search(before[:-1] if sign else before) is not None
    return Value(
        start=start,
        end=end,
        meanings=read_numeral(found, notation, is_negative=negative),
        unit=unit_code(sign) or _unit_behind(text, end),
        is_fixed=is_in_word or _NUMBERED.search(before) is not None,
    )


def _unit_behind(text: str, end: int) -> str:
    match = UNIT.match(text, end)
    return unit_code(match["sign"] or match["word"] or match.group().strip()) if match else ""
