import math
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from service.engine.search.options import DecodeOptions
from service.scheduling.batching_policy import LOOKAHEAD, MAX_OVERTAKES, BatchCapacity, select_batch
from service.scheduling.job import Entry, Job, Round
from service.scheduling.limits import INTERNAL_CLIENT, Client, Request
from tests.service.tiny_models import FakeClock

TURN_S = 0.01
jobs = st.tuples(st.integers(1, 60), st.integers(1, 8))
"""Source tokens and beam size."""


def entry(
    num_tokens: int = 1,
    *,
    beam_size: int = 1,
    submitted_s: float = 0.0,
    client: str = "",
    round_number: int = 0,
) -> Entry:
    options = DecodeOptions(beam_size=beam_size)
    job = Job(source_ids=(5,) * num_tokens, options=options, client=Client(name=client))
    return Entry(job=job, submitted_s=submitted_s, round=(round_number, 0))


def of_client(client: str, *tokens_and_round: tuple[int, int]) -> list[Entry]:
    """A client's sentences and the rounds in which it has a place."""
    return [entry(n, client=client, round_number=number) for n, number in tokens_and_round]


def capacity(
    free_slots: int = 8, *, max_tokens: int = 10_000, max_prefilled: int = 0
) -> BatchCapacity:
    return BatchCapacity(free_slots=free_slots, max_tokens=max_tokens, max_prefilled=max_prefilled)


def take(waiting: list[Entry], given: BatchCapacity) -> list[Entry]:
    """Select a batch and remove it from the queue."""
    chosen = select_batch(waiting, given)
    for one in chosen:
        waiting.remove(one)
    return chosen


def lengths(entries: Sequence[Entry]) -> list[int]:
    return [one.num_tokens for one in entries]


def test_no_job_joins_without_free_slots_or_without_a_queue() -> None:
    waiting = [entry()]
    assert select_batch(waiting, capacity(0)) == []
    assert select_batch([], capacity()) == []
    assert waiting[0].num_overtakes == 0


def test_jobs_of_similar_length_join_with_the_head() -> None:
    waiting = [entry(n) for n in (10, 40, 30, 11, 3, 10, 12)]
    assert lengths(take(waiting, capacity(4))) == [10, 10, 11, 12]
    assert lengths(take(waiting, capacity(4))) == [40, 30, 3]


def test_jobs_of_one_length_join_in_order_of_arrival() -> None:
    waiting = [entry(7) for _ in range(6)]
    first, rest = waiting[:4], waiting[4:]
    assert take(waiting, capacity(4)) == first
    assert take(waiting, capacity(4)) == rest


def test_a_head_over_the_budget_joins_alone() -> None:
    waiting = [entry(300), entry(2), entry(300)]
    assert lengths(take(waiting, capacity(max_tokens=256))) == [300]
    assert lengths(take(waiting, capacity(max_tokens=256))) == [2]
    assert lengths(take(waiting, capacity(max_tokens=256))) == [300]


def test_a_batch_is_within_the_token_budget() -> None:
    waiting = [entry(60) for _ in range(32)]
    assert lengths(take(waiting, capacity(32, max_tokens=256))) == [60] * 4


def test_no_job_takes_slots_that_a_wide_beam_at_the_head_needs() -> None:
    waiting = [entry(beam_size=8), *(entry() for _ in range(9))]
    wide = waiting[0]
    assert take(waiting, capacity(7)) == []
    assert take(waiting, capacity(8)) == [wide]


def test_a_wide_beam_is_prefilled_and_its_slots_stay_reserved() -> None:
    waiting = [entry(9), entry(9, beam_size=8), entry(9), entry(9)]
    assert select_batch(waiting, capacity(3)) == waiting[:1]
    assert select_batch(waiting, capacity(3, max_prefilled=1)) == waiting[:2]
    assert select_batch(waiting, capacity(3, max_prefilled=2)) == waiting[:3]


def test_a_long_sentence_waits_no_longer_than_the_bound_while_short_ones_keep_coming() -> None:
    """Eight short ones come for every four that a turn can take: without a bound it never joins."""
    clock = FakeClock(now_s=0.0)
    waiting = [entry(5, submitted_s=clock.now_s) for _ in range(40)]
    long = entry(60, submitted_s=clock.now_s)
    waiting.append(long)
    num_turns = 0
    while long in waiting:
        waiting += [entry(5, submitted_s=clock.now_s) for _ in range(8)]
        take(waiting, capacity(4, max_tokens=64))
        clock.now_s += TURN_S
        num_turns += 1
        assert num_turns < 1_000
    # Ten turns of the forty before it; each turn took only those, as they are alike.
    assert clock.now_s - long.submitted_s <= (40 / 4 + MAX_OVERTAKES + 1) * TURN_S
    assert long.num_overtakes <= MAX_OVERTAKES


@given(
    first=st.lists(jobs, min_size=1, max_size=80),
    arrivals=st.lists(st.lists(jobs, max_size=6), max_size=40),
    free_slots=st.lists(st.integers(8, 32), min_size=1, max_size=10),
    max_tokens=st.integers(1, 300),
)
def test_no_job_is_overtaken_more_often_than_the_bound(
    first: list[tuple[int, int]],
    arrivals: list[list[tuple[int, int]]],
    free_slots: list[int],
    max_tokens: int,
) -> None:
    waiting = [entry(n, beam_size=width) for n, width in first]
    all_entries = list(waiting)
    turn = 0
    while waiting:
        if turn < len(arrivals):
            new = [entry(n, beam_size=width) for n, width in arrivals[turn]]
            waiting += new
            all_entries += new
        before = list(waiting)
        slots = free_slots[turn % len(free_slots)]
        chosen = take(waiting, capacity(slots, max_tokens=max_tokens))
        assert chosen[0] is before[0], "the head always joins"
        assert sum(one.num_slots for one in chosen) <= slots
        assert sum(lengths(chosen)) <= max_tokens or len(chosen) == 1
        assert len(set(chosen)) == len(chosen)
        passed = [one for one in before if one not in chosen and overtaken(one, chosen, before)]
        assert all(before.index(one) < LOOKAHEAD for one in passed)
        turn += 1
    assert turn <= len(all_entries), "a job waits at most one batch for each earlier job"
    assert all(one.num_overtakes <= MAX_OVERTAKES for one in all_entries)


def overtaken(one: Entry, chosen: Sequence[Entry], before: Sequence[Entry]) -> bool:
    return any(before.index(other) > before.index(one) for other in chosen)


@given(widths=st.lists(st.integers(1, 8), min_size=2, max_size=30), slots=st.integers(8, 16))
def test_overtakes_are_counted_once_a_batch_for_overtaken_jobs_only(
    widths: list[int], slots: int
) -> None:
    waiting = [entry(i + 1, beam_size=width) for i, width in enumerate(widths)]
    before = list(waiting)
    chosen = take(waiting, capacity(slots))
    for one in waiting:
        assert one.num_overtakes == overtaken(one, chosen, before)


def test_a_client_fills_its_places_with_its_best_fitting_sentences() -> None:
    a1, a2, a3 = of_client("a", (10, 0), (50, 0), (10, 1))
    b1, b2, b3 = of_client("b", (50, 0), (11, 1), (50, 1))
    assert select_batch([a1, a2, b1, a3, b2, b3], capacity(3)) == [a1, a3, b2]
    assert select_batch([a2, b1, b3], capacity(3)) == [a2, b1, b3]


def test_a_due_job_precedes_others_of_its_client_and_round() -> None:
    a1, a2 = of_client("a", (10, 0), (10, 0))
    b1, b2, b3 = of_client("b", (10, 0), (50, 0), (10, 1))
    b2.num_overtakes = MAX_OVERTAKES
    assert select_batch([a1, a2, b1, b2, b3], capacity(5)) == [a1, b2, a2, b1, b3]
    late = of_client("b", (50, 1))[0]
    late.num_overtakes = MAX_OVERTAKES
    assert select_batch([a1, a2, late], capacity(2)) == [a1, a2]


def test_jobs_of_one_round_overtake_each_other_across_clients() -> None:
    waiting = [entry(n, client=str(i)) for i, n in enumerate((10, 60, 10))]
    assert select_batch(waiting, capacity(2)) == [waiting[0], waiting[2]]
    assert [one.num_overtakes for one in waiting] == [0, 1, 0]


def test_jobs_of_one_client_overtake_each_other_across_rounds() -> None:
    a1, long, a3 = of_client("a", (10, 0), (60, 0), (10, 1))
    (b1,) = of_client("b", (10, 2))
    assert select_batch([a1, long, a3, b1], capacity(2)) == [a1, a3]
    assert (long.num_overtakes, b1.num_overtakes) == (1, 0)


def test_requests_of_a_client_keep_their_places() -> None:
    """The third sentence fits better, but is of another request, whose place is later."""
    first, second = Request(), Request()

    def of(request: Request, num_tokens: int, round_: Round) -> Entry:
        job = replace(entry(num_tokens, client="a").job, request=request)
        return Entry(job=job, submitted_s=0.0, round=round_)

    waiting = [of(first, 10, (0, 0)), of(first, 60, (0, 0)), of(second, 10, (0, 1))]
    assert select_batch(waiting, capacity(2)) == waiting[:2]
    assert [one.num_overtakes for one in waiting] == [0, 0, 0]


def test_a_job_in_an_earlier_place_of_its_client_overtakes_no_other_client() -> None:
    """The last one of `a` has the place of the one that stays: before those of `b`, as that was."""
    a1, long, a3 = of_client("a", (10, 0), (60, 0), (10, 2))
    (b1,) = of_client("b", (10, 1))
    assert select_batch([a1, long, b1, a3], capacity(2)) == [a1, a3]
    assert (long.num_overtakes, b1.num_overtakes) == (1, 0)


def test_a_client_has_the_slots_of_its_share_that_it_does_not_use() -> None:
    given = BatchCapacity(
        free_slots=32, max_tokens=100, max_slots_per_client=8, slots_in_use={"anna": 5, "bert": 8}
    )
    free_slots = [given.free_slots_of(name) for name in ("anna", "bert", "carl")]
    assert free_slots == [3, 0, 8]


def test_without_a_share_and_for_internal_jobs_all_slots_are_free() -> None:
    bounded = BatchCapacity(free_slots=32, max_tokens=100, max_slots_per_client=8)
    assert bounded.free_slots_of(INTERNAL_CLIENT.name) == math.inf
    unbounded = BatchCapacity(free_slots=32, max_tokens=100, slots_in_use={"anna": 5})
    assert unbounded.free_slots_of("anna") == math.inf


def test_jobs_beyond_the_lookahead_are_not_considered() -> None:
    waiting = [entry(10), *(entry(50) for _ in range(LOOKAHEAD - 1)), entry(10)]
    assert select_batch(waiting, capacity(2)) == waiting[:2]


def test_a_batch_may_use_its_budget_to_the_last_token() -> None:
    waiting = [entry(5), entry(5), entry(1)]
    assert select_batch(waiting, capacity(max_tokens=10)) == waiting[:2]


def test_every_batch_that_overtakes_a_job_is_counted() -> None:
    waiting = [entry(10), entry(60), *(entry(10) for _ in range(5))]
    long = waiting[1]
    for number in range(1, 4):
        take(waiting, capacity(2))
        waiting.insert(0, entry(10))
        assert long.num_overtakes == number


def test_a_job_is_overtaken_by_its_round_though_an_earlier_round_stands_between() -> None:
    """The second of `a` moves up to round 0, and stands between the two of round 1."""
    (head,) = of_client("h", (10, 0))
    a1, a2 = of_client("a", (50, 0), (10, 1))
    (long,) = of_client("c", (60, 1))
    (b1,) = of_client("b", (10, 1))
    assert select_batch([head, a1, long, a2, b1], capacity(3)) == [head, a2, b1]
    assert (a1.num_overtakes, long.num_overtakes) == (1, 1)


def test_a_client_has_the_slots_for_long_requests_that_it_does_not_use() -> None:
    given = BatchCapacity(
        free_slots=32, max_tokens=100, max_slots_of_long=8, slots_of_long_in_use={"anna": 5}
    )
    free_slots = [given.free_slots_of_long(name) for name in ("anna", "carl", INTERNAL_CLIENT.name)]
    assert free_slots == [3, 8, math.inf]
    assert capacity().free_slots_of_long("anna") == math.inf


def test_a_capacity_says_whether_requests_are_bounded() -> None:
    held_back = frozenset({("anna", Request())})
    given = [
        capacity(),
        replace(capacity(), max_slots_per_client=8),
        replace(capacity(), max_slots_of_long=8),
        replace(capacity(), held_back=held_back),
    ]
    assert [one.bounds_requests for one in given] == [False, False, True, True]
