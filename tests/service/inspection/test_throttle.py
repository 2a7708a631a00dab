import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from service.errors import DeadlineExceededError, OverloadedError
from service.inspection.throttle import Throttle, ThrottleLimits
from service.scheduling.limits import Client


class World:
    """A clock that sleeping moves, and a switch for whether translations run."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.is_busy = True
        self.busy_until_s = float("inf")

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.is_busy = self.now_s < self.busy_until_s
        await asyncio.sleep(0)

    def throttle(
        self, *, share: float = 0.05, max_turns: int = 2, max_waiting: int = 64
    ) -> Throttle:
        limits = ThrottleLimits(share=share, max_turns=max_turns, max_waiting=max_waiting)
        return Throttle(limits, lambda: self.is_busy, self.clock, self.sleep)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def spend(throttle: Throttle, world: World, seconds: float) -> float:
    """Take a turn of so many seconds; returns when it began."""
    async with throttle.turn(None):
        began_s = world.now_s
        world.now_s += seconds
    return began_s


def test_a_turn_beside_translations_is_followed_by_its_rest() -> None:
    async def work() -> None:
        world = World()
        throttle = world.throttle(share=0.2)
        starts = [await spend(throttle, world, 1.0) for _ in range(4)]
        # One second in five.
        assert starts == pytest.approx([100, 105, 110, 115], abs=0.03)

    run(work())


def test_nothing_rests_while_no_translation_runs() -> None:
    async def work() -> None:
        world = World()
        world.is_busy = False
        throttle = world.throttle(share=0.2)
        assert [await spend(throttle, world, 1.0) for _ in range(3)] == [100, 101, 102]

    run(work())


def test_a_rest_ends_with_the_translations() -> None:
    async def work() -> None:
        world = World()
        world.busy_until_s = 102.0
        throttle = world.throttle(share=0.1)
        starts = [await spend(throttle, world, 1.0) for _ in range(2)]
        assert starts == pytest.approx([100, 102], abs=0.03)

    run(work())


def test_turns_side_by_side_rest_for_both() -> None:
    async def work() -> None:
        world = World()
        throttle = world.throttle(share=0.5, max_turns=2)
        async with throttle.turn(None), throttle.turn(None):
            world.now_s += 1.0
        assert await spend(throttle, world, 0.0) == pytest.approx(103, abs=0.03)

    run(work())


def test_no_more_turns_at_once_than_allowed() -> None:
    async def work() -> None:
        world = World()
        world.is_busy = False
        throttle = world.throttle(max_turns=1)
        async with throttle.turn(None):
            other = asyncio.create_task(spend(throttle, world, 0.0))
            await asyncio.sleep(0.01)
            assert not other.done()
            world.now_s += 5.0
        assert await other == 105.0

    run(work())


def test_the_time_that_is_left_is_told() -> None:
    async def work() -> None:
        world = World()
        throttle = world.throttle(share=0.5)
        await spend(throttle, world, 1.0)
        async with throttle.turn(10.0) as left_s:
            assert left_s == pytest.approx(9.0, abs=0.03)
        async with throttle.turn(None) as left_s:
            assert left_s is None

    run(work())


def test_a_turn_that_does_not_come_in_time_is_refused_and_frees_its_place() -> None:
    async def work() -> None:
        world = World()
        world.is_busy = False
        throttle = world.throttle(max_turns=1, max_waiting=1)
        async with throttle.turn(None):
            for _ in range(3):
                with pytest.raises(DeadlineExceededError):
                    async with throttle.turn(0.001):
                        pass
        assert await spend(throttle, world, 0.0) == 100.0

    run(work())


def test_who_would_wait_behind_too_many_is_told_when_to_come_back() -> None:
    async def work() -> None:
        world = World()
        throttle = world.throttle(max_turns=1, max_waiting=0)
        async with throttle.turn(None):
            with pytest.raises(OverloadedError, match="the limit is 1") as caught:
                async with throttle.turn(None):
                    pass
        assert caught.value.retry_after_s >= 1
        await spend(throttle, world, 0.0)

    run(work())


def _clients(*names: str) -> list[Client]:
    return [Client(name=name) for name in names]


def test_a_client_may_have_half_of_what_the_others_leave() -> None:
    async def work() -> None:
        world = World()
        world.is_busy = False
        throttle = world.throttle(max_turns=1, max_waiting=7)
        many, other = _clients("many", "other")
        async with AsyncExitStack() as held:
            tasks = [asyncio.create_task(_hold(throttle, many)) for _ in range(4)]
            await asyncio.sleep(0)
            with pytest.raises(OverloadedError, match="4 of this client"):
                await held.enter_async_context(throttle.turn(None, many))
            tasks.append(asyncio.create_task(_hold(throttle, other)))
            await asyncio.sleep(0)
            assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with throttle.turn(None, other):  # all places are free again
            pass

    run(work())


async def _hold(throttle: Throttle, client: Client) -> None:
    async with throttle.turn(None, client):
        await asyncio.Event().wait()


def test_clients_are_served_in_turn() -> None:
    async def work() -> None:
        world = World()
        world.is_busy = False
        throttle = world.throttle(max_turns=1)
        served: list[str] = []

        async def visit(client: Client) -> None:
            async with throttle.turn(None, client):
                served.append(client.name)

        async with throttle.turn(None):
            waiting = [
                asyncio.create_task(visit(client)) for client in _clients(*"aaaa", *"bb", "c")
            ]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        assert "".join(served) == "abcabaa"

    run(work())


def test_a_turn_given_to_a_request_that_was_cancelled_goes_to_the_next() -> None:
    async def work() -> None:
        world = World()
        world.is_busy = False
        throttle = world.throttle(max_turns=1)
        first, second = _clients("a", "b")
        async with throttle.turn(None):
            cancelled = asyncio.create_task(_hold(throttle, first))
            later = asyncio.create_task(_hold(throttle, second))
            await asyncio.sleep(0)
        cancelled.cancel()  # its turn has just been given to it
        await asyncio.sleep(0.01)
        assert cancelled.cancelled()
        assert not later.done()
        later.cancel()
        await asyncio.gather(later, return_exceptions=True)
        assert await spend(throttle, world, 0.0) == 100.0

    run(work())
