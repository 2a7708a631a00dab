import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.masking.protected import (
    Protected,
    cut_around,
    disjoint,
    keeps_all,
    standing_alone,
)


@pytest.mark.parametrize(
    ("texts", "text", "expected"),
    [
        ({"in"}, "in Kinder in", ["in", "in"]),
        ({"5 km"}, "5 km, 25 km, 5 kmh", ["5 km"]),
        ({"{a}"}, "x{a}y", ["{a}"]),
        ({"{a}", "{a}{b}"}, "{a}{b} {a}", ["{a}{b}", "{a}"]),
        ({".*"}, "a .* b", [".*"]),
    ],
)
def test_texts_are_found_where_they_stand_alone(
    texts: set[str], text: str, expected: list[str]
) -> None:
    assert [text[start:end] for start, end in standing_alone(texts, text)] == expected


def by_pattern(texts: set[str], whole: str) -> list[tuple[int, int]]:
    """What the search is to find, by a pattern of all texts."""
    patterns = [
        (r"(?<!\w)" if text[0].isalnum() else "")
        + re.escape(text)
        + (r"(?!\w)" if text[-1].isalnum() else "")
        for text in sorted(texts, key=len, reverse=True)
    ]
    return [match.span() for match in re.finditer("|".join(patterns), whole)] if texts else []


@given(st.sets(st.text("a_{}é ", min_size=1, max_size=4), max_size=8), st.text("a_{}é ²"))
def test_search_finds_what_a_pattern_of_all_texts_finds(texts: set[str], whole: str) -> None:
    assert list(standing_alone(texts, whole)) == by_pattern(texts, whole)


def span(start: int, end: int) -> Protected:
    return Protected(start=start, end=end, replacement="x")


def test_spans_are_sorted_and_may_touch() -> None:
    first, second, third = span(0, 2), span(2, 4), span(4, 6)
    assert disjoint([second, third, first]) == [first, second, third]
    assert disjoint([first, third, second]) == [first, second, third]


@pytest.mark.parametrize("late", [(3, 4), (1, 3), (5, 8), (0, 9), (2, 6)])
def test_of_spans_that_overlap_the_one_listed_first_stays(late: tuple[int, int]) -> None:
    early = [span(0, 1), span(2, 6), span(7, 9)]
    assert disjoint([*early, span(*late)]) == early


def test_a_term_of_several_words_may_occur_more_often() -> None:
    term = [Protected(start=0, end=8, replacement="rote Karte")]
    assert keeps_all("rote Karte, rote Karte", term)
    assert not keeps_all("rote, Karte", term)


def test_cutting_leaves_no_empty_parts() -> None:
    first, second = span(0, 2), span(2, 4)
    assert cut_around("abcd", [first, second]) == [first, second]
    assert cut_around("abcde", [second]) == ["ab", second, "e"]
