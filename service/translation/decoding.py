"""The sentences of a request as jobs, and their results."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bundle.reader import Bundle
from service.engine.search.options import MAX_BEAM_SIZE, DecodeOptions, Hypothesis
from service.errors import InvalidRequestError
from service.models.loaded_model import LoadedModel
from service.observability.logs import REQUEST_ID
from service.scheduling.job import Job, JobResult
from service.scheduling.scheduler import Scheduler, SchedulerOptions
from service.text.unicode import check_unicode
from service.translation.decode_options import sentence_options
from service.translation.source_text import SourceSentence
from service.translation.values import TranslateRequest


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
            self.results[index] = await self._scheduler.run(following)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodePlan:
    """How the sentences of a request are to be decoded."""

    request: TranslateRequest
    options: DecodeOptions
    deadline_s: float | None
    prefixes: Sequence[str] | None = None
    """What the translation of each text begins with."""


async def decode(
    model: LoadedModel, texts: Sequence[Sequence[SourceSentence]], plan: DecodePlan
) -> list[JobResult]:
    """Results of all sentences that need a model, in order.

    Raises:
        ServiceError: A prefix cannot be used, or a job did not succeed.
    """
    jobs = _jobs(model.bundle, texts, plan)
    if plan.prefixes is None or plan.request.num_alternatives == 0:
        return await _run(model, jobs)
    return await _run_with_branches(model, jobs, plan.request.num_alternatives + 1)


async def decode_pieces(
    model: LoadedModel, sources: Sequence[tuple[int, ...]], plan: DecodePlan
) -> list[JobResult]:
    """Results of pieces of sentences, without alternatives, in order."""
    plain = replace(plan, options=replace(plan.options, num_hypotheses=1))
    return await _run(model, [_job(source_ids, plain, ()) for source_ids in sources])


def _jobs(bundle: Bundle, texts: Sequence[Sequence[SourceSentence]], plan: DecodePlan) -> list[Job]:
    """A text's prefix is what its first sentence begins with."""
    jobs: list[Job] = []
    for text, prefix in zip(texts, plan.prefixes or ("",) * len(texts), strict=True):
        sentences = [sentence for sentence in text if sentence.source_ids]
        if prefix and not sentences:
            raise InvalidRequestError(
                "Invalid request: a text without letters is not translated: send it no prefix"
            )
        prefixes = [_prefix_ids(bundle, prefix), *[()] * len(sentences)]
        jobs += [_job(s.source_ids, plan, ids) for s, ids in zip(sentences, prefixes, strict=False)]
    return jobs


def _prefix_ids(bundle: Bundle, prefix: str) -> tuple[int, ...]:
    check_unicode(prefix)
    return tuple(bundle.tokenizer.encode_target(prefix)[:-1])


def _job(source_ids: tuple[int, ...], plan: DecodePlan, prefix_ids: tuple[int, ...]) -> Job:
    return Job(
        source_ids=source_ids,
        options=sentence_options(
            plan.options, source_ids, plan.request.max_length_factor, prefix_ids
        ),
        deadline_s=plan.deadline_s,
        request_id=REQUEST_ID.get(),
        client=plan.request.client,
    )


async def _run(model: LoadedModel, jobs: Sequence[Job]) -> list[JobResult]:
    return await run_jobs(model.scheduler, model.options.scheduler, jobs)


async def _run_with_branches(
    model: LoadedModel, jobs: Sequence[Job], num_branches: int
) -> list[JobResult]:
    """Like `_run`, but where a prefix ends, each of the best next tokens is followed to the end."""
    eos_id = model.bundle.manifest.special_ids.eos
    forced = [job for job in jobs if job.options.prefix_ids]
    # One more than wanted: an end that comes too early is passed over.
    heads = iter(await _run(model, [_next_tokens(job, num_branches + 1) for job in forced]))
    families = [
        _branches(job, next(heads), eos_id)[:num_branches] if job.options.prefix_ids else [job]
        for job in jobs
    ]
    results = iter(await _run(model, [job for family in families for job in family]))
    return [_joined([next(results) for _ in family]) for family in families]


def _next_tokens(job: Job, count: int) -> Job:
    """A beam that is cut off one token behind the prefix: its hypotheses are the best of them."""
    beam_size = min(count, MAX_BEAM_SIZE)
    options = replace(
        job.options,
        beam_size=beam_size,
        num_hypotheses=beam_size,
        max_target_tokens=len(job.options.prefix_ids) + 1,
        min_target_tokens=0,
        max_loop_tokens=None,
        length_penalty=0.0,
    )
    return replace(job, options=options)


def _branches(job: Job, heads: JobResult, eos_id: int) -> list[Job]:
    """One for each next token, best first; a search lists what has ended before what goes on."""
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
    """The best of each branch, in their order; branches ran side by side."""
    return JobResult(
        hypotheses=tuple(h for branch in branches for h in branch.hypotheses),
        queue_s=max(branch.queue_s for branch in branches),
        encode_s=max(branch.encode_s for branch in branches),
        decode_s=max(branch.decode_s for branch in branches),
        finished_s=max(branch.finished_s for branch in branches),
    )
