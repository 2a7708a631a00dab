"""IBM Model 1 finds translations of words in sentence pairs alone."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.lexicon.ibm_model_1 import Lexicon, learn_lexicon

VOCAB_SIZE = 60
END = 3
IDS = st.lists(st.integers(4, VOCAB_SIZE - 1), min_size=1, max_size=6)


def _pairs(count: int) -> tuple[list[list[int]], list[list[int]]]:
    """Word by word, each id becomes the one 20 above it, in any order."""
    source = random.Random(0)
    sources = [[*source.sample(range(4, 30), source.randint(2, 6)), END] for _ in range(count)]
    targets = [source.sample([i + 20 for i in s[:-1]], len(s) - 1) for s in sources]
    return sources, targets


def _probability(lexicon: Lexicon, source_id: int, target_id: int) -> float:
    found = (lexicon.source_ids == source_id) & (lexicon.target_ids == target_id)
    return float(lexicon.probabilities[found].sum())


def test_each_word_becomes_its_translation() -> None:
    lexicon = learn_lexicon(*_pairs(400), VOCAB_SIZE)
    for source_id in range(4, 30):
        assert _probability(lexicon, source_id, source_id + 20) > 0.8


def test_frequent_pieces_are_explained_by_the_end_token() -> None:
    sources, targets = _pairs(400)
    lexicon = learn_lexicon(sources, [[*t, 55] for t in targets], VOCAB_SIZE)
    assert _probability(lexicon, END, 55) > 0.8
    assert all(
        _probability(lexicon, s, s + 20) > _probability(lexicon, s, 55) for s in range(4, 30)
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=12))
def test_probabilities_of_a_source_piece_sum_to_one(
    pairs: list[tuple[list[int], list[int]]],
) -> None:
    sources, targets = [[*s, END] for s, _ in pairs], [t for _, t in pairs]
    lexicon = learn_lexicon(sources, targets, VOCAB_SIZE)
    assert (np.diff(lexicon.source_ids) >= 0).all()
    sums = np.bincount(lexicon.source_ids, lexicon.probabilities)
    seen = sorted({i for source in sources for i in source})
    np.testing.assert_allclose(sums[seen], 1, rtol=1e-4)
    linked = {(i, j) for s, t in zip(sources, targets, strict=True) for i in s for j in t}
    entries = zip(lexicon.source_ids.tolist(), lexicon.target_ids.tolist(), strict=True)
    assert set(entries) == linked


@pytest.mark.parametrize("links_at_once", [1, 7, 100])
def test_the_size_of_the_parts_changes_nothing(links_at_once: int) -> None:
    sources, targets = _pairs(50)
    whole = learn_lexicon(sources, targets, VOCAB_SIZE)
    parts = learn_lexicon(sources, targets, VOCAB_SIZE, links_at_once=links_at_once)
    np.testing.assert_array_equal(parts.target_ids, whole.target_ids)
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, rtol=1e-4, atol=1e-7)
