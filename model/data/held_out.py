"""Held-out pairs for validation, and their removal from the training data."""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from model.data.corpus import SentencePair

HELD_OUT_NAME = "held-out.tsv"


def choose_held_out(
    pairs: Sequence[SentencePair], counts: Mapping[str, int], *, seed: int
) -> list[SentencePair]:
    """Sample `counts[origin]` pairs of each origin, but at most half of them.

    The sample of an origin depends on the seed and its own pairs only: adding a source to a
    configuration does not change the held-out pairs of the others.
    """
    chosen: list[SentencePair] = []
    for origin, count in counts.items():
        candidates = [p for p in pairs if p.origin == origin]
        size = min(count, len(candidates) // 2)
        chosen += random.Random(f"{seed} {origin}").sample(candidates, size)
    return chosen


def folded(text: str) -> str:
    """Key that ignores case and white space."""
    return " ".join(text.split()).casefold()


def words_alone(text: str) -> str:
    """Key that ignores case and punctuation; a text without words is its own key."""
    return " ".join(re.findall(r"\w+", text)).casefold() or text


def without_texts_of(
    pairs: Iterable[SentencePair],
    held_out: Iterable[SentencePair],
    *,
    key: Callable[[str], str] = folded,
) -> list[SentencePair]:
    """The pairs that share neither side with a held-out pair.

    Args:
        pairs: Candidates for training.
        held_out: Pairs that are measured with.
        key: Normalises a text; texts with the same key count as equal.
    """
    known = [(key(pair.source), key(pair.target)) for pair in held_out]
    sources, targets = {s for s, _ in known}, {t for _, t in known}
    return [p for p in pairs if key(p.source) not in sources and key(p.target) not in targets]


def write_pairs(path: Path, pairs: Iterable[SentencePair]) -> None:
    """Write tab-separated source, target and origin, as `read_pairs` reads them."""
    rows = [f"{pair.source}\t{pair.target}\t{pair.origin}\n" for pair in pairs]
    path.write_text("".join(rows), encoding="utf-8")
