import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from service.engine.search.options import DecodeOptions
from service.errors import OverloadedError, ShuttingDownError
from service.scheduling.job import Entry, Job, JobResult
from service.scheduling.limits import AdmissionLimits
from service.scheduling.queue import AdmissionQueue
from tests.service.scheduling.queue_counter import RESULT, SMALL, Counter, futures_of
from tests.service.scheduling.workers.single_loop import counted
from tests.service.waiting import eventually


def test_jobs_are_taken_in_order_of_arrival() -> None:
    counter = Counter()
    first, second, third = (counter.submit() for _ in range(3))
    assert counter.take(2) == [first, second]
    assert counter.take(2) == [third]
    assert counter.take(2) == []


def test_no_job_overtakes_a_head_that_needs_more_slots() -> None:
    counter = Counter()
    wide, late = counter.submit(beam_size=4), counter.submit()
    assert counter.take(3) == []
    assert counter.take(5) == [wide, late]


def test_a_batch_takes_no_more_tokens_than_allowed() -> None:
    counter = Counter()
    first, second, third = (counter.submit(5) for _ in range(3))
    assert counter.take(max_tokens=12) == [first, second]
    assert counter.take(max_tokens=4) == [third]


def test_a_full_queue_refuses_and_says_when_to_retry() -> None:
    counter = Counter()
    for _ in range(SMALL.max_queued_jobs):
        counter.submit()
    with pytest.raises(OverloadedError, match="4 sentences are waiting, the limit is 4") as caught:
        counter.submit()
    assert caught.value.retry_after_s == 60.0
    assert counted(counter.metrics, "rejected_total", reason="queue_full") == 1
    counter.serve()
    counter.submit()


def test_tokens_are_bounded_as_well() -> None:
    counter = Counter()
    counter.submit(15)
    counter.submit(5)
    with pytest.raises(OverloadedError):
        counter.submit(1)
    counter.serve()
    counter.submit(15)
    assert counter.depth() == 2


def test_a_job_over_the_token_bound_is_taken_by_an_empty_queue() -> None:
    counter = Counter()
    counter.submit(SMALL.max_queued_tokens + 1)
    with pytest.raises(OverloadedError):
        counter.submit(1)


def test_retry_after_is_measured() -> None:
    counter = Counter(limits=AdmissionLimits(max_queued_jobs=8))
    for _ in range(20):  # two in a second
        counter.submit()
        counter.clock.now_s += 0.5
        counter.serve()
    for _ in range(8):
        counter.submit()
    with pytest.raises(OverloadedError) as caught:
        counter.submit()
    assert caught.value.retry_after_s == pytest.approx(4.0)


def test_cancelled_jobs_do_not_count_as_completed() -> None:
    counter = Counter(limits=AdmissionLimits(max_queued_jobs=8))
    counter.clock.now_s += 10
    counter.submit()
    counter.serve()
    for _ in range(8):
        counter.submit().cancel()
    for _ in range(8):
        counter.submit()
    with pytest.raises(OverloadedError) as caught:
        counter.submit()
    assert caught.value.retry_after_s == 60.0  # 8 at one in ten seconds, bounded


def test_a_closed_queue_refuses_and_keeps_its_jobs() -> None:
    counter = Counter()
    waiting = counter.submit()
    counter.queue.close()
    with pytest.raises(ShuttingDownError):
        counter.submit()
    assert counted(counter.metrics, "rejected_total", reason="shutting_down") == 1
    assert counter.take() == [waiting]


def test_a_retried_job_goes_first_and_alone_to_an_idle_worker() -> None:
    counter = Counter()
    first, second = counter.submit(), counter.submit()
    entries = counter.take_entries(2)
    late = counter.submit()
    counter.queue.retry(entries)
    assert counter.take() == [first]
    assert counter.take() == [second]
    assert counter.take() == [late]


def test_no_job_waits_for_retried_ones() -> None:
    counter = Counter()
    first = counter.submit()
    counter.queue.retry(counter.take_entries(1))
    late, later = counter.submit(), counter.submit()
    assert counter.take(is_idle=False) == [late, later]
    assert counter.take(is_idle=False) == []
    assert counter.take() == [first]


def test_a_job_that_waits_for_its_retry_can_be_cancelled_or_removed() -> None:
    counter = Counter()
    first, second = counter.submit(), counter.submit()
    counter.queue.retry(counter.take_entries(2))
    assert first.cancel()
    assert counter.depth() == 1
    assert futures_of(counter.queue.clear()) == [second]
    assert counter.depth() == 0


def test_a_retry_is_never_refused() -> None:
    counter = Counter()
    counter.submit()
    entries = counter.take_entries(1)
    for _ in range(SMALL.max_queued_jobs):
        counter.submit()
    counter.queue.close()
    counter.queue.retry(entries)
    assert counter.depth() == SMALL.max_queued_jobs + 1


def test_a_cancelled_job_makes_room_at_once() -> None:
    counter = Counter()
    wide = counter.submit(10, beam_size=8)
    narrow = counter.submit(10)
    with pytest.raises(OverloadedError):
        counter.submit()
    assert wide.cancel()
    assert counter.depth() == 1
    late = counter.submit(10)
    assert counter.take(2) == [narrow, late]


def test_clearing_removes_all_jobs() -> None:
    counter = Counter()
    waiting = [counter.submit(3) for _ in range(3)]
    assert futures_of(counter.queue.clear()) == waiting
    assert counter.depth() == 0
    counter.submit(SMALL.max_queued_tokens)


def test_queues_of_several_models_share_the_gauge() -> None:
    counter = Counter()
    other = AdmissionQueue(SMALL, counter.metrics, counter.clock)
    counter.submit()
    for _ in range(2):
        job = Job(source_ids=(1,), options=DecodeOptions())
        other.add(Entry(job=job, submitted_s=0.0))
    assert counter.depth() == 3
    other.clear()
    assert counter.depth() == 1


def test_a_queue_is_busy_until_every_future_has_ended() -> None:
    counter = Counter()
    assert not counter.queue.is_busy
    first, second = counter.submit(), counter.submit()
    counter.take()
    assert counter.queue.is_busy
    first.set_result(RESULT)
    assert counter.queue.is_busy
    second.cancel()
    assert not counter.queue.is_busy


def test_listeners_hear_of_jobs_and_of_cancelling() -> None:
    counter, calls = Counter(), []
    counter.queue.add_listener(lambda: calls.append(counter.queue.is_busy))
    future = counter.submit()
    assert calls == [True]
    future.cancel()
    assert calls == [True, False]


def test_many_threads_submit_take_and_cancel_without_losing_a_job() -> None:
    counter = Counter(limits=AdmissionLimits(max_queued_jobs=50))
    closed = threading.Event()
    ended: list[Future[JobResult]] = []

    def client(number: int) -> list[Future[JobResult]]:
        futures: list[Future[JobResult]] = []
        while len(futures) < 200:
            try:
                future = counter.submit(number + 1)
            except OverloadedError:
                closed.wait(0.001)
                continue
            futures.append(future)
            if len(futures) % 3 == 0:
                future.cancel()
        return futures

    def server() -> None:
        while not closed.is_set():
            for entry in counter.take_entries(4):
                if entry.future.set_running_or_notify_cancel():
                    entry.future.set_result(RESULT)
                    ended.append(entry.future)
            closed.wait(0.001)

    with ThreadPoolExecutor(6) as threads:
        servers = [threads.submit(server) for _ in range(2)]
        clients = [threads.submit(client, number) for number in range(4)]
        futures = [future for client in clients for future in client.result(timeout=30)]
        eventually(lambda: not counter.queue.is_busy)
        closed.set()
        for running in servers:
            running.result(timeout=30)
    assert len(ended) == len(set(ended))
    assert set(ended) == {future for future in futures if not future.cancelled()}
    assert counter.depth() == 0
    counter.submit(SMALL.max_queued_tokens)
