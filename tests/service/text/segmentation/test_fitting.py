from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.segmentation.fitting import split_to_fit
from service.text.segmentation.segment import join

stripped_text = st.text(st.characters(exclude_categories=())).map(str.strip)


def at_most(size: int) -> Callable[[str], bool]:
    return lambda piece: len(piece) <= size


def pieces(text: str, size: int) -> list[str]:
    return [segment.text for segment in split_to_fit(text, at_most(size), guess=7)]


@given(stripped_text, st.integers(1, 30), st.integers(1, 60))
def test_joined_pieces_are_the_text(text: str, size: int, guess: int) -> None:
    assert join(split_to_fit(text, at_most(size), guess=guess)) == text


@given(stripped_text, st.integers(1, 30), st.integers(1, 60))
def test_every_piece_fits_and_is_not_empty(text: str, size: int, guess: int) -> None:
    for segment in split_to_fit(text, at_most(size), guess=guess):
        assert 1 <= len(segment.text) <= size
        assert text[segment.start : segment.end] == segment.text


@given(stripped_text, st.integers(1, 9))
def test_pieces_fit_where_shorter_is_not_always_better(text: str, odd: int) -> None:
    def fits(piece: str) -> bool:
        return len(piece) < 12 and len(piece) % 10 != odd

    segments = split_to_fit(text, fits, guess=5)
    assert join(segments) == text
    assert all(fits(s.text) or len(s.text) == 1 for s in segments)


def test_what_fits_stays_whole() -> None:
    assert pieces("short, and whole", 16) == ["short, and whole"]


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("one two three, four five six", 20, ["one two three,", "four five six"]),
        ("one two three four", 10, ["one two", "three four"]),
        ("one two three four", 7, ["one two", "three", "four"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("最初の文章、次の文章", 8, ["最初の文章、", "次の文章"]),
    ],
)
def test_cuts_at_clauses_then_at_white_space_then_anywhere(
    text: str, size: int, expected: list[str]
) -> None:
    assert pieces(text, size) == expected


def test_a_letter_keeps_its_accents() -> None:
    assert pieces("e\u0301" * 5, 5) == ["e\u0301" * 2, "e\u0301" * 2, "e\u0301"]


def test_what_never_fits_comes_as_single_characters() -> None:
    assert [s.text for s in split_to_fit("abc", lambda _: False, guess=9)] == ["a", "b", "c"]


@pytest.mark.parametrize("unit", ["word ", "a", "clause, "])
@pytest.mark.parametrize("guess", [1, 100, 10_000])
def test_the_cost_grows_with_the_text_and_not_with_its_square(unit: str, guess: int) -> None:
    seen = 0

    def fits(piece: str) -> bool:
        nonlocal seen
        seen += len(piece)
        return len(piece) <= 500

    text = (unit * 50_000).strip()
    split_to_fit(text, fits, guess=guess)
    assert seen <= 12 * len(text)
