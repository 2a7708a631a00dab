import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.search.ranking import length_normalised, reach_penalties


@pytest.mark.parametrize(
    ("log_prob", "length", "alpha", "expected"),
    [
        (-6.0, 7, 0.0, -6.0),
        (-6.0, 1, 1.0, -6.0),  # (5 + 1) / 6 = 1
        (-6.0, 7, 1.0, -3.0),  # (5 + 7) / 6 = 2
        (-6.0, 19, 0.5, -3.0),  # sqrt(24 / 6) = 2
        (0.0, 3, 0.6, 0.0),
    ],
)
def test_the_penalty_is_that_of_wu_et_al(
    log_prob: float, length: int, alpha: float, expected: float
) -> None:
    assert length_normalised(log_prob, length, alpha) == pytest.approx(expected, abs=1e-12)


def test_a_penalty_beyond_all_floats_makes_every_score_nought() -> None:
    assert length_normalised(-6.0, 64, 1e6) == 0
    assert -6.0 / reach_penalties(64, 1e6, 3)[60] == 0


@given(
    steps=st.lists(st.floats(-20, 0), min_size=1, max_size=12),
    alpha=st.floats(0, 5),
    data=st.data(),
)
def test_no_continuation_scores_above_what_is_reachable(
    steps: list[float], alpha: float, data: st.DataObject
) -> None:
    done = data.draw(st.integers(0, len(steps) - 1))
    bound = sum(steps[:done]) / reach_penalties(len(steps), alpha, len(steps))[done]
    for length in range(done + 1, len(steps) + 1):
        score = length_normalised(sum(steps[:length]), length, alpha)
        assert score <= bound + 1e-9


def test_a_bound_looks_no_further_than_the_longest_output() -> None:
    found = reach_penalties(4, 1.0, 2).tolist()
    assert found == [(5 + length) / 6 for length in (2, 3, 4, 4, 4)]
