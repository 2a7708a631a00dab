"""Leaves out pairs that would teach a model something wrong.

The wrong language is found without a list of languages: the two sides of the training data show
which words belong to which, for any pair of languages and without a package to download. It finds
sentences that were not translated or that stand on the wrong side, not those in a third language.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.corpus import SentencePair

MAX_LENGTH_RATIO = 2.0
FREE_CHARACTERS = 20
"""Short texts may differ by this much on top: a word may need a phrase."""
MIN_JUDGED_WORDS = 4
WRONG_SIDE_LOG_ODDS = 1.0
"""Mean over the words of a text; at zero it looks like both languages alike."""

PLACEHOLDER = re.compile(r"%(?:\d\$)?[a-zA-Z]\b|%\d|\$\{\w+\}|\{\w*\}|</?[a-zA-Z][^<>]*>|&\w+;")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SideWords:
    """How much more often each word stands in sources than in targets."""

    log_odds: dict[str, float]

    @classmethod
    def of(cls, pairs: Iterable[SentencePair]) -> "SideWords":
        """Count the words of both sides."""
        source, target = Counter[str](), Counter[str]()
        for pair in pairs:
            source.update(_words(pair.source))
            target.update(_words(pair.target))
        # One more of each, so that a word of one side only is telling but not infinitely so.
        shift = math.log((1 + target.total()) / (1 + source.total()))
        words = source.keys() | target.keys()
        return cls(log_odds={w: math.log((1 + source[w]) / (1 + target[w])) + shift for w in words})

    def leaning(self, text: str) -> float:
        """Mean log odds of its words: above zero like a source, below like a target."""
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
    """Why a pair should not be learned from."""
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
