"""Deadlines and cancellation on the event loop, with a decode loop that the test iterates."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.search.options import DecodeOptions
from service.errors import DeadlineExceededError, ShuttingDownError, TranslationFailedError
from service.scheduling.deadline import deadline
from service.scheduling.job import Job, JobResult
from service.scheduling.single_flight import SharingOptions, SingleFlight
from tests.service.engine.tiny import BEAM, GREEDY, LIMIT, POISONED, alone, tiny_sources
from tests.service.fake_time import run_on, settle
from tests.service.scheduling.workers.single_loop import SingleLoop, job_of
from tests.service.tiny_models import FakeClock

SOURCE = tiny_sources()[0]
LONG = DecodeOptions(max_target_tokens=LIMIT, beam_size=2)
Task = asyncio.Task[JobResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The parts of a scheduler on the event loop, in front of a decode loop."""

    single: SingleLoop
    flights: SingleFlight

    @classmethod
    def create(cls, *, shares_runs: bool = True, cache_bytes: int = 0) -> "Front":
        single = SingleLoop.create()
        options = SharingOptions(shares_runs=shares_runs, cache_bytes=cache_bytes)
        flights = SingleFlight(single.queue, options, single.metrics, single.clock)
        return cls(single=single, flights=flights)

    def job(
        self,
        source_ids: tuple[int, ...] = SOURCE,
        options: DecodeOptions = GREEDY,
        *,
        timeout_s: float | None = None,
    ) -> Job:
        deadline_s = None if timeout_s is None else self.single.clock.now_s + timeout_s
        return job_of(source_ids, options, deadline_s)

    async def start(self, *jobs: Job) -> list[Task]:
        tasks = [asyncio.create_task(self.flights.run(job)) for job in jobs]
        await settle()
        return tasks

    async def iterate(self, count: int = 1) -> None:
        self.single.iterate(count)
        await settle()

    async def wait(self, seconds: float) -> None:
        self.single.clock.now_s += seconds
        await settle()

    async def finish(self) -> None:
        self.single.run()
        await settle()
        await self.iterate()  # what was cancelled last leaves the batch
        assert (self.single.slots_in_use, self.single.counted("queue_depth")) == (0, 0)
        assert self.single.worker.is_idle

    def cancelled(self) -> tuple[float, float]:
        """Jobs that their clients cancelled, jobs whose deadlines passed."""
        late = self.single.counted("cancelled_total", reason="deadline")
        assert self.single.counted("finish_total", reason="deadline") == late
        return self.single.counted("cancelled_total", reason="client"), late


@pytest.fixture
def front() -> Front:
    return Front.create()


def play(front: Front, scenario: Coroutine[Any, Any, None]) -> None:
    run_on(front.single.clock, scenario)


def is_late(task: Task) -> bool:
    return task.done() and isinstance(task.exception(), DeadlineExceededError)


def is_translated(task: Task, job: Job) -> bool:
    return task.result().hypotheses == alone(job.source_ids, job.options)


def test_a_job_in_time_gives_what_it_gives_alone(front: Front) -> None:
    async def scenario() -> None:
        job = front.job(timeout_s=5)
        (task,) = await front.start(job)
        await front.finish()
        assert is_translated(task, job)
        await front.wait(10)

    play(front, scenario())
    assert front.cancelled() == (0, 0)


@pytest.mark.parametrize("turns", [0, 2], ids=["waiting", "decoding"])
def test_a_deadline_is_kept_while_no_worker_takes_a_turn(front: Front, turns: int) -> None:
    async def scenario() -> None:
        (task,) = await front.start(front.job(options=LONG, timeout_s=5))
        await front.iterate(turns)
        await front.wait(4.9)
        assert not task.done()
        await front.wait(0.1)
        assert is_late(task)
        assert not front.single.queue.is_busy
        await front.iterate()
        assert (front.single.slots_in_use, front.single.worker.is_idle) == (0, True)

    play(front, scenario())
    assert front.cancelled() == (0, 1)


def test_a_deadline_is_kept_while_there_is_no_room(front: Front) -> None:
    async def scenario() -> None:
        wide = replace(BEAM, beam_size=8)
        first, second, late = await front.start(
            front.job(tiny_sources()[0], wide),
            front.job(tiny_sources()[1], wide),
            front.job(tiny_sources()[2], timeout_s=5),
        )
        await front.iterate()
        await front.wait(5)
        assert is_late(late)
        assert not (first.done() or second.done())
        await front.finish()
        assert first.done() and second.done()

    play(front, scenario())


@pytest.mark.parametrize("timeout_s", [0, -3])
def test_a_job_whose_deadline_has_passed_is_not_decoded(front: Front, timeout_s: float) -> None:
    async def scenario() -> None:
        (task,) = await front.start(front.job(timeout_s=timeout_s))
        assert is_late(task)
        await front.iterate()

    play(front, scenario())
    assert front.single.decoder.fed == []
    assert front.cancelled() == (0, 1)


@pytest.mark.parametrize("turns", [0, 2], ids=["waiting", "running"])
def test_an_earlier_deadline_leaves_a_shared_run_to_the_others(front: Front, turns: int) -> None:
    async def scenario() -> None:
        jobs = [front.job(timeout_s=timeout_s) for timeout_s in (5, 3, 20, None)]
        (first,) = await front.start(jobs[0])
        await front.iterate(turns)
        early, late, patient = await front.start(*jobs[1:])
        assert front.single.counted("shared_runs_total") == 3
        await front.wait(3)
        assert [is_late(task) for task in (first, early)] == [False, True]
        await front.wait(2)
        assert is_late(first)
        await front.finish()
        assert is_translated(late, jobs[2]) and is_translated(patient, jobs[3])

    play(front, scenario())
    assert front.cancelled() == (0, 2)
    assert front.single.counted("finish_total", reason="stop") == 1


def test_the_latest_deadline_ends_a_shared_run(front: Front) -> None:
    async def scenario() -> None:
        tasks = await front.start(*(front.job(options=LONG, timeout_s=t) for t in (3, 20, 10)))
        await front.iterate(2)
        await front.wait(20)
        assert all(map(is_late, tasks))
        assert not front.single.queue.is_busy
        await front.iterate()
        assert front.single.slots_in_use == 0

    play(front, scenario())
    assert front.cancelled() == (0, 3)


def test_a_run_is_joined_however_little_time_its_first_job_has_left(front: Front) -> None:
    async def scenario() -> None:
        job = front.job(timeout_s=50)
        (hurried,) = await front.start(front.job(timeout_s=5))
        await front.iterate(2)
        await front.wait(4.99)
        (joined,) = await front.start(job)
        assert front.single.counted("shared_runs_total") == 1
        await front.wait(1)
        assert is_late(hurried)
        await front.finish()
        assert is_translated(joined, job)

    play(front, scenario())


def test_a_job_that_is_tried_again_keeps_its_deadline(front: Front) -> None:
    def break_down(_: object) -> None:
        raise RuntimeError("the graph broke down")

    async def scenario() -> None:
        (task,) = await front.start(front.job(timeout_s=5))
        front.single.decoder.before = break_down
        await front.iterate()
        front.single.decoder.before = None
        await front.iterate(2)
        assert front.single.slots_in_use == 1
        await front.wait(5)
        assert is_late(task)
        await front.finish()

    play(front, scenario())


@pytest.mark.parametrize("turns", [0, 2], ids=["waiting", "decoding"])
def test_a_cancelled_task_cancels_its_job(front: Front, turns: int) -> None:
    async def scenario() -> None:
        task, other = await front.start(
            front.job(options=LONG, timeout_s=50), front.job(tiny_sources()[1])
        )
        await front.iterate(turns)
        task.cancel()
        await settle()
        assert task.cancelled()
        await front.iterate()
        assert front.single.slots_in_use == 1
        await front.finish()
        assert other.done()

    play(front, scenario())
    assert front.cancelled() == (1, 0)


def test_each_task_of_a_shared_run_is_cancelled_by_itself(front: Front) -> None:
    async def scenario() -> None:
        job = front.job()
        tasks = await front.start(job, job, job)
        await front.iterate(2)
        tasks[0].cancel()
        await settle()
        assert front.single.queue.is_busy
        await front.finish()
        assert all(is_translated(task, job) for task in tasks[1:])

    play(front, scenario())
    assert front.cancelled() == (1, 0)


def test_a_job_that_has_ended_is_not_counted_as_cancelled(front: Front) -> None:
    async def scenario() -> None:
        (task,) = await front.start(front.job())
        front.single.run()
        task.cancel()  # its result is there, and has not reached it yet
        await settle()
        assert task.cancelled()

    play(front, scenario())
    assert front.cancelled() == (0, 0)
    assert front.single.counted("finish_total", reason="stop") == 1


def test_a_kept_result_needs_no_time() -> None:
    front = Front.create(cache_bytes=1_000_000)

    async def scenario() -> None:
        await front.start(front.job())
        await front.finish()
        again = front.job(timeout_s=1)
        (task,) = await front.start(again)
        assert is_translated(task, again)

    play(front, scenario())


def test_failures_and_shutdown_reach_the_task(front: Front) -> None:
    async def scenario() -> None:
        (poisoned,) = await front.start(front.job(POISONED, timeout_s=50))
        await front.finish()
        assert isinstance(poisoned.exception(), TranslationFailedError)
        (decoding,) = await front.start(front.job(options=LONG))
        await front.iterate()
        front.single.worker.stop()
        await settle()
        assert isinstance(decoding.exception(), ShuttingDownError)

    play(front, scenario())
    assert front.cancelled() == (0, 0)


def test_the_error_of_a_socket_is_not_taken_for_a_deadline() -> None:
    async def scenario() -> None:
        with pytest.raises(TimeoutError, match="the socket's own"):
            async with deadline(5, "too late"):
                raise TimeoutError("the socket's own")

    run_on(FakeClock(), scenario())


def test_a_deadline_says_what_was_not_done() -> None:
    async def scenario() -> None:
        with pytest.raises(DeadlineExceededError, match=r"^too late$"):
            async with deadline(0, "too late"):
                await asyncio.Event().wait()

    run_on(FakeClock(), scenario())


asked = st.tuples(
    st.sampled_from(tiny_sources(6)), st.sampled_from([GREEDY, BEAM]), st.none() | st.integers(0, 9)
)
events = st.one_of(
    st.tuples(st.just("start"), asked),
    st.tuples(st.just("cancel"), st.integers(0, 99)),
    st.tuples(st.just("wait"), st.integers(1, 5)),
    st.tuples(st.just("turn"), st.integers(1, 4)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(events, max_size=30), shares_runs=st.booleans())
def test_every_job_ends_once_and_is_counted_once(
    steps: list[tuple[str, Any]], shares_runs: bool
) -> None:
    front = Front.create(shares_runs=shares_runs)
    jobs: list[Job] = []
    tasks: list[Task] = []

    async def scenario() -> None:
        for kind, value in steps:
            match kind:
                case "start":
                    source_ids, options, timeout_s = value
                    jobs.append(front.job(source_ids, options, timeout_s=timeout_s))
                    tasks.extend(await front.start(jobs[-1]))
                case "cancel" if tasks:
                    tasks[value % len(tasks)].cancel()
                    await settle()
                case "wait":
                    await front.wait(value)
                case "turn":
                    await front.iterate(value)
        await front.finish()
        assert all(task.done() for task in tasks)
        ends = Counter(map(end_of, tasks, jobs))
        assert front.cancelled() == (ends["cancelled"], ends["late"])

    def end_of(task: Task, job: Job) -> str:
        if task.cancelled():
            return "cancelled"
        if is_late(task):
            assert job.deadline_s is not None and job.deadline_s <= front.single.clock.now_s
            return "late"
        assert is_translated(task, job)
        return "translated"

    play(front, scenario())
