from hypothesis import given
from hypothesis import strategies as st

from service.text.masking.edits import Edit, joined, rewrite


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    text = draw(st.text("abc ", max_size=20))
    bounds = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pairs = zip(bounds[::2], bounds[1::2], strict=False)
    return text, [
        Edit(start=a, end=b, text=draw(st.text("XY", max_size=4))) for a, b in pairs if a < b
    ]


def test_an_edit_replaces_its_stretch_and_moves_what_follows() -> None:
    found = rewrite("one two three", [Edit(start=4, end=7, text="a pair")])
    assert found.text == "one a pair three"
    assert found.new_span(0, 3) == (0, 3)
    assert found.new_span(4, 7) == (4, 10)
    assert found.new_span(5, 6) == (4, 10)
    assert found.new_span(8, 13) == (11, 16)
    assert found.old_span(11, 16) == (8, 13)
    assert found.old_span(6, 8) == (4, 7)
    assert (found.new_span(7, 8), found.old_span(10, 11)) == ((10, 11), (7, 8))
    assert found.new_span(0, 4) == found.old_span(0, 4) == (0, 4)


@given(edited())
def test_what_was_not_edited_is_found_again(given_: tuple[str, list[Edit]]) -> None:
    text, edits = given_
    found = rewrite(text, edits)
    touched = {i for edit in edits for i in range(edit.start, edit.end)}
    for i in set(range(len(text))) - touched:
        start, end = found.new_span(i, i + 1)
        assert found.text[start:end].endswith(text[i])
    for edit, start in zip(found.edits, found.starts, strict=True):
        assert found.text[start : start + len(edit.text)] == edit.text


@given(edited())
def test_without_the_edits_both_texts_are_the_same(given_: tuple[str, list[Edit]]) -> None:
    text, edits = given_
    found = rewrite(text, edits)
    back = [
        Edit(start=s, end=s + len(e.text), text=text[e.start : e.end])
        for e, s in zip(edits, found.starts, strict=True)
    ]
    assert rewrite(found.text, back).text == text


@given(edited(), st.data())
def test_two_rewritings_are_one(given_: tuple[str, list[Edit]], data: st.DataObject) -> None:
    text, edits = given_
    first = rewrite(text, edits)
    bounds = sorted(data.draw(st.lists(st.integers(0, len(first.text)), max_size=6)))
    pairs = zip(bounds[::2], bounds[1::2], strict=False)
    second = rewrite(first.text, [Edit(start=a, end=b, text="ZZZ") for a, b in pairs if a < b])
    both = joined(first, second)
    assert both.text == second.text
    assert rewrite(text, both.edits) == both
    for start in range(len(text)):
        middle = first.new_span(start, start + 1)
        new_start, new_end = second.new_span(*middle)
        whole_start, whole_end = both.new_span(start, start + 1)
        assert whole_start <= new_start and new_end <= whole_end
