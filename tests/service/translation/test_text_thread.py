"""Who gets a thread for a long text, and who has to wait."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from service.observability.logs import REQUEST_ID
from service.scheduling.limits import Client
from service.translation.text_thread import TextThread

ONE, OTHER = Client(name="one"), Client(name="other")
LONG = 1_001


@pytest.fixture
def thread() -> Iterator[TextThread]:
    made = TextThread()
    yield made
    made.close()


WORK_S = 0.1


class Gate:
    """Work that ends when it is let through."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.order: list[str] = []

    def hold(self) -> None:
        """Occupies its thread."""
        assert self._open.wait(30)

    def note(self, name: str) -> str:
        """Remembers that it ran."""
        self.order.append(name)
        return name

    def open(self) -> None:
        """Ends what is held."""
        self._open.set()


async def _occupied(thread: TextThread, gate: Gate) -> list[asyncio.Task[None]]:
    holding = [asyncio.create_task(thread.run(ONE, LONG, gate.hold))]
    await asyncio.sleep(0)
    return holding


def test_short_text_is_worked_on_where_it_is(thread: TextThread) -> None:
    found = asyncio.run(thread.run(ONE, LONG - 1, threading.get_ident))
    assert found == threading.get_ident()


def test_long_text_is_worked_on_in_a_thread_of_the_same_context(thread: TextThread) -> None:
    token = REQUEST_ID.set("an id")
    number, request_id = asyncio.run(
        thread.run(ONE, LONG, lambda: (threading.get_ident(), REQUEST_ID.get()))
    )
    assert number != threading.get_ident()
    REQUEST_ID.reset(token)
    assert request_id == "an id"


def test_error_is_that_of_the_work(thread: TextThread) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(thread.run(ONE, LONG, lambda: 1 // 0))


def test_clients_take_turns_whatever_they_have_waiting(thread: TextThread) -> None:
    async def scenario() -> list[str]:
        gate = Gate()
        holding = await _occupied(thread, gate)
        waiting = [
            asyncio.create_task(thread.run(client, LONG, gate.note, name))
            for client, name in [
                (ONE, "1a"),
                (ONE, "1b"),
                (ONE, "1c"),
                (OTHER, "2a"),
                (OTHER, "2b"),
            ]
        ]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(*holding, *waiting)
        return gate.order

    order = asyncio.run(scenario())
    assert order == ["1a", "2a", "1b", "2b", "1c"]


def test_cancelled_text_gives_its_turn_to_the_next(thread: TextThread) -> None:
    async def scenario() -> list[str]:
        gate = Gate()
        holding = await _occupied(thread, gate)
        gone = asyncio.create_task(thread.run(ONE, LONG, gate.note, "gone"))
        stays = asyncio.create_task(thread.run(ONE, LONG, gate.note, "stays"))
        await asyncio.sleep(0)
        gone.cancel()
        gate.open()
        await asyncio.gather(*holding, stays)
        with pytest.raises(asyncio.CancelledError):
            await gone
        return gate.order

    assert asyncio.run(scenario()) == ["stays"]


def test_thread_is_free_once_its_work_has_ended_although_its_caller_left(
    thread: TextThread,
) -> None:
    async def scenario() -> list[str]:
        gate = Gate()
        holding = await _occupied(thread, gate)
        for task in holding:
            task.cancel()
        waiting = [
            asyncio.create_task(thread.run(OTHER, LONG, gate.note, name)) for name in ("a", "b")
        ]
        await asyncio.sleep(0)
        assert gate.order == []
        gate.open()
        await asyncio.gather(*waiting)
        return sorted(gate.order)

    assert asyncio.run(scenario()) == ["a", "b"]


def test_closed_threads_refuse_work(thread: TextThread) -> None:
    thread.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        asyncio.run(thread.run(ONE, LONG, lambda: 1))


def test_a_text_waits_as_long_as_the_one_before_it_took(thread: TextThread) -> None:
    async def scenario() -> float:
        await thread.run(ONE, LONG, time.sleep, WORK_S)
        started_s = time.monotonic()
        await thread.run(OTHER, LONG, str)
        return time.monotonic() - started_s

    assert asyncio.run(scenario()) >= 0.9 * WORK_S


def test_the_next_event_loop_finds_the_thread_free(thread: TextThread) -> None:
    for _ in range(3):  # a rest is longer than the loop in which the work was done
        asyncio.run(asyncio.wait_for(thread.run(ONE, LONG, time.sleep, WORK_S), 10))


def test_work_that_outlives_its_loop_frees_the_thread(thread: TextThread) -> None:
    async def leave() -> None:
        work = asyncio.create_task(thread.run(ONE, LONG, time.sleep, WORK_S))
        await asyncio.sleep(WORK_S / 10)
        work.cancel()

    asyncio.run(leave())
    time.sleep(2 * WORK_S)
    assert asyncio.run(asyncio.wait_for(thread.run(ONE, LONG, str), 10)) == ""
