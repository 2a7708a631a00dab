"""Variants of pairs, so that a model is robust to text unlike the training data.

All random choices derive from one seed. A variant is an additional pair; the original stays.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from model.config import AugmentationConfig
from model.data.corpus import SentencePair
from model.data.filtering import PLACEHOLDER
from model.data.tokenizer import PLACEHOLDERS

Variant = Callable[[SentencePair, random.Random], SentencePair | None]
"""Makes a changed pair, or None if there is nothing to change."""

MAX_PLACEHOLDERS = 4
FINAL_PUNCTUATION = ".!?…"

_FIXED = re.compile(
    rf"https?://\S*\w|[\w.+-]+@[\w-]+\.\w+|{PLACEHOLDER.pattern}"
    r"|\d+(?:[.,:/]\d+)*|\b[A-Z][\w-]*\w\b"
)
"""Text that is often the same in both languages: addresses, tags, numbers, names."""
_PUNCTUATION = re.compile(r"(?<=\w)[,.!?;:](?= |$)")
_BETWEEN_CLAUSES = re.compile(r"(?<=\w)([,;:]|[.!?…]+| [\u2013\u2014-]) +(?=\w)")
_QUOTED = re.compile('["„]([^"„“]+)["“]')
_QUOTES = (('"', '"'), ("“", "”"), ("„", "“"), ("»", "«"), ("«", "»"))
MAX_FRAGMENT_RATIO = 1.5
FREE_FRAGMENT_CHARACTERS = 3


def augmented(
    pairs: Sequence[SentencePair], config: AugmentationConfig, *, seed: str
) -> list[SentencePair]:
    """Variants of `pairs`, all of which have the same direction."""
    return [
        variant
        for name, make in _VARIANTS.items()
        for variant in _variants(pairs, make, getattr(config, name), f"{seed} {name}")
    ] + list(_joins(pairs, config.joined, random.Random(f"{seed} joined")))


def with_placeholders(pair: SentencePair, rng: random.Random) -> SentencePair | None:
    """Replace up to four strings that occur exactly once on each side by placeholder pieces.

    The pieces are drawn at random rather than in order, so that all of them are learned.
    """
    shared = [
        text
        for text in dict.fromkeys(_FIXED.findall(pair.source))
        if text in pair.target and _count(text, pair.source) == _count(text, pair.target) == 1
    ]
    if not shared:
        return None
    size = min(len(shared), rng.randint(1, MAX_PLACEHOLDERS))
    pieces = rng.sample(PLACEHOLDERS, size)
    swaps = dict(zip(rng.sample(shared, size), pieces, strict=True))
    return _changed(pair, _swapped(pair.source, swaps), _swapped(pair.target, swaps))


def in_capitals(pair: SentencePair, _rng: random.Random) -> SentencePair | None:
    """Both sides in capitals."""
    return _changed(pair, pair.source.upper(), pair.target.upper())


def in_lower_case(pair: SentencePair, _rng: random.Random) -> SentencePair | None:
    """The source in lower case, as it is typed in haste."""
    return _changed(pair, pair.source.lower(), pair.target)


def unfinished(pair: SentencePair, _rng: random.Random) -> SentencePair | None:
    """Both sides without their final punctuation, if both have it."""
    if pair.source[-1] not in FINAL_PUNCTUATION or pair.target[-1] not in FINAL_PUNCTUATION:
        return None
    source, target = (side.rstrip(FINAL_PUNCTUATION) for side in (pair.source, pair.target))
    return _changed(pair, source, target) if source and target else None


def badly_spaced(pair: SentencePair, rng: random.Random) -> SentencePair | None:
    """The source with one space too many before a punctuation mark, or one missing behind it."""
    marks = list(_PUNCTUATION.finditer(pair.source))
    if not marks:
        return None
    place = rng.choice(marks).start()
    before, mark, behind = pair.source[:place], pair.source[place], pair.source[place + 1 :]
    is_wide = not behind or rng.random() < 0.5
    noisy = f"{before} {mark}{behind}" if is_wide else f"{before}{mark}{behind.lstrip()}"
    return _changed(pair, noisy, pair.target)


def differently_quoted(pair: SentencePair, rng: random.Random) -> SentencePair | None:
    """The source with other quotation marks or, if it has none, typographic apostrophes."""
    present = _QUOTED.search(pair.source)
    if present is None:
        changed = pair.source.replace("'", "\u2019")
        return _changed(pair, changed, pair.target) if changed != pair.source else None
    kinds = [kind for kind in _QUOTES if not present[0].startswith(kind[0])]
    opening, closing = rng.choice(kinds)
    changed = _QUOTED.sub(lambda found: f"{opening}{found[1]}{closing}", pair.source)
    return _changed(pair, changed, pair.target)


def in_pieces(pair: SentencePair, _rng: random.Random) -> SentencePair | None:
    """The source in smaller pieces of the vocabulary, drawn when it is encoded."""
    return replace(pair, is_split=True)


def fragment(pair: SentencePair, rng: random.Random) -> SentencePair | None:
    """One clause of both sides, if both are divided by the same marks in the same order.

    None where the clauses differ much in length, because the translation then tends to have
    reordered them.
    """
    sides = [_BETWEEN_CLAUSES.split(side) for side in (pair.source, pair.target)]
    (clauses, marks), (translated, other_marks) = ((side[::2], side[1::2]) for side in sides)
    if not marks or marks != other_marks:
        return None
    ours, theirs = rng.choice(list(zip(clauses, translated, strict=True)))
    shorter, longer = sorted((len(ours), len(theirs)))
    is_alike = longer <= MAX_FRAGMENT_RATIO * shorter + FREE_FRAGMENT_CHARACTERS
    return _changed(pair, ours, theirs) if is_alike and ours != theirs else None


_VARIANTS: dict[str, Variant] = {
    "placeholders": with_placeholders,
    "capitals": in_capitals,
    "lower_case": in_lower_case,
    "unfinished": unfinished,
    "spacing": badly_spaced,
    "quotes": differently_quoted,
    "pieces": in_pieces,
    "fragments": fragment,
}
"""Keyed by the name of the share in the configuration."""


def _variants(
    pairs: Sequence[SentencePair], make: Variant, share: float, seed: str
) -> Iterator[SentencePair]:
    rng = random.Random(seed)
    for pair in pairs:
        if rng.random() < share:
            variant = make(pair, rng)
            if variant is not None:
                yield variant


def _joins(
    pairs: Sequence[SentencePair], share: float, rng: random.Random
) -> Iterator[SentencePair]:
    """Two or three sentences of one origin concatenated, in the same order on both sides."""
    by_origin: dict[str, list[SentencePair]] = {}
    for pair in pairs:
        if _is_sentence(pair.source) and _is_sentence(pair.target):
            by_origin.setdefault(pair.origin, []).append(pair)
    for sentences in by_origin.values():
        for _ in range(round(share * len(sentences))):
            parts = rng.choices(sentences, k=rng.randint(2, 3))
            joined = (" ".join(p.source for p in parts), " ".join(p.target for p in parts))
            yield _changed(parts[0], *joined)


def _is_sentence(text: str) -> bool:
    return text[0].isupper() and text[-1] in FINAL_PUNCTUATION


def _changed(pair: SentencePair, source: str, target: str) -> SentencePair:
    return SentencePair(source, target, pair.origin, pair.prefix)


def _count(text: str, whole: str) -> int:
    return len(_standing_alone(text).findall(whole))


def _swapped(text: str, swaps: dict[str, str]) -> str:
    """Replace in a single pass, so that no replacement is replaced again."""
    patterns = "|".join(_standing_alone(fixed).pattern for fixed in swaps)
    return re.sub(patterns, lambda found: swaps[found[0]], text)


def _standing_alone(text: str) -> re.Pattern[str]:
    """Pattern of `text` outside longer words and numbers; a tag may be adjacent to a word."""
    before = r"(?<![\w.,])" if text[0].isalnum() else ""
    behind = r"(?!\w|[.,]\d)" if text[-1].isalnum() else ""
    return re.compile(before + re.escape(text) + behind)
