"""Requests of one client at one engine: a short one waits for little of the long ones."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import cycle, islice

import pytest

from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions
from service.observability.metrics import Metrics
from service.scheduling.job import Entry, Job, JobResult
from service.scheduling.limits import AdmissionLimits, Client, Request
from service.scheduling.queue import RECENTLY_S, AdmissionQueue
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.local_engine import LocalEngine
from service.scheduling.workers.look_ahead import LookAhead
from tests.service.engine.tiny import BEAM, GREEDY, alone, tiny_sessions, tiny_sources
from tests.service.scheduling.workers.single_loop import (
    assert_translated,
    counted,
    hypotheses_of,
    job_of,
)
from tests.service.tiny_models import FakeClock

SOURCE = tiny_sources()[0]
NUM_SLOTS = 32
ANNA, BERT = Client(name="anna"), Client(name="bert")


class RecordingEngine(LocalEngine):
    """Keeps how many sentences came as urgent, and how many not, each time."""

    def __init__(self) -> None:
        super().__init__(tiny_sessions(), num_slots=NUM_SLOTS)
        self.given: list[tuple[int, bool]] = []

    def submit(self, requests: Sequence[DecodeRequest[int]], *, is_urgent: bool = False) -> None:
        self.given.append((len(requests), is_urgent))
        super().submit(requests, is_urgent=is_urgent)


class Shared:
    """One engine, and the requests of a few clients."""

    def __init__(self) -> None:
        self.clock, self.metrics, self.engine = FakeClock(), Metrics(), RecordingEngine()
        self.queue = AdmissionQueue(AdmissionLimits(), self.metrics, self.clock)
        self.dispatcher = Dispatcher(
            self.engine,
            self.queue,
            self.metrics,
            client_share=0.25,
            clock=self.clock,
            wait_s=0.0,
        )

    def submit(
        self, number: int, *, client: Client = ANNA, options: DecodeOptions = GREEDY
    ) -> list[Future[JobResult]]:
        """A request of so many sentences."""
        request = Request(num_sentences=number)
        sources = islice(cycle(tiny_sources()), number)
        jobs = (replace(job_of(s, options), client=client, request=request) for s in sources)
        return [self.add(job) for job in jobs]

    def add(self, job: Job) -> Future[JobResult]:
        entry = Entry(job=job, submitted_s=self.clock.now_s)
        self.queue.add(entry)
        return entry.future

    def submit_batch(self, client: Client = ANNA) -> list[Future[JobResult]]:
        """Eight requests of 40 sentences."""
        return [future for _ in range(8) for future in self.submit(40, client=client)]

    def iterate(self, count: int = 1) -> None:
        for _ in range(count):
            self.dispatcher.iterate()

    def turns_of(self, waited: Future[JobResult]) -> int:
        """Iterations of the engine until it has ended."""
        for number in range(10_000):
            if waited.done():
                return number
            self.iterate()
        raise AssertionError("it never ends")

    def run(self) -> None:
        """Until everything has ended."""
        while self.queue.is_busy:
            self.iterate()

    @property
    def slots_in_use(self) -> float:
        return counted(self.metrics, "slots_in_use")

    @property
    def depth(self) -> float:
        return counted(self.metrics, "queue_depth")


@pytest.fixture
def shared() -> Shared:
    return Shared()


def turns_alone(options: DecodeOptions = GREEDY) -> int:
    shared = Shared()
    (only,) = shared.submit(1, options=options)
    return shared.turns_of(only)


@pytest.mark.parametrize("client", [ANNA, BERT])
def test_one_sentence_beside_320_is_answered_in_the_turns_that_it_takes_alone(
    shared: Shared, client: Client
) -> None:
    """From the same client as from another. Only the first one waits, for a row to end."""
    batch = shared.submit_batch()
    shared.iterate(5)
    (first,) = shared.submit(1, client=client)
    assert shared.turns_of(first) <= 2 * turns_alone()
    for _ in range(3):
        (single,) = shared.submit(1, client=client)
        assert shared.turns_of(single) == turns_alone()
        assert_translated(single, SOURCE)
    assert sum(future.done() for future in batch) < 160


def test_long_requests_beside_a_short_one_have_a_share_of_the_slots(shared: Shared) -> None:
    batch = shared.submit_batch()
    shared.iterate(5)
    assert shared.slots_in_use == NUM_SLOTS
    while sum(future.done() for future in batch) < 150:
        (single,) = shared.submit(1)
        shared.turns_of(single)
    assert shared.slots_in_use <= NUM_SLOTS // 4
    shared.clock.now_s += 2 * RECENTLY_S
    shared.iterate(2)
    assert shared.slots_in_use > NUM_SLOTS * 3 // 4, "as soon as none is active"
    shared.run()
    for source_ids, future in zip(cycle(tiny_sources()), batch, strict=False):
        assert_translated(future, source_ids)


def test_beams_share_slots_in_the_same_way(shared: Shared) -> None:
    for _ in range(8):
        shared.submit(40, options=BEAM)
    shared.iterate(5)
    (first,) = shared.submit(1, options=BEAM)
    assert shared.turns_of(first) <= 3 * turns_alone(BEAM)
    assert hypotheses_of(first) == alone(SOURCE, BEAM)


@pytest.mark.parametrize(("num_requests", "number"), [(1, 320), (2, 160), (8, 40), (320, 1)])
def test_requests_of_one_kind_have_all_slots_and_are_encoded_ahead(
    shared: Shared, num_requests: int, number: int
) -> None:
    for _ in range(num_requests):
        shared.submit(number)
    shared.iterate(4)
    assert shared.slots_in_use == NUM_SLOTS
    ahead = LookAhead()
    assert shared.depth <= 320 - NUM_SLOTS - ahead.num_jobs
    assert not any(is_urgent for _, is_urgent in shared.engine.given)
    shared.run()


def test_single_sentences_of_several_clients_begin_as_they_come(shared: Shared) -> None:
    """Urgent ones are encoded in small groups: that is for where others have several."""
    for number in range(100):
        shared.submit(1, client=Client(name=f"{number}"))
    shared.run()
    assert not any(is_urgent for _, is_urgent in shared.engine.given)


def test_few_short_requests_at_once_find_room_where_too_much_is_encoded_ahead(
    shared: Shared,
) -> None:
    shared.submit_batch()
    shared.iterate(5)
    shared.engine.given.clear()
    for _ in range(40):
        shared.submit(1)
    shared.iterate(2)
    num_urgent = LookAhead().num_jobs_contested
    assert shared.engine.given == [(num_urgent, True)]
    shared.run()
    assert shared.dispatcher.is_idle


def test_a_request_with_something_inside_waits_until_less_is_ahead(shared: Shared) -> None:
    shared.submit_batch()
    shared.iterate(5)
    request = Request(num_sentences=2)
    for _ in range(2):
        shared.add(replace(job_of(SOURCE), client=ANNA, request=request))
        shared.iterate()
    assert shared.engine.given[-1] == (1, True), "the second one is not there yet"
    shared.run()


def test_a_client_of_short_requests_has_its_share_beside_another_client(shared: Shared) -> None:
    batch = [future for _ in range(320) for future in shared.submit(1)]
    shared.iterate(5)
    (first,) = shared.submit(1, client=BERT)
    assert shared.turns_of(first) <= 2 * turns_alone()
    while sum(future.done() for future in batch) < 200:
        (single,) = shared.submit(1, client=BERT)
        assert shared.turns_of(single) == turns_alone()
    assert shared.slots_in_use == NUM_SLOTS // 4


def test_short_requests_take_nothing_of_the_share_of_long_ones(shared: Shared) -> None:
    for _ in range(10):
        shared.submit(1)
    shared.iterate()
    shared.submit(40)
    shared.iterate(3)
    assert shared.slots_in_use == 10 + NUM_SLOTS // 4
    shared.run()


def test_only_the_first_sentences_of_a_request_are_urgent(shared: Shared) -> None:
    shared.submit(30)
    shared.iterate()
    request = Request(num_sentences=2)
    shared.add(replace(job_of(SOURCE), client=ANNA, request=request))
    shared.iterate()
    assert shared.engine.given[-1] == (1, True)
    shared.add(replace(job_of(SOURCE), client=ANNA, request=request))
    shared.iterate()
    assert shared.engine.given[-1] == (1, False)
    shared.run()
