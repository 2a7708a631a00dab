from dataclasses import replace

import pytest

from service.errors import OverloadedError, ShuttingDownError
from service.scheduling.batching_policy import BatchCapacity
from service.scheduling.limits import INTERNAL_CLIENT, AdmissionLimits, Client
from service.scheduling.queue import RECENTLY_S
from tests.service.scheduling.queue_counter import (
    ANNA,
    BERT,
    CARL,
    SMALL,
    WIDE,
    Counter,
    futures_of,
)
from tests.service.scheduling.remembered_clients import remembered_clients
from tests.service.scheduling.workers.single_loop import counted


def test_one_client_alone_may_have_half_of_the_queue() -> None:
    counter = Counter(limits=WIDE)
    assert counter.fill(ANNA) == 50
    with pytest.raises(OverloadedError, match=r"50 sentences of yours .* 50 sentences or 500 tok"):
        counter.submit(client=ANNA)
    assert counted(counter.metrics, "rejected_total", reason="client_queue_full") == 2
    assert counted(counter.metrics, "rejected_total", reason="queue_full") == 0


def test_clients_that_take_all_they_can_leave_room_for_one_more() -> None:
    counter = Counter(limits=WIDE)
    accepted = [counter.fill(Client(name=str(number))) for number in range(5)]
    assert accepted == sorted(accepted, reverse=True)
    assert counter.depth() < WIDE.max_queued_jobs
    assert counter.fill(CARL) >= 1


def test_tokens_of_a_client_are_bounded_as_well() -> None:
    counter = Counter(limits=WIDE)
    assert counter.fill(ANNA, 100) == 5
    assert counter.fill(BERT, 100) == 2
    assert counter.fill(CARL, 301) == 0
    assert counted(counter.metrics, "rejected_total", reason="queue_full") == 1
    assert counter.fill(CARL, 300) == 1  # an empty flow is bounded by the queue only


def test_bounds_for_each_client_may_be_set() -> None:
    limits = replace(WIDE, max_queued_jobs_per_client=3, max_queued_tokens_per_client=40)
    counter = Counter(limits=limits)
    assert counter.fill(ANNA) == 3
    assert counter.fill(BERT, 20) == 2
    assert counter.fill(Client(name="carl", max_queued_jobs=7)) == 7


def test_a_client_with_nothing_queued_is_admitted_again() -> None:
    counter = Counter(limits=replace(WIDE, max_queued_jobs_per_client=3))
    assert [counter.fill(ANNA), counter.fill(ANNA)] == [3, 0]
    counter.serve(2)
    assert counter.fill(ANNA) == 2


def test_no_client_bound_applies_to_internal_jobs() -> None:
    counter = Counter(limits=replace(SMALL, max_queued_jobs_per_client=1))
    assert counter.fill(INTERNAL_CLIENT) == SMALL.max_queued_jobs


def test_continued_requests_are_not_refused() -> None:
    counter = Counter()
    assert counter.fill(ANNA) == 2
    going_on = counter.submit(client=ANNA, is_continued=True)
    assert counter.take()[-1] is going_on
    counter.queue.close()
    with pytest.raises(ShuttingDownError):
        counter.submit(client=ANNA, is_continued=True)


def test_retry_after_follows_the_share_of_the_client() -> None:
    """The queue completes 10 jobs a second; each of three equal clients gets a third of that."""
    counter = Counter(limits=replace(WIDE, max_queued_jobs_per_client=10))
    for _ in range(50):
        counter.submit()
        counter.clock.now_s += 0.1
        counter.serve()
    for client in (ANNA, BERT, Client(name="carl", weight=2.0)):
        counter.fill(client)
    times_s = [refused_s(counter, client) for client in (ANNA, CARL)]
    assert times_s == [pytest.approx(10 / 10 * 4), pytest.approx(10 / 10 * 4 / 2)]


def refused_s(counter: Counter, client: Client) -> float:
    with pytest.raises(OverloadedError) as caught:
        counter.submit(client=client)
    return caught.value.retry_after_s


def test_clients_take_turns() -> None:
    counter = Counter(limits=WIDE)
    first = [counter.submit(10, client=ANNA) for _ in range(20)]
    late = [counter.submit(10, client=BERT) for _ in range(3)]
    taken = counter.take(12)
    assert set(taken) == {*first[:9], *late}


def test_a_client_takes_only_its_share_of_slots_while_another_is_active() -> None:
    counter = Counter(limits=WIDE)
    for _ in range(10):
        counter.submit(client=ANNA)
    assert not counter.queue.is_contested
    counter.submit(client=BERT)
    assert counter.queue.is_contested
    capacity = BatchCapacity(
        free_slots=32, max_tokens=100, max_slots_per_client=8, slots_in_use={"anna": 5}
    )
    taken = [entry.job.client.name for entry in counter.queue.take(capacity, is_idle=False)]
    assert sorted(taken) == ["anna"] * 3 + ["bert"]
    full = BatchCapacity(
        free_slots=32, max_tokens=100, max_slots_per_client=8, slots_in_use={"anna": 8}
    )
    assert counter.queue.take(full, is_idle=False) == []
    assert len(counter.queue.take(BatchCapacity(free_slots=32, max_tokens=100), is_idle=False)) == 7


def test_a_wide_beam_waits_for_a_share_that_fits_it() -> None:
    counter = Counter(limits=WIDE)
    counter.submit(client=ANNA, beam_size=4)
    counter.submit(client=ANNA)
    capacity = BatchCapacity(
        free_slots=32, max_tokens=100, max_slots_per_client=8, slots_in_use={"anna": 5}
    )
    assert counter.queue.take(capacity, is_idle=False) == []  # no job overtakes it
    capacity = BatchCapacity(
        free_slots=32, max_tokens=100, max_slots_per_client=8, slots_in_use={"anna": 3}
    )
    assert [e.num_slots for e in counter.queue.take(capacity, is_idle=False)] == [4, 1]


def test_ten_thousand_sentences_of_a_client_do_not_delay_one_of_another() -> None:
    """At most one batch and one round of the earlier jobs go before it."""
    limits = AdmissionLimits(max_queued_jobs=30_000, max_queued_tokens=1_000_000)
    counter = Counter(limits=limits)
    for number in range(10_000):
        counter.submit(5 + number % 36, client=ANNA)
    capacity = BatchCapacity(free_slots=2, max_tokens=256, max_prefilled=8)
    before = []
    for number in range(200):
        for _ in range(number % 4):
            counter.queue.take(capacity, is_idle=False)
        single = counter.submit(5 + 7 * number % 36, client=BERT)
        num_before = 0
        while True:
            taken = futures_of(counter.queue.take(capacity, is_idle=False))
            if single in taken:
                break
            num_before += len(taken)
        before.append(num_before + taken.index(single))
    assert max(before) <= 20, before
    assert sum(before) / len(before) < 5
    assert counter.depth() > 1000, "the first client waits still"


def test_ten_thousand_clients_leave_nothing_behind() -> None:
    counter = Counter(limits=AdmissionLimits(max_queued_jobs=30_000, max_queued_tokens=1_000_000))
    for _ in range(5_000):
        counter.submit(5, client=ANNA)
    most = 0
    for number in range(10_000):
        counter.submit(5, client=Client(name=str(number)))
        counter.take(2)
        counter.clock.now_s += 0.1
        most = max(most, len(remembered_clients(counter.queue)))
    assert most < 100
    while counter.depth():
        counter.take()
    counter.clock.now_s += 2 * RECENTLY_S
    assert not counter.queue.is_contested
    assert remembered_clients(counter.queue) == set()
