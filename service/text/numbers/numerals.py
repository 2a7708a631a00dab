"""What digits with marks between them mean in a language."""

import re
from collections.abc import Iterator

from service.text.numbers.notation import Notation
from service.text.numbers.values import Code, Meaning, Number

_MARKS = re.compile(r"\D")
_SPACES = " \u00a0\u202f"
_GROUPED = re.compile(r"\d{1,3}(?:[.,'’ \u00a0\u202f]\d{3})++")  # noqa: RUF001
_GROUP_DIGITS = 3


def read_numeral(text: str, notation: Notation | None, *, is_negative: bool) -> tuple[Meaning, ...]:
    """The meanings of a numeral, the likeliest first.

    A mark that the language never writes there is read as it is written elsewhere: `1.5` in a
    German text is one and a half, but `1.500` is fifteen hundred.

    Args:
        text: Digits, with single marks between some of them.
        notation: Of the language of the text; None if it is not known.
        is_negative: Whether a minus sign stands before it.
    """
    marks = _MARKS.findall(text)
    if not marks:
        return (Number(whole=text, is_negative=is_negative),)
    found = tuple(_readings(text, marks, notation))
    if not found:
        return (Code(text=text),)
    return tuple(
        Number(
            whole=_digits(whole),
            fraction=fraction,
            is_negative=is_negative,
            is_grouped=whole != _digits(whole),
        )
        for whole, fraction in found
    )


def _readings(text: str, marks: list[str], notation: Notation | None) -> Iterator[tuple[str, str]]:
    """The part before the decimal mark and the fraction, for each way to read the numeral."""
    last = marks[-1]
    whole, _, fraction = text.rpartition(last)
    begins_with_zero = text.startswith("0")  # of a telephone number, not of thousands
    if len(marks) > 1:
        if len(set(marks)) == 1 and _GROUPED.fullmatch(text) and not begins_with_zero:
            yield text, ""
        elif last in ".," and last not in marks[:-1] and _GROUPED.fullmatch(whole):
            yield whole, fraction
        return
    may_group = _GROUPED.fullmatch(text) is not None and not begins_with_zero
    may_be_decimal = last in ".,"
    is_group = last in _SPACES or (notation is not None and last == notation.group)
    if may_group and (is_group or not may_be_decimal):
        yield text, ""
        return
    if may_be_decimal:
        yield whole, fraction
    if may_group and notation is None:
        yield text, ""


def _digits(text: str) -> str:
    return _MARKS.sub("", text)
