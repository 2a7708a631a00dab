"""An event loop whose time is a clock that a test sets."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

import pytest

from tests.service.tiny_models import FakeClock

T = TypeVar("T")


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """Timers fire once the clock says so; threads still wake it as usual."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._fake_clock = clock

    def time(self) -> float:
        return self._fake_clock.now_s


def run_on(clock: FakeClock, main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, on the time of `clock`."""
    with asyncio.Runner(loop_factory=lambda: FakeTimeLoop(clock)) as runner:
        return runner.run(main)


def pass_turns(clock: FakeClock, work: Coroutine[Any, Any, None], turns_s: Iterable[float]) -> None:
    """Run work without an end while turns of its loop take so long, and cancel it."""

    async def scenario() -> None:
        task = asyncio.create_task(work)
        await settle()
        for turn_s in turns_s:
            clock.now_s += turn_s
            await settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_on(clock, scenario())


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(10):
        await asyncio.sleep(0)
