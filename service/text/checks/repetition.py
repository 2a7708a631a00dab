"""Checks that a translation does not repeat itself."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from service.text.checks.check import Check, SentencePair

_WORD = re.compile(r"\w+")
_LONGEST = 8
"""Words of the longest repeated phrase."""
_LEAST_WORDS = 3
"""Most often that one or two words stand in a row; longer phrases never do twice."""
_LEAST_LETTERS = 5
"""Fewest equal letters in a row that are a loop."""


def check_repetition(pair: SentencePair) -> Iterator[Check]:
    """A phrase that the translation says again and again, unless the source does."""
    words = list(_WORD.finditer(pair.target))
    folded = [word.group().casefold() for word in words]
    allowed = _WORD.findall(pair.source.casefold())
    for period in range(1, _LONGEST + 1):
        first, last, length = _longest_run(folded, period)
        most = max(_longest_run(allowed, period)[2], _tolerated(period))
        if length > most:
            start, end = words[first].start(), words[last].end()
            shown = pair.target[words[first].start() : words[first + period - 1].end()]
            yield _check((start, end), f"{shown} is repeated")
            return
    yield from _letters(pair)


def _tolerated(period: int) -> int:
    """Words that may equal those `period` words before them."""
    return 1 if period == 1 else period - 1 if period > 2 else period


def _longest_run(words: Sequence[str], period: int) -> tuple[int, int, int]:
    """First and last word of the longest repetition, and how many words equal earlier ones."""
    best = (0, 0, 0)
    length = 0
    for index in range(period, len(words)):
        length = length + 1 if words[index] == words[index - period] else 0
        if length > best[2]:
            best = (index - length - period + 1, index, length)
    return best


def _letters(pair: SentencePair) -> Iterator[Check]:
    most = max((len(run) for run, _ in _letter_runs(pair.source)), default=0)
    for run, start in _letter_runs(pair.target):
        if len(run) >= _LEAST_LETTERS and len(run) > most:
            yield _check((start, start + len(run)), f"{run[0]} is repeated")
            return


def _letter_runs(text: str) -> Iterator[tuple[str, int]]:
    start = 0
    for character, group in groupby(text):
        run = "".join(group)
        if character.isalpha():
            yield run, start
        start += len(run)


def _check(span: tuple[int, int], message: str) -> Check:
    return Check(name="repetition", source_span=None, target_span=span, message=message)
