import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.search.repetition import (
    MAX_PERIOD,
    MIN_REPEATS,
    SOURCE_FACTOR,
    TOLERATED_TOKENS,
    longest_repetition,
    max_loop_tokens,
    repeated_tail,
)

ids = st.lists(st.integers(0, 2), max_size=40)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], 0),
        ([7], 0),
        ([7, 7], 0),  # twice is emphasis
        ([7, 7, 7], 3),
        ([1, 2, 7, 7, 7, 7], 4),
        ([7, 7, 7, 1], 0),  # it has ended
        ([1, 2, 1, 2, 1, 2], 6),
        ([9, 1, 2, 1, 2, 1, 2, 1], 7),  # cut in the middle of a unit
        ([1, 2, 3, 1, 2, 3], 0),
    ],
)
def test_the_tail_that_one_unit_fills_is_measured(found: list[int], expected: int) -> None:
    assert repeated_tail(found) == expected


def test_units_longer_than_the_longest_are_not_looked_for() -> None:
    assert repeated_tail([*range(MAX_PERIOD)] * 3) == 3 * MAX_PERIOD
    assert repeated_tail([*range(MAX_PERIOD + 1)] * 3) == 0


@given(prefix=ids, unit=st.lists(st.integers(3, 9), min_size=1, max_size=MAX_PERIOD))
def test_a_unit_repeated_is_found_after_anything(prefix: list[int], unit: list[int]) -> None:
    assert repeated_tail(prefix + unit * MIN_REPEATS) >= MIN_REPEATS * len(unit)


@given(ids)
def test_the_longest_repetition_is_the_longest_tail_of_any_beginning(found: list[int]) -> None:
    tails = [repeated_tail(found[:end]) for end in range(len(found) + 1)]
    assert longest_repetition(found) == max(tails)


def test_a_source_that_repeats_itself_may_be_translated_so() -> None:
    assert max_loop_tokens([1, 2, 3, 4]) == TOLERATED_TOKENS
    assert max_loop_tokens([1, 5, 5, 5, 5, 2]) == TOLERATED_TOKENS + SOURCE_FACTOR * 4


@pytest.mark.parametrize("period", [1, 2, MAX_PERIOD - 1, MAX_PERIOD, MAX_PERIOD + 1])
def test_both_measures_know_units_up_to_the_same_length(period: int) -> None:
    ids = list(range(period)) * MIN_REPEATS
    expected = len(ids) if period <= MAX_PERIOD else 0
    assert (repeated_tail(ids), longest_repetition(ids)) == (expected, expected)
