"""Normalises the notation of pairs, and leaves out pairs with faults that it cannot repair.

For English and German text; quotation marks are the only language-specific rule.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from model.data.corpus import SentencePair

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_SPACES = re.compile(r"\s+")
_DOTS = re.compile(r" ?(?:\.\.\.|…)")
_ENGLISH_QUOTES = re.compile("[“”„‟]")
_LIGATURES = str.maketrans({"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl"})
_STRAIGHT = re.compile(r'"([^"]+)"')
_GUILLEMETS = re.compile("»([^«»]+)«")
_TURNED_GUILLEMETS = re.compile("«([^«»]+)»")
_HIGH_QUOTES = re.compile("“([^“”]+)”")

_MARKERS = re.compile(
    r"plural:|\{\{|\}\}|\[\[|\]\]|\*\*|\||\\[nt\"]|&\w+;|@\w+\{|^[?#*]|\$[A-Za-z_]\w*|%\w?%"
)
"""Markers that must be equal on both sides."""
_ALWAYS_BAD = re.compile(
    r"plural:|�|^translator[- ]?credits|^Your (?:emails|names)$", re.IGNORECASE
)
"""Markers that neither side may have."""
_ACCELERATOR = re.compile(r"(?<![\w&~_/.])[_&~](?=[^\W\d_])(?!\w*[_&~(])")
_NUMBER = re.compile(r"\d+(?:[.,'\u202f\u00a0 ]\d{3})*(?:[.,]\d+)?")
_TIME_OR_DAY = re.compile(
    r"\d{1,2}:\d\d|\d{1,2}\.\d\d(?= ?(?:[ap]\.?m\b|Uhr\b))|\b\d{1,2}\.\d{1,2}\.(?=\d{4}\b)",
    re.IGNORECASE,
)
MIN_COMPARED_NUMBER = 32
"""Smaller ones are often hours, minutes ("half past"), days or spelt out."""


def cleaned(pairs: Sequence[SentencePair]) -> tuple[list[SentencePair], Counter[str]]:
    """Normalised pairs that are kept, in order, and the number left out for each fault."""
    normalised = [normalise(pair) for pair in pairs]
    faults = [fault_of(pair) for pair in normalised]
    kept = [pair for pair, fault in zip(normalised, faults, strict=True) if fault is None]
    return kept, Counter(fault for fault in faults if fault)


def normalise(pair: SentencePair) -> SentencePair:
    """The pair with normalised spaces, quotation marks and dots, without accelerators."""
    source, target = _without_accelerators(_plain(pair.source), _plain(pair.target))
    source = _ENGLISH_QUOTES.sub('"', source).replace("\u2019", "'")
    target = _german_quotes(target)
    dots = _DOTS.findall(source)
    if len(dots) == len(_DOTS.findall(target)):
        style = iter(dots)
        target = _DOTS.sub(lambda _: next(style), target)
    return replace(pair, source=source, target=target)


def fault_of(pair: SentencePair) -> str | None:
    """Why a normalised pair is left out of training; None if it is kept."""
    if not pair.source or not pair.target:
        return "without text"
    if _ALWAYS_BAD.search(pair.source) or _ALWAYS_BAD.search(pair.target):
        return "with format markers"
    if _counted(_MARKERS, pair.source) != _counted(_MARKERS, pair.target):
        return "with unequal markers"
    if _large_numbers(pair.source) != _large_numbers(pair.target):
        return "with unequal numbers"
    return None


def _plain(text: str) -> str:
    text = _INVISIBLE.sub("", text).translate(_LIGATURES)
    return _SPACES.sub(" ", text).strip()


def _german_quotes(text: str) -> str:
    for quoted in (_GUILLEMETS, _TURNED_GUILLEMETS, _HIGH_QUOTES, _STRAIGHT):
        text = quoted.sub("„\\1“", text)
    return text.replace("”", "“")


def _without_accelerators(*texts: str) -> Iterable[str]:
    """Replace `_Open` and `&Open` by `Open`; a text with two such marks is unchanged."""
    return (_ACCELERATOR.sub("", t) if len(_ACCELERATOR.findall(t)) == 1 else t for t in texts)


def _counted(pattern: re.Pattern[str], text: str) -> Counter[str]:
    return Counter(pattern.findall(text))


def _large_numbers(text: str) -> set[str]:
    """Digits of the larger numbers, without separators, times and numeric dates."""
    numbers = _NUMBER.findall(_TIME_OR_DAY.sub("", text))
    digits = {re.sub(r"\D", "", number) for number in numbers}
    return {d for d in digits if int(d) >= MIN_COMPARED_NUMBER}
