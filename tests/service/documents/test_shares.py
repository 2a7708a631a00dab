"""Places that clients share."""

import asyncio

import pytest

from service.documents.shares import FairSlots, share_of
from service.scheduling.limits import INTERNAL_CLIENT
from tests.service.fake_time import settle


@pytest.mark.parametrize(
    ("limit", "num_of_others", "client", "share"),
    [(16, 0, "a", 8), (16, 8, "a", 4), (16, 15, "a", 1), (1, 0, "a", 1),
     (16, 9, INTERNAL_CLIENT.name, 16)],
)  # fmt: skip
def test_a_client_has_half_of_what_others_leave(
    limit: int, num_of_others: int, client: str, share: int
) -> None:
    assert share_of(limit, num_of_others, client) == share


class Holders:
    """Tasks that hold a slot until they are told to end."""

    def __init__(self, num_slots: int) -> None:
        self.slots = FairSlots(num_slots)
        self.holding: list[str] = []

    async def hold(self, client: str) -> None:
        async with self.slots.slot(client):
            self.holding.append(client)
            try:
                await asyncio.Event().wait()
            finally:
                self.holding.remove(client)

    def start(self, clients: str) -> list["asyncio.Task[None]"]:
        return [asyncio.ensure_future(self.hold(client)) for client in clients]


def held(num_slots: int, clients: str, *then: int) -> list[str]:
    """Who holds slots: at first, and after each of `then` has been cancelled."""

    async def run() -> list[str]:
        holders = Holders(num_slots)
        tasks = holders.start(clients)
        await settle()
        seen = ["".join(sorted(holders.holding))]
        for number in then:
            tasks[number].cancel()
            await settle()
            seen.append("".join(sorted(holders.holding)))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert holders.holding == []
        return seen

    return asyncio.run(run())


def test_one_client_leaves_slots_to_others() -> None:
    assert held(4, "aaaaaa") == ["aa"]
    assert held(4, "aaaabbcd") == ["aabc"]


def test_a_slot_goes_to_the_client_with_the_fewest() -> None:
    assert held(2, "aab", 0) == ["ab", "ab"]
    assert held(3, "aaabc", 0, 4) == ["abc", "abc", "ab"]


def test_a_waiter_that_gives_up_takes_no_slot() -> None:
    assert held(2, "aabc", 1, 3, 0) == ["ab", "ab", "ab", "b"]
