import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.search.logits_processors import (
    MASKED,
    is_any_active,
    logits_processors,
    process_all,
)
from service.engine.search.options import DecodeOptions


def forbidden(options: DecodeOptions, target_ids: list[int], vocab_size: int = 6) -> set[int]:
    scores = np.arange(vocab_size, dtype=np.float32)
    process_all(logits_processors(options), scores, target_ids)
    return set(np.flatnonzero(scores == MASKED).tolist())


def test_ordinary_options_have_no_rules() -> None:
    assert logits_processors(DecodeOptions()) == ()


@pytest.mark.parametrize(
    ("size", "target_ids", "expected"),
    [
        (2, [], set()),
        (2, [1], set()),
        (2, [1, 2, 1], {2}),  # 1 was followed by 2
        (2, [1, 2, 1, 3, 1], {2, 3}),
        (3, [1, 2, 3, 1, 2], {3}),
        (3, [2, 1, 3, 1, 2], set()),
        (1, [4, 2], {2, 4}),  # no token twice
    ],
)
def test_what_would_repeat_an_n_gram_is_forbidden(
    size: int, target_ids: list[int], expected: set[int]
) -> None:
    assert forbidden(DecodeOptions(no_repeat_ngram=size), target_ids) == expected


def test_a_prefix_leaves_one_token_and_then_all() -> None:
    options = DecodeOptions(prefix_ids=(4, 2))
    assert forbidden(options, []) == {0, 1, 2, 3, 5}
    assert forbidden(options, [4]) == {0, 1, 3, 4, 5}
    assert forbidden(options, [4, 2]) == set()


def test_a_prefix_holds_against_every_other_rule() -> None:
    options = DecodeOptions(prefix_ids=(1, 1, 1), no_repeat_ngram=1)
    scores = np.zeros(6, dtype=np.float32)
    process_all(logits_processors(options), scores, [1, 1])
    assert int(scores.argmax()) == 1


def test_rules_say_when_they_have_nothing_to_say() -> None:
    rules = logits_processors(DecodeOptions(prefix_ids=(1,), no_repeat_ngram=4))
    assert [is_any_active(rules, length) for length in range(6)] == [
        True,  # a prefix of one
        *(False, False, False),
        *(True, True),  # from here on a 4-gram can be repeated
    ]


def test_scores_that_are_not_forbidden_stay_as_they_are() -> None:
    scores: NDArray[np.float32] = np.array([0.5, -3.25, 7.0], dtype=np.float32)
    process_all(logits_processors(DecodeOptions(no_repeat_ngram=1)), scores, [0])
    np.testing.assert_array_equal(scores, np.array([MASKED, -3.25, 7.0], dtype=np.float32))
