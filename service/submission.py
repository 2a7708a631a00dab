"""Runs the jobs of one request: all are admitted or none, and all are cancelled together."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from service.scheduling.job import Job, JobResult
from service.scheduling.scheduler import Scheduler, SchedulerOptions


async def run_jobs(
    scheduler: Scheduler, options: SchedulerOptions, jobs: Sequence[Job]
) -> list[JobResult]:
    """Submit `jobs`, a bounded number at a time, and wait for their results, in order.

    A text of thousands of sentences must not fill the queue that others wait in, nor be refused
    for ever because it is larger than the queue. So a request has its first `window` of jobs
    admitted at once or is refused, and adds another whenever one has ended: that one is never
    refused. However this ends early, by a refusal, a failed job or a cancelled task, no job of the
    request goes on.

    Raises:
        ServiceError: Whatever the first job that did not succeed ended with.
    """
    run = _Run(scheduler, jobs)
    lanes = [asyncio.create_task(run.lane()) for _ in range(_window(options, jobs))]
    try:
        await asyncio.gather(*lanes)
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
    return [run.results[i] for i in range(len(jobs))]


class _Run:
    """The jobs of one request, on their way."""

    def __init__(self, scheduler: Scheduler, jobs: Sequence[Job]) -> None:
        self.results: dict[int, JobResult] = {}
        self._scheduler = scheduler
        self._waiting = iter(enumerate(jobs))

    async def lane(self) -> None:
        """Run one job after another, beside the other lanes."""
        is_continued = False
        for index, job in self._waiting:
            # It takes the place of one that has ended: what is inside grows no larger.
            following = replace(job, is_continued=is_continued)
            self.results[index] = await asyncio.wrap_future(self._scheduler.submit(following))
            is_continued = True


def _window(options: SchedulerOptions, jobs: Sequence[Job]) -> int:
    """Jobs that one request may have in the scheduler: twice what decodes side by side.

    At most half of the queue, and what its client may have, so that an idle service never refuses.
    """
    if not jobs:
        return 0
    limits, client = options.limits, jobs[0].client
    longest = max(len(job.source_ids) for job in jobs)
    return max(
        1,
        min(
            len(jobs),
            2 * options.num_workers * options.slots_per_worker,
            limits.max_queued_jobs // 2,
            limits.max_jobs_of(client),
            limits.max_queued_tokens // (2 * longest),
            limits.max_tokens_of(client) // longest,
        ),
    )
