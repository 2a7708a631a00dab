from collections import Counter
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.search.options import DecodeOptions
from service.scheduling.batching_policy import LOOKAHEAD, MAX_OVERTAKES, BatchCapacity, select_batch
from service.scheduling.fair_queue import ROUND_WORK, FairQueue
from service.scheduling.job import Entry, Job
from service.scheduling.limits import Client
from tests.service.scheduling.remembered_clients import remembered_clients

ANNA, BERT, CARL = (Client(name=name) for name in ("anna", "bert", "carl"))
MAX_TOKENS = 300
"""Source tokens of a batch."""
clients = st.builds(Client, name=st.sampled_from("abcdef"), weight=st.sampled_from([0.5, 1.0, 4.0]))
jobs = st.tuples(clients, st.integers(1, 60), st.integers(1, 8))
"""Client, source tokens and beam size."""


def entry(client: Client, num_tokens: int = 16, *, beam_size: int = 1) -> Entry:
    options = DecodeOptions(beam_size=beam_size)
    return Entry(
        job=Job(source_ids=(5,) * num_tokens, options=options, client=client), submitted_s=0.0
    )


def add(queue: FairQueue, *given: Entry) -> list[Entry]:
    for one in given:
        queue.add(one)
    return list(given)


def many(queue: FairQueue, client: Client, number: int, num_tokens: int = 16) -> list[Entry]:
    return add(queue, *(entry(client, num_tokens) for _ in range(number)))


def take(queue: FairQueue, free_slots: int = 4, *, max_tokens: int = MAX_TOKENS) -> list[Entry]:
    """Select a batch and serve it."""
    capacity = BatchCapacity(free_slots=free_slots, max_tokens=max_tokens)
    chosen = select_batch(queue.window(LOOKAHEAD), capacity)
    queue.serve(chosen)
    return chosen


def one_by_one(queue: FairQueue, number: int) -> list[Entry]:
    return [one for _ in range(number) for one in take(queue, 8, max_tokens=1)]


def names(entries: Sequence[Entry]) -> str:
    return "".join(one.job.client.name[0] for one in entries)


def work(one: Entry) -> int:
    return one.num_tokens * one.num_slots


def test_one_client_alone_is_served_in_its_order() -> None:
    queue = FairQueue()
    annas = many(queue, ANNA, 100)
    assert queue.window(64) == annas[:64]
    assert one_by_one(queue, 100) == annas


def test_clients_alternate_and_each_keeps_its_order() -> None:
    queue = FairQueue()
    annas, berts = many(queue, ANNA, 6), many(queue, BERT, 6)
    served = one_by_one(queue, 12)
    assert names(served) == "ab" * 6
    assert [one for one in served if one in annas] == annas
    assert [one for one in served if one in berts] == berts


def test_shares_are_of_work_and_not_of_sentences() -> None:
    queue = FairQueue()
    add(queue, *(entry(ANNA, 40) for _ in range(50)))
    add(queue, *(entry(BERT, 5, beam_size=2) for _ in range(50)))
    served = Counter(names(one_by_one(queue, 40)))
    assert served == {"a": 8, "b": 32}


@pytest.mark.parametrize("weight", [2.0, 3.0])
def test_weights_divide_the_work(weight: float) -> None:
    queue = FairQueue()
    many(queue, ANNA, 200)
    many(queue, Client(name="bert", weight=weight), 200)
    served = Counter(names(one_by_one(queue, 120)))
    assert served["b"] == pytest.approx(weight * served["a"], abs=2)


def test_a_new_flow_goes_before_the_queued_jobs_of_another() -> None:
    queue = FairQueue()
    many(queue, ANNA, 500)
    one_by_one(queue, 100)
    (late,) = many(queue, BERT, 1)
    assert late in one_by_one(queue, 2)


def test_an_idle_client_saves_up_no_share() -> None:
    queue = FairQueue()
    many(queue, ANNA, 500)
    many(queue, BERT, 1)
    one_by_one(queue, 200)
    many(queue, BERT, 50)
    assert Counter(names(one_by_one(queue, 40))) == {"a": 20, "b": 20}


def test_leaving_and_returning_gains_nothing() -> None:
    """A client with one job at a time opens a new flow each time, and gets no more than others."""
    queue = FairQueue()
    for number in range(9):
        many(queue, Client(name=f"{number}"), 200, 10)
    served = ""
    for _ in range(500):
        if not queue.flow_of(BERT):
            many(queue, BERT, 1, 50)
        served += names(one_by_one(queue, 1))
    num_fair = 500 / (9 * 5 + 1)
    assert served.count("b") == pytest.approx(num_fair, abs=2)


def test_a_cancelled_job_is_not_charged() -> None:
    queue = FairQueue()
    for given_up in many(queue, ANNA, 100):
        queue.remove(given_up)
    many(queue, BERT, 4)
    annas = many(queue, ANNA, 4)
    for given_up in annas[:2]:
        queue.remove(given_up)
    assert names(one_by_one(queue, 6)) == "bababb"


def test_a_burst_of_another_flow_does_not_delay_a_new_one() -> None:
    """A sentence of 512 tokens in a beam of 8 is as much work as 256 of the others."""
    queue = FairQueue()
    many(queue, ANNA, 500)
    add(queue, entry(BERT, 512, beam_size=8))
    one_by_one(queue, 2)
    (late,) = many(queue, CARL, 1)
    assert late in one_by_one(queue, 2 * int(ROUND_WORK) // 16)


def test_a_burst_served_earlier_is_not_held_against_its_flow() -> None:
    queue = FairQueue()
    (left,) = many(queue, BERT, 1)
    add(queue, entry(ANNA, 512, beam_size=8))
    many(queue, ANNA, 100)
    one_by_one(queue, 1)
    (given_up,) = many(queue, BERT, 1)
    assert left not in queue
    one_by_one(queue, 1)
    queue.remove(given_up)
    one_by_one(queue, 1)
    many(queue, CARL, 100)
    assert Counter(names(one_by_one(queue, 20))) == {"a": 10, "c": 10}


def test_endless_new_flows_do_not_starve_an_old_one() -> None:
    """Three new clients for every two sentences that are served."""
    queue, numbers = FairQueue(), count()
    annas = many(queue, ANNA, 40)
    for _ in range(400):
        add(queue, *(entry(Client(name=f"new {next(numbers)}")) for _ in range(3)))
        take(queue, 2)
    assert not any(one in queue for one in annas[:3])


def test_sentences_of_similar_length_go_together_across_clients() -> None:
    queue = FairQueue()
    lengths = [10, 40, 11, 38, 12, 42, 9, 41]
    add(queue, *(entry(Client(name=str(i)), n) for i, n in enumerate(lengths)))
    assert [one.num_tokens for one in take(queue)] == [10, 11, 9, 12]
    assert sorted(one.num_tokens for one in take(queue)) == [38, 40, 41, 42]


def test_each_client_contributes_its_best_fitting_sentences() -> None:
    queue = FairQueue()
    for number in range(40):
        add(queue, entry(ANNA, 20 + number % 2), entry(BERT, 40 - number % 2 * 19))
    taken = take(queue, 8)
    assert {one.num_tokens for one in taken} <= {20, 21}
    assert min(Counter(names(taken)).values()) >= 3


@pytest.mark.parametrize("num_clients", [2, 1000])
def test_a_long_sentence_waits_no_longer_than_the_bound_while_short_ones_keep_coming(
    num_clients: int,
) -> None:
    queue, numbers = FairQueue(), count()

    def come(number: int, num_tokens: int = 5) -> list[Entry]:
        names = (f"{next(numbers) % num_clients}" for _ in range(number))
        return add(queue, *(entry(Client(name=name), num_tokens) for name in names))

    come(40)
    (long,) = come(1, 60)
    num_turns = 0
    while long in queue:
        come(4)
        take(queue, max_tokens=64)
        num_turns += 1
    assert num_turns <= 40 / 4 + MAX_OVERTAKES + 1
    assert long.num_overtakes <= MAX_OVERTAKES


def test_a_flow_left_alone_is_back_in_the_first_round() -> None:
    queue = FairQueue()
    annas = many(queue, ANNA, 20)
    (single,) = many(queue, BERT, 1)
    assert {one.round for one in queue.window(64)} > {(0, 0)}
    queue.remove(single)
    assert [one.round for one in queue.window(64)] == [(0, 0)] * len(annas)


def test_a_job_of_huge_cost_does_not_starve_its_client() -> None:
    queue = FairQueue()
    light = Client(name="light", weight=1e-6)
    many(queue, light, 2, 500)
    many(queue, ANNA, 3)
    assert names(one_by_one(queue, 5)) in {"laaal", "alaal"}


def test_finished_flows_leave_nothing_behind() -> None:
    queue = FairQueue()
    many(queue, ANNA, 3_000)
    for number in range(2_000):
        many(queue, Client(name=str(number)), 1)
        take(queue, 2)
        assert len(remembered_clients(queue)) < 50
    for given_up in list(queue):
        queue.remove(given_up)
    assert (remembered_clients(queue), len(queue), queue.num_tokens) == (set(), 0, 0)


@given(first=st.lists(jobs, min_size=1, max_size=60), data=st.data())
def test_no_flow_gets_ahead_of_a_new_one_by_more_than_its_share(
    first: list[tuple[Client, int, int]], data: st.DataObject
) -> None:
    """Two rounds and its longest sentence: that is what another may get before it, and a turn."""
    queue = FairQueue()
    all_entries = add(queue, *(entry(c, n, beam_size=width) for c, n, width in first))
    for _ in range(data.draw(st.integers(0, 10), label="turns before")):
        take(queue, 8)
    newcomer = entry(Client(name="new"), data.draw(st.integers(1, 60), label="tokens"))
    queue.add(newcomer)
    served: list[Entry] = []
    while newcomer in queue:
        late = data.draw(st.lists(jobs, max_size=3), label="late")
        all_entries += add(queue, *(entry(c, n, beam_size=width) for c, n, width in late))
        before = list(served)
        served += take(queue, 8)
    for name in {one.job.client.name for one in before}:
        own = [one for one in all_entries if one.job.client.name == name]
        weight = max(one.job.client.weight for one in own)
        longest = max(map(work, own))
        got = sum(work(one) for one in before if one.job.client.name == name)
        assert got <= 2 * ROUND_WORK * weight + longest + MAX_TOKENS * 8


@given(
    first=st.lists(jobs, min_size=1, max_size=60),
    arrivals=st.lists(st.lists(jobs, max_size=6), max_size=30),
    slots=st.integers(8, 24),
)
def test_every_job_is_served_once_and_overtaken_within_the_bound(
    first: list[tuple[Client, int, int]],
    arrivals: list[list[tuple[Client, int, int]]],
    slots: int,
) -> None:
    queue = FairQueue()
    all_entries: list[Entry] = []
    served: list[Entry] = []
    turns = iter([first, *arrivals])
    while queue or not all_entries:
        new = [entry(c, n, beam_size=width) for c, n, width in next(turns, [])]
        all_entries += add(queue, *new)
        window = queue.window(LOOKAHEAD)
        chosen = take(queue, slots)
        assert chosen[0] is window[0], "the head always joins"
        assert sum(one.num_slots for one in chosen) <= slots
        served += chosen
    assert sorted(map(id, served)) == sorted(map(id, all_entries))
    assert all(one.num_overtakes <= MAX_OVERTAKES for one in all_entries)
    assert (remembered_clients(queue), queue.num_tokens) == (set(), 0)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "remove", "serve"]), jobs, st.integers(0, 99)),
        max_size=60,
    )
)
def test_counts_and_shares_are_those_of_the_waiting_jobs(
    steps: list[tuple[str, tuple[Client, int, int], int]],
) -> None:
    queue = FairQueue()
    waiting: list[Entry] = []
    weights: dict[str, float] = {}
    for kind, (client, num_tokens, beam_size), choice in steps:
        if kind == "add":
            if queue.flow_of(client) is None:
                weights[client.name] = client.weight
            waiting += add(queue, entry(client, num_tokens, beam_size=beam_size))
        elif waiting:
            one = waiting.pop(choice % len(waiting))
            if kind == "remove":
                queue.remove(one)
            else:
                queue.serve([one])
            assert one not in queue
        assert len(queue) == len(waiting)
        assert set(queue) == set(waiting)
        assert all(one in queue for one in waiting)
        assert queue.num_tokens == sum(one.num_tokens for one in waiting)
        by_client = Counter(one.job.client.name for one in waiting)
        total = sum(weights[name] for name in by_client)
        for name in by_client:
            own = [one for one in waiting if one.job.client.name == name]
            flow = queue.flow_of(own[0].job.client)
            assert flow is not None
            assert (list(flow.entries), flow.num_tokens) == (own, sum(o.num_tokens for o in own))
            assert queue.share_of(flow) == pytest.approx(weights[name] / total)


@given(first=st.lists(jobs, min_size=1, max_size=40), slots=st.integers(8, 24))
def test_the_flow_with_the_least_virtual_time_is_served_next(
    first: list[tuple[Client, int, int]], slots: int
) -> None:
    queue = FairQueue()
    add(queue, *(entry(c, n, beam_size=width) for c, n, width in first))
    clients = {c.name: c for c, _, _ in first}
    while queue:
        flows = [flow for c in clients.values() if (flow := queue.flow_of(c)) is not None]
        expected = min(flows, key=lambda flow: (flow.virtual_time, flow.number))
        head = queue.window(LOOKAHEAD)[0]
        assert head is next(iter(expected.entries))
        assert take(queue, slots)[0] is head


def test_serving_costs_tokens_times_slots_over_the_weight() -> None:
    queue = FairQueue()
    heavy = Client(name="heavy", weight=4.0)
    add(queue, *(entry(heavy, 10, beam_size=2) for _ in range(3)))
    many(queue, ANNA, 2, 10)
    flow = queue.flow_of(heavy)
    assert flow is not None
    before = flow.virtual_time
    queue.serve(list(flow.entries)[:2])
    assert flow.virtual_time - before == pytest.approx(2 * 10 * 2 / 4.0)


def test_a_round_takes_what_starts_within_its_work() -> None:
    """16 tokens each: four of them are the 64 of a round."""
    queue = FairQueue()
    annas, berts = many(queue, ANNA, 6), many(queue, BERT, 6)
    window = queue.window(64)
    assert window == [*annas[:4], *berts[:4], *annas[4:], *berts[4:]]
    assert [one.round for one in window] == [(0, 0)] * 8 + [(1, 0)] * 4


def test_a_window_ends_with_the_slots_of_its_clients_and_with_its_size() -> None:
    queue = FairQueue()
    annas, berts = many(queue, ANNA, 6), many(queue, BERT, 6)
    bounded = BatchCapacity(
        free_slots=9, max_tokens=9, max_slots_per_client=3, slots_in_use={"anna": 1}
    )
    assert queue.window(64, bounded) == [*annas[:2], *berts[:3]]
    assert queue.window(3, bounded) == [*annas[:2], berts[0]]
    assert queue.window(5) == [*annas[:4], berts[0]]
