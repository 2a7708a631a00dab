from collections.abc import Callable, Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.alignment.differences import (
    Step,
    from_first_difference,
    num_shared,
    side_by_side,
)

Align = Callable[[Sequence[str], Sequence[str]], tuple[Step, ...]]
TOKENS = st.lists(st.sampled_from("abc"), max_size=12)


@pytest.mark.parametrize("align", [side_by_side, from_first_difference])
@given(TOKENS, TOKENS)
def test_every_token_stands_once_and_in_order(
    align: Align, first: list[str], second: list[str]
) -> None:
    steps = align(first, second)
    assert [s.first for s in steps if s.first is not None] == list(range(len(first)))
    assert [s.second for s in steps if s.second is not None] == list(range(len(second)))


@pytest.mark.parametrize("align", [side_by_side, from_first_difference])
@given(TOKENS, TOKENS)
def test_steps_say_whether_their_tokens_are_equal(
    align: Align, first: list[str], second: list[str]
) -> None:
    for step in align(first, second):
        if step.first is None or step.second is None:
            assert not step.is_same
        elif step.is_same:
            assert first[step.first] == second[step.second]


@given(TOKENS, TOKENS)
def test_what_both_begin_with_stands_together(first: list[str], second: list[str]) -> None:
    steps = side_by_side(first, second)
    shared = num_shared(first, second)
    assert steps[:shared] == tuple(Step(first=i, second=i, is_same=True) for i in range(shared))
    assert not steps[shared:] or not steps[shared].is_same


@given(TOKENS)
def test_equal_versions_have_no_difference(tokens: list[str]) -> None:
    assert all(step.is_same for step in side_by_side(tokens, tokens))


def test_a_replaced_word_stands_beside_its_replacement() -> None:
    steps = side_by_side(
        ["an", "der", "Bank", "vorbei"], ["an", "dem", "Ufer", "entlang", "vorbei"]
    )
    assert [(s.first, s.second, s.is_same) for s in steps] == [
        (0, 0, True),
        (1, 1, False),
        (2, 2, False),
        (None, 3, False),
        (3, 4, True),
    ]


@given(TOKENS, TOKENS)
def test_the_first_tokens_that_differ_are_alternatives(first: list[str], second: list[str]) -> None:
    steps, shared = from_first_difference(first, second), num_shared(first, second)
    if shared < min(len(first), len(second)):
        assert steps[shared] == Step(first=shared, second=shared, is_same=False)


@given(TOKENS, TOKENS)
def test_no_more_tokens_could_be_common(first: list[str], second: list[str]) -> None:
    @cache
    def longest(i: int, j: int) -> int:
        if i == len(first) or j == len(second):
            return 0
        if first[i] == second[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    assert sum(step.is_same for step in side_by_side(first, second)) == longest(0, 0)


@given(TOKENS, TOKENS)
def test_tokens_that_differ_are_not_equal(first: list[str], second: list[str]) -> None:
    for step in side_by_side(first, second):
        if step.first is not None and step.second is not None:
            assert step.is_same == (first[step.first] == second[step.second])
