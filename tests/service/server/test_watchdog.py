"""A hang is detected, requests are answered, and the process ends: in that order, and once."""

from dataclasses import dataclass, field

import pytest

from service.server.watchdog import EXIT_CODE, Watchdog
from tests.service.tiny_models import FakeClock


@dataclass(slots=True, kw_only=True)
class Worker:
    """A worker without heartbeats of its own."""

    clock: FakeClock
    events: list[str]
    beat_s: float = 0.0

    def __post_init__(self) -> None:
        self.beat_s = self.clock.now_s

    def is_alive(self, heartbeat_timeout_s: float) -> bool:
        return self.clock.now_s - self.beat_s <= heartbeat_timeout_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    watchdog_timeout_s: float = 60.0
    events: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    workers: list[Worker] = field(default_factory=list)

    def watchdog(self) -> Watchdog:
        self.workers.extend(Worker(clock=self.clock, events=self.events) for _ in range(2))
        return Watchdog(
            lambda: self.workers,
            watchdog_timeout_s=self.watchdog_timeout_s,
            end=lambda code: self.events.append(f"end {code}"),
        )

    def answer_all(self) -> None:
        self.events.append("answered")

    def check(self, watchdog: Watchdog, after_s: float) -> list[str]:
        """What happens, once so many seconds have passed."""
        self.clock.now_s += after_s
        self.events.clear()
        watchdog.check(self.answer_all)
        return self.events


def end_at_once(watchdog: Watchdog) -> None:
    """Without time for last words."""
    watchdog.stop()


def test_a_living_worker_is_left_alone() -> None:
    watched = Watched()
    watchdog = watched.watchdog()
    for _ in range(100):
        for worker in watched.workers:
            worker.beat_s = watched.clock.now_s
        assert watched.check(watchdog, 1) == []


def test_a_hanging_worker_ends_the_process_after_all_requests_are_answered() -> None:
    watched = Watched()
    watchdog = watched.watchdog()
    end_at_once(watchdog)
    watched.workers.pop()
    assert watched.check(watchdog, 60) == []
    assert watched.check(watchdog, 1) == []
    assert watched.check(watchdog, 1) == ["answered", f"end {EXIT_CODE}"]


def test_a_process_that_stood_still_may_come_round() -> None:
    """After SIGSTOP, or in a container that was frozen, every worker looks silent."""
    watched = Watched()
    watchdog = watched.watchdog()
    end_at_once(watchdog)
    watched.check(watchdog, 3600)
    for worker in watched.workers:
        worker.beat_s = watched.clock.now_s
    assert watched.check(watchdog, 1) == []
    assert watched.check(watchdog, 3600) == []


def test_without_a_limit_nothing_hangs() -> None:
    watched = Watched(watchdog_timeout_s=0)
    watchdog = watched.watchdog()
    for _ in range(3):
        assert watched.check(watchdog, 1_000_000) == []


def test_the_process_ends_even_if_answering_fails() -> None:
    watched = Watched()
    watchdog = watched.watchdog()
    end_at_once(watchdog)

    def loop_is_closed() -> None:
        raise RuntimeError("Event loop is closed")

    watched.check(watchdog, 61)
    watched.clock.now_s += 1
    with pytest.raises(RuntimeError, match="closed"):
        watchdog.check(loop_is_closed)
    assert watched.events[-1] == f"end {EXIT_CODE}"


def test_it_looks_by_itself_until_it_is_stopped() -> None:
    watched = Watched()
    watchdog = watched.watchdog()
    watchdog.start(watched.answer_all)
    watchdog.stop()
    assert watched.events == []
