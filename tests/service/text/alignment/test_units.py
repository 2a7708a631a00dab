import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.alignment.units import anchor_units, targets_by_source, text_units, units_within
from service.text.alignment.word_links import WordLink


def anchors(source: str, target: str, *spans: tuple[int, int, int, int]) -> list[int | None]:
    links = [WordLink(source=span[:2], target=span[2:]) for span in spans]
    return anchor_units(text_units(source), text_units(target), links)


@pytest.mark.parametrize(
    ("source", "target", "spans", "expected"),
    [
        ("a b c", "x y z", (), [0, 1, 2]),
        ("a b c d", "x y", (), [0, 2]),
        ("", "x", (), [None]),
        ("a", "", (), []),
        ("a b", "x y", ((0, 1, 2, 3), (2, 3, 0, 1)), [1, 0]),
        ("a b.", "x y.", ((0, 1, 0, 1), (2, 3, 2, 3)), [0, 1, 2]),
        ("a b", "x y", ((0, 1, 0, 1),), [0, 1]),
        ("a b", "x y", ((2, 3, 2, 3),), [0, 1]),
        ("a.", "x !", ((0, 1, 0, 1),), [0, None]),
        ('a "b"', "x „y“", ((0, 1, 0, 1), (3, 4, 3, 4)), [0, 1, 2, 3]),
        ("a b.", "x b.", ((0, 4, 0, 4),), [0, 1, 2]),
        ("a b", "x y", ((9, 9, 0, 1),), [0, 1]),
        ("a b a", "a b a", ((0, 5, 0, 5),), [0, 1, 2]),
    ],
)
def test_each_target_unit_has_at_most_one_source_unit(
    source: str, target: str, spans: tuple[tuple[int, int, int, int], ...],
    expected: list[int | None],
) -> None:  # fmt: skip
    assert anchors(source, target, *spans) == expected


def test_one_link_of_everything_is_read_in_one_go() -> None:
    text = "1 2 3 4 5 " * 10_000
    assert anchors(text, text, (0, len(text), 0, len(text))) == list(range(50_000))


@given(st.text("ab .", max_size=20), st.integers(0, 20), st.integers(0, 20))
def test_finds_the_units_within_a_span(text: str, start: int, end: int) -> None:
    units = text_units(text)
    expected = [i for i, unit in enumerate(units) if unit.start < end and unit.end > start]
    if start < end:
        assert list(units_within(units, start, end)) == expected


@given(st.lists(st.none() | st.integers(0, 5)))
def test_source_units_know_their_target_units(found: list[int | None]) -> None:
    by_source = targets_by_source(found, 6)
    assert all(found[unit] == source for source, units in enumerate(by_source) for unit in units)
    assert sum(map(len, by_source)) == len(found) - found.count(None)
