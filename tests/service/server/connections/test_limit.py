"""Which connection is closed when there are too many."""

import asyncio
from dataclasses import dataclass
from typing import cast

import pytest

from service.observability.metrics import Metrics
from service.server.connections.limit import ConnectionLimit
from tests.service.scheduling.workers.single_loop import counted

MAX_CONNECTIONS = 3


@dataclass(slots=True, eq=False)
class FakeTransport:
    """Is removed from the limit some time after `abort`, as a real one is."""

    is_aborted: bool = False

    def abort(self) -> None:
        assert not self.is_aborted, "a connection is aborted once"
        self.is_aborted = True

    @property
    def as_transport(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self)


@dataclass(slots=True)
class Connections:
    """A limit and all connections it was given, numbered in the order of their arrival."""

    limit: ConnectionLimit
    metrics: Metrics
    all: list[FakeTransport]

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.all.append(FakeTransport())
            self.limit.add(self.all[-1].as_transport)

    def mark_busy(self, number: int) -> None:
        self.limit.mark_busy(self.all[number].as_transport)

    def mark_idle(self, number: int) -> None:
        self.limit.mark_idle(self.all[number].as_transport)

    def remove(self, number: int) -> None:
        self.limit.remove(self.all[number].as_transport)

    @property
    def aborted(self) -> list[int]:
        return [number for number, each in enumerate(self.all) if each.is_aborted]


@pytest.fixture
def connections() -> Connections:
    metrics = Metrics()
    return Connections(limit=ConnectionLimit(MAX_CONNECTIONS, metrics), metrics=metrics, all=[])


def test_no_connection_is_closed_below_the_limit(connections: Connections) -> None:
    connections.add(MAX_CONNECTIONS)
    connections.remove(1)
    connections.add()
    assert connections.aborted == []
    assert counted(connections.metrics, "connections") == MAX_CONNECTIONS


def test_longest_idle_connection_is_closed_first(connections: Connections) -> None:
    connections.add(MAX_CONNECTIONS + 2)
    assert connections.aborted == [0, 1]
    assert counted(connections.metrics, "rejected_total", reason="too_many_connections") == 2


def test_busy_connection_stays(connections: Connections) -> None:
    connections.add(MAX_CONNECTIONS)
    connections.mark_busy(0)
    connections.add()
    assert connections.aborted == [1]


def test_connection_is_the_newest_idle_one_after_its_reply(connections: Connections) -> None:
    connections.add(MAX_CONNECTIONS)
    connections.mark_busy(0)
    connections.mark_idle(0)
    connections.add(2)
    assert connections.aborted == [1, 2]


def test_newest_connection_is_closed_where_all_others_are_busy(connections: Connections) -> None:
    connections.add(MAX_CONNECTIONS)
    for number in range(MAX_CONNECTIONS):
        connections.mark_busy(number)
    connections.add()
    assert connections.aborted == [MAX_CONNECTIONS]


def test_ten_thousand_connections_leave_nothing_behind(connections: Connections) -> None:
    for number in range(10_000):
        connections.add()
        if number >= MAX_CONNECTIONS:
            connections.remove(number - MAX_CONNECTIONS)
    assert connections.aborted == [*range(10_000 - MAX_CONNECTIONS)]
    assert counted(connections.metrics, "connections") == MAX_CONNECTIONS
