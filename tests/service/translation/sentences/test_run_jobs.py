import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any

import pytest

from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from service.errors import DeadlineExceededError, OverloadedError
from service.scheduling.job import Job, JobResult
from service.scheduling.limits import INTERNAL_CLIENT, AdmissionLimits, Client
from service.translation.sentences.decoding import run_jobs
from tests.service.tiny_models import Running, running
from tests.service.waiting import eventually

SMALL = AdmissionLimits(max_queued_jobs=8, max_queued_tokens=1000)
OPTIONS = DecodeOptions(max_target_tokens=12)


@pytest.fixture
def waiting() -> Iterator[Running]:
    """A service that accepts jobs but does not run them until it is started."""
    with running(is_started=False, limits=SMALL) as service:
        yield service


def jobs(
    service: Running,
    count: int,
    *,
    deadline_s: float | None = None,
    client: Client = INTERNAL_CLIENT,
) -> list[Job]:
    bundle = service.model.bundle
    words = bundle.manifest.canary.source_text.split()
    texts = [" ".join(words[i % len(words) :]) for i in range(count)]
    return [
        Job(
            source_ids=tuple(bundle.tokenizer.encode_source(text, service.pair)),
            options=OPTIONS,
            deadline_s=deadline_s,
            client=client,
            must_run=True,  # one that shares a run takes no room
        )
        for text in texts
    ]


async def started(request: Coroutine[Any, Any, list[JobResult]]) -> asyncio.Task[list[JobResult]]:
    """A request whose first jobs are submitted."""
    task = asyncio.create_task(request)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def run(service: Running, given: list[Job]) -> list[JobResult]:
    return await run_jobs(service.model.scheduler, service.model.options.scheduler, given)


def test_results_come_in_order_however_many_jobs_there_are(waiting: Running) -> None:
    given = jobs(waiting, 50)
    waiting.registry.start()
    results = asyncio.run(run(waiting, given))
    expected = decode_batch(waiting.model.sessions, [j.source_ids for j in given], OPTIONS)
    assert [r.hypotheses[0].target_ids for r in results] == [h[0].target_ids for h in expected]


def test_no_jobs_have_no_results(waiting: Running) -> None:
    assert asyncio.run(run(waiting, [])) == []


def test_a_large_request_leaves_half_of_the_queue_to_others(waiting: Running) -> None:
    async def scenario() -> float:
        request = asyncio.create_task(run(waiting, jobs(waiting, 50)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        depth = waiting.counted("queue_depth")
        waiting.registry.start()
        assert len(await request) == 50
        return depth

    assert asyncio.run(scenario()) == SMALL.max_queued_jobs // 2


def test_a_request_is_admitted_whole_or_not_at_all(waiting: Running) -> None:
    async def scenario() -> None:
        admitted = [asyncio.create_task(run(waiting, jobs(waiting, 3))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await run(waiting, jobs(waiting, 3))
        waiting.registry.start()
        assert [len(results) for results in await asyncio.gather(*admitted)] == [3, 3]

    asyncio.run(scenario())
    eventually(lambda: not waiting.registry.is_busy)
    # Two of the refused request's jobs had found room; they were given up, not translated.
    assert waiting.counted("cancelled_total", reason="client") == 2


def test_cancelling_a_request_cancels_its_jobs(waiting: Running) -> None:
    async def scenario() -> None:
        request = asyncio.create_task(run(waiting, jobs(waiting, 3)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    asyncio.run(scenario())
    waiting.registry.start()
    eventually(lambda: not waiting.registry.is_busy)
    assert waiting.counted("cancelled_total", reason="client") == 3


def test_one_missed_deadline_ends_the_request(waiting: Running) -> None:
    given = [*jobs(waiting, 1), *jobs(waiting, 2, deadline_s=0.0)]
    waiting.registry.start()
    with pytest.raises(DeadlineExceededError):
        asyncio.run(run(waiting, given))


def test_an_admitted_request_is_not_refused_later(waiting: Running) -> None:
    """While its first jobs run the queue is overfull; yet it goes on, and waits its turn."""

    async def scenario() -> None:
        large = await started(run(waiting, jobs(waiting, 20)))
        for job in jobs(waiting, 40):
            waiting.model.scheduler.submit(replace(job, is_continued=True))
        waiting.registry.start()
        assert len(await large) == 20

    asyncio.run(scenario())


def test_a_client_with_a_large_request_leaves_room_to_another(waiting: Running) -> None:
    async def scenario() -> None:
        one, other = Client(name="one"), Client(name="other")
        large = await started(run(waiting, jobs(waiting, 50, client=one)))
        with pytest.raises(OverloadedError, match="4 sentences of yours are waiting"):
            await run(waiting, jobs(waiting, 1, client=one))
        small = await started(run(waiting, jobs(waiting, 2, client=other)))
        waiting.registry.start()
        assert [len(results) for results in await asyncio.gather(large, small)] == [50, 2]

    asyncio.run(scenario())
    assert waiting.counted("rejected_total", reason="client_queue_full") == 1


@pytest.mark.parametrize("bound", [1, 3])
def test_a_request_keeps_within_the_bound_of_its_client(waiting: Running, bound: int) -> None:
    async def scenario() -> float:
        client = Client(name="one", max_queued_jobs=bound)
        request = await started(run(waiting, jobs(waiting, 20, client=client)))
        depth = waiting.counted("queue_depth")
        waiting.registry.start()
        assert len(await request) == 20
        return depth

    assert asyncio.run(scenario()) == bound
