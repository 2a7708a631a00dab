import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import pytest

from service.admission import AdmissionQueue
from service.admission_limits import AdmissionLimits
from service.admission_policy import Room
from service.client import NOBODY, Client
from service.engine.options import DecodeOptions
from service.errors import OverloadedError, ShuttingDownError
from service.job import Entry, Job, JobResult
from service.telemetry import Metrics
from tests.service.models import FakeClock
from tests.service.single_worker import counted

RESULT = JobResult(hypotheses=(), queue_s=0, encode_s=0, decode_s=0)
SMALL = AdmissionLimits(max_queued_jobs=4, max_queued_tokens=20)
WIDE = AdmissionLimits(max_queued_jobs=100, max_queued_tokens=1000)
ANNA, BERT, CARL = (Client(name=name) for name in ("anna", "bert", "carl"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A queue, and those who stand in it."""

    limits: AdmissionLimits = SMALL
    clock: FakeClock = field(default_factory=FakeClock)
    metrics: Metrics = field(default_factory=Metrics)
    queue: AdmissionQueue = field(init=False)

    def __post_init__(self) -> None:
        queue = AdmissionQueue(self.limits, self.metrics, self.clock)
        object.__setattr__(self, "queue", queue)

    def submit(
        self,
        num_tokens: int = 1,
        *,
        beam_size: int = 1,
        timeout_s: float | None = None,
        client: Client = NOBODY,
        is_continued: bool = False,
    ) -> Future[JobResult]:
        deadline_s = None if timeout_s is None else self.clock.now_s + timeout_s
        job = Job(
            source_ids=tuple(range(num_tokens)),
            options=DecodeOptions(beam_size=beam_size),
            deadline_s=deadline_s,
            client=client,
            is_continued=is_continued,
        )
        return self.queue.submit(job)

    def fill(self, client: Client, num_tokens: int = 1) -> int:
        """Submit for a client until it is refused; how many were accepted."""
        for number in range(10_000):
            try:
                self.submit(num_tokens, client=client)
            except OverloadedError:
                return number
        raise AssertionError("a queue without a bound")

    def take(
        self, free_slots: int = 99, *, max_tokens: int = 10_000, is_idle: bool = True
    ) -> list[Future[JobResult]]:
        room = Room(free_slots=free_slots, max_tokens=max_tokens)
        return futures_of(self.queue.take(room, is_idle=is_idle))

    def take_entries(self, free_slots: int) -> list[Entry]:
        return self.queue.take(Room(free_slots=free_slots, max_tokens=10_000), is_idle=True)

    def serve(self, count: int = 1) -> None:
        """End jobs at the head, one after another."""
        for _ in range(count):
            (entry,) = self.take_entries(1)
            entry.future.set_result(RESULT)

    def depth(self) -> float:
        return counted(self.metrics, "queue_depth")


def futures_of(entries: list[Entry]) -> list[Future[JobResult]]:
    return [entry.future for entry in entries]


def test_who_came_first_goes_first() -> None:
    counter = Counter()
    first, second, third = (counter.submit() for _ in range(3))
    assert counter.take(2) == [first, second]
    assert counter.take(2) == [third]
    assert counter.take(2) == []


def test_nobody_overtakes_a_head_who_needs_more_room() -> None:
    counter = Counter()
    wide, late = counter.submit(beam_size=4), counter.submit()
    assert counter.take(3) == []
    assert counter.take(5) == [wide, late]


def test_a_turn_takes_no_more_tokens_than_it_may() -> None:
    counter = Counter()
    first, second, third = (counter.submit(5) for _ in range(3))
    assert counter.take(max_tokens=12) == [first, second]
    assert counter.take(max_tokens=4) == [third]


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
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


def test_when_to_come_back_is_measured() -> None:
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


def test_jobs_that_were_given_up_do_not_count_as_speed() -> None:
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


def test_a_closed_queue_refuses_and_keeps_what_it_has() -> None:
    counter = Counter()
    waiting = counter.submit()
    counter.queue.close()
    with pytest.raises(ShuttingDownError):
        counter.submit()
    assert counted(counter.metrics, "rejected_total", reason="shutting_down") == 1
    assert counter.take() == [waiting]


def test_who_is_tried_again_goes_first_and_alone_to_an_idle_worker() -> None:
    counter = Counter()
    first, second = counter.submit(), counter.submit()
    entries = counter.take_entries(2)
    late = counter.submit()
    counter.queue.retry(entries)
    assert counter.take() == [first]
    assert counter.take() == [second]
    assert counter.take() == [late]


def test_nobody_waits_for_those_who_are_tried_again() -> None:
    counter = Counter()
    first = counter.submit()
    counter.queue.retry(counter.take_entries(1))
    late, later = counter.submit(), counter.submit()
    assert counter.take(is_idle=False) == [late, later]
    assert counter.take(is_idle=False) == []
    assert counter.take() == [first]


def test_who_waits_to_be_tried_again_may_give_up_or_be_removed() -> None:
    counter = Counter()
    first, second = counter.submit(), counter.submit()
    counter.queue.retry(counter.take_entries(2))
    assert first.cancel()
    assert counter.depth() == 1
    assert futures_of(counter.queue.clear()) == [second]
    assert counter.depth() == 0


def test_who_is_tried_again_is_never_refused() -> None:
    counter = Counter()
    counter.submit()
    entries = counter.take_entries(1)
    for _ in range(SMALL.max_queued_jobs):
        counter.submit()
    counter.queue.close()
    counter.queue.retry(entries)
    assert counter.depth() == SMALL.max_queued_jobs + 1


def test_who_gives_up_makes_room_at_once() -> None:
    counter = Counter()
    wide = counter.submit(10, beam_size=8)
    narrow = counter.submit(10)
    with pytest.raises(OverloadedError):
        counter.submit()
    assert wide.cancel()
    assert counter.depth() == 1
    assert counted(counter.metrics, "cancelled_total", reason="client") == 1
    late = counter.submit(10)
    assert counter.take(2) == [narrow, late]


def test_who_waits_for_a_future_that_is_given_up_is_told() -> None:
    future = Counter().submit()
    future.cancel()
    assert wait([future], timeout=10).not_done == set()


def test_a_missed_deadline_is_found_wherever_it_waits() -> None:
    counter = Counter()
    first = counter.submit(beam_size=8)
    second, third = counter.submit(timeout_s=5), counter.submit(timeout_s=3)
    counter.clock.now_s += 2.9
    assert counter.queue.take_expired() == []
    counter.clock.now_s += 0.1
    assert futures_of(counter.queue.take_expired()) == [third]
    counter.clock.now_s += 2
    assert futures_of(counter.queue.take_expired()) == [second]
    counter.clock.now_s += 1000
    assert counter.queue.take_expired() == []
    assert counter.take() == [first]


def test_the_deadline_of_one_who_is_tried_again_counts() -> None:
    counter = Counter()
    counter.submit(timeout_s=3)
    entries = counter.take_entries(1)
    counter.clock.now_s += 4
    assert counter.queue.take_expired() == []
    counter.queue.retry(entries)
    assert counter.queue.take_expired() == entries


def test_a_deadline_that_was_met_is_no_obstacle_to_the_next() -> None:
    counter = Counter()
    counter.submit(timeout_s=1)
    counter.serve()
    late = counter.submit(timeout_s=2)
    counter.clock.now_s += 1.5
    assert counter.queue.take_expired() == []
    counter.clock.now_s += 0.5
    assert futures_of(counter.queue.take_expired()) == [late]


def test_everything_can_be_taken_out() -> None:
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
        other.submit(Job(source_ids=(1,), options=DecodeOptions()))
    assert counter.depth() == 3
    other.clear()
    assert counter.depth() == 1


def test_done_means_that_every_future_has_ended() -> None:
    counter = Counter()
    assert counter.queue.wait_until_done(0)
    first, second = counter.submit(), counter.submit()
    counter.take()
    assert not counter.queue.wait_until_done(0)
    first.set_result(RESULT)
    assert not counter.queue.wait_until_done(0)
    second.cancel()
    assert counter.queue.wait_until_done(0)


def test_waiting_ends_with_a_job_with_a_stop_and_with_the_time() -> None:
    counter, stopping = Counter(), threading.Event()
    counter.queue.wait(0, stopping)
    with ThreadPoolExecutor(2) as threads:
        for end in (counter.submit, stopping.set):
            waiting = threads.submit(counter.queue.wait, 60, stopping)
            end()
            counter.queue.wake()
            assert waiting.result(timeout=30) is None
            counter.queue.clear()


def test_many_threads_submit_take_and_give_up_without_losing_anybody() -> None:
    counter = Counter(limits=AdmissionLimits(max_queued_jobs=50))
    closed = threading.Event()
    ended: list[Future[JobResult]] = []

    def client(number: int) -> list[Future[JobResult]]:
        futures: list[Future[JobResult]] = []
        while len(futures) < 200:
            try:
                future = counter.submit(number + 1)
            except OverloadedError:
                counter.queue.wait(0.001, closed)
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
            counter.queue.wait(0.01, closed)

    with ThreadPoolExecutor(6) as threads:
        servers = [threads.submit(server) for _ in range(2)]
        clients = [threads.submit(client, number) for number in range(4)]
        futures = [future for client in clients for future in client.result(timeout=30)]
        assert counter.queue.wait_until_done(30)
        closed.set()
        counter.queue.wake()
        for running in servers:
            running.result(timeout=30)
    assert len(ended) == len(set(ended))
    assert set(ended) == {future for future in futures if not future.cancelled()}
    assert counter.depth() == 0
    counter.submit(SMALL.max_queued_tokens)


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
        most = max(most, counter.queue.num_clients)
    assert most < 100
    while counter.depth():
        counter.take()
    assert counter.queue.num_clients == 0
