"""The table holds the pieces that sentences need, and few others."""

import numpy as np
import pytest

from bundle.manifest import LanguagePair, SpecialIds
from bundle.shortlist import ShortlistTable
from bundle.tokenizer import Tokenizer
from export.errors import ExportError
from export.lexicon.shortlist import MAX_TARGETS, MAX_TOKENS, build_shortlist
from export.options import ShortlistSize
from export.sentences.development_set import language_pair
from model.data.corpus import SentencePair
from model.directions import Direction
from service.engine.cache.shortlist import Shortlist
from tests.data.toy_language import sentence_pairs
from tests.export.networks import PAIR, TOKENIZER

SPECIAL_IDS = SpecialIds(pad=0, unk=1, bos=2, eos=3)
THERE = Direction(source="en", target="de")
DIRECTIONS = [
    Direction(source="en", target="de", prefix=">>de<<"),
    Direction(source="de", target="en", prefix=">>en<<", is_reversed=True),
]
BOTH_WAYS = [language_pair(direction) for direction in DIRECTIONS]
SIZE = ShortlistSize(num_common=64, num_common_more=48, num_own=32)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(TOKENIZER, None, SPECIAL_IDS)


@pytest.fixture(scope="module")
def table(tokenizer: Tokenizer) -> ShortlistTable:
    pairs = [SentencePair(*texts) for texts in sentence_pairs(2000, seed=1)]
    plan = build_shortlist(pairs, [THERE], tokenizer, SIZE)
    assert plan.report.num_pairs == 2000
    assert (plan.report.num_common, plan.report.num_own) == (64, 32)
    return plan.table


def _row(table: ShortlistTable, source_id: int) -> list[int]:
    ids: list[int] = table.targets[table.offsets[source_id] : table.offsets[source_id + 1]].tolist()
    return ids


def test_unseen_sentences_find_their_translation_in_it(
    table: ShortlistTable, tokenizer: Tokenizer
) -> None:
    shortlist = Shortlist(table, SIZE.num_own)
    common = set(table.common.tolist())
    unseen = sentence_pairs(200, seed=2)
    complete = [
        set(tokenizer.encode_target(target))
        <= common | set(shortlist.own_ids(tokenizer.encode_source(source, PAIR)).tolist())
        for source, target in unseen
    ]
    assert sum(complete) >= 0.95 * len(unseen)


def test_the_end_token_and_pieces_without_letters_are_common(
    table: ShortlistTable, tokenizer: Tokenizer
) -> None:
    assert len(table.common) == SIZE.num_common
    assert (np.diff(table.common) > 0).all()
    pieces = tokenizer.target_pieces(range(tokenizer.vocab_size))
    without_letters = {i for i, piece in enumerate(pieces) if not any(map(str.isalpha, piece))}
    assert {SPECIAL_IDS.eos, *without_letters} <= set(table.common.tolist())


def test_a_piece_itself_comes_first(table: ShortlistTable) -> None:
    common = set(table.common.tolist())
    for source_id in range(len(table.offsets) - 1):
        row = _row(table, source_id)
        assert not common & set(row)
        assert len(set(row)) == len(row) <= MAX_TARGETS
        assert source_id in common or row[0] == source_id


def test_a_shortlist_that_shortens_nothing_is_refused(tokenizer: Tokenizer) -> None:
    size = ShortlistSize(num_common=tokenizer.vocab_size - 32, num_own=32)
    with pytest.raises(
        ExportError, match=f"does not shorten a vocabulary of {tokenizer.vocab_size}"
    ):
        build_shortlist([SentencePair("a", "b")], [THERE], tokenizer, size)


def test_text_of_long_pairs_only_is_refused(tokenizer: Tokenizer) -> None:
    pairs = [SentencePair("dog " * MAX_TOKENS, "Hund " * MAX_TOKENS)]
    with pytest.raises(ExportError, match="no pair has at most"):
        build_shortlist(pairs, [THERE], tokenizer, SIZE)


@pytest.mark.parametrize("pair", BOTH_WAYS)
def test_one_table_serves_both_directions(pair: LanguagePair, tokenizer: Tokenizer) -> None:
    pairs = [SentencePair(*texts) for texts in sentence_pairs(2000, seed=1)]
    plan = build_shortlist(pairs, DIRECTIONS, tokenizer, SIZE)
    assert (plan.report.num_pairs, plan.report.num_common) == (4000, 64 + 48)
    assert len(plan.table.common) == plan.report.num_common
    shortlist, common = Shortlist(plan.table, SIZE.num_own), set(plan.table.common.tolist())
    unseen = sentence_pairs(200, seed=2)
    complete = [
        set(tokenizer.encode_target(target))
        <= common | set(shortlist.own_ids(tokenizer.encode_source(source, pair)).tolist())
        for source, target in (texts if pair.target == "de" else texts[::-1] for texts in unseen)
    ]
    assert sum(complete) >= 0.95 * len(unseen)
