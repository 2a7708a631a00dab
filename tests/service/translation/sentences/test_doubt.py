"""Doubt about words survives what happens to an output before a reader sees it."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.doubt import DEFAULT_DOUBT
from service.engine.search.options import Hypothesis
from service.text.checks import check
from service.translation.sentences.doubt import (
    confidence_by_way,
    confidence_in,
    doubt_of,
    doubtful_spans,
    marked_words,
)
from service.translation.sentences.fragments import cut, join_fragments
from service.translation.sentences.postprocessing import postprocess, postprocess_all
from service.translation.sentences.source_text import ReadOptions, SourceSentence, TextReader
from service.translation.values import (
    Confidence,
    SentenceTranslation,
    TranslatedWord,
    TranslateRequest,
)
from tests.data.toy_language import sentence_pairs
from tests.service.tiny_models import Running, altered_copy, renamed_copy, running, tiny_bundle

BUNDLE = tiny_bundle()
PAIR = BUNDLE.manifest.pairs[0]
READER = TextReader(BUNDLE, PAIR, ReadOptions())
SENTENCES = [source[0].upper() + source[1:] for source, _ in sentence_pairs(40, seed=7)]
UNSURE, SURE = -9.0, -0.01


def sentence_of(text: str) -> SourceSentence:
    (sentence,) = READER.read([text]).sentences
    return sentence


def hypothesis(text: str, doubtful: str = "", *, has_ended: bool = True) -> Hypothesis:
    """An output in which every token with a character of `doubtful` is improbable."""
    ids = tuple(BUNDLE.tokenizer.encode_target(text)[:-1])
    shown, spans = BUNDLE.tokenizer.target_text_and_spans(ids)
    start = shown.index(doubtful) if doubtful else len(shown)
    end = start + len(doubtful)
    log_probs = [UNSURE if a < end and b > start else SURE for a, b in spans]
    return Hypothesis(
        target_ids=ids,
        token_log_probs=(*log_probs, *([SURE] if has_ended else [])),
        finish_reason="stop" if has_ended else "length",
        has_ended=has_ended,
        score=-1.0,
    )


def marked(words: Sequence[TranslatedWord]) -> list[str]:
    return [word.text for word in words if word.doubt]


def words_of(source: str, output: Hypothesis) -> tuple[TranslatedWord, ...]:
    found = postprocess(sentence_of(source), output, BUNDLE, PAIR, with_words=True)
    assert all(found.text[word.start : word.end] == word.text for word in found.words)
    return found.words


def test_the_improbable_word_is_marked_and_no_other() -> None:
    words = words_of("The old house.", hypothesis("das alte Haus.", "alte"))
    assert [word.text for word in words] == ["das", "alte", "Haus"]
    assert marked(words) == ["alte"]


def test_marks_follow_bullets_capitals_and_symbols() -> None:
    sentence = sentence_of("- PLEASE OPEN {Name} NOW 👍")
    assert sentence.preprocessed
    symbol = sentence.preprocessed.masked.symbols[0]
    output = hypothesis(f"bitte {symbol} nun", "nun")
    found = postprocess(sentence, output, BUNDLE, PAIR, with_words=True)
    assert found.text == "- BITTE {Name} NUN 👍"
    assert marked(found.words) == ["NUN"]
    lost = postprocess(
        sentence, hypothesis(f"bitte {symbol} nun", symbol), BUNDLE, PAIR, with_words=True
    )
    assert marked(lost.words) == ["Name"]


def test_without_words_nothing_is_rated() -> None:
    output = hypothesis("das alte Haus.", "alte")
    assert postprocess(sentence_of("The old house."), output, BUNDLE, PAIR).words == ()


def test_another_number_of_words_leaves_all_unmarked() -> None:
    output = hypothesis("das alte Haus", "alte")
    assert doubtful_spans(output, BUNDLE, "DAS ALTE HAUS") == [(4, 8)]
    assert doubtful_spans(output, BUNDLE, "DAS HAUS") == []


def test_fragments_keep_their_marks_in_place() -> None:
    fragments = cut(sentence_of("- Open the house of {a} now"), READER)
    outputs = [hypothesis("offen das Haus von", "Haus"), hypothesis("nun", "nun")]
    found = join_fragments(fragments, outputs, BUNDLE, with_words=True)
    assert found.best.text == "- offen das Haus von {a} nun"
    assert marked(found.best.words) == ["Haus", "nun"]
    assert found.confidence is not None and found.confidence.is_low


def test_a_name_that_is_put_back_keeps_its_doubt() -> None:
    known = {"en": frozenset(("the", "man", "sees")), "de": frozenset(("der", "mann", "sieht"))}
    bundle = replace(BUNDLE, known_words=known)
    output = hypothesis("der Mann sieht Korbyn", "Korbyn")
    found = postprocess(sentence_of("The man sees Corbyn"), output, bundle, PAIR, with_words=True)
    assert (found.text, marked(found.words)) == ("der Mann sieht Corbyn", ["Corbyn"])


def test_marked_words_touch_a_doubtful_span() -> None:
    words = marked_words("a bc, d", [(2, 3), (6, 7)])
    assert [(w.text, w.doubt) for w in words] == [("a", False), ("bc", True), ("d", True)]


def test_confidence_needs_scores_and_an_end() -> None:
    sure = hypothesis("das Haus")
    found = confidence_in(sure, BUNDLE)
    assert found is not None and found.value > 0.9 and not found.is_low
    assert confidence_in(replace(sure, token_log_probs=()), BUNDLE) is None
    cut_off = confidence_in(hypothesis("das Haus", has_ended=False), BUNDLE)
    assert cut_off == Confidence(value=0.0, is_low=True)


def test_the_limits_are_those_of_the_bundle() -> None:
    assert doubt_of(BUNDLE) == DEFAULT_DOUBT
    own = DEFAULT_DOUBT.model_copy(update={"low_confidence": 1.0, "low_word": -1e-3})
    manifest = BUNDLE.manifest.model_copy(update={"doubt": own})
    strict = replace(BUNDLE, manifest=manifest)
    found = confidence_in(hypothesis("das Haus"), strict)
    assert found is not None and found.is_low
    assert doubtful_spans(hypothesis("das"), strict, "das") == [(0, 3)]


def test_two_models_both_have_to_be_right() -> None:
    first, second = Confidence(value=0.8, is_low=False), Confidence(value=0.6, is_low=False)
    both = confidence_by_way(first, second, BUNDLE)
    assert both is not None and both.is_low
    assert both.value == pytest.approx(0.48)
    assert confidence_by_way(None, second, BUNDLE) is None


def test_what_no_model_translated_has_words_without_doubt() -> None:
    (found,) = postprocess_all([sentence_of("42")], [None], BUNDLE, PAIR, with_words=True)
    assert [(word.text, word.doubt) for word in found.best.words] == [("42", False)]


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service


def translate(service: Running, text: str, **fields: object) -> tuple[SentenceTranslation, ...]:
    options = {"source": "en", "target": "de"} | fields
    request = TranslateRequest(texts=(text,), **options)  # type: ignore[arg-type]
    return asyncio.run(service.translator.translate(request)).translations[0].sentences


def test_every_sentence_has_confidence_words_and_checks_where_they_are_asked_for(
    service: Running,
) -> None:
    text = " ".join([*SENTENCES[:3], "42."])
    for sentence in translate(service, text, with_doubt=True):
        assert sentence.confidence is not None and 0 <= sentence.confidence <= 1
        assert "".join(w.text for w in sentence.words) in sentence.translation.replace(" ", "")
        pair = (sentence.source, sentence.translation, "en", "de")
        assert sentence.checks == (check(*pair) if sentence.target_tokens else ())
    plain = translate(service, SENTENCES[0])[0]
    assert (plain.words, plain.checks) == ((), ())
    assert plain.confidence is not None


def test_confidence_does_not_depend_on_what_else_is_asked_for(service: Running) -> None:
    text = SENTENCES[3]
    found = {
        translate(service, text, **fields)[0].confidence
        for fields in ({}, {"with_doubt": True}, {"with_alignment": True, "with_doubt": True})
    }
    assert len(found) == 1


def test_greedy_search_without_scores_has_no_confidence(service: Running) -> None:
    (sentence,) = translate(service, SENTENCES[0], beam_size=1, with_scores=False)
    assert sentence.confidence is None
    assert not sentence.is_doubtful


def test_a_sentence_without_letters_is_certain(service: Running) -> None:
    (sentence,) = translate(service, "42", with_doubt=True)
    assert sentence.confidence == 1


def test_streamed_sentences_are_rated_like_others(service: Running) -> None:
    async def streamed() -> list[SentenceTranslation]:
        request = TranslateRequest(
            texts=(" ".join(SENTENCES[:3]),), source="en", target="de", with_doubt=True
        )
        return [s async for part in service.translator.stream(request) for s in part.sentences]

    whole = translate(service, " ".join(SENTENCES[:3]), with_doubt=True)
    assert tuple(asyncio.run(streamed())) == whole


def test_doubtful_sentences_are_counted_by_pair(tmp_path: Path) -> None:
    strict = DEFAULT_DOUBT.model_copy(update={"low_confidence": 1.0}).model_dump(mode="json")
    folder = altered_copy(tmp_path / "strict", doubt=strict)
    with running(folder=folder) as service:
        translate(service, " ".join(SENTENCES[:3]))
        assert service.counted("low_confidence_total", pair="en->de") == 3


def test_by_way_of_a_third_language_both_models_are_rated(tmp_path: Path) -> None:
    for source, target in (("en", "de"), ("de", "it")):
        renamed_copy(tmp_path / f"{source}-{target}", source, target)
    with running(folder=tmp_path) as service:
        (whole,) = translate(service, SENTENCES[0], target="it", with_doubt=True)
        (first,) = translate(service, SENTENCES[0])
        (second,) = translate(service, first.translation, source="de", target="it", with_doubt=True)
    assert first.confidence is not None and second.confidence is not None
    assert whole.confidence == pytest.approx(first.confidence * second.confidence, abs=1e-3)
    assert whole.words == second.words


def test_marks_follow_numbers_that_are_mended() -> None:
    output = hypothesis("der alte Baum hat 1,234.5 Blumen.", "Blumen")
    found = postprocess(
        sentence_of("The old tree has 1,234.5 flowers."), output, BUNDLE, PAIR, with_words=True
    )
    assert "1.234,5" in found.text
    assert all(found.text[word.start : word.end] == word.text for word in found.words)
    assert marked(found.words) == ["Blumen"]
