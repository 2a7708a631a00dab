from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.alignment.units import text_units


@given(st.text(st.characters(exclude_categories=())), st.lists(st.integers(-2, 40)))
def test_units_are_the_text_without_its_white_space(text: str, cuts: list[int]) -> None:
    units = text_units(text, cuts)
    assert all(text[unit.start : unit.end] == unit.text != "" for unit in units)
    assert "".join(unit.text for unit in units) == "".join(text.split())
    assert all(first.end <= then.start for first, then in pairwise(units))


@given(st.text(), st.lists(st.integers(0, 40)))
def test_no_unit_goes_on_over_a_cut(text: str, cuts: list[int]) -> None:
    for unit in text_units(text, cuts):
        assert not any(unit.start < cut < unit.end for cut in cuts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The house, then.", ["The", "house", ",", "then", "."]),
        ("don't well-known 3.5", ["don't", "well-known", "3.5"]),
        ("„So“ «non»", ["„", "So", "“", "«", "non", "»"]),
        ("我喜欢。", ["我", "喜", "欢", "。"]),
        ("हिन्दी cafe\u0301", ["हिन्दी", "cafe\u0301"]),
        ("👩‍👩‍👧!", ["👩‍👩‍👧", "!"]),
        ("(\ue000)", ["(", "\ue000", ")"]),
    ],
)
def test_words_and_marks_are_units(text: str, expected: list[str]) -> None:
    assert [unit.text for unit in text_units(text)] == expected
