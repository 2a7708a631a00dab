"""Sentences through the scheduler: each becomes a job, and each job a result."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from service.engine.search.options import MAX_BEAM_SIZE, DecodeOptions, Hypothesis
from service.models.loaded_model import LoadedModel
from service.observability.logs import REQUEST_ID
from service.scheduling.job import Job, JobResult
from service.scheduling.limits import Request
from service.scheduling.scheduler import Scheduler, SchedulerOptions
from service.translation.sentences.decode_options import sentence_options
from service.translation.sentences.source_text import SourceSentence
from service.translation.values import TranslateRequest

_STARTED_TOGETHER = 8
"""Jobs of a request that are submitted in one turn of the event loop, in a millisecond or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodePlan:
    """How the sentences of a request are decoded."""

    request: TranslateRequest
    options: DecodeOptions
    deadline_s: float | None


def jobs_of(sentences: Sequence[SourceSentence], plan: DecodePlan) -> list[Job | None]:
    """The job of each sentence, in order; None for those that need no model.

    Raises:
        InvalidRequestError: A prefix is too long.
    """
    request = Request(num_sentences=sum(bool(s.source_ids) for s in sentences))
    return [
        _job(s.source_ids, plan, s.prefix_ids, request) if s.source_ids else None for s in sentences
    ]


def fragment_jobs(sources: Sequence[tuple[int, ...]], plan: DecodePlan) -> list[Job]:
    """The jobs of fragments of sentences, in order, each for its best hypothesis only."""
    plain = replace(plan, options=replace(plan.options, num_hypotheses=1, with_trace=False))
    request = Request(num_sentences=len(sources))
    return [_job(source_ids, plain, (), request) for source_ids in sources]


def repeated_jobs(sentences: Sequence[SourceSentence], plan: DecodePlan) -> list[Job | None]:
    """The jobs of sentences that are decoded once more, in the place of those that have ended."""
    return [job and replace(job, is_continued=True) for job in jobs_of(sentences, plan)]


async def decode(
    model: LoadedModel, all_jobs: Sequence[Job | None], plan: DecodePlan
) -> list[JobResult | None]:
    """The result of each job, in order; None where there is none.

    Raises:
        ServiceError: A job did not succeed.
    """
    jobs = [job for job in all_jobs if job is not None]
    if not jobs:
        return [None] * len(all_jobs)
    if plan.request.num_alternatives and plan.request.prefixes is not None:
        results = await _run_with_branches(model, jobs, plan.request.num_alternatives + 1)
    else:
        results = await run_jobs(model.scheduler, model.options.scheduler, jobs)
    remaining = iter(results)
    return [None if job is None else next(remaining) for job in all_jobs]


async def run_jobs(
    scheduler: Scheduler, options: SchedulerOptions, jobs: Sequence[Job]
) -> list[JobResult]:
    """Submits `jobs`, a bounded number at a time, and returns their results in order.

    A text of thousands of sentences must neither fill the queue that other requests wait in, nor
    be refused for ever because it is larger than the queue. So the first `window` jobs of a
    request are admitted at once or the request is refused; whenever one has ended another is
    submitted, which is never refused. When the request ends early, by a refusal, a failed job or
    a cancelled task, all its jobs are cancelled.

    Raises:
        ServiceError: The error of the first job that did not succeed.
    """
    run = _Run(scheduler, jobs)
    if len(jobs) == 1:
        await run.lane()
        return [run.results[0]]
    lanes: list[asyncio.Task[None]] = []
    try:
        for number in range(_window(options, jobs)):
            if number % _STARTED_TOGETHER == 0 and number:
                await asyncio.sleep(0)
            lanes.append(asyncio.create_task(run.lane()))
        await asyncio.gather(*lanes)
    except BaseException:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        raise
    return [run.results[i] for i in range(len(jobs))]


class _Run:
    """The jobs of one request, and the results so far."""

    def __init__(self, scheduler: Scheduler, jobs: Sequence[Job]) -> None:
        self.results: dict[int, JobResult] = {}
        self._scheduler = scheduler
        self._waiting = iter(enumerate(jobs))

    async def lane(self) -> None:
        """Runs one job after another, beside the other lanes."""
        is_continued = False
        for index, job in self._waiting:
            # It takes the place of a job that has ended: the request occupies no more than before.
            following = replace(job, is_continued=True) if is_continued else job
            self.results[index] = await self._scheduler.run(following)
            is_continued = True


def _window(options: SchedulerOptions, jobs: Sequence[Job]) -> int:
    """Jobs that one request may have in the scheduler: twice what decodes side by side.

    At most half of the queue and the share of its client, so that an idle service refuses nothing.
    """
    if not jobs:
        return 0
    limits, client = options.limits, jobs[0].client
    longest = max(len(job.source_ids) for job in jobs)
    return max(
        1,
        min(
            len(jobs),
            2 * options.num_batches * options.slots_per_worker,
            limits.max_queued_jobs // 2,
            limits.max_jobs_of(client),
            limits.max_queued_tokens // (2 * longest),
            limits.max_tokens_of(client) // longest,
        ),
    )


def _job(
    source_ids: tuple[int, ...], plan: DecodePlan, prefix_ids: tuple[int, ...], request: Request
) -> Job:
    return Job(
        source_ids=source_ids,
        options=sentence_options(
            plan.options, source_ids, plan.request.max_length_factor, prefix_ids
        ),
        deadline_s=plan.deadline_s,
        request_id=REQUEST_ID.get(),
        client=plan.request.client,
        request=request,
    )


async def _run_with_branches(
    model: LoadedModel, jobs: Sequence[Job], num_branches: int
) -> list[JobResult]:
    """Decodes each of the best tokens behind a prefix to its end; best first."""
    eos_id = model.bundle.manifest.special_ids.eos
    run = partial(run_jobs, model.scheduler, model.options.scheduler)
    forced = [job for job in jobs if job.options.prefix_ids]
    # One more than wanted: an end that comes too early is left out.
    heads = iter(await run([_next_tokens(job, num_branches + 1) for job in forced]))
    families = [
        _branches(job, next(heads), eos_id)[:num_branches] if job.options.prefix_ids else [job]
        for job in jobs
    ]
    results = iter(await run([job for family in families for job in family]))
    return [_joined([next(results) for _ in family]) for family in families]


def _next_tokens(job: Job, count: int) -> Job:
    """A search for the best single tokens behind the prefix: it stops one token after it."""
    beam_size = min(count, MAX_BEAM_SIZE)
    options = replace(
        job.options,
        beam_size=beam_size,
        num_hypotheses=beam_size,
        max_target_tokens=len(job.options.prefix_ids) + 1,
        min_target_tokens=0,
        max_loop_tokens=None,
        length_penalty=0.0,
        with_trace=False,
    )
    return replace(job, options=options)


def _branches(job: Job, heads: JobResult, eos_id: int) -> list[Job]:
    """A job for each next token, best first; a search lists ended hypotheses before live ones."""
    shortest = job.options.min_target_tokens
    ranked = sorted(heads.hypotheses, key=lambda head: head.score, reverse=True)
    allowed = [h for h in ranked if not h.has_ended or len(h.target_ids) >= shortest]
    return [_branch(job, head, eos_id) for head in allowed] or [job]


def _branch(job: Job, head: Hypothesis, eos_id: int) -> Job:
    """The sentence with the prefix and one of the tokens that may follow it."""
    prefix_ids = (*head.target_ids, eos_id) if head.has_ended else head.target_ids
    longest = max(job.options.max_target_tokens, len(prefix_ids))
    return replace(
        job, options=replace(job.options, prefix_ids=prefix_ids, max_target_tokens=longest)
    )


def _joined(branches: Sequence[JobResult]) -> JobResult:
    """All hypotheses of the branches, in order; branches ran side by side."""
    return JobResult(
        hypotheses=tuple(h for branch in branches for h in branch.hypotheses),
        queue_s=max(branch.queue_s for branch in branches),
        encode_s=max(branch.encode_s for branch in branches),
        decode_s=max(branch.decode_s for branch in branches),
        finished_s=max(branch.finished_s for branch in branches),
    )
