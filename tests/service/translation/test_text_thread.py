"""Who gets a thread for a long text, and who has to wait."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from service.observability.logs import REQUEST_ID
from service.scheduling.limits import Client
from service.scheduling.slices import REST_TO_WORK, SLICE_S, breathe
from service.translation.text_thread import MAX_SIDE_BY_SIDE, TextThread

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
        self.is_held = threading.Event()
        self.order: list[str] = []

    def hold(self) -> None:
        """Occupies its thread."""
        self.is_held.set()
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
    assert await asyncio.to_thread(gate.is_held.wait, 30)
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
    assert order == ["2a", "1a", "2b", "1b", "1c"]  # the first one was at work before


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


class Endless:
    """Work that breathes, and ends when it is told to or has been left."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self.has_ended = threading.Event()

    def __call__(self) -> None:
        self.has_begun.set()
        try:
            while not self.may_end.is_set():
                breathe()
        finally:
            self.has_ended.set()


async def _begun(thread: TextThread, client: Client, work: Endless) -> asyncio.Task[None]:
    task = asyncio.create_task(thread.run(client, LONG, work))
    assert await asyncio.to_thread(work.has_begun.wait, 30)
    return task


def test_a_text_ends_within_the_endless_ones_of_others(thread: TextThread) -> None:
    others = [Client(name=str(number)) for number in range(MAX_SIDE_BY_SIDE - 1)]

    async def scenario() -> list[bool]:
        works = [Endless() for _ in others]
        tasks = [await _begun(thread, *each) for each in zip(others, works, strict=True)]
        await asyncio.wait_for(thread.run(OTHER, LONG, str), 10)
        are_done = [task.done() for task in tasks]
        for work in works:
            work.may_end.set()
        await asyncio.gather(*tasks)
        return are_done

    assert asyncio.run(scenario()) == [False] * len(others)


def test_one_text_works_at_a_time(thread: TextThread) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            inside += 1
            most = max(most, inside)
            time.sleep(SLICE_S)
            inside -= 1
            breathe()

    async def scenario() -> None:
        await asyncio.gather(*(thread.run(client, LONG, work) for client in (ONE, OTHER)))

    asyncio.run(scenario())
    assert most == 1


def test_work_ends_at_its_next_breath_once_its_caller_has_left(thread: TextThread) -> None:
    async def scenario() -> bool:
        work = Endless()
        task = await _begun(thread, ONE, work)
        task.cancel()
        await asyncio.wait_for(thread.run(ONE, LONG, str), 10)
        return work.has_ended.is_set()

    assert asyncio.run(scenario())


def test_each_slice_is_followed_by_a_rest(thread: TextThread) -> None:
    def work() -> float:
        started_s = time.monotonic()
        for _ in range(5):
            time.sleep(SLICE_S)
            breathe()
        return time.monotonic() - started_s

    assert asyncio.run(thread.run(ONE, LONG, work)) >= 0.9 * (1 + REST_TO_WORK) * 5 * SLICE_S


def test_nothing_breathes_outside_of_a_thread() -> None:
    breathe()
