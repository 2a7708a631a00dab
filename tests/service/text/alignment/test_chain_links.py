import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.alignment.word_links import WordLink, chain_links


def link(source: tuple[int, int], target: tuple[int, int], weight: float = 1.0) -> WordLink:
    return WordLink(source=source, target=target, weight=weight)


spans = st.integers(0, 9).map(lambda at: (at, at + 1))
links = st.lists(st.builds(link, spans, spans, st.floats(0, 1)), max_size=8)


def test_a_word_is_linked_with_what_became_of_its_translation() -> None:
    first = [link((0, 3), (4, 7), 0.5), link((4, 8), (0, 3))]
    second = [link((0, 3), (10, 12)), link((4, 7), (0, 9), 0.5)]
    assert chain_links(first, second) == (link((0, 3), (0, 9), 0.25), link((4, 8), (10, 12)))


def test_of_several_ways_the_heaviest_counts() -> None:
    first = [link((0, 1), (0, 1), 0.5), link((0, 1), (2, 3), 0.25)]
    second = [link((0, 1), (0, 1), 0.5), link((2, 3), (0, 1), 0.75)]
    assert chain_links(first, second) == (link((0, 1), (0, 1), 0.25),)


@pytest.mark.parametrize(
    ("first", "second"), [([], [link((0, 1), (0, 1))]), ([link((0, 1), (0, 1))], [])]
)
def test_without_links_there_is_no_chain(first: list[WordLink], second: list[WordLink]) -> None:
    assert chain_links(first, second) == ()


@given(links)
def test_to_leave_each_word_alone_changes_no_link(given: list[WordLink]) -> None:
    same = [link((at, at + 1), (at, at + 1)) for at in range(10)]
    best = {
        (x.target, x.source): max(
            y.weight for y in given if (y.source, y.target) == (x.source, x.target)
        )
        for x in given
    }
    expected = tuple(link(s, t, round(w, 4)) for (t, s), w in sorted(best.items()))
    assert chain_links(given, same) == chain_links(same, given) == expected


@given(links, links)
def test_links_come_from_words_and_go_to_words(
    first: list[WordLink], second: list[WordLink]
) -> None:
    for found in chain_links(first, second):
        assert found.source in {each.source for each in first}
        assert found.target in {each.target for each in second}
        assert 0 <= found.weight <= 1
