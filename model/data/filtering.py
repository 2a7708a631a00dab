"""Leaves out pairs that are copies, misaligned or in the wrong language.

Languages are told apart by how often each word occurs on either side of the training data: that
works for any pair of languages and needs no language identifier. It detects untranslated sentences
and swapped sides, but not a third language.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.data.corpus import SentencePair

MAX_LENGTH_RATIO = 2.0
FREE_CHARACTERS = 20
"""Additional difference in length that is allowed: one word may translate to a phrase."""
MIN_JUDGED_WORDS = 4
WRONG_SIDE_LOG_ODDS = 1.0
"""Threshold on the mean log odds of a text's words; 0 is undecided."""

PLACEHOLDER = re.compile(r"%(?:\d\$)?[a-zA-Z]\b|%\d|\$\{\w+\}|\{\w*\}|</?[a-zA-Z][^<>]*>|&\w+;")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SideWords:
    """Log odds of each word to occur in a source rather than in a target."""

    log_odds: dict[str, float]

    @classmethod
    def of(cls, pairs: Iterable[SentencePair]) -> "SideWords":
        """Count the words of both sides."""
        source, target = Counter[str](), Counter[str]()
        for pair in pairs:
            source.update(_words(pair.source))
            target.update(_words(pair.target))
        # Add-one smoothing: a word that occurs on one side only has finite log odds.
        shift = math.log((1 + target.total()) / (1 + source.total()))
        words = source.keys() | target.keys()
        return cls(log_odds={w: math.log((1 + source[w]) / (1 + target[w])) + shift for w in words})

    def leaning(self, text: str) -> float:
        """Mean log odds of the words of `text`: positive like a source, negative like a target."""
        words = _words(text)
        if len(words) < MIN_JUDGED_WORDS:
            return 0.0
        return sum(self.log_odds.get(word, 0.0) for word in words) / len(words)


def filtered(pairs: Sequence[SentencePair]) -> tuple[list[SentencePair], Counter[str]]:
    """The pairs that are kept, in order, and how many were left out for which fault."""
    words = SideWords.of(pairs)
    faults = [fault_of(pair, words) for pair in pairs]
    kept = [pair for pair, fault in zip(pairs, faults, strict=True) if fault is None]
    return kept, Counter(fault for fault in faults if fault)


def fault_of(pair: SentencePair, words: SideWords) -> str | None:
    """Why a pair is left out of training; None if it is kept."""
    if pair.source == pair.target:
        return "copies"
    shorter, longer = sorted((len(pair.source), len(pair.target)))
    if longer > MAX_LENGTH_RATIO * shorter + FREE_CHARACTERS:
        return "of unlike length"
    if _placeholders(pair.source) != _placeholders(pair.target):
        return "with unlike placeholders"
    if words.leaning(pair.source) < -WRONG_SIDE_LOG_ODDS:
        return "with a source in the wrong language"
    if words.leaning(pair.target) > WRONG_SIDE_LOG_ODDS:
        return "with a target in the wrong language"
    return None


def _placeholders(text: str) -> Counter[str]:
    return Counter(PLACEHOLDER.findall(text))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
