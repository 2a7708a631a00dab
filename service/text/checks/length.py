"""Checks that a translation is about as long as translations usually are."""

from collections.abc import Iterator

from service.text.checks.check import Check, SentencePair

_SIZES = {
    "de": 1.12, "en": 1.0, "es": 1.07, "fi": 1.03, "fr": 1.12, "it": 1.08, "nl": 1.08, "pl": 1.02,
    "pt": 1.05, "ja": 0.45, "ko": 0.5, "zh": 0.32,
}  # fmt: skip
"""Characters of a text beside those of the same in English."""
_MOST_RATIO = 2.2
_SPARE_CHARS = 18
"""Short sentences vary more."""


def check_length(pair: SentencePair) -> Iterator[Check]:
    """A translation far shorter or longer than its source leads one to expect."""
    expected = len(pair.source.strip()) * _size(pair.target_base) / _size(pair.source_base)
    length = len(pair.target.strip())
    if not expected:
        return
    if length > _MOST_RATIO * expected + _SPARE_CHARS:
        yield _check(pair, "the translation is far longer than its source")
    elif not length or expected > _MOST_RATIO * length + _SPARE_CHARS:
        yield _check(pair, "the translation is far shorter than its source")


def _size(language: str) -> float:
    return _SIZES.get(language, 1.05)


def _check(pair: SentencePair, message: str) -> Check:
    return Check(
        name="length",
        source_span=(0, len(pair.source)),
        target_span=(0, len(pair.target)),
        message=message,
    )
