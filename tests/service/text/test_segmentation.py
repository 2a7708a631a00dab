import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.segment import join
from service.text.segmentation import split

any_text = st.text(st.characters(exclude_categories=()))
"""All of Unicode, lone surrogates included."""
marked_text = st.text(st.sampled_from(list("aÄ I.3!?…。」\"') \n\r\u2028\t\ud800é中")), max_size=40)
"""Dense in everything that the rules look at."""


def sentences(text: str) -> list[str]:
    return [segment.text for segment in split(text) if segment.text]


@given(any_text | marked_text)
def test_joined_segments_are_the_text(text: str) -> None:
    assert join(split(text)) == text


@given(any_text | marked_text)
def test_segments_say_where_they_are(text: str) -> None:
    for segment in split(text):
        assert text[segment.start : segment.end] == segment.text


@given(any_text | marked_text)
def test_all_outer_white_space_is_separator(text: str) -> None:
    for segment in split(text):
        assert segment.text == segment.text.strip()
        assert not segment.separator.strip()


@given(any_text | marked_text)
def test_only_the_first_segment_may_be_empty(text: str) -> None:
    segments = split(text)
    assert all(segment.text for segment in segments[1:])
    assert all(segment.text or segment.separator for segment in segments)


@given(marked_text)
def test_no_segment_contains_a_line_break(text: str) -> None:
    for segment in split(text):
        assert len(segment.text.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It costs 3.50 euros. Really.", ["It costs 3.50 euros.", "Really."]),
        ("Mr. Smith met Dr. Müller. They left.", ["Mr. Smith met Dr. Müller.", "They left."]),
        ("Das ist z.B. Obst. Gut.", ["Das ist z.B. Obst.", "Gut."]),
        ("Das ist z. B. Obst. Gut.", ["Das ist z. B. Obst.", "Gut."]),
        ("Am 3. Oktober war es. Ja.", ["Am 3. Oktober war es.", "Ja."]),
        ("It was 1990. He left.", ["It was 1990.", "He left."]),
        ("See No. 5 there. No. I do not.", ["See No. 5 there.", "No.", "I do not."]),
        ("J. R. Smith came. So did I. We ate.", ["J. R. Smith came.", "So did I.", "We ate."]),
        ('"Stop!" he said. "Go." She went.', ['"Stop!" he said.', '"Go."', "She went."]),
        ("(He left.) She stayed.", ["(He left.)", "She stayed."]),
        ("„Ja.“ „Nein.“ So war es.", ["„Ja.“", "„Nein.“", "So war es."]),
        ("Well... maybe. Wait... What?!", ["Well... maybe.", "Wait...", "What?!"]),
        ("So… ja. So… Ja.", ["So… ja.", "So…", "Ja."]),
        ("これはペンです。それは本です。", ["これはペンです。", "それは本です。"]),
        ("「はい。」と言った。「いいえ。」", ["「はい。」と言った。", "「いいえ。」"]),
        ("Visit example.com. Now.", ["Visit example.com.", "Now."]),
        ("Is it? ¿Qué es? ¡Hola!", ["Is it?", "¿Qué es?", "¡Hola!"]),
    ],
)
def test_sentences_end_where_a_reader_says(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\u2028", "\n \n\t"])
def test_a_line_break_ends_a_segment_and_survives(line_break: str) -> None:
    first, second = split(f"no full stop{line_break}second line")
    assert (first.text, first.separator, second.text) == ("no full stop", line_break, "second line")


def test_leading_white_space_is_an_empty_segment() -> None:
    first, second = split(" \tHello \n")
    assert (first.text, first.separator) == ("", " \t")
    assert (second.text, second.separator, second.start) == ("Hello", " \n", 2)


def test_an_empty_text_has_no_segments() -> None:
    assert split("") == []
