"""Held-out pairs for validation, and their removal from the training data."""

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from model.corpus import SentencePair

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


def without_texts_of(
    pairs: Iterable[SentencePair], held_out: Iterable[SentencePair]
) -> list[SentencePair]:
    """The pairs that share neither side with a held-out pair, ignoring case and white space."""
    known = [(_key(pair.source), _key(pair.target)) for pair in held_out]
    sources, targets = {s for s, _ in known}, {t for _, t in known}
    return [p for p in pairs if _key(p.source) not in sources and _key(p.target) not in targets]


def write_pairs(path: Path, pairs: Iterable[SentencePair]) -> None:
    """Write tab-separated source, target and origin, as `model.corpus.read_pairs` reads them."""
    rows = [f"{pair.source}\t{pair.target}\t{pair.origin}\n" for pair in pairs]
    path.write_text("".join(rows), encoding="utf-8")


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
