import math
from dataclasses import replace
from typing import Any

import pytest

from service.decode_request import decode_options
from service.engine.options import MAX_BEAM_SIZE
from service.errors import InvalidRequestError
from service.translation import TranslateRequest
from tests.service.models import tiny_bundle

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
    ],
)
def test_a_value_out_of_range_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=next(iter(fields))):
        decode_options(replace(REQUEST, **fields), MANIFEST)
