"""Pairs that a run measures itself on, and keeping them out of what it trains on."""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from model.corpus import SentencePair

HELD_OUT_NAME = "held-out.tsv"


def choose_held_out(
    pairs: Sequence[SentencePair], counts: Mapping[str, int], *, seed: int
) -> list[SentencePair]:
    """As many pairs of each origin as `counts` says, or half of them where there are too few.

    Which ones depends on the seed and on the pairs of that origin only: a source that is added to
    a configuration leaves the held-out pairs of the others as they are.
    """
    chosen: list[SentencePair] = []
    for origin, count in counts.items():
        candidates = [p for p in pairs if p.origin == origin]
        size = min(count, len(candidates) // 2)
        chosen += random.Random(f"{seed} {origin}").sample(candidates, size)
    return chosen


def folded(text: str) -> str:
    """A text, whatever its case and spaces."""
    return " ".join(text.split()).casefold()


def words_alone(text: str) -> str:
    """A text, whatever its case and punctuation; one without any word stands for itself."""
    return " ".join(re.findall(r"\w+", text)).casefold() or text


def without_texts_of(
    pairs: Iterable[SentencePair],
    held_out: Iterable[SentencePair],
    *,
    key: Callable[[str], str] = folded,
) -> list[SentencePair]:
    """The pairs that share neither side with a held-out pair; texts of one `key` are the same."""
    known = [(key(pair.source), key(pair.target)) for pair in held_out]
    sources, targets = {s for s, _ in known}, {t for _, t in known}
    return [p for p in pairs if key(p.source) not in sources and key(p.target) not in targets]


def write_pairs(path: Path, pairs: Iterable[SentencePair]) -> None:
    """Write tab-separated source, target and origin, as `model.corpus.read_pairs` reads them."""
    rows = [f"{pair.source}\t{pair.target}\t{pair.origin}\n" for pair in pairs]
    path.write_text("".join(rows), encoding="utf-8")
