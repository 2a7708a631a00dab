"""How languages write numbers, dates and times: the part of CLDR that localisation needs."""

from dataclasses import dataclass, replace

_ENGLISH_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_GERMAN_MONTHS = (
    "Januar", "Februar", "März", "April", "Mai", "Juni",
    "Juli", "August", "September", "Oktober", "November", "Dezember",
)  # fmt: skip
_FRENCH_MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
_SPANISH_MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio",
    "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
)  # fmt: skip
_ITALIAN_MONTHS = (
    "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno",
    "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre",
)  # fmt: skip
_PORTUGUESE_MONTHS = (
    "janeiro", "fevereiro", "março", "abril", "maio", "junho",
    "julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
)  # fmt: skip
_DUTCH_MONTHS = (
    "januari", "februari", "maart", "april", "mei", "juni",
    "juli", "augustus", "september", "oktober", "november", "december",
)  # fmt: skip
_POLISH_MONTHS = (
    "stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca",
    "lipca", "sierpnia", "września", "października", "listopada", "grudnia",
)  # fmt: skip
NO_BREAK = "\u00a0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notation:
    """How one language writes numbers, dates and times."""

    decimal: str
    """Mark before the fraction."""
    group: str
    """Mark between thousands."""
    least_grouped: int = 4
    """Fewest digits of an integer that is grouped."""
    months: tuple[str, ...]
    """As they stand in a date."""
    numeric_date: str
    """Fields `d`, `m` and `y`."""
    named_date: str
    """With a month's name and a year."""
    named_day: str
    """With a month's name and without a year."""
    percent_space: str = NO_BREAK
    """Between a number and `%`."""
    sign_first: bool = False
    """Whether a currency sign stands before its amount, without a space."""
    clock: str = "{hour}:{minute:02}"
    whole_hour: str = "{hour}:00"
    has_halves: bool = False
    """Whether hours are counted from 1 to 12, with a.m. and p.m."""


_NOTATIONS = {
    "en": Notation(
        decimal=".",
        group=",",
        months=_ENGLISH_MONTHS,
        numeric_date="{m}/{d}/{y}",
        named_date="{month} {d}, {y}",
        named_day="{month} {d}",
        percent_space="",
        sign_first=True,
        has_halves=True,
    ),
    "de": Notation(
        decimal=",",
        group=".",
        months=_GERMAN_MONTHS,
        numeric_date="{d:02}.{m:02}.{y}",
        named_date="{d}. {month} {y}",
        named_day="{d}. {month}",
        percent_space=" ",
        clock="{hour}:{minute:02} Uhr",
        whole_hour="{hour} Uhr",
    ),
    "fr": Notation(
        decimal=",",
        group="\u202f",
        months=_FRENCH_MONTHS,
        numeric_date="{d:02}/{m:02}/{y}",
        named_date="{d} {month} {y}",
        named_day="{d} {month}",
        clock="{hour} h {minute:02}",
        whole_hour="{hour} h",
    ),
    "es": Notation(
        decimal=",",
        group=".",
        least_grouped=5,
        months=_SPANISH_MONTHS,
        numeric_date="{d}/{m}/{y}",
        named_date="{d} de {month} de {y}",
        named_day="{d} de {month}",
    ),
    "it": Notation(
        decimal=",",
        group=".",
        months=_ITALIAN_MONTHS,
        numeric_date="{d}/{m}/{y}",
        named_date="{d} {month} {y}",
        named_day="{d} {month}",
        percent_space="",
    ),
    "pt": Notation(
        decimal=",",
        group=".",
        months=_PORTUGUESE_MONTHS,
        numeric_date="{d:02}/{m:02}/{y}",
        named_date="{d} de {month} de {y}",
        named_day="{d} de {month}",
        percent_space="",
    ),
    "nl": Notation(
        decimal=",",
        group=".",
        months=_DUTCH_MONTHS,
        numeric_date="{d}-{m}-{y}",
        named_date="{d} {month} {y}",
        named_day="{d} {month}",
        percent_space="",
    ),
    "pl": Notation(
        decimal=",",
        group=NO_BREAK,
        least_grouped=5,
        months=_POLISH_MONTHS,
        numeric_date="{d}.{m:02}.{y}",
        named_date="{d} {month} {y}",
        named_day="{d} {month}",
        percent_space="",
    ),
}


_BRITISH = replace(
    _NOTATIONS["en"],
    numeric_date="{d:02}/{m:02}/{y}",
    named_date="{d} {month} {y}",
    named_day="{d} {month}",
)
_AMERICAN_REGIONS = ("us", "ca", "ph")


def notation_of(language: str) -> Notation | None:
    """The notation of a language; None if it is not known.

    Of its regions only those of English differ. English without a region is American.
    """
    base, _, region = language.lower().partition("-")
    if base == "en" and region and region not in _AMERICAN_REGIONS:
        return _BRITISH
    return _NOTATIONS.get(base)


def known_notations() -> tuple[str, ...]:
    """Codes of the languages whose notation is known."""
    return tuple(_NOTATIONS)
