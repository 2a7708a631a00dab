"""The unit of scheduling: one sentence to translate, on its way, and what became of it."""

from concurrent.futures import Future
from dataclasses import dataclass, field

from service.engine.search.options import DecodeOptions, Hypothesis
from service.scheduling.limits import NOBODY, Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One sentence, tokenised."""

    source_ids: tuple[int, ...]
    """Language prefix, pieces, end token."""
    options: DecodeOptions
    deadline_s: float | None = None
    """Moment on the scheduler's monotonic clock at which `Scheduler.run` gives the job up."""
    request_id: str | None = None
    """Of the request that it belongs to, for the logs."""
    client: Client = NOBODY
    """Whose share of the queue it takes."""
    is_continued: bool = False
    """Of a request that was admitted and has had results: no bound of the queue refuses it."""
    must_run: bool = False
    """Whether neither a kept result nor the run of an equal job will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A finished job. Times are wall-clock seconds."""

    hypotheses: tuple[Hypothesis, ...]
    """Best first."""
    queue_s: float
    encode_s: float
    decode_s: float
    finished_s: float = 0.0
    """The moment, on the scheduler's clock; 0 where no model of this process ran."""


@dataclass(eq=False, slots=True, kw_only=True)
class Entry:
    """A job between submission and result; compared and hashed by identity."""

    job: Job
    submitted_s: float
    future: Future[JobResult] = field(default_factory=Future)
    """Cancelling it is how a job is given up, at any time."""
    num_passes: int = 0
    """Turns in which a job that came later was admitted, and this one was not."""
    round: int = 0
    """How many rounds of its client come before it, as the clients take turns; 0 is now."""
    is_given_up: bool = False
    """Its future was cancelled; to be looked at often, and so without the future's lock."""
    is_retry: bool = False
    """Its batch has failed: it is tried once more, alone."""
    admitted_s: float = 0.0
    encoded_s: float = 0.0
    joined_s: float = 0.0

    @property
    def num_slots(self) -> int:
        """Cache rows that the job occupies."""
        return self.job.options.beam_size

    @property
    def num_tokens(self) -> int:
        """Tokens of the source."""
        return len(self.job.source_ids)
