from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.manifest import LanguagePair
from bundle.reader import read_bundle
from bundle.tensors import SOURCE_TOKENIZER_NAME
from bundle.tokenizer import Span, Tokenizer
from tests.bundle.bundles import TINY_BUNDLE

BUNDLE = read_bundle(TINY_BUNDLE)
TOKENIZER = BUNDLE.tokenizer
PAIR = LanguagePair(source="en", target="de")
IDS = BUNDLE.manifest.special_ids
# Without what SentencePiece keeps for itself: its visible space and its sign for the unknown.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"], exclude_characters="▁⁇"))
WITH_SPACES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"))


@given(TEXTS)
def test_a_source_ends_once_with_the_end_token(text: str) -> None:
    ids = TOKENIZER.encode_source(text, PAIR)
    assert ids[-1] == IDS.eos
    assert not {IDS.eos, IDS.pad, IDS.bos, IDS.unk} & set(ids[:-1])


@given(TEXTS)
def test_any_target_comes_back(text: str) -> None:
    ids = TOKENIZER.encode_target(text)
    assert TOKENIZER.decode_target(ids[:-1]) == text
    assert TOKENIZER.decode_target(ids) == text


def test_special_ids_leave_no_trace_in_text() -> None:
    dog = TOKENIZER.encode_target("Hund")[:-1]
    assert TOKENIZER.decode_target([IDS.bos, *dog, IDS.eos, IDS.pad, IDS.pad]) == "Hund"
    assert TOKENIZER.decode_target([]) == ""


def test_a_prefix_is_one_piece_before_the_source() -> None:
    pair = LanguagePair(source="en", target="de", source_prefix=">>de<<")
    plain, prefixed = (TOKENIZER.encode_source("a dog", p) for p in (PAIR, pair))
    assert prefixed == [TOKENIZER.source_id(">>de<<"), *plain]
    assert TOKENIZER.source_pieces(prefixed)[0] == ">>de<<"


def test_pieces_stand_behind_ids_one_by_one() -> None:
    ids = TOKENIZER.encode_source("The dog 😀", PAIR)
    pieces = TOKENIZER.source_pieces(ids)
    assert len(pieces) == len(ids)
    assert pieces[-1] == "</s>"
    assert "".join(pieces[:2]).startswith("▁")
    assert sum(piece.startswith("<0x") for piece in pieces) == 4


@pytest.mark.parametrize("placeholder", [f"⟦{digit}⟧" for digit in range(10)])
def test_a_placeholder_is_one_piece(placeholder: str) -> None:
    ids = TOKENIZER.encode_source(f"the {placeholder} dog", PAIR)
    assert TOKENIZER.source_pieces(ids).count(placeholder) == 1
    assert TOKENIZER.decode_target(ids) == f"the {placeholder} dog"


@given(WITH_SPACES)
def test_every_piece_of_a_source_is_found_in_its_text(text: str) -> None:
    pair = LanguagePair(source="en", target="de", source_prefix=">>de<<")
    spans = TOKENIZER.source_spans(text)
    pieces = TOKENIZER.source_pieces(TOKENIZER.encode_source(text, pair))[1:-1]
    assert _tiled(text, spans) == text.strip(" ")
    for piece, (begin, end) in zip(pieces, spans, strict=True):
        if not _is_byte(piece):
            assert text[begin:end].replace(" ", "") == piece.replace("▁", "")


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1)))
def test_every_id_of_a_target_is_found_in_its_text(target_ids: list[int]) -> None:
    text, spans = TOKENIZER.target_text_and_spans(target_ids)
    assert text == TOKENIZER.decode_target(target_ids)
    assert len(spans) == len(target_ids)
    assert _tiled(text, spans) == text
    control_ids = {IDS.pad, IDS.bos, IDS.eos}
    for target_id, (begin, end) in zip(target_ids, spans, strict=True):
        assert target_id not in control_ids or begin == end


@given(TEXTS)
def test_ids_of_a_source_give_its_text_and_places(text: str) -> None:
    ids = TOKENIZER.encode_source(text, PAIR)
    shown, spans = TOKENIZER.source_text_and_spans(ids)
    assert shown == text
    assert spans == [*TOKENIZER.source_spans(text), (len(text), len(text))]


def test_the_last_byte_has_the_character() -> None:
    ids = TOKENIZER.encode_target("a 😀!")
    text, spans = TOKENIZER.target_text_and_spans(ids)
    assert [text[slice(*span)] for span in spans[-6:]] == ["", "", "", "😀", "!", ""]
    assert ["a 😀!"[slice(*span)] for span in TOKENIZER.source_spans("a 😀!")][-5:-1] == [
        "",
        "",
        "",
        "😀",
    ]


def test_white_space_around_a_source_is_in_no_piece() -> None:
    text = "  the  dog "
    assert "".join(text[slice(*span)] for span in TOKENIZER.source_spans(text)) == "the  dog"


def _tiled(text: str, spans: Sequence[Span]) -> str:
    """The text of spans that follow one another without a gap."""
    assert all(before[1] == begin for before, (begin, _) in pairwise(spans))
    return "".join(text[begin:end] for begin, end in spans)


def _is_byte(piece: str) -> bool:
    return piece.startswith("<0x")


def test_both_sides_of_a_shared_vocabulary_agree() -> None:
    text = "the old dog"
    assert TOKENIZER.encode_source(text, PAIR) == TOKENIZER.encode_target(text)
    ids = TOKENIZER.encode_target(text)
    assert TOKENIZER.source_pieces(ids) == TOKENIZER.target_pieces(ids)


def test_words_of_the_training_data_are_few_pieces() -> None:
    assert len(TOKENIZER.encode_source("The dog sees a house.", PAIR)) < 15


def test_an_unknown_piece_has_the_unknown_id() -> None:
    assert TOKENIZER.source_id("no such piece") == IDS.unk


def test_two_files_are_two_vocabularies() -> None:
    path = TINY_BUNDLE / SOURCE_TOKENIZER_NAME
    two = Tokenizer(path, path, IDS)
    assert two.encode_source("a dog", PAIR) == TOKENIZER.encode_source("a dog", PAIR)
    assert two.encode_target("ein Hund") == TOKENIZER.encode_target("ein Hund")
    assert two.vocab_size == TOKENIZER.vocab_size


def test_a_missing_file_raises() -> None:
    with pytest.raises((OSError, RuntimeError), match="nowhere"):
        Tokenizer(TINY_BUNDLE / "nowhere.spm", None, IDS)
