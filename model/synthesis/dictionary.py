"""Selects the senses of a dictionary that running text uses.

A dictionary lists frequent and rare senses alike, and a model trained on all of them outputs any of
them. The usual translation of a word is the one that occurs in the same sentence pairs.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from model.data.corpus import SentencePair

ORIGIN = "dictionary"
MIN_SHARED = 3
"""Minimum number of sentence pairs with a word and its translation."""
MIN_SHARE_OF_BEST = 0.6
"""Minimum score of a usual translation, as a share of the best score of either word."""

_WORD = re.compile(r"[^\W\d_][\w'-]*")
_PARTICLE = re.compile(r"^to ")
"""Particle of an English infinitive, which running text often lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """Numbers of sentence pairs with each word, and with each pair of words."""

    source: Counter[str]
    target: Counter[str]
    both: Counter[tuple[str, str]]

    def dice(self, source: str, target: str) -> float:
        """Dice coefficient, 0 to 1; 0 if fewer than `MIN_SHARED` sentence pairs have both."""
        shared = self.both[source, target]
        if shared < MIN_SHARED:
            return 0.0
        return 2 * shared / (self.source[source] + self.target[target])


def usual_senses(
    entries: Iterable[SentencePair], sentences: Iterable[SentencePair]
) -> list[SentencePair]:
    """The entries with one word on each side that are each other's usual translation.

    Args:
        entries: Entries of the dictionary.
        sentences: Running text in the same two languages.

    Returns:
        The selected entries in their order, with `ORIGIN`.
    """
    keys = {entry: (_key(entry.source), _key(entry.target)) for entry in entries}
    single = {entry: key for entry, key in keys.items() if all(" " not in k for k in key)}
    counts = _counted(sentences, single.values())
    scores = {entry: counts.dice(*key) for entry, key in single.items()}
    best_source, best_target = defaultdict[str, float](float), defaultdict[str, float](float)
    for entry, (source, target) in single.items():
        best_source[source] = max(best_source[source], scores[entry])
        best_target[target] = max(best_target[target], scores[entry])
    return [
        replace(entry, origin=ORIGIN)
        for entry, (source, target) in single.items()
        if scores[entry] > 0
        and scores[entry] >= MIN_SHARE_OF_BEST * best_source[source]
        and scores[entry] >= MIN_SHARE_OF_BEST * best_target[target]
    ]


def _key(text: str) -> str:
    return _PARTICLE.sub("", text).casefold()


def _counted(sentences: Iterable[SentencePair], keys: Iterable[tuple[str, str]]) -> _Counts:
    """Counts of the words in `keys`, and of their pairs."""
    translations: dict[str, set[str]] = {}
    for source, target in keys:
        translations.setdefault(source, set()).add(target)
    known = {target for targets in translations.values() for target in targets}
    counts = _Counts(source=Counter(), target=Counter(), both=Counter())
    for sentence in sentences:
        sources = _words(sentence.source) & translations.keys()
        targets = _words(sentence.target) & known
        counts.source.update(sources)
        counts.target.update(targets)
        counts.both.update((s, t) for s in sources for t in translations[s] & targets)
    return counts


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def capitalised(pairs: Sequence[SentencePair]) -> list[SentencePair]:
    """Variants with initial capitals of the pairs that lack them."""
    changed = (
        replace(p, source=_with_capital(p.source), target=_with_capital(p.target)) for p in pairs
    )
    known = set(pairs)
    return [pair for pair in changed if pair not in known]


def _with_capital(text: str) -> str:
    return text[:1].upper() + text[1:]
