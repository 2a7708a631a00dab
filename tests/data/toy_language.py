"""A tiny English and its German: short sentences from a grammar, as many as a test wants.

Articles and adjectives depend on gender and case, so a model must look at more than one word.
"""

import random
from collections.abc import Iterator

_NOUNS = {
    "dog": ("Hund", "m"),
    "man": ("Mann", "m"),
    "tree": ("Baum", "m"),
    "bird": ("Vogel", "m"),
    "cat": ("Katze", "f"),
    "woman": ("Frau", "f"),
    "flower": ("Blume", "f"),
    "city": ("Stadt", "f"),
    "house": ("Haus", "n"),
    "child": ("Kind", "n"),
    "book": ("Buch", "n"),
    "horse": ("Pferd", "n"),
}
_ADJECTIVES = {
    "old": "alt",
    "new": "neu",
    "small": "klein",
    "big": "groß",
    "red": "rot",
    "beautiful": "schön",
    "good": "gut",
    "young": "jung",
}
_VERBS = {
    "sees": "sieht",
    "finds": "findet",
    "hears": "hört",
    "paints": "malt",
    "likes": "mag",
    "needs": "braucht",
}
_DEFINITE = {
    ("m", "nominative"): ("der", "e"),
    ("m", "accusative"): ("den", "en"),
    ("f", "nominative"): ("die", "e"),
    ("f", "accusative"): ("die", "e"),
    ("n", "nominative"): ("das", "e"),
    ("n", "accusative"): ("das", "e"),
}
_INDEFINITE = {
    ("m", "nominative"): ("ein", "er"),
    ("m", "accusative"): ("einen", "en"),
    ("f", "nominative"): ("eine", "e"),
    ("f", "accusative"): ("eine", "e"),
    ("n", "nominative"): ("ein", "es"),
    ("n", "accusative"): ("ein", "es"),
}
"""Gender and case -> article and the ending of the adjective behind it."""


def sentence_pairs(count: int, *, seed: int) -> list[tuple[str, str]]:
    """Different sentences and their translations; the same seed gives the same ones."""
    return list(_distinct(count, random.Random(seed)))


def _distinct(count: int, source: random.Random) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    while len(seen) < count:
        english, german = _sentence(source)
        if english not in seen:
            seen.add(english)
            yield english, german


def _sentence(source: random.Random) -> tuple[str, str]:
    english, german = _clause(source)
    for _ in range(source.choice((0, 0, 0, 1, 1, 2))):
        more = _clause(source)
        english, german = f"{english} and {more[0]}", f"{german} und {more[1]}"
    return f"{english[0].upper()}{english[1:]}.", f"{german[0].upper()}{german[1:]}."


def _clause(source: random.Random) -> tuple[str, str]:
    subject = _noun_phrase(source, "nominative")
    verb = source.choice(list(_VERBS))
    thing = _noun_phrase(source, "accusative")
    return f"{subject[0]} {verb} {thing[0]}", f"{subject[1]} {_VERBS[verb]} {thing[1]}"


def _noun_phrase(source: random.Random, case: str) -> tuple[str, str]:
    english, (german, gender) = source.choice(list(_NOUNS.items()))
    is_definite = source.random() < 0.5
    article, ending = (_DEFINITE if is_definite else _INDEFINITE)[gender, case]
    if source.random() < 0.6:
        adjective = source.choice(list(_ADJECTIVES))
        english, german = f"{adjective} {english}", f"{_ADJECTIVES[adjective]}{ending} {german}"
    if is_definite:
        return f"the {english}", f"{article} {german}"
    return f"{'an' if english[0] in 'aeiou' else 'a'} {english}", f"{article} {german}"
