"""Inside a client its requests take turns, by the rule by which clients do."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.search.options import DecodeOptions
from service.scheduling.batching_policy import LOOKAHEAD, MAX_OVERTAKES, BatchCapacity, select_batch
from service.scheduling.fair_queue import ROUND_WORK, FairQueue, Flow
from service.scheduling.job import Entry, Job
from service.scheduling.limits import Client, Request
from tests.service.scheduling.remembered_clients import remembered_clients, remembered_requests

ANNA, BERT = Client(name="anna"), Client(name="bert")
MAX_TOKENS = 300
"""Source tokens of a batch."""
CLIENTS = (Client(name="light", weight=0.5), ANNA, Client(name="heavy", weight=4.0))
jobs = st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 60), st.integers(1, 8))
"""Client, its request, source tokens and beam size."""


def entry(
    request: Request, num_tokens: int = 16, *, client: Client = ANNA, beam_size: int = 1
) -> Entry:
    options = DecodeOptions(beam_size=beam_size)
    job = Job(source_ids=(5,) * num_tokens, options=options, client=client, request=request)
    return Entry(job=job, submitted_s=0.0)


def many(
    queue: FairQueue,
    number: int,
    num_tokens: int = 16,
    *,
    client: Client = ANNA,
    beam_size: int = 1,
) -> Request:
    """Queue a new request of `number` sentences."""
    request = Request(num_sentences=number)
    for _ in range(number):
        queue.add(entry(request, num_tokens, client=client, beam_size=beam_size))
    return request


def take(queue: FairQueue, free_slots: int = 8, *, max_tokens: int = MAX_TOKENS) -> list[Entry]:
    """Select a batch and serve it."""
    capacity = BatchCapacity(free_slots=free_slots, max_tokens=max_tokens)
    chosen = select_batch(queue.window(LOOKAHEAD), capacity)
    queue.serve(chosen)
    return chosen


def one_by_one(queue: FairQueue, number: int) -> list[Request]:
    return [one.job.request for _ in range(number) for one in take(queue, max_tokens=1)]


def requests_of(entries: Sequence[Entry]) -> list[Request]:
    return [one.job.request for one in entries]


def test_requests_of_a_client_alternate() -> None:
    queue = FairQueue()
    first, second = many(queue, 6), many(queue, 6)
    assert one_by_one(queue, 12) == [first, second] * 6


def test_requests_share_by_work_and_not_by_sentences() -> None:
    queue = FairQueue()
    first, second = many(queue, 50, 40), many(queue, 50, 5, beam_size=2)
    assert Counter(one_by_one(queue, 40)) == {first: 8, second: 32}


def test_one_sentence_is_not_behind_320_of_its_client() -> None:
    """After 20 of them four requests have had 48 and four 32, on average 40: those four first."""
    queue = FairQueue()
    batch = [many(queue, 40) for _ in range(8)]
    assert Counter(one_by_one(queue, 20)) == {
        **dict.fromkeys(batch[:4], 3),
        **dict.fromkeys(batch[4:], 2),
    }
    single = many(queue, 1)
    assert one_by_one(queue, 6) == [*batch[4:], single, batch[0]]


def test_a_request_takes_its_turn_within_the_turn_of_its_client() -> None:
    queue = FairQueue()
    first, second, third = (many(queue, 4) for _ in range(3))
    other = many(queue, 9, client=BERT)
    assert one_by_one(queue, 8) == [first, other, second, other, third, other, first, other]


def test_many_requests_have_no_more_than_one() -> None:
    queue = FairQueue()
    for _ in range(50):
        many(queue, 4)
    other = many(queue, 100, client=BERT)
    assert Counter(one_by_one(queue, 100))[other] == 50


def test_a_round_of_a_request_takes_what_starts_within_its_work() -> None:
    """16 tokens each: four of them are the 64 of a round."""
    queue = FairQueue()
    first, second = many(queue, 6), many(queue, 6)
    window = queue.window(64)
    assert requests_of(window) == [first] * 4 + [second] * 4 + [first] * 2 + [second] * 2
    assert [one.round for one in window] == [(0, 0)] * 8 + [(0, 1)] * 4


def test_rounds_of_requests_are_within_those_of_their_client() -> None:
    """Two of 32 are a round, of a client as of a request."""
    queue = FairQueue()
    first, second = many(queue, 3, 32), many(queue, 3, 32)
    other = many(queue, 4, 32, client=BERT)
    window = queue.window(64)
    assert requests_of(window) == [
        *(first, first, other, other),
        *(second, second, other, other),
        *(first, second),
    ]
    assert [one.round for one in window] == [
        *[(0, 0)] * 4,
        *[(1, 0)] * 4,
        *[(2, 1)] * 2,
    ]


def test_a_request_alone_is_served_in_its_order_and_in_one_round() -> None:
    queue = FairQueue()
    many(queue, 100)
    window = queue.window(64)
    assert window == list(queue)[:64]
    assert {one.round for one in window} == {(0, 0)}


def test_a_client_alone_has_one_round_whatever_its_bound() -> None:
    queue = FairQueue()
    many(queue, 40)
    window = queue.window(LOOKAHEAD, bounded(max_slots_per_client=30))
    assert [one.round for one in window] == [(0, 0)] * 30


def test_rounds_begin_with_the_first_request_that_may_join() -> None:
    """The wide beams have the turn, and not enough slots."""
    queue = FairQueue()
    many(queue, 5, 1, beam_size=8)
    single = many(queue, 2, 100)
    full = bounded(max_slots_of_long=7)
    queue.serve(queue.window(1, full))
    (left,) = queue.window(LOOKAHEAD, full)
    assert (left.job.request, left.round) == (single, (0, 0))


def test_a_burst_of_a_request_does_not_delay_a_new_one() -> None:
    """A sentence of 512 tokens in a beam of 8 is as much work as 256 of the others."""
    queue = FairQueue()
    many(queue, 500)
    many(queue, 1, 512, beam_size=8)
    one_by_one(queue, 2)
    late = many(queue, 1)
    assert late in one_by_one(queue, 2 * int(ROUND_WORK) // 16)


def test_length_takes_no_place_from_another_request() -> None:
    """It is of the first round, in which the seven that fit better have only four places."""
    queue = FairQueue()
    batch = many(queue, 40, 20)
    for _ in range(3):
        one_by_one(queue, 1)
    single = many(queue, 1, 60)
    taken = requests_of(take(queue, 8))
    assert (taken.count(batch), taken.count(single)) == (7, 1)


def bounded(**bounds: object) -> BatchCapacity:
    return BatchCapacity(free_slots=99, max_tokens=9_999, **bounds)  # type: ignore[arg-type]


def test_long_requests_of_a_client_share_their_slots() -> None:
    queue = FairQueue()
    first, second = many(queue, 40), many(queue, 40)
    single = many(queue, 1)
    window = queue.window(LOOKAHEAD, bounded(max_slots_of_long=8, slots_of_long_in_use={"anna": 1}))
    assert Counter(requests_of(window)) == {first: 4, second: 3, single: 1}


def test_any_number_of_long_requests_without_slots_hides_no_short_one() -> None:
    queue = FairQueue()
    for _ in range(2 * LOOKAHEAD):
        many(queue, 5)
    single = many(queue, 1)
    full = bounded(max_slots_of_long=8, slots_of_long_in_use={"anna": 8})
    assert requests_of(queue.window(LOOKAHEAD, full)) == [single]


def test_slots_of_long_requests_are_those_of_each_client() -> None:
    queue = FairQueue()
    many(queue, 40)
    other = many(queue, 40, client=BERT)
    full = bounded(max_slots_of_long=8, slots_of_long_in_use={"anna": 8, "bert": 6})
    assert requests_of(queue.window(LOOKAHEAD, full)) == [other] * 2


def test_a_wide_beam_is_not_overtaken_by_other_long_requests() -> None:
    """It could wait for ever for so many slots at once."""
    queue = FairQueue()
    many(queue, 5, beam_size=8)
    many(queue, 40)
    assert queue.window(LOOKAHEAD, bounded(max_slots_of_long=7)) == []
    assert len(queue.window(LOOKAHEAD, bounded(max_slots_of_long=8))) == 1


def test_requests_that_are_held_back_take_nothing() -> None:
    queue = FairQueue()
    first, second = many(queue, 3), many(queue, 2)
    assert requests_of(queue.window(9, bounded(held_back={("anna", first)}))) == [second] * 2
    assert requests_of(queue.window(9, bounded(held_back={("bert", first)}))) == [
        *[first] * 3,
        *[second] * 2,
    ]


def test_endless_short_requests_do_not_starve_a_long_one() -> None:
    """Three new ones for every two sentences that are served."""
    queue = FairQueue()
    batch = many(queue, 40)
    served: Counter[Request] = Counter()
    for _ in range(400):
        for _ in range(3):
            many(queue, 1)
        served.update(requests_of(take(queue, 2)))
    assert served[batch] >= 3


def test_ending_and_coming_again_gains_nothing() -> None:
    """The rest of a request, submitted job by job, is behind as if it had waited."""
    queue = FairQueue()
    for _ in range(9):
        many(queue, 200, 10)
    windowed = Request(num_sentences=200)
    served: list[Request] = []
    for _ in range(500):
        if windowed not in remembered_flows(queue):
            queue.add(entry(windowed, 50))
        served += one_by_one(queue, 1)
    assert served.count(windowed) == pytest.approx(500 / (9 * 5 + 1), abs=2)


def remembered_flows(queue: FairQueue) -> set[Request]:
    """Requests of which jobs wait."""
    return set(requests_of(list(queue)))


def test_two_thousand_requests_leave_nothing_behind() -> None:
    queue = FairQueue()
    many(queue, 3_000)
    for _ in range(2_000):
        many(queue, 1)
        take(queue, 2)
        assert len(remembered_requests(queue)) < 50
    for given_up in list(queue):
        queue.remove(given_up)
    assert (remembered_requests(queue), remembered_clients(queue)) == (set(), set())


class Machine:
    """A queue, and what is known of it from outside."""

    def __init__(self) -> None:
        self.queue = FairQueue()
        self.requests = [[Request(num_sentences=1 + i) for i in range(5)] for _ in CLIENTS]
        self.added: list[Entry] = []
        self.served: list[Entry] = []

    def add(self, job: tuple[int, int, int, int]) -> Entry:
        client, request, num_tokens, beam_size = job
        one = entry(
            self.requests[client][request],
            num_tokens,
            client=CLIENTS[client],
            beam_size=beam_size,
        )
        self.queue.add(one)
        self.added.append(one)
        return one

    def take(self, free_slots: int, max_tokens: int = MAX_TOKENS) -> list[Entry]:
        chosen = take(self.queue, free_slots, max_tokens=max_tokens)
        self.served += chosen
        return chosen

    def levels(self) -> list[list[Flow]]:
        """The waiting flows of each level: all clients, and the requests of each."""
        clients = [flow for c in CLIENTS if (flow := self.queue.flow_of(c)) is not None]
        return [list(clients), *([*client.requests] for client in clients)]


@given(
    first=st.lists(jobs, min_size=1, max_size=60),
    arrivals=st.lists(st.lists(jobs, max_size=6), max_size=30),
    slots=st.integers(8, 24),
)
def test_every_job_leaves_once_and_no_slot_is_idle_while_one_waits(
    first: list[tuple[int, int, int, int]],
    arrivals: list[list[tuple[int, int, int, int]]],
    slots: int,
) -> None:
    machine, turns = Machine(), iter([first, *arrivals])
    while machine.queue or not machine.added:
        for job in next(turns, []):
            machine.add(job)
        head = machine.queue.window(LOOKAHEAD)[0]
        chosen = machine.take(slots)
        assert chosen[0] is head, "a turn always serves the head"
        num_free = slots - sum(one.num_slots for one in chosen)
        num_tokens = sum(one.num_tokens for one in chosen)
        assert num_free >= 0
        waiting = machine.queue.window(LOOKAHEAD)
        if waiting and num_free >= 8:
            assert num_tokens + max(one.num_tokens for one in waiting) > MAX_TOKENS
    assert sorted(map(id, machine.served)) == sorted(map(id, machine.added))
    assert all(one.num_overtakes <= MAX_OVERTAKES for one in machine.added)
    assert remembered_clients(machine.queue) == set()
    assert remembered_requests(machine.queue) == set()
    assert (len(machine.queue), machine.queue.num_tokens) == (0, 0)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "add", "remove", "serve"]), jobs, st.integers(0, 99)),
        max_size=120,
    )
)
def test_no_flow_is_further_ahead_of_another_than_a_round_and_a_job(
    steps: list[tuple[str, tuple[int, int, int, int], int]],
) -> None:
    """At both levels, in virtual time, where each turn serves the head alone."""
    machine = Machine()
    longest: defaultdict[int, float] = defaultdict(float)
    for kind, job, choice in steps:
        waiting = list(machine.queue)
        if kind == "add":
            one = machine.add(job)
            weight = one.job.client.weight
            longest[0] = max(longest[0], one.work / weight)
            longest[1] = max(longest[1], one.work)
        elif kind == "remove" and waiting:
            machine.queue.remove(waiting[choice % len(waiting)])
        elif kind == "serve" and waiting:
            assert len(machine.take(8, max_tokens=1)) == 1
        for level, flows in enumerate(machine.levels()):
            times = [flow.virtual_time for flow in flows]
            if times:
                allowed = ROUND_WORK + longest[min(level, 1)]
                assert max(times) - min(times) <= allowed + 1e-6


@given(first=st.lists(jobs, min_size=1, max_size=60), data=st.data())
def test_no_request_gets_ahead_of_a_new_one_by_more_than_its_share(
    first: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    """Two rounds and its longest sentence: that is what another may get before it, and a turn."""
    machine = Machine()
    for job in first:
        machine.add((1, *job[1:]))
    for _ in range(data.draw(st.integers(0, 10), label="turns before")):
        machine.take(8)
    newcomer = entry(Request(), data.draw(st.integers(1, 60), label="tokens"))
    machine.queue.add(newcomer)
    machine.served.clear()
    before: list[Entry] = []
    while newcomer in machine.queue:
        for job in data.draw(st.lists(jobs, max_size=3), label="late"):
            machine.add((1, *job[1:]))
        before = list(machine.served)
        machine.take(8)
    for request in set(requests_of(before)):
        longest = max(one.work for one in machine.added if one.job.request is request)
        got = sum(one.work for one in before if one.job.request is request)
        assert got <= 2 * ROUND_WORK + longest + MAX_TOKENS * 8


@given(first=st.lists(jobs, min_size=1, max_size=60), slots=st.integers(8, 24))
def test_the_request_with_the_least_virtual_time_of_such_a_client_is_next(
    first: list[tuple[int, int, int, int]], slots: int
) -> None:
    machine = Machine()
    for job in first:
        machine.add(job)
    while machine.queue:
        clients = [flow for c in CLIENTS if (flow := machine.queue.flow_of(c)) is not None]
        client = min(clients, key=lambda flow: (flow.virtual_time, flow.number))
        request = min(client.requests, key=lambda flow: (flow.virtual_time, flow.number))
        head = next(iter(request.entries))
        assert machine.take(slots)[0] is head
