from typing import Any

import pytest

from service.engine.search.options import MAX_BEAM_SIZE, DecodeOptions


@pytest.mark.parametrize(
    "broken",
    [
        {"beam_size": 0},
        {"beam_size": MAX_BEAM_SIZE + 1},
        {"num_hypotheses": 0},
        {"beam_size": 2, "num_hypotheses": 3},
        {"length_penalty": -0.1},
        {"max_target_tokens": 0},
        {"no_repeat_ngram": -1},
        {"prefix_ids": (4, 5, 6), "max_target_tokens": 2},
        {"min_target_tokens": -1},
        {"min_target_tokens": 9, "max_target_tokens": 9},
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_a_broken_invariant(broken: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        DecodeOptions(**broken)


@pytest.mark.parametrize(
    "extreme",
    [
        {"beam_size": MAX_BEAM_SIZE, "num_hypotheses": MAX_BEAM_SIZE},
        {"length_penalty": 0.0},
        {"max_target_tokens": 1, "min_target_tokens": 0},
        {"prefix_ids": (4, 5), "max_target_tokens": 2},
        {"min_target_tokens": 8, "max_target_tokens": 9},
    ],
    ids=str,
)
def test_the_extremes_are_allowed(extreme: dict[str, Any]) -> None:
    DecodeOptions(**extreme)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (DecodeOptions(), False),
        (DecodeOptions(beam_size=2), True),
        (DecodeOptions(prefix_ids=(4,)), True),
    ],
)
def test_beams_and_prefixes_need_the_whole_vocabulary(
    options: DecodeOptions, expected: bool
) -> None:
    assert options.needs_whole_vocabulary == expected
