import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.alignment.no_break_spaces import keep_no_break_spaces
from service.text.alignment.word_links import WordLink

spaced = st.text(st.sampled_from("ab. \xa0\u202f"), max_size=20)


@given(spaced, spaced)
def test_nothing_but_spaces_changes(source: str, target: str) -> None:
    kept = keep_no_break_spaces(source, target, ())
    assert len(kept) == len(target)
    assert all(
        new == old or (old == " " and new in "\xa0\u202f")
        for old, new in zip(target, kept, strict=True)
    )


@given(spaced.map(str.strip))
def test_a_text_that_lost_them_gets_them_back(text: str) -> None:
    single = " ".join(text.split())
    if len(single) == len(text):
        assert keep_no_break_spaces(text, single, ()) == text


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("The\xa0house is small", "Das Haus ist klein", "Das\xa0Haus ist klein"),
        ("5\u202fkm away", "5 km weit", "5\u202fkm weit"),
        ("a b", "x y", "x y"),
    ],
)
def test_spaces_stay_beside_their_words(source: str, target: str, expected: str) -> None:
    assert keep_no_break_spaces(source, target, ()) == expected


def test_spaces_follow_the_links() -> None:
    links = (
        WordLink(source=(0, 1), target=(4, 5)),
        WordLink(source=(2, 3), target=(6, 7)),
        WordLink(source=(4, 5), target=(0, 1)),
    )
    assert keep_no_break_spaces("a\xa0b c", "z - x y", links) == "z - x\xa0y"
