import asyncio
from dataclasses import replace

import numpy as np
import pytest

from service.engine.offline import decode_batch
from service.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    OverloadedError,
    PayloadTooLargeError,
    UnsupportedLanguageError,
)
from service.inspection.replay import NUMBERS_PER_CANDIDATE
from service.inspection.values import (
    AttentionSelection,
)
from service.scheduling.limits import AdmissionLimits
from service.translation.sentences.decode_options import decode_options
from tests.service.tiny_models import Running, running
from tests.service.translation.requests import (
    request_of,
    sentence_of,
    translate,
    translate_one,
)
from tests.service.waiting import eventually


async def turns() -> None:
    """Let other tasks come as far as they can without waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_the_canary_sentence_becomes_its_translation(service: Running) -> None:
    bundle = service.model.bundle
    canary = bundle.manifest.canary
    translation = translate_one(service, canary.source_text, beam_size=1)
    assert translation.text.strip() == bundle.tokenizer.decode_target(canary.target_ids)


def test_white_space_and_order_come_back(service: Running) -> None:
    sentence = sentence_of(service)
    alone = translate_one(service, sentence).text
    result = translate(service, f"  {sentence}\r\n\r\n{sentence}\t", sentence, f"\n{sentence}")
    assert [t.text for t in result.translations] == [
        f"  {alone}\r\n\r\n{alone}\t",
        alone,
        f"\n{alone}",
    ]


@pytest.mark.parametrize("text", ["", "  \n", "4711", "😀👍🏽", "... !?", "1.5\n2.5"])
def test_a_text_without_letters_comes_back_without_a_model(service: Running, text: str) -> None:
    before = service.counted("decode_steps_total")
    translation = translate_one(service, text, num_alternatives=2)
    assert (translation.text, translation.alternatives) == (text, ())
    assert service.counted("decode_steps_total") == before


def test_sentences_tell_where_they_are(service: Running) -> None:
    text = f" {sentence_of(service)}\n12\n{sentence_of(service)} "
    translation = translate_one(service, text)
    assert len(translation.sentences) == 3
    for sentence in translation.sentences:
        assert text[slice(*sentence.source_span)] == sentence.source
        assert translation.text[slice(*sentence.target_span)] == sentence.translation


def test_a_sentence_has_tokens_and_scores(service: Running) -> None:
    (sentence,) = translate_one(service, sentence_of(service)).sentences
    assert sentence.source_tokens[-1] == "</s>"
    assert len(sentence.target_tokens) == len(sentence.token_log_probs) > 0
    assert sentence.score == pytest.approx(sum(sentence.token_log_probs))
    assert sentence.score < 0


def test_scores_are_left_out_where_they_are_not_needed(service: Running) -> None:
    scored = translate_one(service, sentence_of(service), beam_size=1)
    plain = translate_one(service, sentence_of(service), beam_size=1, with_scores=False)
    assert plain.text == scored.text
    assert plain.sentences[0].token_log_probs == ()


def test_a_sentence_that_was_cut_off_says_so(service: Running) -> None:
    before = service.counted("truncated_total")
    (sentence,) = translate_one(service, sentence_of(service), max_target_tokens=1).sentences
    assert (sentence.finish_reason, sentence.truncated) == ("length", True)
    assert len(sentence.target_tokens) == 1
    assert service.counted("truncated_total") == before + 1


def test_long_input_is_split_and_never_cut(service: Running) -> None:
    limit = service.model.bundle.manifest.max_source_tokens
    word = sentence_of(service).split()[0].strip(".,")
    text = f"{word} " * (2 * limit)
    translation = translate_one(service, text, max_target_tokens=4)
    assert len(translation.sentences) > 1
    assert all(len(s.source_tokens) <= limit for s in translation.sentences)
    assert " ".join(s.source for s in translation.sentences) == text.strip()


def test_alternatives_are_other_texts(service: Running) -> None:
    translation = translate_one(service, sentence_of(service), beam_size=1, num_alternatives=3)
    texts = [translation.text, *translation.alternatives]
    assert len(translation.alternatives) == 3
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_neighbours_change_nothing(service: Running, beam_size: int) -> None:
    words = sentence_of(service).split()
    texts = [" ".join(words[: i % len(words) + 1]) for i in range(20)]
    together = translate(service, *texts, beam_size=beam_size).translations
    alone = [translate_one(service, text, beam_size=beam_size) for text in texts]
    assert list(together) == alone


def test_it_gives_what_the_engine_gives(service: Running) -> None:
    bundle = service.model.bundle
    source_ids = bundle.tokenizer.encode_source(sentence_of(service), service.pair)
    (sentence,) = translate_one(service, sentence_of(service), beam_size=2).sentences
    request = replace(request_of(service), beam_size=2)
    options = decode_options(request, bundle.manifest)
    ((best,),) = decode_batch(service.model.sessions, [source_ids], options)
    assert sentence.translation == bundle.tokenizer.decode_target(best.target_ids)
    assert sentence.token_log_probs == best.token_log_probs


def test_stages_are_timed_and_counted(service: Running) -> None:
    before = service.counted("stage_seconds_count", stage="decode")
    times = translate(service, sentence_of(service)).times
    assert min(times.tokenize, times.encode, times.decode, times.detokenize) > 0
    assert times.queue >= 0
    assert service.counted("stage_seconds_count", stage="decode") == before + 1


def test_much_text_is_read_in_another_thread_with_the_same_result(service: Running) -> None:
    sentence = sentence_of(service)
    text = f"{sentence}\n" * (8_000 // len(sentence) + 2)
    result = translate_one(service, text, max_target_tokens=3)
    short = translate_one(service, sentence, max_target_tokens=3)
    assert result.text == f"{short.text}\n" * text.count("\n")


@pytest.mark.parametrize(("source", "target"), [("xx", None), (None, "xx")])
def test_an_unknown_language_is_refused(
    service: Running, source: str | None, target: str | None
) -> None:
    source, target = source or service.pair.source, target or service.pair.target
    with pytest.raises(UnsupportedLanguageError, match="is not supported"):
        translate(service, "a", source=source, target=target)


def test_a_bad_option_is_refused_before_anything_runs(service: Running) -> None:
    before = service.counted("decode_steps_total")
    with pytest.raises(InvalidRequestError, match="beam_size"):
        translate(service, sentence_of(service), beam_size=99)
    with pytest.raises(InvalidRequestError, match="layer 99"):
        translate(service, sentence_of(service), attention=AttentionSelection(layers=(99,)))
    assert service.counted("decode_steps_total") == before


def test_a_missed_deadline_is_told(service: Running) -> None:
    with pytest.raises(DeadlineExceededError):
        translate(service, sentence_of(service), timeout_s=0.0)


def test_a_full_queue_refuses_the_whole_request() -> None:
    limits = AdmissionLimits(max_queued_jobs=1)
    with running(is_started=False, limits=limits) as service:

        async def scenario() -> None:
            text = sentence_of(service)
            request = request_of(service, text)
            first = asyncio.create_task(service.translator.translate(request))
            await turns()
            other = request_of(service, text.split()[0])
            with pytest.raises(OverloadedError) as caught:
                await service.translator.translate(other)
            assert caught.value.retry_after_s >= 1
            service.registry.start()
            assert (await first).translations[0].text

        asyncio.run(scenario())


def test_cancelling_a_request_cancels_its_sentences() -> None:
    with running(is_started=False) as service:

        async def scenario() -> None:
            words = sentence_of(service).split()
            texts = tuple(" ".join(words[i:]) for i in range(3))  # equal ones would share a run
            request = request_of(service, *texts)
            task = asyncio.create_task(service.translator.translate(request))
            await turns()  # its lanes submit
            assert service.counted("queue_depth") == len(texts)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(scenario())
        service.registry.start()
        eventually(lambda: not service.registry.is_busy)
        assert service.counted("cancelled_total", reason="client") == 3


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_search_leads_to_the_translation(service: Running, beam_size: int) -> None:
    text = sentence_of(service)
    plain = translate_one(service, text, beam_size=beam_size)
    traced = translate_one(service, text, beam_size=beam_size, with_search=True)
    assert traced.text == plain.text
    for sentence in traced.sentences:
        search = sentence.search
        assert search is not None
        assert search.beam_size == beam_size
        results = [c for step in search.steps for c in step if c.is_result]
        assert tuple(c.token for c in results) == sentence.target_tokens
        assert np.log([c.probability for c in results]) == pytest.approx(sentence.token_log_probs)
        assert results[-1].log_prob == pytest.approx(sentence.score)
        assert {len(step) for step in search.steps} == {8}
        assert search.stop == ("end" if beam_size == 1 else "overtaken")
    assert all(s.search is None for s in plain.sentences)


def test_a_text_without_letters_has_no_search(service: Running) -> None:
    (sentence,) = translate_one(service, "42", with_search=True).sentences
    assert sentence.search is None


def test_searches_have_the_bound_of_a_reply(service: Running) -> None:
    text = sentence_of(service)
    steps = 10
    numbers = steps * 8 * NUMBERS_PER_CANDIDATE
    with running(max_attention_cells=numbers) as bounded:
        translate(bounded, text, max_target_tokens=steps, with_search=True)
        with pytest.raises(PayloadTooLargeError, match="searches of 2 sentences"):
            translate(bounded, text, text, max_target_tokens=steps, with_search=True)
        with pytest.raises(PayloadTooLargeError):
            translate(bounded, text, max_target_tokens=steps, beam_size=5, with_search=True)
