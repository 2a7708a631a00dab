"""The event loop's lateness, on a clock that the test sets."""

import asyncio

import pytest

from service.server.loop_lag import INTERVAL_S, measure_loop_lag
from tests.service.fake_time import run_on, settle
from tests.service.tiny_models import FakeClock


def lags(*turns_s: float) -> list[float]:
    """What is observed where turns of the loop take so long."""
    clock = FakeClock()
    observed: list[float] = []

    async def scenario() -> None:
        measuring = asyncio.create_task(measure_loop_lag(observed.append, clock=clock))
        await settle()
        for turn_s in turns_s:
            clock.now_s += turn_s
            await settle()
        measuring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await measuring

    run_on(clock, scenario())
    return observed


def test_a_loop_in_time_is_not_late() -> None:
    assert lags(*[INTERVAL_S] * 3) == pytest.approx([0.0] * 3)


def test_a_turn_that_takes_long_is_seen_once() -> None:
    assert lags(INTERVAL_S, 2.5, INTERVAL_S) == pytest.approx([0.0, 2.5 - INTERVAL_S, 0.0])


def test_nothing_is_observed_before_it_is_due() -> None:
    assert lags(INTERVAL_S / 2, INTERVAL_S / 4) == []
