"""Who has to go when there are too many connections."""

import asyncio
from dataclasses import dataclass
from typing import cast

import pytest

from service.observability.metrics import Metrics
from service.server.connection_limit import Lobby
from tests.service.scheduling.workers.single_loop import counted

ROOM = 3


@dataclass(slots=True, eq=False)
class FakeTransport:
    """Leaves the lobby only some time after it was broken off, as a real one does."""

    is_aborted: bool = False

    def abort(self) -> None:
        assert not self.is_aborted, "it is sent away once"
        self.is_aborted = True

    @property
    def as_transport(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self)


@dataclass(slots=True)
class Visitors:
    """A lobby and who is in it, by the order in which they came."""

    lobby: Lobby
    metrics: Metrics
    all: list[FakeTransport]

    def arrive(self, count: int = 1) -> None:
        for _ in range(count):
            self.all.append(FakeTransport())
            self.lobby.arrive(self.all[-1].as_transport)

    def serve(self, number: int) -> None:
        self.lobby.serve(self.all[number].as_transport)

    def wait(self, number: int) -> None:
        self.lobby.wait(self.all[number].as_transport)

    def leave(self, number: int) -> None:
        self.lobby.leave(self.all[number].as_transport)

    @property
    def aborted(self) -> list[int]:
        return [number for number, visitor in enumerate(self.all) if visitor.is_aborted]


@pytest.fixture
def visitors() -> Visitors:
    metrics = Metrics()
    return Visitors(lobby=Lobby(ROOM, metrics), metrics=metrics, all=[])


def test_nobody_has_to_go_while_there_is_room(visitors: Visitors) -> None:
    visitors.arrive(ROOM)
    visitors.leave(1)
    visitors.arrive()
    assert visitors.aborted == []
    assert counted(visitors.metrics, "connections") == ROOM


def test_who_waited_longest_goes_first(visitors: Visitors) -> None:
    visitors.arrive(ROOM + 2)
    assert visitors.aborted == [0, 1]
    assert counted(visitors.metrics, "rejected_total", reason="too_many_connections") == 2


def test_who_is_being_served_stays(visitors: Visitors) -> None:
    visitors.arrive(ROOM)
    visitors.serve(0)
    visitors.arrive()
    assert visitors.aborted == [1]


def test_who_was_served_waits_behind_the_others(visitors: Visitors) -> None:
    visitors.arrive(ROOM)
    visitors.serve(0)
    visitors.wait(0)
    visitors.arrive(2)
    assert visitors.aborted == [1, 2]


def test_newest_goes_where_all_others_are_being_served(visitors: Visitors) -> None:
    visitors.arrive(ROOM)
    for number in range(ROOM):
        visitors.serve(number)
    visitors.arrive()
    assert visitors.aborted == [ROOM]


def test_ten_thousand_visitors_leave_nothing_behind(visitors: Visitors) -> None:
    for number in range(10_000):
        visitors.arrive()
        if number >= ROOM:
            visitors.leave(number - ROOM)
    assert visitors.aborted == [*range(10_000 - ROOM)]
    assert counted(visitors.metrics, "connections") == ROOM
