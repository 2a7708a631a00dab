"""When old garbage is collected, on a clock that the test sets."""

import gc
from collections.abc import Callable

import pytest

from service.server.garbage import (
    INTERVAL_S,
    LEAST_COLLECTIONS,
    LONGEST_S,
    collect_old_garbage,
)
from tests.service.fake_time import pass_turns
from tests.service.tiny_models import FakeClock


def moments(
    monkeypatch: pytest.MonkeyPatch, seconds: float, *, num_young: int, is_idle: Callable[[], bool]
) -> list[float]:
    """When all was collected, if so many young collections come before each look."""
    clock, collected = FakeClock(), list[float]()
    began_s = clock.now_s
    monkeypatch.setattr(gc, "get_count", lambda: (0, num_young, 0))
    monkeypatch.setattr(gc, "collect", lambda: collected.append(clock.now_s - began_s))

    turns_s = [INTERVAL_S] * round(seconds / INTERVAL_S)
    pass_turns(clock, collect_old_garbage(is_idle, clock=clock), turns_s)
    return collected


def test_idle_process_collects_what_has_grown_old(monkeypatch: pytest.MonkeyPatch) -> None:
    found = moments(monkeypatch, 3, num_young=LEAST_COLLECTIONS, is_idle=lambda: True)
    assert found == pytest.approx([INTERVAL_S, 2 * INTERVAL_S, 3 * INTERVAL_S])


def test_little_that_is_old_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not moments(monkeypatch, 300, num_young=LEAST_COLLECTIONS - 1, is_idle=lambda: True)


def test_requests_put_a_collection_off_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    found = moments(monkeypatch, 2.5 * LONGEST_S, num_young=99, is_idle=lambda: False)
    assert found == pytest.approx([LONGEST_S, 2 * LONGEST_S])
