from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.text.alignment.word_links import (
    TokenizedText,
    WordLink,
    pharaoh,
    transfer_links,
    word_links,
    words,
)

SOURCE = TokenizedText(text="the old house", spans=((0, 3), (3, 7), (7, 10), (10, 13), (13, 13)))
TARGET = TokenizedText(text="das alte Haus", spans=((0, 3), (3, 8), (8, 13)))


def texts_of(links: tuple[WordLink, ...]) -> list[tuple[str, str]]:
    return [(SOURCE.text[slice(*link.source)], TARGET.text[slice(*link.target)]) for link in links]


def _linked(attention: Sequence[Sequence[float]]) -> tuple[WordLink, ...]:
    return word_links(np.array(attention, dtype=np.float32), SOURCE, TARGET)


def test_words_are_letters_with_their_apostrophes_and_marks_alone() -> None:
    text = "It's 3.5 well-known ⟦7⟧!"
    found = [text[start:end] for start, end in words(text)]
    assert found == ["It's", "3", ".", "5", "well-known", "⟦7⟧", "!"]


def test_a_word_is_linked_with_what_all_its_pieces_look_at() -> None:
    attention = [
        [0.8, 0.1, 0.0, 0.0, 0.1],
        [0.1, 0.6, 0.1, 0.1, 0.1],
        [0.0, 0.4, 0.3, 0.3, 0.0],  # no piece of `house` alone is looked at as much as `old`
        [0.0, 0.0, 0.0, 0.0, 1.0],  # the end token's row
    ]
    links = _linked(attention)
    assert texts_of(links) == [("the", "das"), ("old", "alte"), ("house", "Haus")]
    assert [link.weight for link in links] == [0.8, 0.6, 0.6]


def test_a_source_word_that_is_no_first_choice_is_linked_if_its_weight_suffices() -> None:
    attention = [
        [0.6, 0.3, 0.0, 0.1, 0.0],
        [0.5, 0.25, 0.1, 0.0, 0.0],
        [0.5, 0.1, 0.1, 0.0, 0.0],
    ]
    links = _linked(attention)
    assert texts_of(links) == [("the", "das"), ("old", "das"), ("the", "alte"), ("the", "Haus")]


def test_attention_to_no_word_links_nothing() -> None:
    assert _linked([[0.0, 0.0, 0.0, 0.0, 1.0]] * 3) == ()


@given(st.data())
def test_links_are_words_of_both_sides_and_every_target_word_that_looks_has_one(
    data: st.DataObject,
) -> None:
    numbers = st.floats(0.01, 1)
    rows = st.lists(numbers, min_size=5, max_size=5)
    attention = data.draw(st.lists(rows, min_size=3, max_size=4))
    links = _linked(attention)
    assert {link.source for link in links} <= set(words(SOURCE.text))
    assert {link.target for link in links} == set(words(TARGET.text))


LINKS = (
    WordLink(source=(0, 3), target=(0, 3), weight=0.5),
    WordLink(source=(8, 13), target=(9, 13)),
)


def test_links_follow_the_words_of_a_text_in_another_case() -> None:
    moved = transfer_links(LINKS, TARGET.text, "DAS  ALTE HAUS")
    assert [link.target for link in moved] == [(0, 3), (10, 14)]
    assert transfer_links(LINKS, TARGET.text, "das Haus") == ()


def test_links_are_written_as_pairs_of_numbers() -> None:
    assert pharaoh(LINKS, SOURCE.text, TARGET.text) == [(0, 0, 0.5), (2, 2, 1.0)]
    assert pharaoh([WordLink(source=(0, 2), target=(0, 3))], SOURCE.text, TARGET.text) == []


def test_invisible_characters_are_no_words_and_end_none() -> None:
    text = "\ufeffThe gar\u00adden\u200b is well\u2060-known"
    assert [text[slice(*span)] for span in words(text)] == [
        "The",
        "gar\u00adden",
        "is",
        "well\u2060-known",
    ]
