import weakref
from dataclasses import replace
from itertools import islice
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from model.data.batching import (
    CHUNK,
    EncodedCorpus,
    batch_stream,
    encode_corpus,
    epoch_batches,
    make_batch,
)
from model.data.corpus import SentencePair
from model.errors import CorpusError
from tests.data.toy_language import sentence_pairs
from tests.model.runs import toy_tokenizer

LENGTHS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=60)


def corpus_of(lengths: list[tuple[int, int]], weight: float = 1.0) -> EncodedCorpus:
    """Pairs of the given lengths; every id says which pair it belongs to."""
    starts = np.zeros((2, len(lengths) + 1), dtype=np.int64)
    np.cumsum(np.array(lengths).T, axis=1, out=starts[:, 1:])
    ids = [
        np.repeat(np.arange(4, 4 + len(lengths)), side).astype(np.uint16)
        for side in np.array(lengths).T
    ]
    return EncodedCorpus(
        source_ids=ids[0],
        source_starts=starts[0],
        target_ids=ids[1],
        target_starts=starts[1],
        weights=np.full(len(lengths), weight, dtype=np.float32),
    )


@given(LENGTHS, st.integers(0, 3), st.integers(1, 40), st.integers(0, 5))
def test_an_epoch_sees_every_pair_as_often_as_its_weight_says(
    lengths: list[tuple[int, int]], weight: int, batch_tokens: int, seed: int
) -> None:
    corpus = corpus_of(lengths, weight)
    batches = epoch_batches(corpus, batch_tokens=batch_tokens, seed=seed, epoch=0)
    seen = sorted(int(i) for batch in batches for i in batch)
    assert seen == sorted(list(range(len(lengths))) * weight)


@given(LENGTHS, st.floats(0.05, 2.95), st.integers(0, 5))
def test_a_fractional_weight_is_a_chance(
    lengths: list[tuple[int, int]], weight: float, seed: int
) -> None:
    batches = epoch_batches(corpus_of(lengths, weight), batch_tokens=30, seed=seed, epoch=0)
    counts = np.zeros(len(lengths), dtype=int)
    for batch in batches:
        np.add.at(counts, batch, 1)
    assert (counts >= int(weight)).all()
    assert (counts <= int(weight) + 1).all()


def test_a_weight_of_a_third_sees_a_third() -> None:
    batches = epoch_batches(corpus_of([(3, 3)] * 3000, 1 / 3), batch_tokens=99, seed=1, epoch=0)
    assert sum(map(len, batches)) == pytest.approx(1000, abs=100)


@given(LENGTHS, st.integers(1, 60), st.integers(0, 5))
def test_no_batch_is_over_its_budget_unless_it_is_a_single_pair(
    lengths: list[tuple[int, int]], batch_tokens: int, seed: int
) -> None:
    corpus = corpus_of(lengths)
    for batch in epoch_batches(corpus, batch_tokens=batch_tokens, seed=seed, epoch=0):
        padded = len(batch) * corpus.target_lengths[batch].max()
        assert padded <= batch_tokens or len(batch) == 1


@given(LENGTHS, st.integers(1, 60))
def test_sources_of_other_lengths_only_join_a_batch_that_is_half_empty(
    lengths: list[tuple[int, int]], batch_tokens: int
) -> None:
    corpus = corpus_of(lengths)
    for batch in epoch_batches(corpus, batch_tokens=batch_tokens, seed=0, epoch=0):
        shortest = batch[corpus.source_lengths[batch] == corpus.source_lengths[batch].min()]
        if len(shortest) < len(batch):
            size = len(shortest) * corpus.target_lengths[shortest].max()
            assert size <= batch_tokens / 2


def test_seed_and_epoch_decide_the_order() -> None:
    corpus = corpus_of([(1 + i % 7, 1 + i % 5) for i in range(200)])

    def order(seed: int, epoch: int) -> list[list[int]]:
        batches = epoch_batches(corpus, batch_tokens=25, seed=seed, epoch=epoch)
        return [batch.tolist() for batch in batches]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


@given(st.integers(0, 60))
def test_a_stream_can_begin_anywhere(skipped: int) -> None:
    corpus = corpus_of([(1 + i % 7, 1 + i % 5) for i in range(100)])
    whole = batch_stream(corpus, batch_tokens=25, seed=3, epoch=0, position=0)
    expected = list(islice(whole, skipped, skipped + 20))
    epoch, position, _ = expected[0]
    stream = batch_stream(corpus, batch_tokens=25, seed=3, epoch=epoch, position=position)
    for (epoch, position, batch), wanted in zip(stream, expected, strict=False):
        assert (epoch, position) == wanted[:2]
        np.testing.assert_array_equal(batch, wanted[2])
        if wanted is expected[-1]:
            break


def test_a_stream_goes_on_after_the_last_batch_of_an_epoch() -> None:
    corpus = corpus_of([(3, 3)] * 4)
    stream = batch_stream(corpus, batch_tokens=6, seed=1, epoch=0, position=2)
    assert [place[:2] for place in islice(stream, 3)] == [(1, 0), (1, 1), (2, 0)]


@pytest.mark.parametrize("corpus", [corpus_of([(3, 3)], weight=0.0), corpus_of([(3, 3)] * 9, 0.0)])
def test_a_corpus_without_pairs_is_refused(
    corpus: EncodedCorpus,
) -> None:
    with pytest.raises(CorpusError, match=r"data\.max_tokens"):
        next(batch_stream(corpus, batch_tokens=10, seed=1, epoch=0, position=0))


def test_a_batch_is_padded_and_its_input_is_the_label_one_step_later() -> None:
    corpus = corpus_of([(2, 3), (3, 1)])
    batch = make_batch(corpus, np.array([0, 1]), pad_id=0, bos_id=2)
    assert batch.source_ids.tolist() == [[4, 4, 0], [5, 5, 5]]
    assert batch.source_mask is not None
    assert batch.source_mask.tolist() == [[True, True, False], [True, True, True]]
    assert batch.label_ids.tolist() == [[4, 4, 4], [5, 0, 0]]
    assert batch.input_ids.tolist() == [[2, 4, 4], [2, 5, 0]]
    assert batch.num_target_tokens == 4
    assert batch.source_ids.dtype == batch.label_ids.dtype == batch.input_ids.dtype == torch.int64


def test_sources_of_one_length_need_no_mask() -> None:
    batch = make_batch(corpus_of([(3, 1), (3, 2)]), np.array([0, 1]), pad_id=0, bos_id=2)
    assert batch.source_mask is None


def test_pairs_over_the_limit_on_either_side_are_left_out() -> None:
    long = "the old dog " * 20
    pairs = [SentencePair(*texts) for texts in [("a dog", "a cat"), (long, "a"), ("a", long)]]
    tokenizer = toy_tokenizer()
    corpus = encode_corpus(pairs, [1.0, 2.0, 3.0], tokenizer, max_tokens=20)
    assert corpus.weights.tolist() == [1.0]
    assert corpus.source_ids.tolist() == [*tokenizer.encode("a dog"), tokenizer.eos_id()]
    assert corpus.target_lengths.tolist() == [len(tokenizer.encode("a cat")) + 1]


def test_pairs_of_all_chunks_are_joined_in_order() -> None:
    pairs = [SentencePair("a", "b"), SentencePair("a " * 30, "b")]
    pairs += [SentencePair("a b", "c d")] * (CHUNK + 1)
    weights = [0.5, 1.0, *([2.0] * (CHUNK + 1))]
    tokenizer = toy_tokenizer()
    corpus = encode_corpus(pairs, weights, tokenizer, max_tokens=20)
    assert len(corpus) == CHUNK + 2
    assert corpus.weights.tolist() == [0.5, *([2.0] * (CHUNK + 1))]
    for index, (source, target) in ((0, ("a", "b")), (1, ("a b", "c d")), (-1, ("a b", "c d"))):
        for ids, starts, text in (
            (corpus.source_ids, corpus.source_starts, source),
            (corpus.target_ids, corpus.target_starts, target),
        ):
            begin, end = starts[:-1][index], starts[1:][index]
            assert ids[begin:end].tolist() == tokenizer.encode(text, add_eos=True)


class _Ids(list[int]):
    """A list that weak references may refer to."""


class _CountingTokenizer:
    """Encodes all texts of a call as one list, and counts the lists that are still alive."""

    def __init__(self) -> None:
        self.most_alive = 0
        self._made: list[weakref.ref[_Ids]] = []

    def encode(self, texts: list[str], **_options: object) -> list[_Ids]:
        self.most_alive = max(self.most_alive, sum(made() is not None for made in self._made))
        ids = _Ids([5, 3])
        self._made.append(weakref.ref(ids))
        return [ids] * len(texts)


def test_lists_of_ids_are_kept_for_one_chunk_only() -> None:
    tokenizer, num_pairs = _CountingTokenizer(), 2 * CHUNK + 1
    pairs, weights = [SentencePair("a", "b")] * num_pairs, [1.0] * num_pairs
    encode_corpus(pairs, weights, cast(SentencePieceProcessor, tokenizer), max_tokens=9)
    assert tokenizer.most_alive == 0


def test_encoding_shows_a_bar_only_where_there_is_much_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    encode_corpus([SentencePair("a", "b")], [1.0], toy_tokenizer(), max_tokens=20)
    assert capsys.readouterr().err == ""


def test_a_split_source_has_more_pieces_and_its_target_as_many() -> None:
    pairs = [SentencePair(*pair) for pair in sentence_pairs(40, seed=3)]
    split = [replace(pair, is_split=True) for pair in pairs]
    plain, cut = (
        encode_corpus(each, [1.0] * 40, toy_tokenizer(), max_tokens=64) for each in (pairs, split)
    )
    assert len(cut.source_ids) > len(plain.source_ids)
    np.testing.assert_array_equal(cut.target_ids, plain.target_ids)
    again = encode_corpus(split, [1.0] * 40, toy_tokenizer(), max_tokens=64)
    np.testing.assert_array_equal(again.source_ids, cut.source_ids)
