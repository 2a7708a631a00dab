"""Mends what only looks wrong in a pair, and leaves out what cannot be mended.

Written for English and German text; what it knows of a language are quotation marks.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from model.corpus import SentencePair

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
"""What both sides must have alike; some of it no side may have."""
_ALWAYS_BAD = re.compile(
    r"plural:|�|^translator[- ]?credits|^Your (?:emails|names)$", re.IGNORECASE
)
_ACCELERATOR = re.compile(r"(?<![\w&~_/.])[_&~](?=[^\W\d_])(?!\w*[_&~(])")
_NUMBER = re.compile(r"\d+(?:[.,'\u202f\u00a0 ]\d{3})*(?:[.,]\d+)?")
_TIME_OR_DAY = re.compile(
    r"\d{1,2}:\d\d|\d{1,2}\.\d\d(?= ?(?:[ap]\.?m\b|Uhr\b))|\b\d{1,2}\.\d{1,2}\.(?=\d{4}\b)",
    re.IGNORECASE,
)
SMALLEST_TELLING_NUMBER = 32
"""Below it are hours, minutes of words ("half past"), days and what is often spelt out."""


def cleaned(pairs: Sequence[SentencePair]) -> tuple[list[SentencePair], Counter[str]]:
    """The mended pairs that are kept, in order, and how many were left out for which fault."""
    mended = [mend(pair) for pair in pairs]
    faults = [fault_of(pair) for pair in mended]
    kept = [pair for pair, fault in zip(mended, faults, strict=True) if fault is None]
    return kept, Counter(fault for fault in faults if fault)


def mend(pair: SentencePair) -> SentencePair:
    """One way of writing spaces, quotation marks and dots; no accelerators."""
    source, target = _without_accelerators(_plain(pair.source), _plain(pair.target))
    source = _ENGLISH_QUOTES.sub('"', source).replace("\u2019", "'")
    target = _german_quotes(target)
    dots = _DOTS.findall(source)
    if len(dots) == len(_DOTS.findall(target)):
        style = iter(dots)
        target = _DOTS.sub(lambda _: next(style), target)
    return replace(pair, source=source, target=target)


def fault_of(pair: SentencePair) -> str | None:
    """Why a mended pair should not be learned from."""
    if not pair.source or not pair.target:
        return "with nothing but markers"
    if _ALWAYS_BAD.search(pair.source) or _ALWAYS_BAD.search(pair.target):
        return "with format markers"
    if _counted(_MARKERS, pair.source) != _counted(_MARKERS, pair.target):
        return "with unlike markers"
    if _telling_numbers(pair.source) != _telling_numbers(pair.target):
        return "with unlike numbers"
    return None


def _plain(text: str) -> str:
    text = _INVISIBLE.sub("", text).translate(_LIGATURES)
    return _SPACES.sub(" ", text).strip()


def _german_quotes(text: str) -> str:
    for quoted in (_GUILLEMETS, _TURNED_GUILLEMETS, _HIGH_QUOTES, _STRAIGHT):
        text = quoted.sub("„\\1“", text)
    return text.replace("”", "“")


def _without_accelerators(*texts: str) -> Iterable[str]:
    """`_Open` and `&Open` are `Open` on a button; a text with two of them is something else."""
    return (_ACCELERATOR.sub("", t) if len(_ACCELERATOR.findall(t)) == 1 else t for t in texts)


def _counted(pattern: re.Pattern[str], text: str) -> Counter[str]:
    return Counter(pattern.findall(text))


def _telling_numbers(text: str) -> set[str]:
    """Digits of the numbers that are not small, without separators; no times, no numeric dates."""
    numbers = _NUMBER.findall(_TIME_OR_DAY.sub("", text))
    digits = {re.sub(r"\D", "", number) for number in numbers}
    return {d for d in digits if int(d) >= SMALLEST_TELLING_NUMBER}
