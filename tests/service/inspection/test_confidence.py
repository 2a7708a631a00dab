import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.inspection.confidence import absentmindedness, confidence_of, coverage_deviation

DIAGONAL = np.eye(4, dtype=np.float32)
UNIFORM = np.full((4, 4), 0.25, dtype=np.float32)
STARING = np.repeat(DIAGONAL[:1], 4, axis=0)
"""All four target tokens look at the first source token."""


def test_who_looks_at_each_token_once_is_fully_confident() -> None:
    assert confidence_of(DIAGONAL).value == pytest.approx(1.0)


def test_who_looks_everywhere_alike_is_as_absentminded_as_can_be() -> None:
    assert absentmindedness(UNIFORM) == pytest.approx(1.0)
    assert coverage_deviation(UNIFORM) == pytest.approx(0.0)
    assert confidence_of(UNIFORM).value == pytest.approx(0.0, abs=1e-6)


def test_who_stares_leaves_the_rest_uncovered() -> None:
    # One token gets 4, three get nothing: (log(1 + 9) + 3 log(2)) / 4.
    assert coverage_deviation(STARING) == pytest.approx((math.log(10) + 3 * math.log(2)) / 4)
    assert absentmindedness(STARING) == pytest.approx(0.0)
    assert confidence_of(STARING).value == pytest.approx(10**-0.25 * 2**-0.75)


def test_a_longer_translation_may_look_at_everything_twice() -> None:
    assert confidence_of(np.repeat(DIAGONAL, 2, axis=0)).value == pytest.approx(1.0)


def test_a_source_of_one_token_leaves_no_choice() -> None:
    assert confidence_of(np.ones((3, 1), dtype=np.float32)).value == pytest.approx(1.0)


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
        lambda shape: arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
    )
)
def test_confidence_is_from_0_to_1(weights: np.ndarray) -> None:
    weights = weights + np.float32(1e-3)
    attention = weights / weights.sum(axis=1, keepdims=True)
    assert 0 <= confidence_of(attention.astype(np.float32)).value <= 1
