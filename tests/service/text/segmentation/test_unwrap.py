from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.segmentation.unwrap import unwrap

any_text = st.text(st.characters(exclude_categories=()))
marked_text = st.text(st.sampled_from(list("aaa  \n\n\r-1.>#`中\ud800\t")), max_size=60)


def unwrapped(text: str) -> str:
    return unwrap(dedent(text)).text


@given(any_text | marked_text)
def test_nothing_but_white_space_changes(text: str) -> None:
    assert "".join(unwrap(text).text.split()) == "".join(text.split())


@given(any_text | marked_text)
def test_every_character_says_where_it_was(text: str) -> None:
    result = unwrap(text)
    for offset, character in enumerate(result.text):
        assert character == " " or text[result.source_offset(offset)] == character


@given(any_text | marked_text)
def test_a_line_stays_as_it_is(text: str) -> None:
    line = text.replace("\n", "").replace("\r", "")
    assert unwrap(line).text == line


def test_lines_of_a_paragraph_become_one() -> None:
    mail = """\
        Hello Peter,

        this is a mail whose lines were wrapped at some sixty
        characters by a program. It goes
        on.

        Best regards
        Paula
        """
    assert unwrapped(mail) == (
        "Hello Peter,\n\n"
        "this is a mail whose lines were wrapped at some sixty characters by a program. It goes\n"
        "on.\n\n"
        "Best regards\nPaula\n"
    )


def test_items_of_a_list_stay_apart_and_keep_their_indentation() -> None:
    readme = """\
        - the first item is long enough to be
          wrapped near its end
        - the second is short
          1. the third is nested, and wrapped
             as well
        - the fourth goes on without any
        indentation
        """
    assert unwrapped(readme) == (
        "- the first item is long enough to be wrapped near its end\n"
        "- the second is short\n"
        "  1. the third is nested, and wrapped as well\n"
        "- the fourth goes on without any indentation\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "> quoted lines stay\n> as they are\n",
        "# a heading\nand text\n",
        "a heading\n=========\nand text\n",
        "    indented = code\n    is_code = True\n",
        "```\nanything that is\nfenced at all\n```\n",
        "| a | table |\n| of | two |\n",
        "name     value\nlong     short\n",
        "int main() {\nreturn 0;\n}\n",
        "$ pip install it\n$ pip freeze\n",
        "text\n-- \nsignature\n",
        "a short line\nanother one beside one that is much wider than the two of them\n",
        "no\n\nlines\n \nto join\n",
        "x" * 140 + "\n" + "y" * 140,
    ],
)
def test_what_is_no_wrapped_paragraph_stays_as_it_is(text: str) -> None:
    assert unwrap(text).text == text


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", " \n"])
def test_all_line_breaks_of_mails_are_known(line_break: str) -> None:
    assert unwrap(f"one two{line_break}three{line_break}").text == f"one two three{line_break}"


def test_chinese_and_japanese_are_joined_without_a_space() -> None:
    assert unwrap("これは\nペンです。").text == "これはペンです。"
    assert unwrap("これは\nPen です。").text == "これは Pen です。"


def test_offsets_lead_back_to_the_source() -> None:
    source = "one two\r\nthree\r\n\r\nfour"
    result = unwrap(source)
    for word in ("one", "two", "three", "four"):
        assert result.source_offset(result.text.index(word)) == source.index(word)


@pytest.mark.parametrize("unit", ["a b\n", "\n", "- a\n", "-\r", "a  ", "a", "- - -\n", "    a\n"])
def test_hostile_texts_of_any_size_lose_nothing(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert unwrap(text).text.split() == text.split()
