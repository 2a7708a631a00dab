import asyncio
from dataclasses import replace

import numpy as np
import pytest

from service.engine.ablation import bundle_without, canonical
from service.engine.graphs.attention_pass import attend as attend_pairs
from service.engine.graphs.sessions import open_sessions
from service.engine.inspection import AttentionKind
from service.engine.offline import decode_batch
from service.errors import (
    InvalidRequestError,
    PayloadTooLargeError,
    TextTooLongError,
)
from service.inspection.values import (
    AttentionMaps,
    AttentionSelection,
    ScoreRequest,
)
from service.translation.sentences.decode_options import decode_options
from tests.service.tiny_models import Running, running
from tests.service.translation.requests import (
    attend,
    request_of,
    sentence_of,
    translate,
    translate_one,
)

ALL = AttentionSelection(kinds=("encoder", "decoder", "cross"))


def assert_equal_maps(first: AttentionMaps, second: AttentionMaps) -> None:
    assert first.source_tokens == second.source_tokens
    assert first.target_tokens == second.target_tokens
    assert first.token_log_probs == second.token_log_probs
    assert first.maps.keys() == second.maps.keys()
    for kind, values in first.maps.items():
        np.testing.assert_array_equal(values, second.maps[kind])


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
