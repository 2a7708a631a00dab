from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.segmentation.segment import join
from service.text.segmentation.splitter import SplitMode, split

any_text = st.text(st.characters(exclude_categories=()))
"""All of Unicode, lone surrogates included."""
marked_text = st.text(st.sampled_from(list("aÄ I.3!?…。」\"') \n\r\u2028\t\ud800é中")), max_size=40)
"""Dense in everything that the rules look at."""


any_language = st.sampled_from(["en", "de", "ja", "ar", "pt-BR", "xx", ""])
any_mode: st.SearchStrategy[SplitMode] = st.sampled_from(get_args(SplitMode))


def sentences(text: str, language: str = "en") -> list[str]:
    return [segment.text for segment in split(text, language) if segment.text]


@given(any_text | marked_text, any_language, any_mode)
def test_joined_segments_are_the_text(text: str, language: str, mode: SplitMode) -> None:
    assert join(split(text, language, mode=mode)) == text


@given(any_text | marked_text, any_language, any_mode)
def test_segments_say_where_they_are(text: str, language: str, mode: SplitMode) -> None:
    for segment in split(text, language, mode=mode):
        assert text[segment.start : segment.end] == segment.text


@given(any_text | marked_text, any_mode)
def test_all_outer_white_space_is_separator(text: str, mode: SplitMode) -> None:
    for segment in split(text, mode=mode):
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


def test_what_a_number_with_a_full_stop_is_depends_on_the_language() -> None:
    assert sentences("Am 3. Oktober war es. Ja.", "de") == ["Am 3. Oktober war es.", "Ja."]
    assert sentences("I am 20. You are 30.", "en") == ["I am 20.", "You are 30."]


def test_a_quote_that_is_never_closed_holds_nothing_together() -> None:
    assert sentences('He said: "I am off. She stayed. We ate.') == [
        'He said: "I am off.',
        "She stayed.",
        "We ate.",
    ]


def test_paragraphs_are_cut_at_line_breaks_only() -> None:
    segments = split(" One. Two.\n\n Three.\n", mode="paragraphs")
    assert [segment.text for segment in segments] == ["", "One. Two.", "Three."]


def test_without_splitting_only_outer_white_space_is_off() -> None:
    leading, whole = split(" One.\n\nTwo. \n", mode="none")
    assert (leading.separator, whole.text, whole.separator) == (" ", "One.\n\nTwo.", " \n")


def test_a_line_longer_than_the_library_sees_at_once_is_cut_all_the_same() -> None:
    assert sentences("All of this is short. " * 2_000) == ["All of this is short."] * 2_000


@pytest.mark.parametrize(
    "unit", ["a", ".", '"', "“Hi. ", "Mr. ", "。「", " » ", "\n", "! ", "1. ", "(a. ", "\ud800. "]
)
def test_hostile_texts_of_any_size_come_back(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert join(split(text, "de")) == text


@pytest.mark.parametrize(
    "line_break", ["\n", "\r\n", "\r", "\u2028", "\n \n\t", "\t", " \t ", "\x1f"]
)
def test_a_line_break_or_a_tab_ends_a_segment_and_survives(line_break: str) -> None:
    first, second = split(f"no full stop{line_break}second line")
    assert (first.text, first.separator, second.text) == ("no full stop", line_break, "second line")


def test_leading_white_space_is_an_empty_segment() -> None:
    first, second = split(" \tHello \n")
    assert (first.text, first.separator) == ("", " \t")
    assert (second.text, second.separator, second.start) == ("Hello", " \n", 2)


def test_an_empty_text_has_no_segments() -> None:
    assert split("") == []
