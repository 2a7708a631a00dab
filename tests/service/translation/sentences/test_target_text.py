from collections.abc import Sequence

import pytest

from service.engine.search.options import FinishReason, Hypothesis
from service.scheduling.job import JobResult
from service.text.segmentation.segment import Segment
from service.translation.sentences.postprocessing import postprocess_all
from service.translation.sentences.source_text import (
    ReadOptions,
    SourcePassage,
    SourceSentence,
    SourceTexts,
    TextReader,
)
from service.translation.sentences.target_text import (
    Postprocessed,
    TranslatedSentence,
    assemble_all,
)
from service.translation.values import Translation
from tests.service.tiny_models import tiny_bundle

BUNDLE = tiny_bundle()
EOS = BUNDLE.tokenizer.target_pieces([BUNDLE.manifest.special_ids.eos])[0]


def hypothesis(text: str, reason: FinishReason = "stop") -> Hypothesis:
    ids = tuple(BUNDLE.tokenizer.encode_target(text)[:-1])
    count = len(ids) + (reason == "stop")
    return Hypothesis(
        target_ids=ids,
        token_log_probs=(-0.5,) * count,
        finish_reason=reason,
        has_ended=reason == "stop",
        score=-0.5,
    )


def result(*hypotheses: Hypothesis) -> JobResult:
    return JobResult(hypotheses=hypotheses, queue_s=0.0, encode_s=0.0, decode_s=0.0)


def translated(segment: Segment, *texts: str) -> TranslatedSentence:
    """A sentence with translations, best first; without any it is left as it is."""
    best, *others = texts or (segment.text,)
    return TranslatedSentence(
        source=SourceSentence(segment=segment),
        best=Postprocessed(text=best),
        alternatives=tuple(Postprocessed(text=text) for text in others),
        hypotheses=tuple(hypothesis(text) for text in texts),
    )


def assembled(sentences: Sequence[TranslatedSentence], num_alternatives: int = 0) -> Translation:
    passage = SourcePassage(sentences=range(len(sentences)))
    source = SourceTexts(texts=((passage,),), sentences=[s.source for s in sentences])
    (translation,) = assemble_all(source, sentences, num_alternatives)
    return translation


FIRST = Segment(text="One.", separator="\n\n", start=2)
LAST = Segment(text="Two.", separator=" ", start=8)


def test_translations_are_joined_by_the_original_white_space() -> None:
    leading = translated(Segment(text="", separator="  ", start=0))
    result = assembled([leading, translated(FIRST, "eins a"), translated(LAST, "zwei")])
    assert result.text == "  eins a\n\nzwei "
    assert [s.source_span for s in result.sentences] == [(2, 6), (8, 12)]
    assert [result.text[slice(*s.target_span)] for s in result.sentences] == ["eins a", "zwei"]


def test_what_needed_no_model_is_kept_and_has_no_tokens() -> None:
    (sentence,) = assembled([translated(Segment(text="42", separator="", start=0))]).sentences
    assert (sentence.source, sentence.translation) == ("42", "42")
    assert not (sentence.source_tokens or sentence.target_tokens or sentence.token_log_probs)
    assert (sentence.finish_reason, sentence.truncated) == ("stop", False)


@pytest.mark.parametrize(("reason", "is_cut"), [("stop", False), ("length", True)])
def test_a_sentence_says_how_it_ended(reason: FinishReason, is_cut: bool) -> None:
    pair = BUNDLE.manifest.pairs[0]
    read = TextReader(BUNDLE, pair, ReadOptions()).read(["One."])
    best = hypothesis("eins", reason)
    sentences = postprocess_all(read.sentences, [result(best)], BUNDLE, pair)
    (details,) = assembled(sentences).sentences
    assert (details.finish_reason, details.truncated) == (reason, is_cut)
    assert (details.target_tokens[-1] == EOS) == (not is_cut)
    assert len(details.target_tokens) == len(details.token_log_probs)
    assert details.score == sum(best.token_log_probs)


def test_alternatives_join_the_sentences_of_equal_rank() -> None:
    sentences = [translated(FIRST, "a", "b", "c"), translated(LAST, "d", "e")]
    result = assembled(sentences, num_alternatives=2)
    assert result.text == "a\n\nd "
    assert result.alternatives == ("b\n\ne ", "c\n\ne ")


def test_alternatives_differ_from_the_text_and_from_each_other() -> None:
    result = assembled([translated(FIRST, "a", "a", "b", "b", "c")], num_alternatives=3)
    assert result.alternatives == ("b\n\n", "c\n\n")


def test_there_are_no_alternatives_unless_asked_for() -> None:
    assert assembled([translated(FIRST, "a", "b")]).alternatives == ()
