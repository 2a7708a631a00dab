"""Variants of pairs, so that a model holds where users do not write like the training data.

Every choice comes from one seed. A variant is one more pair; the pair itself stays.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from model.config import AugmentationConfig
from model.corpus import SentencePair
from model.filtering import PLACEHOLDER
from model.tokenizer import PLACEHOLDERS

Variant = Callable[[SentencePair, random.Random], SentencePair | None]
"""A changed pair, or None where a pair has nothing to change."""

MAX_PLACEHOLDERS = 4
FINAL_PUNCTUATION = ".!?…"

_FIXED = re.compile(
    rf"https?://\S*\w|[\w.+-]+@[\w-]+\.\w+|{PLACEHOLDER.pattern}"
    r"|\d+(?:[.,:/]\d+)*|\b[A-Z][\w-]*\w\b"
)
"""What may be the same in both languages: addresses, tags, numbers, names."""
_PUNCTUATION = re.compile(r"(?<=\w)[,.!?;:](?= |$)")
_BETWEEN_CLAUSES = re.compile(r"(?<=\w)([,;:]|[.!?…]+| [\u2013\u2014-]) +(?=\w)")
_QUOTED = re.compile('["„]([^"„“]+)["“]')
_QUOTES = (('"', '"'), ("“", "”"), ("„", "“"), ("»", "«"), ("«", "»"))
MAX_FRAGMENT_RATIO = 1.5
FREE_FRAGMENT_CHARACTERS = 3


def augmented(
    pairs: Sequence[SentencePair], config: AugmentationConfig, *, seed: str
) -> list[SentencePair]:
    """Variants of `pairs`, which have one direction."""
    return [
        variant
        for name, make in _VARIANTS.items()
        for variant in _variants(pairs, make, getattr(config, name), f"{seed} {name}")
    ] + list(_joins(pairs, config.joined, random.Random(f"{seed} joined")))


def with_placeholders(pair: SentencePair, source: random.Random) -> SentencePair | None:
    """Swap up to four strings that both sides have exactly once for placeholder pieces.

    The pieces are drawn without order, so that all of them are learned.
    """
    shared = [
        text
        for text in dict.fromkeys(_FIXED.findall(pair.source))
        if text in pair.target and _count(text, pair.source) == _count(text, pair.target) == 1
    ]
    if not shared:
        return None
    size = min(len(shared), source.randint(1, MAX_PLACEHOLDERS))
    pieces = source.sample(PLACEHOLDERS, size)
    swaps = dict(zip(source.sample(shared, size), pieces, strict=True))
    return _changed(pair, _swapped(pair.source, swaps), _swapped(pair.target, swaps))


def in_capitals(pair: SentencePair, _source: random.Random) -> SentencePair | None:
    """Both sides in capitals."""
    return _changed(pair, pair.source.upper(), pair.target.upper())


def in_lower_case(pair: SentencePair, _source: random.Random) -> SentencePair | None:
    """The source in lower case, as it is typed in haste."""
    return _changed(pair, pair.source.lower(), pair.target)


def unfinished(pair: SentencePair, _source: random.Random) -> SentencePair | None:
    """Both sides without their final punctuation, if both have it."""
    if pair.source[-1] not in FINAL_PUNCTUATION or pair.target[-1] not in FINAL_PUNCTUATION:
        return None
    source, target = (side.rstrip(FINAL_PUNCTUATION) for side in (pair.source, pair.target))
    return _changed(pair, source, target) if source and target else None


def badly_spaced(pair: SentencePair, source: random.Random) -> SentencePair | None:
    """The source with one space too many before a punctuation mark, or one missing behind it."""
    marks = list(_PUNCTUATION.finditer(pair.source))
    if not marks:
        return None
    place = source.choice(marks).start()
    before, mark, behind = pair.source[:place], pair.source[place], pair.source[place + 1 :]
    is_wide = not behind or source.random() < 0.5
    noisy = f"{before} {mark}{behind}" if is_wide else f"{before}{mark}{behind.lstrip()}"
    return _changed(pair, noisy, pair.target)


def differently_quoted(pair: SentencePair, source: random.Random) -> SentencePair | None:
    """The source with another kind of quotation marks, or else of apostrophes."""
    present = _QUOTED.search(pair.source)
    if present is None:
        changed = pair.source.replace("'", "\u2019")
        return _changed(pair, changed, pair.target) if changed != pair.source else None
    kinds = [kind for kind in _QUOTES if not present[0].startswith(kind[0])]
    opening, closing = source.choice(kinds)
    changed = _QUOTED.sub(lambda found: f"{opening}{found[1]}{closing}", pair.source)
    return _changed(pair, changed, pair.target)


def in_pieces(pair: SentencePair, _source: random.Random) -> SentencePair | None:
    """The source in smaller pieces, as a word looks that was never learned as a whole."""
    return replace(pair, is_split=True)


def fragment(pair: SentencePair, source: random.Random) -> SentencePair | None:
    """One clause of both sides, where the same marks in the same order cut them into clauses.

    Clauses that changed places are mostly of unlike length; where they are, there is no variant.
    """
    sides = [_BETWEEN_CLAUSES.split(side) for side in (pair.source, pair.target)]
    (clauses, marks), (translated, other_marks) = ((side[::2], side[1::2]) for side in sides)
    if not marks or marks != other_marks:
        return None
    ours, theirs = source.choice(list(zip(clauses, translated, strict=True)))
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
"""By the name of their share in the configuration."""


def _variants(
    pairs: Sequence[SentencePair], make: Variant, share: float, seed: str
) -> Iterator[SentencePair]:
    source = random.Random(seed)
    for pair in pairs:
        if source.random() < share:
            variant = make(pair, source)
            if variant is not None:
                yield variant


def _joins(
    pairs: Sequence[SentencePair], share: float, source: random.Random
) -> Iterator[SentencePair]:
    """Sentences of one origin one after another, each side in the same order."""
    by_origin: dict[str, list[SentencePair]] = {}
    for pair in pairs:
        if _is_sentence(pair.source) and _is_sentence(pair.target):
            by_origin.setdefault(pair.origin, []).append(pair)
    for sentences in by_origin.values():
        for _ in range(round(share * len(sentences))):
            parts = source.choices(sentences, k=source.randint(2, 3))
            joined = (" ".join(p.source for p in parts), " ".join(p.target for p in parts))
            yield _changed(parts[0], *joined)


def _is_sentence(text: str) -> bool:
    return text[0].isupper() and text[-1] in FINAL_PUNCTUATION


def _changed(pair: SentencePair, source: str, target: str) -> SentencePair:
    return SentencePair(source, target, pair.origin, pair.prefix)


def _count(text: str, whole: str) -> int:
    return len(_standing_alone(text).findall(whole))


def _swapped(text: str, swaps: dict[str, str]) -> str:
    """All at once: what stands for one string must not be taken for another."""
    patterns = "|".join(_standing_alone(fixed).pattern for fixed in swaps)
    return re.sub(patterns, lambda found: swaps[found[0]], text)


def _standing_alone(text: str) -> re.Pattern[str]:
    """`text`, but not as a part of a longer word or number; a tag may touch a word."""
    before = r"(?<![\w.,])" if text[0].isalnum() else ""
    behind = r"(?!\w|[.,]\d)" if text[-1].isalnum() else ""
    return re.compile(before + re.escape(text) + behind)
