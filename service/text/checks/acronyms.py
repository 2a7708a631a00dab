"""Checks that acronyms are in the translation."""

import re
from collections.abc import Iterator

from service.text.checks.check import Check, SentencePair

_WORD = re.compile(r"[^\W_]+")
_ACRONYM = re.compile(r"[A-Z][A-Z0-9]{1,5}")
_TRANSLATED = frozenset(
    ("AC", "AD", "AIDS", "AM", "AND", "ASAP", "ATM", "BC", "CEO", "CPU", "DC", "DIY", "DJ", "DNA",
     "EST", "FBI", "GDP", "GMT", "IQ", "MP", "NO", "NOT", "OK", "OR", "PE", "PIN", "PM", "RIP",
     "TV", "UFO", "UK", "UN", "US", "USA", "UV", "VAT", "VIP", "VS", "XL", "EU", "UNO", "DNS",
     "BIP", "MWST", "LKW", "PKW", "WC", "EKG", "AG", "USB")
)  # fmt: skip
"""Have another form in many languages, or are words."""
_MOST_SHOUTED = 0.5
"""Beyond this share of words in capitals, a sentence shouts."""


def check_acronyms(pair: SentencePair) -> Iterator[Check]:
    """Acronyms of the source that no word of the translation contains."""
    words = list(_WORD.finditer(pair.source))
    shouted = [word for word in words if _is_shouted(word.group())]
    if not shouted or len(shouted) > _MOST_SHOUTED * len(words):
        return
    target = {word.group().upper() for word in _WORD.finditer(pair.target)}
    for word in shouted:
        acronym = word.group()
        if acronym in _TRANSLATED or not _ACRONYM.fullmatch(acronym) or acronym in target:
            continue
        if acronym in pair.target.upper():
            continue
        message = f"{acronym} is not in the translation"
        yield Check(name="acronym", source_span=word.span(), target_span=None, message=message)


def _is_shouted(word: str) -> bool:
    return len(word) > 1 and word.isupper()
