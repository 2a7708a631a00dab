"""A translation lexicon of pieces from parallel text: IBM Model 1 (Brown et al. 1993) in NumPy.

Every target piece is explained by the source pieces of its sentence; the source's end token takes
the place of Brown's empty word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from tqdm import trange

ROUNDS = 5
LINKS_AT_ONCE = 4_000_000

Ids = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """Translation probabilities of source pieces."""

    source_ids: NDArray[np.int64]
    """Ascending, [entries]."""
    target_ids: NDArray[np.int64]
    """[entries]."""
    probabilities: NDArray[np.float32]
    """Probability of the target piece given the source piece, [entries]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Links:
    """Links of some sentence pairs, grouped by target token."""

    entries: NDArray[np.int32]
    """Lexicon entry of each link, [links]."""
    lengths: NDArray[np.int64]
    """Links of each target token, [target tokens]."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """First link of every target token."""
        return np.cumsum(self.lengths) - self.lengths


def learn_lexicon(
    sources: Ids, targets: Ids, vocab_size: int, *, links_at_once: int = LINKS_AT_ONCE
) -> Lexicon:
    """Run expectation maximisation over sentence pairs.

    Args:
        sources: Source ids, end token included.
        targets: Target ids, none of them empty.
        vocab_size: Upper bound of ids.
        links_at_once: Links that are held at once: bounds the memory. A link is a source and a
            target piece of one pair.
    """
    keys, links = _link(sources, targets, vocab_size, links_at_once)
    source_ids = keys // vocab_size
    probabilities = np.ones(len(keys), dtype=np.float32)
    for _ in trange(ROUNDS, desc="aligning", unit="round"):
        counts = np.zeros(len(keys))
        for part in links:
            counts += _expected_counts(part, probabilities)
        sums = np.bincount(source_ids, counts, minlength=vocab_size)
        probabilities = (counts / np.maximum(sums[source_ids], 1e-12)).astype(np.float32)
    return Lexicon(source_ids=source_ids, target_ids=keys % vocab_size, probabilities=probabilities)


def _expected_counts(links: _Links, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Share every target token among the source pieces that may explain it, by lexicon entry."""
    shares = probabilities[links.entries]
    totals = np.add.reduceat(shares, links.starts)
    shares /= np.repeat(totals, links.lengths)
    counts = np.bincount(links.entries, shares, minlength=len(probabilities))
    return counts.astype(np.float64)


def _link(
    sources: Ids, targets: Ids, vocab_size: int, links_at_once: int
) -> tuple[NDArray[np.int64], list[_Links]]:
    """Every (source, target) that occurs as an ascending key, and the links to these keys."""
    parts = [
        _keys(sources[part], targets[part], vocab_size)
        for part in _parts(sources, targets, links_at_once)
    ]
    distinct = [np.unique(keys, return_inverse=True) for keys, _ in parts]
    merged = np.unique(np.concatenate([keys for keys, _ in distinct]))
    links = [
        _Links(entries=np.searchsorted(merged, keys).astype(np.int32)[inverse], lengths=lengths)
        for (keys, inverse), (_, lengths) in zip(distinct, parts, strict=True)
    ]
    return merged, links


def _parts(sources: Ids, targets: Ids, links_at_once: int) -> list[slice]:
    """Slices of sentence pairs with about equally many links."""
    num_links = np.cumsum([len(s) * len(t) for s, t in zip(sources, targets, strict=True)])
    number = num_links // links_at_once
    ends = [*(np.flatnonzero(np.diff(number)) + 1).tolist(), len(sources)]
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _keys(
    sources: Ids, targets: Ids, vocab_size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys of all links [links], and the number of links of each target token [target tokens]."""
    source_lengths = np.array([len(s) for s in sources])
    target_lengths = np.array([len(t) for t in targets])
    source_ids = np.fromiter(chain.from_iterable(sources), dtype=np.int64)
    target_ids = np.fromiter(chain.from_iterable(targets), dtype=np.int64)
    lengths = np.repeat(source_lengths, target_lengths)
    # Link k of a target token reads source piece k of its sentence.
    first_source = np.repeat(np.cumsum(source_lengths) - source_lengths, target_lengths)
    first_link = np.cumsum(lengths) - lengths
    places = np.arange(lengths.sum()) + np.repeat(first_source - first_link, lengths)
    return source_ids[places] * vocab_size + np.repeat(target_ids, lengths), lengths
