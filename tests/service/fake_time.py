"""An event loop whose time is a clock that a test sets."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

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


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(10):
        await asyncio.sleep(0)
