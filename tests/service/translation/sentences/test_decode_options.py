import math
from dataclasses import replace
from typing import Any

import pytest

from service.engine.search.options import MAX_BEAM_SIZE, DecodeOptions
from service.engine.search.repetition import SOURCE_FACTOR, TOLERATED_TOKENS
from service.errors import InvalidRequestError
from service.translation.sentences.decode_options import (
    DEFAULT_LENGTH_FACTOR,
    SPARE_TARGET_TOKENS,
    decode_options,
    sentence_options,
)
from service.translation.values import TranslateRequest
from tests.service.tiny_models import tiny_bundle

MANIFEST = tiny_bundle().manifest


REQUEST = TranslateRequest(texts=("a",), source="en", target="de")


def test_the_bundle_fills_in_what_the_request_leaves_open() -> None:
    options = decode_options(REQUEST, MANIFEST)
    assert options.beam_size == MANIFEST.decoding.beam_size
    assert options.length_penalty == MANIFEST.decoding.length_penalty
    assert options.max_target_tokens == MANIFEST.max_target_tokens
    assert options.num_hypotheses == 1


def test_the_request_wins_over_the_bundle() -> None:
    options = decode_options(
        replace(REQUEST, beam_size=3, length_penalty=0.0, max_target_tokens=5, with_scores=False),
        MANIFEST,
    )
    assert (options.beam_size, options.length_penalty) == (3, 0.0)
    assert (options.max_target_tokens, options.with_scores) == (5, False)


def test_no_request_exceeds_the_capacity_of_the_cache() -> None:
    options = decode_options(replace(REQUEST, max_target_tokens=10**6), MANIFEST)
    assert options.max_target_tokens == MANIFEST.max_target_tokens


@pytest.mark.parametrize(
    ("asked", "beam_size"), [((1, 2), 3), ((4, 2), 4), ((2, 7), 8), ((1, 50), MAX_BEAM_SIZE)]
)
def test_alternatives_widen_the_beam(asked: tuple[int, int], beam_size: int) -> None:
    beam, alternatives = asked
    options = decode_options(
        replace(REQUEST, beam_size=beam, num_alternatives=alternatives), MANIFEST
    )
    assert options.beam_size == options.num_hypotheses == beam_size


@pytest.mark.parametrize(
    "fields",
    [
        {"beam_size": 0},
        {"beam_size": MAX_BEAM_SIZE + 1},
        {"length_penalty": -0.1},
        {"length_penalty": math.nan},
        {"length_penalty": math.inf},
        {"max_target_tokens": 0},
        {"max_length_factor": 0.0},
        {"max_length_factor": math.nan},
        {"min_target_tokens": -1},
        {"min_target_tokens": MANIFEST.max_target_tokens},
        {"min_target_tokens": 4, "max_target_tokens": 4},
        {"no_repeat_ngram_size": -1},
    ],
)
def test_a_value_out_of_range_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=next(iter(fields))):
        decode_options(replace(REQUEST, **fields), MANIFEST)


def test_no_translation_is_empty_unless_that_is_asked_for() -> None:
    assert decode_options(REQUEST, MANIFEST).min_target_tokens == 1
    assert decode_options(replace(REQUEST, min_target_tokens=0), MANIFEST).min_target_tokens == 0
    assert decode_options(replace(REQUEST, max_target_tokens=1), MANIFEST).min_target_tokens == 0


OPTIONS = DecodeOptions(max_target_tokens=200)


@pytest.mark.parametrize(
    ("num_tokens", "factor", "expected"),
    [
        (10, None, DEFAULT_LENGTH_FACTOR * 10 + SPARE_TARGET_TOKENS),
        (10, 1.25, 13 + SPARE_TARGET_TOKENS),  # 12.5 rounded up
        (100, None, 200),  # the request's own limit
    ],
)
def test_a_sentence_is_bounded_by_the_length_of_its_source(
    num_tokens: int, factor: float | None, expected: float
) -> None:
    source_ids = tuple(range(num_tokens))
    assert sentence_options(OPTIONS, source_ids, factor).max_target_tokens == expected


def test_a_shortest_length_and_a_prefix_outweigh_the_factor() -> None:
    options = replace(OPTIONS, min_target_tokens=150)
    assert sentence_options(options, (1, 2), 1.0).max_target_tokens == 151
    dictated = sentence_options(OPTIONS, (1, 2), 1.0, prefix_ids=(5,) * 120)
    assert (dictated.max_target_tokens, len(dictated.prefix_ids)) == (121, 120)


def test_a_prefix_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"prefix has 200 tokens; .* 200"):
        sentence_options(OPTIONS, (1, 2), None, prefix_ids=(5,) * 200)


def test_a_source_that_repeats_itself_excuses_a_translation_that_does() -> None:
    assert sentence_options(OPTIONS, (1, 2, 3), None).max_loop_tokens == TOLERATED_TOKENS
    repeated = sentence_options(OPTIONS, (7,) * 5, None)
    assert repeated.max_loop_tokens == TOLERATED_TOKENS + SOURCE_FACTOR * 5
