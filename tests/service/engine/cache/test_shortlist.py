"""A sentence's own pieces follow from its source and from nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bundle.shortlist import ShortlistTable
from service.engine.cache.shortlist import NO_PIECE, Shortlist

EOS = 3
ROWS = {4: [20, 21, 22], 5: [30, 20, 31], 6: [], 7: [40]}
VOCAB_SIZE = 10


def _table(rows: dict[int, list[int]]) -> ShortlistTable:
    targets = [target for i in range(VOCAB_SIZE) for target in rows.get(i, [])]
    lengths = [len(rows.get(i, [])) for i in range(VOCAB_SIZE)]
    return ShortlistTable(
        common=np.array([EOS, 8, 9], np.int32),
        offsets=np.cumsum([0, *lengths]).astype(np.int32),
        targets=np.array(targets, np.int32),
    )


def _own(source_ids: list[int], num_own: int, rows: dict[int, list[int]] = ROWS) -> list[int]:
    ids: list[int] = Shortlist(_table(rows), num_own).own_ids(source_ids).tolist()
    return ids


def test_the_best_of_every_piece_come_first() -> None:
    assert _own([4, 5, 7, EOS], num_own=6) == [20, 30, 40, 21, 22, 31]


def test_pieces_beyond_the_size_are_left_out() -> None:
    assert _own([4, 5, 7, EOS], num_own=4) == [20, 30, 40, 21]


def test_unused_entries_hold_no_piece() -> None:
    assert _own([7, 6, EOS], num_own=3) == [40, NO_PIECE, NO_PIECE]


def test_an_empty_table_is_no_fault() -> None:
    assert _own([7, EOS], num_own=2, rows={}) == [NO_PIECE, NO_PIECE]


ROW = st.lists(st.integers(10, 30), max_size=5, unique=True)


@given(
    st.dictionaries(st.integers(0, VOCAB_SIZE - 1), ROW),
    st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=1, max_size=12),
    st.integers(1, 12),
)
def test_own_pieces_are_distinct_and_of_the_source(
    rows: dict[int, list[int]], source_ids: list[int], num_own: int
) -> None:
    own = _own(source_ids, num_own, rows)
    assert len(own) == num_own
    found = [i for i in own if i != NO_PIECE]
    wanted = {target for i in source_ids for target in rows.get(i, [])}
    assert len(set(found)) == len(found) == min(num_own, len(wanted))
    assert set(found) <= wanted
    assert own == _own(sorted(source_ids * 2), num_own, rows)
