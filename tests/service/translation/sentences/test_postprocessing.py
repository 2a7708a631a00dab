"""The model's output as the translation of a sentence."""

import numpy as np
import pytest

from service.engine.search.options import Hypothesis
from service.translation.sentences.postprocessing import postprocess, postprocess_all
from service.translation.sentences.source_text import ReadOptions, SourceSentence, TextReader
from service.translation.sentences.target_text import Postprocessed
from tests.service.tiny_models import tiny_bundle

BUNDLE = tiny_bundle()
PAIR = BUNDLE.manifest.pairs[0]
READER = TextReader(BUNDLE, PAIR, ReadOptions())


def sentence_of(text: str) -> SourceSentence:
    (sentence,) = READER.read([text]).sentences
    return sentence


def translated(source: str, output: str) -> Postprocessed:
    return postprocess(sentence_of(source), hypothesis(output), BUNDLE, PAIR)


def hypothesis(text: str) -> Hypothesis:
    ids = tuple(BUNDLE.tokenizer.encode_target(text)[:-1])
    return Hypothesis(
        target_ids=ids, token_log_probs=(), finish_reason="stop", has_ended=True, score=0.0
    )


def test_bullets_case_and_symbols_are_restored() -> None:
    sentence = sentence_of("- PLEASE OPEN {Name} NOW 👍")
    assert sentence.preprocessed
    symbol = sentence.preprocessed.masked.symbols[0]
    found = postprocess(sentence, hypothesis(f"bitte {symbol} nun"), BUNDLE, PAIR)
    assert found == Postprocessed(text="- BITTE {Name} NUN 👍", is_complete=True, links=None)


def test_a_lost_symbol_makes_the_translation_incomplete() -> None:
    assert not translated("Open {Name} now", "offen nun").is_complete


def test_a_lost_symbol_is_placed_by_attention() -> None:
    sentence = sentence_of("Open {a} now")
    assert sentence.preprocessed
    output = hypothesis("offen es nun")
    # Each target piece attends to the source piece of equal rank, from the beginning of its word.
    text, spans = BUNDLE.tokenizer.target_text_and_spans(output.target_ids)
    source_spans = BUNDLE.tokenizer.source_spans(sentence.preprocessed.text)
    attention = [
        [float(_word(text, s) == _word(sentence.preprocessed.text, t)) for t in source_spans]
        + [0.0] * (len(sentence.source_ids) - len(source_spans))
        for s in spans
    ]
    found = postprocess(sentence, output, BUNDLE, PAIR, np.array(attention, dtype=np.float32))
    assert (found.text, found.is_complete) == ("offen {a} nun", True)
    assert found.links
    assert {found.text[slice(*link.target)] for link in found.links} == {"offen", "{a}", "nun"}


def _word(text: str, span: tuple[int, int]) -> int:
    """The number of the word that a span ends in."""
    return len(text[: span[1]].split())


@pytest.mark.parametrize("text", ["42", "{a}", ""])
def test_a_sentence_without_a_result_is_copied(text: str) -> None:
    sentences = READER.read([text]).sentences
    found = postprocess_all(sentences, [None] * len(sentences), BUNDLE, PAIR)
    assert "".join(sentence.best.text for sentence in found) == text
    assert not any(sentence.hypotheses or sentence.target_tokens for sentence in found)
