"""What the models did for a request is counted where all of its tasks see it."""

import asyncio

from service.observability.logs import REQUEST_STATS, RequestStats, count_sentences


def test_sentences_add_up() -> None:
    stats = RequestStats()
    token = REQUEST_STATS.set(stats)
    count_sentences([(3, 4), (5, 6)])
    count_sentences([(7, 8)])
    REQUEST_STATS.reset(token)
    assert stats == RequestStats(sentences=3, source_tokens=15, target_tokens=18)


def test_work_of_no_request_is_counted_nowhere() -> None:
    count_sentences([(3, 4)])
    assert REQUEST_STATS.get() is None


def test_tasks_of_a_request_count_together() -> None:
    async def sentence() -> None:
        count_sentences([(1, 2)])

    async def request() -> RequestStats:
        stats = RequestStats()
        REQUEST_STATS.set(stats)
        await asyncio.gather(*(sentence() for _ in range(3)))
        return stats

    async def two_requests() -> list[RequestStats]:
        return list(await asyncio.gather(*(asyncio.create_task(request()) for _ in range(2))))

    expected = RequestStats(sentences=3, source_tokens=3, target_tokens=6)
    assert asyncio.run(two_requests()) == [expected, expected]
