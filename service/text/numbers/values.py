"""What a number, a date or a time of a text means, whatever its notation."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HALF_DAY = 12
"""Hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """An amount."""

    whole: str
    """Digits before the fraction, without separators."""
    fraction: str = ""
    """Digits behind the decimal mark; zeros at its end count in writing, not in meaning."""
    is_negative: bool = False
    is_grouped: bool = False
    """Whether thousands were separated."""

    def keys(self) -> Iterator[str]:
        """One name for the amount."""
        fraction = self.fraction.rstrip("0")
        sign = "-" if self.is_negative else ""
        yield sign + (self.whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")

    def parts(self) -> Iterator[str]:
        """The amount itself."""
        yield from self.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A time of day."""

    hour: int
    """From 0 to 24."""
    minute: int = 0
    second: int | None = None
    is_exact: bool = True
    """False if it may also be twelve hours later."""
    is_whole: bool = False
    """Whether it was written without minutes."""
    is_marked: bool = False
    """Whether a word says that it is a time of day; `17:21` may be a score."""

    def keys(self) -> Iterator[str]:
        """A name for each time that may be meant."""
        for hour in self._hours():
            yield f"t{hour % 24}:{self.minute:02}:{self.second or 0:02}"

    def parts(self) -> Iterator[str]:
        """Hours and minutes as numbers."""
        yield from self.hours()
        if self.minute:
            yield str(self.minute)

    def hours(self) -> Iterator[str]:
        """The hour as a number, also as it is counted in halves of a day."""
        yield from sorted({str(self.hour), str(self.hour % HALF_DAY or HALF_DAY)})

    def _hours(self) -> Iterator[int]:
        yield self.hour
        if not self.is_exact:
            yield (self.hour + HALF_DAY) % 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """A day of a year, or of every year."""

    day: int
    month: int
    year: str = ""
    """Its digits; empty if there is none."""
    is_named: bool = False
    """Whether the month is a word."""

    def keys(self) -> Iterator[str]:
        """One name for the day."""
        yield f"d{self.year[-2:]}-{self.month}-{self.day}"

    def parts(self) -> Iterator[str]:
        """Day, year and a month in digits as numbers."""
        yield str(self.day)
        if not self.is_named:
            yield str(self.month)
        if self.year:
            yield self.year


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Digits that are no amount: a version, an address, part of a word."""

    text: str

    def keys(self) -> Iterator[str]:
        """Its digits and marks."""
        yield f"c{self.text}"

    def parts(self) -> Iterator[str]:
        """Its digits, a number for each run."""
        digits = "".join(c if c.isdecimal() else " " for c in self.text)
        for run in digits.split():
            yield run.lstrip("0") or "0"


Meaning = Number | Time | Date | Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A number, date or time in a text."""

    start: int
    end: int
    """Character offsets, end exclusive."""
    meanings: tuple[Meaning, ...]
    """The likeliest first."""
    unit: str = ""
    """Code of the unit or currency beside it."""
    is_fixed: bool = False
    """Whether it is the number of a version, a chapter or a word, which no language rewrites."""

    @property
    def meaning(self) -> Meaning:
        """What it most likely means."""
        return self.meanings[0]

    def keys(self) -> frozenset[str]:
        """Everything that it may mean."""
        return frozenset(key for meaning in self.meanings for key in meaning.keys())  # noqa: SIM118

    def parts(self) -> frozenset[str]:
        """The numbers in it."""
        return frozenset(part for meaning in self.meanings for part in meaning.parts())


def outside(values: Sequence[Value], spans: Sequence[tuple[int, int]]) -> list[Value]:
    """Values that touch none of `spans`, which are sorted and disjoint."""
    ends = [end for _, end in spans]
    found = []
    for value in values:
        at = bisect_left(ends, value.start + 1)
        if at == len(spans) or spans[at][0] >= value.end:
            found.append(value)
    return found
