import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import TypedDict, Unpack

import numpy as np
import pytest

from service.engine.ablation import Heads, bundle_without, canonical
from service.engine.graphs.attention_pass import attend as attend_pairs
from service.engine.graphs.sessions import open_sessions
from service.engine.inspection import AttentionKind
from service.engine.offline import decode_batch
from service.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    OverloadedError,
    PayloadTooLargeError,
    TextTooLongError,
    UnsupportedLanguageError,
)
from service.inspection.replay import NUMBERS_PER_CANDIDATE
from service.inspection.values import (
    AttentionMaps,
    AttentionRequest,
    AttentionSelection,
    InspectedPair,
    ScoreRequest,
)
from service.scheduling.limits import AdmissionLimits
from service.translation.sentences.decode_options import decode_options
from service.translation.values import TranslateRequest, TranslateResult, Translation
from tests.service.tiny_models import Running, running
from tests.service.waiting import eventually

ALL = AttentionSelection(kinds=("encoder", "decoder", "cross"))


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service


class Fields(TypedDict, total=False):
    """What a request may say beside its texts."""

    source: str
    target: str
    beam_size: int | None
    max_target_tokens: int | None
    num_alternatives: int
    with_scores: bool
    with_search: bool
    without_heads: Heads
    attention: AttentionSelection | None
    timeout_s: float | None


class AttentionFields(TypedDict, total=False):
    """Likewise for attention."""

    translations: tuple[str, ...] | None
    contrasts: tuple[str, ...] | None
    selection: AttentionSelection
    without_heads: Heads


async def turns() -> None:
    """Let other tasks come as far as they can without waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


def request_of(service: Running, *texts: str) -> TranslateRequest:
    return TranslateRequest(texts=texts, source=service.pair.source, target=service.pair.target)


def translate(service: Running, *texts: str, **fields: Unpack[Fields]) -> TranslateResult:
    request = replace(request_of(service, *texts), **fields)
    return asyncio.run(service.translator.translate(request))


def translate_one(service: Running, text: str, **fields: Unpack[Fields]) -> Translation:
    (translation,) = translate(service, text, **fields).translations
    return translation


def attend(service: Running, *texts: str, **fields: Unpack[AttentionFields]) -> list[InspectedPair]:
    source, target = service.pair.source, service.pair.target
    request = AttentionRequest(texts=texts, source=source, target=target, **fields)
    return asyncio.run(service.translator.attention(request))


def sentence_of(service: Running) -> str:
    return service.model.bundle.manifest.canary.source_text.strip()


def assert_equal_maps(first: AttentionMaps, second: AttentionMaps) -> None:
    assert first.source_tokens == second.source_tokens
    assert first.target_tokens == second.target_tokens
    assert first.token_log_probs == second.token_log_probs
    assert first.maps.keys() == second.maps.keys()
    for kind, values in first.maps.items():
        np.testing.assert_array_equal(values, second.maps[kind])


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


def test_every_request_is_answered_without_the_heads_it_leaves_out(service: Running) -> None:
    text, pair, heads = sentence_of(service), service.pair, canonical([("cross", 0, 1)])
    sessions = open_sessions(bundle_without(service.model.bundle, heads))
    source_ids = service.model.bundle.tokenizer.encode_source(text, pair)
    options = decode_options(request_of(service, text), service.model.bundle.manifest)
    ((best, *_),) = decode_batch(sessions, [source_ids], options)
    expected = service.model.bundle.tokenizer.decode_target(best.target_ids)
    assert translate_one(service, text, without_heads=heads).text == expected
    (ours,) = attend(service, text, without_heads=heads, selection=ALL)
    assert ours.translation == expected
    (given,) = attend(service, text, translations=("abc",), without_heads=heads, selection=ALL)
    target_ids = service.model.bundle.tokenizer.encode_target("abc")
    (found,) = attend_pairs(sessions, [source_ids], [target_ids])
    np.testing.assert_array_equal(given.sentences[0].attention.maps["cross"], found.cross)
    request = ScoreRequest(pairs=((text, "abc"),), source=pair.source, target=pair.target)
    (without,) = asyncio.run(service.translator.score(replace(request, without_heads=heads)))
    (whole,) = asyncio.run(service.translator.score(request))
    assert without.token_log_probs == tuple(found.log_probs.tolist())
    assert whole.token_log_probs != without.token_log_probs


def test_an_ablation_does_not_touch_the_whole_model(service: Running) -> None:
    text = sentence_of(service)
    before = translate_one(service, text, with_search=True)
    translate_one(service, text, without_heads=canonical([("encoder", 0, 0), ("decoder", 1, 2)]))
    assert translate_one(service, text, with_search=True) == before


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (("encoder", 9, 0), "layer 9 does not exist; encoder layers are"),
        (("cross", 0, 99), "head 99 does not exist; cross heads are"),
    ],
)
def test_heads_that_do_not_exist_are_refused(
    service: Running, head: tuple[AttentionKind, int, int], reason: str
) -> None:
    with pytest.raises(InvalidRequestError, match=reason):
        translate(service, "a", without_heads=canonical([head]))
    with pytest.raises(InvalidRequestError, match=reason):
        attend(service, "a", translations=("b",), without_heads=canonical([head]))


def test_heads_are_left_out_of_a_named_direction_only(service: Running) -> None:
    request = replace(
        request_of(service, "a"), source="auto", without_heads=canonical([("cross", 0, 0)])
    )
    with pytest.raises(InvalidRequestError, match="name the source language"):
        asyncio.run(service.translator.translate(request))


def test_attention_beside_a_translation_equals_attention_by_itself(service: Running) -> None:
    text = f"{sentence_of(service)}\n7\n{' '.join(sentence_of(service).split()[:2])}"
    translation = translate_one(service, text, attention=ALL)
    (pair,) = attend(service, text, selection=ALL)
    assert pair.translation == translation.text
    ran = [s for s in translation.sentences if s.attention]
    assert len(ran) == len(pair.sentences) == 2
    for ours, theirs in zip(ran, pair.sentences, strict=True):
        assert (ours.source_span, ours.target_span) == (theirs.source_span, theirs.target_span)
        assert ours.attention is not None
        assert_equal_maps(ours.attention, theirs.attention)


def test_attention_names_the_tokens_of_its_sentence(service: Running) -> None:
    for max_target_tokens in (1, None):
        (sentence,) = translate_one(
            service, sentence_of(service), max_target_tokens=max_target_tokens, attention=ALL
        ).sentences
        assert sentence.attention is not None
        assert sentence.attention.source_tokens == sentence.source_tokens
        assert sentence.attention.target_tokens == sentence.target_tokens
        np.testing.assert_allclose(
            sentence.attention.token_log_probs, sentence.token_log_probs, atol=1e-3
        )


def test_a_given_translation_is_inspected_as_one_pair(service: Running) -> None:
    tokenizer = service.model.bundle.tokenizer
    given = " abc def. ghi\n"
    (pair,) = attend(service, "One. Two.", translations=(given,))
    (sentence,) = pair.sentences
    assert (pair.source, pair.translation) == ("One. Two.", given)
    assert sentence.target_span == (1, len(given) - 1)
    assert sentence.attention.target_tokens == tuple(
        tokenizer.target_pieces(tokenizer.encode_target(given.strip()))
    )


def test_our_own_translation_given_back_has_the_same_maps(service: Running) -> None:
    bundle = service.model.bundle
    (ours,) = attend(service, sentence_of(service))
    (given,) = attend(service, sentence_of(service), translations=(ours.translation,))
    ids = bundle.tokenizer.encode_target(ours.translation)
    generated = ours.sentences[0].attention
    assert tuple(bundle.tokenizer.target_pieces(ids)) == generated.target_tokens
    assert_equal_maps(generated, given.sentences[0].attention)


def test_a_contrast_has_the_difference_of_both_scores(service: Running) -> None:
    text, given, other = sentence_of(service), "abc def.", "abc ghi def."
    (pair,) = attend(service, text, translations=(given,), contrasts=(other,), selection=ALL)
    (alone,) = attend(service, text, translations=(other,), selection=ALL)
    scored = asyncio.run(
        service.translator.score(
            ScoreRequest(
                pairs=((text, given), (text, other)),
                source=service.pair.source,
                target=service.pair.target,
            )
        )
    )
    contrast = pair.contrast
    assert contrast is not None
    assert contrast.target_tokens == alone.sentences[0].attention.target_tokens
    assert contrast.token_log_probs == alone.sentences[0].attention.token_log_probs
    assert contrast.score_difference == pytest.approx(scored[0].log_prob - scored[1].log_prob)


def test_what_two_translations_begin_with_has_no_difference(service: Running) -> None:
    (pair,) = attend(
        service,
        sentence_of(service),
        translations=("abc def.",),
        contrasts=("abc ghi def.",),
        selection=ALL,
    )
    contrast = pair.contrast
    assert contrast is not None
    first = contrast.first_difference
    assert first is not None and first > 0
    assert not any(contrast.score_differences[:first])
    assert contrast.score_differences[first] != 0
    # The row of a token is that of the tokens before it, which are the same up to the choice.
    assert not contrast.maps["cross"][:, :, : first + 1].any()
    assert contrast.maps["cross"][:, :, first + 1].any()


def test_occlusion_tells_what_spoke_for_a_choice(service: Running) -> None:
    (pair,) = attend(
        service,
        sentence_of(service),
        translations=("abc def.",),
        contrasts=("abc ghi def.",),
        selection=AttentionSelection(method="occlusion"),
    )
    contrast = pair.contrast
    assert contrast is not None and contrast.contributions is not None
    assert not contrast.maps
    first = contrast.first_difference
    assert first is not None
    np.testing.assert_allclose(contrast.contributions.source[:first], 0, atol=1e-5)
    assert np.abs(contrast.contributions.source[first]).max() > 1e-3


def test_our_translation_is_contrasted_as_one_sentence(service: Running) -> None:
    text = f"{sentence_of(service)} {sentence_of(service)}"
    ours = translate_one(service, text).text
    (pair,) = attend(service, text, contrasts=("abc",))
    (given,) = attend(service, text, translations=(ours,), contrasts=("abc",))
    (equal,) = attend(service, text, contrasts=(ours,))
    assert pair.translation == ours
    assert pair.contrast and given.contrast and equal.contrast
    assert pair.contrast.steps == given.contrast.steps
    assert pair.contrast.score_differences == given.contrast.score_differences
    np.testing.assert_array_equal(pair.contrast.maps["cross"], given.contrast.maps["cross"])
    assert equal.contrast.first_difference is None
    assert not equal.contrast.maps["cross"].any()


def test_differences_count_among_the_numbers_of_a_reply(service: Running) -> None:
    text, given = sentence_of(service), "abc def."
    (pair,) = attend(service, text, translations=(given,))
    cells = pair.sentences[0].attention.maps["cross"].size
    with running(max_attention_cells=cells) as bounded:
        attend(bounded, text, translations=(given,))
        with pytest.raises(PayloadTooLargeError):
            attend(bounded, text, translations=(given,), contrasts=(given,))
    with running(max_attention_cells=3 * cells) as bounded:
        attend(bounded, text, translations=(given,), contrasts=(given,))


def test_a_text_without_letters_has_no_attention_of_ours(service: Running) -> None:
    (pair,) = attend(service, "42")
    assert (pair.translation, pair.sentences) == ("42", ())


def test_every_text_needs_a_translation_if_any_has_one(service: Running) -> None:
    with pytest.raises(InvalidRequestError, match="2 texts, but 1 translations"):
        attend(service, "a", "b", translations=("a",))
    with pytest.raises(InvalidRequestError, match="2 texts, but 1 contrasts"):
        attend(service, "a", "b", contrasts=("a",))


@pytest.mark.parametrize("name", ["text", "translation"])
def test_a_given_pair_must_fit_into_the_model(service: Running, name: str) -> None:
    manifest = service.model.bundle.manifest
    limit = manifest.max_source_tokens if name == "text" else manifest.max_target_tokens
    long = "x1 " * (limit + 1)
    both = (long, "a") if name == "text" else ("a", long)
    with pytest.raises(TextTooLongError, match=f"the {name} has .* the limit is {limit}"):
        attend(service, both[0], translations=(both[1],))


def test_half_a_surrogate_pair_is_refused_on_either_side(service: Running) -> None:
    for text, given in (("\ud800", None), ("\ud800", ("a",)), ("a", ("\ud800",))):
        with pytest.raises(InvalidRequestError, match="surrogate"):
            attend(service, text, translations=given)


def test_too_many_maps_are_refused() -> None:
    with (
        running(max_attention_cells=10) as service,
        pytest.raises(PayloadTooLargeError, match="the limit is 10"),
    ):
        attend(service, sentence_of(service))


def test_fewer_maps_are_a_part_of_all(service: Running) -> None:
    (everything,) = attend(service, sentence_of(service), selection=ALL)
    selection = replace(ALL, layers=(0,), heads=(0,))
    (part,) = attend(service, sentence_of(service), selection=selection)
    for kind, values in part.sentences[0].attention.maps.items():
        whole = everything.sentences[0].attention.maps[kind]
        np.testing.assert_array_equal(values, whole[:1, :1])
