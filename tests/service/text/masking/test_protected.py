import pytest

from service.text.masking.protected import Protected, any_of, cut_around, disjoint, keeps_all


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
    assert any_of(frozenset(texts)).findall(text) == expected


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
