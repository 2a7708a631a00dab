"""The unit of scheduling: one sentence to decode, its state in the queue, and its result."""

from concurrent.futures import Future
from dataclasses import dataclass, field

from service.engine.search.options import DecodeOptions, Hypothesis
from service.scheduling.limits import INTERNAL_CLIENT, INTERNAL_REQUEST, Client, FlowKey, Request

Round = tuple[int, int]
"""Rounds of its client, then of its request within the client, that come before a job."""
FIRST_ROUND: Round = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One tokenised sentence."""

    source_ids: tuple[int, ...]
    """Language prefix, pieces, end token."""
    options: DecodeOptions
    deadline_s: float | None = None
    """Moment on the scheduler's monotonic clock at which `Scheduler.run` cancels the job."""
    request_id: str | None = None
    """Id of the HTTP request that it belongs to, for the logs."""
    client: Client = INTERNAL_CLIENT
    """The client whose share of the queue it takes."""
    request: Request = INTERNAL_REQUEST
    """The request whose share of its client's it takes."""
    is_continued: bool = False
    """Whether its request was admitted with earlier jobs: then no bound of the queue refuses it."""
    must_run: bool = False
    """Whether it needs a run of its own: no cached result, no run of an equal job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The result of a job. Durations are elapsed seconds."""

    hypotheses: tuple[Hypothesis, ...]
    """Best first."""
    queue_s: float
    encode_s: float
    decode_s: float
    finished_s: float = 0.0
    """Moment on the scheduler's clock; 0 where no model of this process ran."""


@dataclass(eq=False, slots=True, kw_only=True)
class Entry:
    """A job between submission and result; compared and hashed by identity."""

    job: Job
    submitted_s: float
    future: Future[JobResult] = field(default_factory=Future)
    """Cancelling it cancels the job, at any time."""
    num_overtakes: int = 0
    """Batches that a later job joined and this one did not."""
    round: Round = FIRST_ROUND
    """When its turn comes in fair order."""
    is_cancelled: bool = False
    """Whether `future` is cancelled, readable without its lock in every decoding step."""
    is_retry: bool = False
    """Whether its batch failed, or two of its engines died: the job is decoded once more, alone."""
    num_deaths: int = 0
    """Of engines that had it."""
    num_deaths_alone: int = 0
    """Of engines that had nothing else."""
    admitted_s: float = 0.0
    encoded_s: float = 0.0
    joined_s: float = 0.0
    num_slots: int = field(init=False)
    """Cache rows that the job occupies."""
    num_tokens: int = field(init=False)
    """Tokens of the source."""
    work: int = field(init=False)
    """Source tokens times slots: what its client and its request are charged for."""
    flow: FlowKey = field(init=False)
    """With what it takes turns."""

    def __post_init__(self) -> None:
        # Read for each of 128 entries whenever jobs are selected, so that properties are too slow.
        self.num_slots = self.job.options.beam_size
        self.num_tokens = len(self.job.source_ids)
        self.work = self.num_tokens * self.num_slots
        self.flow = self.job.client.name, self.job.request
