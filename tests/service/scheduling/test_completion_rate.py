import pytest

from service.scheduling.limits import CompletionRate
from tests.service.tiny_models import FakeClock


def test_the_rate_is_that_of_the_last_seconds() -> None:
    clock = FakeClock()
    rate = CompletionRate(clock, window_s=10)
    assert rate.seconds_for(5) == 60.0
    clock.now_s += 2
    for _ in range(4):
        rate.add()
    assert rate.seconds_for(10) == pytest.approx(5.0)  # 4 in 2 s
    clock.now_s += 6
    assert rate.seconds_for(10) == pytest.approx(20.0)  # 4 in 8 s
    clock.now_s += 100
    assert rate.seconds_for(10) == 60.0


def test_retry_after_is_between_a_second_and_a_minute() -> None:
    clock = FakeClock()
    rate = CompletionRate(clock)
    clock.now_s += 1
    for _ in range(100):
        rate.add()
    assert rate.seconds_for(1) == 1.0
    assert rate.seconds_for(1_000_000) == 60.0


def test_a_job_counts_for_ten_seconds() -> None:
    clock = FakeClock()
    rate = CompletionRate(clock)
    rate.add()
    clock.now_s += 10
    assert rate.seconds_for(1) == pytest.approx(10)
    clock.now_s += 0.5
    assert rate.seconds_for(1) == 60


def test_a_rate_shorter_than_the_window_is_over_the_time_so_far() -> None:
    clock = FakeClock()
    rate = CompletionRate(clock)
    clock.now_s += 0.5
    for _ in range(10):
        rate.add()
    assert rate.seconds_for(100) == pytest.approx(5)
