"""The distance of two programs' logits."""

import numpy as np
import pytest

from export.verification.forced_decoding import LARGE_LOGIT, logit_error

MASKED = np.float32(-1e9)


@pytest.mark.parametrize(("largest", "wanted"), [(0.5, 1), (LARGE_LOGIT, 1), (50, 0.1), (-50, 0.1)])
def test_a_difference_counts_less_where_logits_are_large(largest: float, wanted: float) -> None:
    want = np.array([[0.25, largest, 0.125]], np.float32)
    have = want + np.array([[2**-10, 0, 0]], np.float32)
    assert logit_error(have, want) == pytest.approx(wanted * 2**-10)


def test_the_scale_of_a_step_is_that_of_its_own_logits() -> None:
    want = np.array([[1, 2], [500, 2]], np.float32)
    assert logit_error(want + np.array([[0.5, 0], [0, 0]], np.float32), want) == 0.5


def test_masked_logits_do_not_count_as_large() -> None:
    want = np.array([[1, MASKED]], np.float32)
    assert logit_error(np.array([[1.5, MASKED]], np.float32), want) == 0.5
    assert logit_error(np.array([[1, 0]], np.float32), want) > 1e8


def test_a_difference_to_nan_is_infinite() -> None:
    numbers = np.ones((1, 2), np.float32)
    broken = np.array([[1, np.nan]], np.float32)
    assert logit_error(broken, numbers) == logit_error(numbers, broken) == np.inf
    assert logit_error(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)) == 0
