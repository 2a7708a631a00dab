import pytest

from service.scheduling.workers.scaling import Scaling, ScalingOptions
from tests.service.tiny_models import FakeClock

OPTIONS = ScalingOptions(
    min_engines=1,
    max_engines=4,
    requests_per_engine=8,
    upscale_delay_s=30,
    downscale_delay_s=600,
)


@pytest.mark.parametrize(
    ("num_requests", "num_engines", "num_wanted"),
    [(0, 1, 1), (8, 1, 1), (9, 1, 2), (1000, 1, 4), (9, 4, 2), (0, 4, 1), (17, 3, 3)],
)
def test_there_are_as_many_engines_as_the_requests_need_once_the_delay_is_over(
    num_requests: int, num_engines: int, num_wanted: int
) -> None:
    clock = FakeClock()
    scaling = Scaling(OPTIONS, clock)
    assert scaling.num_wanted(num_requests, num_engines) == num_engines
    clock.now_s += 600
    assert scaling.num_wanted(num_requests, num_engines) == num_wanted


def test_more_engines_come_sooner_than_fewer() -> None:
    clock = FakeClock()
    growing, shrinking = Scaling(OPTIONS, clock), Scaling(OPTIONS, clock)
    assert (growing.num_wanted(100, 2), shrinking.num_wanted(0, 2)) == (2, 2)
    clock.now_s += 29
    assert (growing.num_wanted(100, 2), shrinking.num_wanted(0, 2)) == (2, 2)
    clock.now_s += 1
    assert (growing.num_wanted(100, 2), shrinking.num_wanted(0, 2)) == (4, 2)


def test_a_pause_of_the_load_begins_the_delay_anew() -> None:
    clock = FakeClock()
    scaling = Scaling(OPTIONS, clock)
    for num_requests in (100, 8, 100):
        assert scaling.num_wanted(num_requests, 1) == 1
        clock.now_s += 20
    assert scaling.num_wanted(100, 1) == 1
    clock.now_s += 10
    assert scaling.num_wanted(100, 1) == 4


@pytest.mark.parametrize(("fewest", "most"), [(0, 1), (2, 1)])
def test_bounds_that_leave_no_number_are_refused(fewest: int, most: int) -> None:
    with pytest.raises(ValueError, match="min_engines"):
        ScalingOptions(min_engines=fewest, max_engines=most)
