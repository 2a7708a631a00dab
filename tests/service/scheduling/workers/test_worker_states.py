"""A state machine of the decode loop: every job ends exactly once, and no slot is lost."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.engine.search.options import DecodeOptions
from service.errors import TranslationFailedError
from service.scheduling.job import JobResult
from tests.service.engine.spy import Tensors
from tests.service.engine.tiny import EVERY_KIND, POISONED, alone, tiny_sources
from tests.service.scheduling.workers.single_loop import SingleLoop, hypotheses_of

NUM_SLOTS = 8
ENDS = ("stop", "length", "repetition")
"""Finish reasons of a search."""
sources = st.sampled_from([*tiny_sources(8), POISONED])


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A job, and what must become of it."""

    future: Future[JobResult]
    source_ids: tuple[int, ...]
    options: DecodeOptions
    num_breakdowns_before: int


class WorkerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.single = SingleLoop.create(num_slots=NUM_SLOTS)
        self.jobs: list[Submitted] = []
        self.ends: list[Future[JobResult]] = []
        self.num_breakdowns = 0

    @rule(source_ids=sources, options=st.sampled_from(EVERY_KIND))
    def submit(self, source_ids: tuple[int, ...], options: DecodeOptions) -> None:
        future = self.single.submit(source_ids, options)
        future.add_done_callback(self.ends.append)
        self.jobs.append(
            Submitted(
                future=future,
                source_ids=source_ids,
                options=options,
                num_breakdowns_before=self.num_breakdowns,
            )
        )

    @precondition(lambda self: self.jobs)
    @rule(choice=st.integers(0, 99))
    def cancel(self, choice: int) -> None:
        unfinished = [job.future for job in self.jobs if not job.future.done()]
        futures = unfinished or [job.future for job in self.jobs]
        futures[choice % len(futures)].cancel()

    @rule(elapsed_s=st.integers(1, 10))
    def wait(self, elapsed_s: int) -> None:
        self.single.clock.now_s += elapsed_s

    @rule(count=st.integers(1, 12))
    def iterate(self, count: int) -> None:
        self.single.iterate(count)

    @rule()
    def break_down(self) -> None:
        """One turn in which the decoder fails, if it has anything to decode."""
        self.single.decoder.before = self.fail
        self.single.iterate()
        self.single.decoder.before = None

    def fail(self, _: Tensors) -> None:
        self.num_breakdowns += 1
        raise RuntimeError("the graph broke down")

    @invariant()
    def every_end_is_the_only_one(self) -> None:
        assert len(self.ends) == len(set(self.ends))
        assert set(self.ends) == {job.future for job in self.jobs if job.future.done()}

    @invariant()
    def every_end_is_a_right_one(self) -> None:
        for job in self.jobs:
            if job.future.done() and not job.future.cancelled():
                self.check_end(job)

    def check_end(self, job: Submitted) -> None:
        error = job.future.exception()
        if error is None:
            assert hypotheses_of(job.future) == alone(job.source_ids, job.options)
        else:
            assert isinstance(error, TranslationFailedError)
            breakdowns = self.num_breakdowns - job.num_breakdowns_before
            assert job.source_ids == POISONED or breakdowns >= 1

    @invariant()
    def what_is_counted_adds_up(self) -> None:
        single, unfinished = self.single, sum(not job.future.done() for job in self.jobs)
        assert 0 <= single.slots_in_use <= NUM_SLOTS
        assert 0 <= single.counted("queue_depth") <= unfinished
        assert single.queue.is_busy == (unfinished > 0)

    def teardown(self) -> None:
        self.single.run()
        single, futures = self.single, [job.future for job in self.jobs]
        single.iterate()  # drops the job cancelled last
        assert all(future.done() for future in futures)
        self.every_end_is_the_only_one()
        self.every_end_is_a_right_one()
        assert (single.slots_in_use, single.counted("queue_depth")) == (0, 0)
        assert single.worker.is_idle
        assert self.ended_by_themselves() == self.count(lambda f: not f.exception())

    def ended_by_themselves(self) -> float:
        return sum(self.single.counted("finish_total", reason=r) for r in ENDS)

    def count(self, condition: Callable[[Future[JobResult]], bool]) -> int:
        ended = [job.future for job in self.jobs if not job.future.cancelled()]
        return sum(map(condition, ended))


TestWorker = WorkerMachine.TestCase
TestWorker.settings = settings(max_examples=80, stateful_step_count=30)
