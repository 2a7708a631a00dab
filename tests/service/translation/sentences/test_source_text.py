from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.reader import Bundle
from service.errors import InvalidRequestError, TextTooLongError
from service.text.segmentation.segment import join
from service.translation.sentences.source_text import ReadOptions, SourceSentence, TextReader
from service.translation.text_limits import TextLimits
from tests.service.tiny_models import tiny_bundle

BUNDLE = tiny_bundle()
PAIR = BUNDLE.manifest.pairs[0]


def limited(max_source_tokens: int) -> Bundle:
    manifest = BUNDLE.manifest.model_copy(update={"max_source_tokens": max_source_tokens})
    return replace(BUNDLE, manifest=manifest)


def read_sentences(
    text: str, bundle: Bundle = BUNDLE, options: ReadOptions | None = None
) -> list[SourceSentence]:
    return TextReader(bundle, PAIR, options or ReadOptions()).read([text]).sentences


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_nothing_is_lost_and_everything_fits(text: str) -> None:
    sentences = read_sentences(text, limited(20))
    assert join(s.segment for s in sentences) == text
    for sentence in sentences:
        segment = sentence.segment
        assert text[segment.start : segment.end] == segment.text
        assert len(sentence.source_ids) <= 20
        assert not sentence.source_ids or any(map(str.isalpha, segment.text))


def test_ids_are_those_of_the_tokenizer() -> None:
    first, second = read_sentences("One two. Three four")
    assert first.source_ids == tuple(BUNDLE.tokenizer.encode_source("One two.", PAIR))
    assert second.source_ids == tuple(BUNDLE.tokenizer.encode_source("Three four", PAIR))


def test_an_over_long_sentence_is_cut_at_its_limit_and_not_far_below() -> None:
    limit = 12
    sentences = read_sentences("one two three four five six " * 20, limited(limit))
    assert len(sentences) > 1
    assert all(len(s.source_ids) > limit // 2 for s in sentences[:-1])
    assert sentences[-1].segment.separator == " "


@pytest.mark.parametrize("text", ["123", "?!", "😀 👍🏽", "3.50 €", "—"])
def test_what_has_no_letters_needs_no_model(text: str) -> None:
    assert [s.source_ids for s in read_sentences(text)] == [()]


@pytest.mark.parametrize("text", ["", " ", "\r\n\t"])
def test_a_blank_text_has_no_sentence(text: str) -> None:
    assert not any(s.segment.text for s in read_sentences(text))


def test_half_a_surrogate_pair_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidRequestError, match="character 3 is half of a surrogate pair"):
        read_sentences("abc\ud800")


def test_a_character_that_never_fits_is_refused() -> None:
    with pytest.raises(TextTooLongError, match="this model takes 1"):
        read_sentences("ab", limited(1))


def test_texts_of_more_sentences_than_allowed_are_refused() -> None:
    options = ReadOptions(limits=TextLimits(max_sentences=3))
    assert len(TextReader(BUNDLE, PAIR, options).read(["A b.\nC d.", "E f."]).sentences) == 3
    with pytest.raises(InvalidRequestError) as error:
        TextReader(BUNDLE, PAIR, options).read(["A b.\nC d.", "E f.\nG h."])
    assert "at least 4 sentences; the limit is 3: send them in several" in str(error.value)
