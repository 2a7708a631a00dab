"""Builds the table of a vocabulary shortlist from parallel text."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product

import numpy as np
from numpy.typing import NDArray

from bundle import manifest
from bundle.shortlist import ShortlistTable
from bundle.tokenizer import Tokenizer
from export.errors import ExportError
from export.lexicon.ibm_model_1 import Lexicon, learn_lexicon
from export.options import ShortlistSize
from export.sentences.development_set import language_pair
from model.data.corpus import SentencePair
from model.directions import Direction

MAX_PAIRS = 300_000
"""Pairs that are sampled evenly; three times as many make no measurable difference."""
MAX_TOKENS = 40
"""Longest side of a pair: the cost grows with the product of both."""
MIN_PROBABILITY = 1e-3
MAX_TARGETS = 50
"""Target pieces of one source piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistPlan:
    """A shortlist, before it is measured."""

    table: ShortlistTable
    report: manifest.Shortlist
    """Sizes of the shortlist, without speed-ups."""


def build_shortlist(
    pairs: Sequence[SentencePair],
    directions: Sequence[Direction],
    tokenizer: Tokenizer,
    size: ShortlistSize,
) -> ShortlistPlan:
    """Learn a lexicon, and keep the likeliest target pieces of every source piece.

    Args:
        pairs: Parallel text.
        directions: Those of the bundle, which share one table.
        tokenizer: The bundle's, one for both sides.
        size: Numbers of pieces.

    Raises:
        ExportError: The vocabulary is no larger than the shortlist, or no pair is short enough.
    """
    vocab_size, num_common = tokenizer.vocab_size, size.total_common(len(directions))
    if vocab_size <= num_common + size.num_own:
        raise ExportError(
            f"a shortlist of {num_common} + {size.num_own} pieces does not shorten a "
            f"vocabulary of {vocab_size}: leave --shortlist out"
        )
    sources, targets = encode_some(pairs, directions, tokenizer, MAX_PAIRS)
    if not sources:
        raise ExportError(f"--shortlist: no pair has at most {MAX_TOKENS} pieces on both sides")
    counts = np.bincount(np.fromiter(chain.from_iterable(targets), np.int64), minlength=vocab_size)
    common = _common(counts, tokenizer, num_common)
    table = _table(learn_lexicon(sources, targets, vocab_size), common, vocab_size)
    report = manifest.Shortlist(
        num_common=num_common,
        num_own=size.num_own,
        max_source_tokens=size.max_source_tokens,
        num_pairs=len(sources),
    )
    return ShortlistPlan(table=table, report=report)


def encode_some(
    pairs: Sequence[SentencePair],
    directions: Sequence[Direction],
    tokenizer: Tokenizer,
    max_pairs: int,
) -> tuple[list[list[int]], list[list[int]]]:
    """Sources with their language prefix, and targets without the end token.

    At most `max_pairs` in every direction, sampled evenly; long pairs are left out.
    """
    sources, targets = [], []
    some = pairs[:: -(-len(pairs) // max_pairs)]
    for direction, pair in product(directions, some):
        directed = pair.towards(direction)
        source = tokenizer.encode_source(directed.source, language_pair(direction))
        target = tokenizer.encode_target(directed.target)[:-1]
        if target and max(len(source), len(target)) <= MAX_TOKENS:
            sources.append(source)
            targets.append(target)
    return sources, targets


def _common(counts: NDArray[np.int64], tokenizer: Tokenizer, num_common: int) -> NDArray[np.int32]:
    """The end token, pieces without letters, then the most frequent pieces; sorted by id."""
    pieces = tokenizer.target_pieces(range(len(counts)))
    has_letters = np.array([any(c.isalpha() for c in piece) for piece in pieces])
    is_end = np.arange(len(counts)) == tokenizer.encode_target("")[-1]
    order = np.lexsort((-counts, has_letters, ~is_end))
    return np.sort(order[:num_common]).astype(np.int32)


def _table(lexicon: Lexicon, common: NDArray[np.int32], vocab_size: int) -> ShortlistTable:
    is_rare = np.ones(vocab_size, dtype=bool)
    is_rare[common] = False
    # Names and numbers are copied: the piece itself always comes first.
    itself = np.flatnonzero(is_rare)
    is_kept = is_rare[lexicon.target_ids] & (lexicon.probabilities >= MIN_PROBABILITY)
    is_kept &= lexicon.source_ids != lexicon.target_ids
    source_ids = np.concatenate([itself, lexicon.source_ids[is_kept]])
    target_ids = np.concatenate([itself, lexicon.target_ids[is_kept]])
    probabilities = np.concatenate([np.ones(len(itself)), lexicon.probabilities[is_kept]])
    is_itself = source_ids == target_ids
    order = np.lexsort((target_ids, -probabilities, ~is_itself, source_ids))
    source_ids, target_ids = source_ids[order], target_ids[order]
    starts = np.searchsorted(source_ids, np.arange(vocab_size))
    ranks = np.arange(len(source_ids)) - starts[source_ids]
    is_kept = ranks < MAX_TARGETS
    lengths = np.bincount(source_ids[is_kept], minlength=vocab_size)
    return ShortlistTable(
        common=common,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        targets=target_ids[is_kept].astype(np.int32),
    )
