"""Requests start address by address."""

import asyncio
from collections.abc import Callable
from functools import partial

from service.server.connections.fair_starts import FairStarts


def _turns(ask: Callable[[FairStarts, list[str]], None], num_turns: int) -> list[list[str]]:
    """What starts in each turn of the event loop."""

    async def scenario() -> list[list[str]]:
        started: list[str] = []
        turns: list[list[str]] = []
        ask(FairStarts(max_per_turn=2), started)
        for _ in range(num_turns):
            turns.append(started.copy())
            started.clear()
            await asyncio.sleep(0)
        return turns

    return asyncio.run(scenario())


def test_flood_of_one_address_leaves_every_turn_to_others() -> None:
    def ask(starts: FairStarts, started: list[str]) -> None:
        for number in range(5):
            starts.start("flood", partial(started.append, f"flood {number}"))
        starts.start("other", partial(started.append, "other"))

    assert _turns(ask, 4) == [
        ["flood 0", "flood 1", "other"],
        ["flood 2", "flood 3"],
        ["flood 4"],
        [],
    ]


def test_a_crowd_that_keeps_coming_does_not_wait_without_an_end() -> None:
    async def scenario() -> list[int]:
        starts, started = FairStarts(max_per_turn=2), list[str]()
        waiting = []
        for turn in range(40):
            for _ in range(10):
                starts.start("crowd", partial(started.append, "crowd"))
            await asyncio.sleep(0)
            waiting.append(10 * (turn + 1) - len(started))
        return waiting

    assert max(asyncio.run(scenario())) <= 40


def test_newcomers_of_an_address_wait_behind_its_earlier_ones() -> None:
    async def scenario() -> list[str]:
        starts, started = FairStarts(max_per_turn=1), list[str]()
        starts.start("a", partial(started.append, "first"))
        starts.start("a", partial(started.append, "second"))
        starts.start("a", partial(started.append, "third"))
        await asyncio.sleep(0)
        starts.start("a", partial(started.append, "newcomer"))
        for _ in range(4):
            await asyncio.sleep(0)
        return started

    assert asyncio.run(scenario()) == ["first", "second", "third", "newcomer"]


def test_a_turn_later_an_address_may_start_as_many_again() -> None:
    async def scenario() -> list[int]:
        starts, started, counts = FairStarts(max_per_turn=2), list[str](), list[int]()
        for _ in range(3):
            for _ in range(2):
                starts.start("a", partial(started.append, "a"))
            counts.append(len(started))
            await asyncio.sleep(0)
        return counts

    assert asyncio.run(scenario()) == [2, 4, 6]


def test_what_is_refused_beyond_a_bound_never_starts_as_a_crowd() -> None:
    async def scenario() -> list[int]:
        starts, started, counts = FairStarts(max_per_turn=2), list[str](), list[int]()
        for number in range(40):
            begin = partial(started.append, "crowd")
            starts.start("crowd", begin, is_bounded=number % 2 == 0)
        for _ in range(3):
            counts.append(len(started))
            await asyncio.sleep(0)
        return counts

    # Nineteen of those that wait are not bounded, of which five start in a turn.
    assert asyncio.run(scenario()) == [2, 7, 12]


def test_a_bounded_crowd_starts_two_by_two() -> None:
    def ask(starts: FairStarts, started: list[str]) -> None:
        for _ in range(20):
            starts.start("crowd", partial(started.append, "x"), is_bounded=True)

    assert [len(turn) for turn in _turns(ask, 4)] == [2, 2, 2, 2]
