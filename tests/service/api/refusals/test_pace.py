"""How long the refusals of a client wait."""

import asyncio

from service.api.refusals.pace import PaceLimits, RefusalPace
from tests.service.tiny_models import FakeClock

LIMITS = PaceLimits(max_per_s=2, pause_s=0.5, gap_s=0.125, max_held_per_client=6, max_held=8)


class Paced:
    """A pace whose sleeps are noted, and end when `open` is set."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.slept_s: list[float] = []
        self.open = asyncio.Event()
        self.pace = RefusalPace(LIMITS, self.clock, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        await self.open.wait()

    async def refuse(self, *clients: str) -> list["asyncio.Task[None]"]:
        tasks = [asyncio.create_task(self.pace.take(client)) for client in clients]
        await asyncio.sleep(0)
        return tasks

    async def end(self, *tasks: "asyncio.Task[None]") -> None:
        self.open.set()
        await asyncio.gather(*tasks)


def test_the_first_of_a_second_leave_at_once() -> None:
    async def work() -> None:
        paced = Paced()
        for _ in range(3):
            await paced.pace.take("a")
            await paced.pace.take("a")
            assert paced.pace.is_exceeded("a")
            paced.clock.now_s += 1
            assert not paced.pace.is_exceeded("a")
        assert paced.slept_s == []

    asyncio.run(work())


def test_further_ones_wait_and_leave_one_after_the_other() -> None:
    async def work() -> None:
        paced = Paced()
        tasks = await paced.refuse(*["a"] * 8)
        assert [task.done() for task in tasks] == [True, True, *[False] * 6]
        assert paced.slept_s == [0.5, 0.625, 0.75, 0.875, 1.0, 1.0]
        await paced.end(*tasks)
        assert paced.pace.num_held == 0

    asyncio.run(work())


def test_another_client_does_not_wait() -> None:
    async def work() -> None:
        paced = Paced()
        tasks = await paced.refuse(*["a"] * 5)
        assert not paced.pace.is_exceeded("b")
        await paced.pace.take("b")
        await paced.end(*tasks)

    asyncio.run(work())


def test_what_is_held_is_bounded_by_client_and_in_all() -> None:
    async def work() -> None:
        paced = Paced()
        tasks = await paced.refuse(*["a"] * 10)
        assert paced.pace.num_held == 6
        tasks += await paced.refuse(*["b"] * 10)
        assert paced.pace.num_held == 8
        assert sum(task.done() for task in tasks) == 12
        await paced.end(*tasks)

    asyncio.run(work())


def test_a_cancelled_wait_gives_its_place_back() -> None:
    async def work() -> None:
        paced = Paced()
        tasks = await paced.refuse(*["a"] * 4)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert paced.pace.num_held == 0
        tasks = await paced.refuse("a")
        assert paced.slept_s[-1] == 0.5, "and what was due does not count"
        await paced.end(*tasks)

    asyncio.run(work())
