from dataclasses import replace

import pytest

from service.errors import OverloadedError, ShuttingDownError
from service.scheduling.batching_policy import Room
from service.scheduling.limits import NOBODY, AdmissionLimits, Client
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
from tests.service.scheduling.workers.single_worker import counted


def test_one_client_alone_may_have_half_of_the_queue() -> None:
    counter = Counter(limits=WIDE)
    assert counter.fill(ANNA) == 50
    with pytest.raises(OverloadedError, match=r"50 sentences of yours .* 50 sentences or 500 tok"):
        counter.submit(client=ANNA)
    assert counted(counter.metrics, "rejected_total", reason="client_queue_full") == 2
    assert counted(counter.metrics, "rejected_total", reason="queue_full") == 0


def test_clients_who_take_all_they_can_leave_room_for_one_more() -> None:
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
    assert counter.fill(CARL, 300) == 1  # of whom nothing waits, whatever there is room for


def test_bounds_for_each_client_may_be_set() -> None:
    limits = replace(WIDE, max_queued_jobs_per_client=3, max_queued_tokens_per_client=40)
    counter = Counter(limits=limits)
    assert counter.fill(ANNA) == 3
    assert counter.fill(BERT, 20) == 2
    assert counter.fill(Client(name="carl", max_queued_jobs=7)) == 7


def test_a_client_who_waits_no_more_may_come_again() -> None:
    counter = Counter(limits=replace(WIDE, max_queued_jobs_per_client=3))
    assert [counter.fill(ANNA), counter.fill(ANNA)] == [3, 0]
    counter.serve(2)
    assert counter.fill(ANNA) == 2


def test_no_bound_of_clients_is_for_the_service_itself() -> None:
    counter = Counter(limits=replace(SMALL, max_queued_jobs_per_client=1))
    assert counter.fill(NOBODY) == SMALL.max_queued_jobs


def test_what_goes_on_is_not_refused() -> None:
    counter = Counter()
    assert counter.fill(ANNA) == 2
    going_on = counter.submit(client=ANNA, is_continued=True)
    assert counter.take()[-1] is going_on
    counter.queue.close()
    with pytest.raises(ShuttingDownError):
        counter.submit(client=ANNA, is_continued=True)


def test_a_client_is_told_when_its_own_part_has_drained() -> None:
    """The queue ends 10 jobs a second; of three who wait alike, one gets a third of that."""
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


def test_a_client_takes_only_its_part_of_the_slots_while_another_asks() -> None:
    counter = Counter(limits=WIDE)
    for _ in range(10):
        counter.submit(client=ANNA)
    assert not counter.queue.is_contested
    counter.submit(client=BERT)
    assert counter.queue.is_contested
    room = Room(free_slots=32, max_tokens=100, max_slots_per_client=8, held={"anna": 5})
    taken = [entry.job.client.name for entry in counter.queue.take(room, is_idle=False)]
    assert sorted(taken) == ["anna"] * 3 + ["bert"]
    full = Room(free_slots=32, max_tokens=100, max_slots_per_client=8, held={"anna": 8})
    assert counter.queue.take(full, is_idle=False) == []
    assert len(counter.queue.take(Room(free_slots=32, max_tokens=100), is_idle=False)) == 7


def test_a_wide_beam_waits_for_a_part_that_has_room_for_it() -> None:
    counter = Counter(limits=WIDE)
    counter.submit(client=ANNA, beam_size=4)
    counter.submit(client=ANNA)
    room = Room(free_slots=32, max_tokens=100, max_slots_per_client=8, held={"anna": 5})
    assert counter.queue.take(room, is_idle=False) == []  # nobody overtakes it
    room = Room(free_slots=32, max_tokens=100, max_slots_per_client=8, held={"anna": 3})
    assert [e.num_slots for e in counter.queue.take(room, is_idle=False)] == [4, 1]


def test_ten_thousand_sentences_of_one_do_not_hold_up_one_of_another() -> None:
    """Whenever it comes, of those who came before at most a turn and a round go before it."""
    limits = AdmissionLimits(max_queued_jobs=30_000, max_queued_tokens=1_000_000)
    counter = Counter(limits=limits)
    for number in range(10_000):
        counter.submit(5 + number % 36, client=ANNA)
    room = Room(free_slots=2, max_tokens=256, num_ahead=8)
    before = []
    for number in range(200):
        for _ in range(number % 4):
            counter.queue.take(room, is_idle=False)
        single = counter.submit(5 + 7 * number % 36, client=BERT)
        num_before = 0
        while True:
            taken = futures_of(counter.queue.take(room, is_idle=False))
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
