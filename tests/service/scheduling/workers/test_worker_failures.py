"""A failed batch is retried job by job, and the faulty job fails alone."""

import logging
from concurrent.futures import Future
from dataclasses import replace

import pytest

from service.errors import TranslationFailedError
from service.scheduling.job import JobResult
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.local_engine import LocalEngine
from tests.service.engine.spy import Tensors
from tests.service.engine.tiny import POISONED, tiny_sessions, tiny_sources
from tests.service.scheduling.workers.single_loop import (
    SingleLoop,
    assert_translated,
    hypotheses_of,
    job_of,
)


@pytest.fixture
def single() -> SingleLoop:
    return SingleLoop.create()


def break_down(_: Tensors) -> None:
    raise RuntimeError("the graph broke down")


def breaks_on(source_ids: tuple[int, ...], single: SingleLoop) -> None:
    """Let every step fail that has a row of this source; its length is how it is known."""

    def look(tensors: Tensors) -> None:
        if len(source_ids) in tensors["source_lengths"]:
            break_down(tensors)

    single.decoder.before = look


def sources_of_different_lengths(count: int) -> list[tuple[int, ...]]:
    by_length = {len(source): source for source in tiny_sources()}
    return list(by_length.values())[:count]


@pytest.mark.parametrize("position", [0, 2, 5])
def test_a_poisoned_job_fails_alone_when_encoding_fails(single: SingleLoop, position: int) -> None:
    sources = list(tiny_sources()[:5])
    sources.insert(position, POISONED)
    futures = [single.submit(source) for source in sources]
    single.run()
    for source, future in zip(sources, futures, strict=True):
        if source is POISONED:
            with pytest.raises(TranslationFailedError):
                hypotheses_of(future)
        else:
            assert_translated(future, source)
    assert (single.slots_in_use, single.counted("queue_depth")) == (0, 0)


def test_a_poisoned_job_fails_alone_when_a_step_fails(single: SingleLoop) -> None:
    sources = sources_of_different_lengths(6)
    breaks_on(sources[3], single)
    futures = [single.submit(source) for source in sources]
    single.iterate()
    assert single.slots_in_use == 0  # thrown out, all of them wait again
    assert single.counted("queue_depth") == 6
    single.run()
    with pytest.raises(TranslationFailedError):
        hypotheses_of(futures.pop(3))
    del sources[3]
    for source, future in zip(sources, futures, strict=True):
        assert_translated(future, source)


def test_a_transient_failure_costs_no_translation(single: SingleLoop) -> None:
    futures = [single.submit(source) for source in tiny_sources()[:5]]
    single.iterate(4)
    single.decoder.before = break_down
    single.iterate()
    single.decoder.before = None
    single.run()
    for source, future in zip(tiny_sources(), futures, strict=False):
        assert_translated(future, source)
    assert single.slots_in_use == 0


def test_jobs_are_retried_in_order_of_arrival(single: SingleLoop) -> None:
    futures: list[Future[JobResult]] = []
    ended: list[Future[JobResult]] = []
    for source in tiny_sources()[:5]:
        futures.append(single.submit(source))
        futures[-1].add_done_callback(ended.append)
        single.clock.now_s += 1
    single.decoder.before = break_down
    single.iterate()
    single.decoder.before = None
    single.run()
    assert ended == futures


def test_no_job_joins_a_retried_one(single: SingleLoop) -> None:
    """A poisoned new job would otherwise be the second failure of a healthy one."""
    healthy = single.submit(tiny_sources()[0])
    single.iterate()
    single.decoder.before = break_down
    single.iterate()
    single.decoder.before = None
    single.iterate(2)
    new_jobs = [single.submit(POISONED), single.submit(tiny_sources()[1])]
    single.run()
    assert_translated(healthy, tiny_sources()[0])
    with pytest.raises(TranslationFailedError):
        hypotheses_of(new_jobs[0])
    assert_translated(new_jobs[1], tiny_sources()[1])


def test_other_workers_admit_new_jobs_while_a_batch_is_retried(single: SingleLoop) -> None:
    other = Dispatcher(
        LocalEngine(tiny_sessions(), num_slots=8), single.queue, single.metrics, wait_s=0.0
    )
    running = single.submit(tiny_sources()[0])
    other.iterate()
    failed = [single.submit(source) for source in tiny_sources()[1:4]]
    single.decoder.before = break_down
    single.iterate()
    single.decoder.before = None
    newcomer = single.submit(tiny_sources()[4])
    other.iterate()
    assert single.counted("queue_depth") == len(failed)
    while not (running.done() and newcomer.done()):
        other.iterate()
    single.run()
    for source, future in zip(tiny_sources(), [running, *failed, newcomer], strict=False):
        assert_translated(future, source)


def test_a_job_that_fails_twice_is_logged_with_its_request_id(
    single: SingleLoop, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [job_of(source) for source in tiny_sources()[:2]]
    with caplog.at_level(logging.ERROR):
        single.add(jobs[0])
        single.add(replace(jobs[1], source_ids=POISONED, request_id="abc"))
        single.run()
    named = [record for record in caplog.records if hasattr(record, "request_id")]
    assert [vars(record)["request_id"] for record in named] == ["abc"]
    assert [record.getMessage() for record in named] == ["job failed"]


def test_a_job_that_waits_for_its_retry_can_be_cancelled(single: SingleLoop) -> None:
    kept = single.submit(tiny_sources()[0])
    given_up = single.submit(tiny_sources()[1])
    single.decoder.before = break_down
    single.iterate()
    single.decoder.before = None
    assert given_up.cancel()
    assert single.counted("queue_depth") == 1
    single.run()
    assert_translated(kept, tiny_sources()[0])


def test_a_job_cancelled_before_its_batch_fails_is_not_retried(single: SingleLoop) -> None:
    given_up, other = single.submit(tiny_sources()[0]), single.submit(tiny_sources()[1])

    def give_up_and_break_down(tensors: Tensors) -> None:
        given_up.cancel()
        break_down(tensors)

    single.decoder.before = give_up_and_break_down
    single.iterate()
    single.decoder.before = None
    assert single.counted("queue_depth") == 1
    single.run()
    assert_translated(other, tiny_sources()[1])


def test_a_failure_is_logged_without_the_text(
    single: SingleLoop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        single.submit(tiny_sources()[0])
        single.decoder.before = break_down
        single.iterate()
    (record,) = caplog.records
    assert record.getMessage() == "batch failed"
    assert vars(record)["jobs"] == 1
    assert vars(record)["error"] == "RuntimeError: the graph broke down"


def test_a_retried_job_can_be_cancelled_while_it_runs(single: SingleLoop) -> None:
    given_up = single.submit(tiny_sources()[0])
    single.decoder.before = break_down
    single.iterate()
    single.decoder.before = None
    single.iterate(2)
    assert single.slots_in_use == 1
    assert given_up.cancel()
    single.iterate()
    assert (single.slots_in_use, single.worker.is_idle) == (0, True)
