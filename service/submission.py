"""Runs the jobs of one request: all are admitted or none, and all are cancelled together."""

import asyncio
from collections.abc import Sequence

from service.errors import OverloadedError
from service.job import Job, JobResult
from service.scheduler import Scheduler, SchedulerOptions

_RETRY_S = 0.05


async def run_jobs(
    scheduler: Scheduler, options: SchedulerOptions, jobs: Sequence[Job]
) -> list[JobResult]:
    """Submit `jobs`, a bounded number at a time, and wait for their results, in order.

    A text of thousands of sentences must not fill the queue that others wait in, nor be refused
    for ever because it is larger than the queue. So a request has its first `window` of jobs
    admitted at once or is refused, and adds another whenever one has ended. However this ends
    early, by a refusal, a failed job or a cancelled task, no job of the request goes on.

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
        for index, job in self._waiting:
            self.results[index] = await self._result_of(job)

    async def _result_of(self, job: Job) -> JobResult:
        while True:
            try:
                return await asyncio.wrap_future(self._scheduler.submit(job))
            except OverloadedError:
                if not self.results:
                    raise
            # The request was admitted and has had results: from here on it waits its turn.
            await asyncio.sleep(_RETRY_S)


def _window(options: SchedulerOptions, jobs: Sequence[Job]) -> int:
    """Jobs that one request may have in the scheduler: twice what decodes side by side.

    At most half of the queue, so that an idle service never refuses.
    """
    limits = options.limits
    longest = max((len(job.source_ids) for job in jobs), default=1)
    return max(
        1,
        min(
            len(jobs),
            2 * options.num_workers * options.slots_per_worker,
            limits.max_queued_jobs // 2,
            limits.max_queued_tokens // (2 * longest),
        ),
    )
