"""Long strings in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.document import DocumentString, TextFormat
from service.documents.errors import DocumentError
from service.documents.pieces import (
    MAX_PASSAGE_CHARS,
    MAX_PASSAGE_TAGS,
    MAX_PIECE_CHARS,
    pieces_of,
)


def pieces(text: str, markup: TextFormat = "text") -> list[str]:
    return pieces_of(DocumentString(text=text, original=text, format=markup))


@given(st.lists(st.sampled_from(["a", " ", ". ", "\n", "。", "word " * 900, "x" * 5_000])))
def test_pieces_are_the_text_and_bounded(parts: list[str]) -> None:
    text = "".join(parts)
    assert "".join(pieces(text)) == text
    assert all(len(piece) <= MAX_PIECE_CHARS for piece in pieces(text))
    assert len(pieces(text)) <= 2 * len(text) // MAX_PIECE_CHARS + 1


def test_a_text_is_cut_behind_a_sentence() -> None:
    first, second = pieces("So it is. " * 790 + "And then " * 100)
    assert first.endswith("So it is. ")
    assert second.startswith("And then")


@pytest.mark.parametrize(("text", "end"), [("word " * 2_000, "word "), ("字" * 10_000, "字")])
def test_a_text_without_sentences_is_cut_behind_a_word_or_where_it_is_full(
    text: str, end: str
) -> None:
    assert pieces(text)[0].endswith(end)
    assert len(pieces(text)) == 2


def test_markup_is_not_cut() -> None:
    image = f'<p>a <img src="data:image/png;base64,{"A" * 200_000}"> b'
    assert pieces(image, "html") == [image]


@pytest.mark.parametrize(
    "text", ["a " * (MAX_PASSAGE_CHARS // 2 + 1), "<b>a" * (MAX_PASSAGE_TAGS + 1)]
)
def test_markup_that_is_too_long_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match="divide it into paragraphs"):
        pieces(text, "html")
