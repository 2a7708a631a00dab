"""Amounts of money: a number with a currency sign."""

import re

from service.text.numbers.units import CURRENCY_SIGNS
from service.text.numbers.values import Value

_SPACES = tuple(" \u00a0\u202f")
_MINUS = "-−–"  # noqa: RUF001
_SCALE = re.compile(
    r"(?:[KMBT]|MM)(?!\w)"
    r"|[ \u00a0\u202f]?(?:k|m|bn|tn|thousand|hundred|million|billion|trillion|lakh|crore|Mio|Mrd"
    r"|tausend|hundert|Million(?:en)?|Milliarden?|Billion(?:en)?)(?!\w)"
)
"""A word behind a number that multiplies it; the number without it is no amount of money."""


def amount_span(value: Value, text: str) -> tuple[int, int] | None:
    """An amount with its currency sign; None without one, in a range, and before a scale."""
    if _SCALE.match(text, value.end) or text[value.end : value.end + 1] in tuple(_MINUS):
        return None
    start, end = value.start, value.end
    if start and text[start - 1] in CURRENCY_SIGNS:
        is_alone = start == 1 or not (text[start - 2].isalnum() or text[start - 2] in _MINUS)
        return (start - 1, end) if is_alone else None
    behind = end + (text[end : end + 1] in _SPACES)
    if text[behind : behind + 1] in tuple(CURRENCY_SIGNS):
        is_alone = not text[behind + 1 : behind + 2].isalnum()
        return (start, behind + 1) if is_alone else None
    return None
