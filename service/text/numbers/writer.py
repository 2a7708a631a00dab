"""Writes numbers, dates and times as a language writes them."""

from service.text.numbers.notation import Notation
from service.text.numbers.values import HALF_DAY, Date, Number, Time

_GROUP_DIGITS = 3


def write_number(number: Number, notation: Notation) -> str:
    """A number with the marks of a language; thousands are separated if they were before.

    No digit is dropped or added. The minus sign is not written: it stays where it is.
    """
    whole = number.whole
    if number.is_grouped and len(whole) >= notation.least_grouped:
        whole = _grouped(whole, notation.group)
    return whole + (notation.decimal + number.fraction if number.fraction else "")


def write_time(time: Time, notation: Notation, *, is_of_24: bool = False) -> str:
    """A time of day, with what a language puts behind it.

    Args:
        time: The time.
        notation: Of the language.
        is_of_24: Whether the hour is known to be counted from 0 to 24.
    """
    if not notation.has_halves:
        pattern = notation.whole_hour if time.is_whole else notation.clock
        return _with_seconds(pattern.format(hour=time.hour, minute=time.minute), time)
    hour = time.hour % HALF_DAY or HALF_DAY
    written = str(hour) if time.is_whole else f"{hour}:{time.minute:02}"
    return f"{_with_seconds(written, time)}{_half(time, is_of_24=is_of_24)}"


def is_half_known(time: Time) -> bool:
    """Whether the hour means one half of the day; elsewhere `8` often means the evening as well."""
    return not 1 <= time.hour % (2 * HALF_DAY) <= HALF_DAY


def _half(time: Time, *, is_of_24: bool) -> str:
    """What follows a time where hours are counted in halves of the day."""
    hour = time.hour % (2 * HALF_DAY)
    if not is_of_24 and not is_half_known(time):
        return " o'clock" if time.is_whole else ""
    return " am" if hour < HALF_DAY else " pm"


def write_date(date: Date, notation: Notation) -> str:
    """A date, with its month as a word if it was one."""
    if not date.is_named:
        return notation.numeric_date.format(d=date.day, m=date.month, y=date.year)
    pattern = notation.named_date if date.year else notation.named_day
    return pattern.format(d=date.day, month=notation.months[date.month - 1], y=date.year)


def _with_seconds(written: str, time: Time) -> str:
    if time.second is None:
        return written
    minutes = f":{time.minute:02}"
    seconds = f"{minutes}:{time.second:02}"
    if minutes not in written:  # French writes `17 h 30`, but `17:30:20`
        return f"{time.hour}{seconds}"
    return written.replace(minutes, seconds, 1)


def _grouped(digits: str, mark: str) -> str:
    first = len(digits) % _GROUP_DIGITS or _GROUP_DIGITS
    groups = [digits[i : i + _GROUP_DIGITS] for i in range(first, len(digits), _GROUP_DIGITS)]
    return mark.join([digits[:first], *groups])
