"""The event loop's lateness, on a clock that the test sets."""

import pytest

from service.server.loop_lag import INTERVAL_S, measure_loop_lag
from tests.service.fake_time import pass_turns
from tests.service.tiny_models import FakeClock


def lags(*turns_s: float) -> list[float]:
    """What is observed where turns of the loop take so long."""
    clock = FakeClock()
    observed: list[float] = []

    pass_turns(clock, measure_loop_lag(observed.append, clock=clock), turns_s)
    return observed


def test_a_loop_in_time_is_not_late() -> None:
    assert lags(*[INTERVAL_S] * 3) == pytest.approx([0.0] * 3)


def test_a_turn_that_takes_long_is_seen_once() -> None:
    assert lags(INTERVAL_S, 2.5, INTERVAL_S) == pytest.approx([0.0, 2.5 - INTERVAL_S, 0.0])


def test_nothing_is_observed_before_it_is_due() -> None:
    assert lags(INTERVAL_S / 2, INTERVAL_S / 4) == []
