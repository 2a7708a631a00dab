"""What one client may do in a turn of the event loop while others ask."""

import asyncio

import pytest

from service.scheduling.fair_turns import FairTurns
from service.scheduling.limits import INTERNAL_CLIENT, Client

ONE, OTHER = Client(name="one"), Client(name="other")
Order = list[str]


@pytest.fixture
def turns() -> FairTurns:
    """Two pieces of work a turn."""
    return FairTurns(max_per_turn=2)


def _work(turns: FairTurns, client: Client, count: int, order: Order) -> list[asyncio.Task[None]]:
    async def one(number: int) -> None:
        await turns.take(client, 1)
        order.append(f"{client.name} {number}")

    return [asyncio.create_task(one(number)) for number in range(count)]


async def _each_turn(turns: FairTurns, *clients: tuple[Client, int]) -> list[Order]:
    """What is done in each turn of the loop, until all is done."""
    order: Order = []
    tasks = [task for client, count in clients for task in _work(turns, client, count, order)]
    done = []
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        done.append([*order])
        order.clear()
    return [each for each in done if each]


def test_a_turn_has_a_little_of_each_client_in_the_order_of_its_work(turns: FairTurns) -> None:
    found = asyncio.run(_each_turn(turns, (OTHER, 1), (ONE, 5)))
    assert found == [["other 0", "one 0", "one 1"], ["one 2", "one 3"], ["one 4"]]


def test_what_comes_later_waits_behind_what_waits(turns: FairTurns) -> None:
    async def scenario() -> Order:
        await turns.take(OTHER, 1)
        order: Order = []
        early = _work(turns, ONE, 5, order)
        await asyncio.sleep(0)
        await asyncio.gather(*early, *_work(turns, Client(name="one"), 1, order))
        return order

    early = [f"one {number}" for number in range(5)]
    assert asyncio.run(scenario()) == [*early, "one 0"]


def test_the_service_itself_never_waits(turns: FairTurns) -> None:
    async def scenario() -> int:
        await turns.take(ONE, 1)
        await turns.take(OTHER, 1)
        return len(await _each_turn(turns, (INTERNAL_CLIENT, 9)))

    assert asyncio.run(scenario()) == 1


def test_work_that_was_cancelled_takes_nothing(turns: FairTurns) -> None:
    async def scenario() -> Order:
        await turns.take(OTHER, 1)
        order: Order = []
        tasks = _work(turns, ONE, 6, order)
        await asyncio.sleep(0)
        for task in tasks[2:5]:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        return order

    assert asyncio.run(scenario()) == ["one 0", "one 1", "one 5"]


def test_a_further_loop_begins_anew(turns: FairTurns) -> None:
    async def leave() -> None:
        await turns.take(OTHER, 1)
        _work(turns, ONE, 6, [])
        await asyncio.sleep(0)

    for _ in range(2):
        asyncio.run(asyncio.wait_for(leave(), 10))
    assert len(asyncio.run(_each_turn(turns, (OTHER, 1), (ONE, 2)))) == 1
