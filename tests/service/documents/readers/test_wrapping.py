"""A translation on the lines that its source had."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.readers.wrapping import balanced, filled, joined

WORDS = st.lists(st.text("abäß", min_size=1, max_size=12), min_size=1)
ANY_WORD = re.compile("")


@given(WORDS, st.integers(1, 6))
def test_balanced_lines_keep_the_words(words: list[str], num_lines: int) -> None:
    lines = balanced(" ".join(words), num_lines)
    assert len(lines) == min(num_lines, len(words))
    assert all(lines)
    assert " ".join(lines) == " ".join(words)


def test_balanced_lines_are_about_as_long() -> None:
    assert balanced("aaa bbb ccc ddd", 2) == ["aaa bbb", "ccc ddd"]


def test_a_tag_is_not_broken() -> None:
    lines = balanced('a <font color="red" size="2">b</font>', 3)
    assert lines == ["a", '<font color="red" size="2">b</font>']


@given(WORDS, st.integers(1, 30))
def test_filled_lines_keep_the_words_and_the_width(words: list[str], width: int) -> None:
    lines = filled(" ".join(words), width, ANY_WORD)
    assert " ".join(lines) == " ".join(words)
    assert all(len(line) <= width or " " not in line for line in lines)


def test_filled_lines_begin_only_with_what_may_begin_them() -> None:
    assert filled("aaaa - b c", 5, re.compile(r"\w")) == ["aaaa -", "b c"]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["one", "two"], "one two"),
        (["你好", "世界"], "你好世界"),
        (["안녕", "세계"], "안녕 세계"),
        (["你好", "world"], "你好 world"),
    ],
)
def test_lines_are_joined_as_the_script_wants(lines: list[str], text: str) -> None:
    assert joined(lines) == text


def test_a_word_without_end_is_one_line() -> None:
    word = "x" * 100_000
    assert balanced(word, 3) == filled(word, 10, ANY_WORD) == [word]
