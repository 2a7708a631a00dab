"""What all stores of keys must do alike, each of them real."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import KeyStore
from service.api.auth.memory_store import MemoryStore
from service.api.auth.reservation import LATE_S, Demand
from tests.service.api.auth.demands import (
    LIFETIME_S,
    MONTH,
    NOW_S,
    delivery,
    demand,
    pay,
    reserved,
)
from tests.service.api.auth.stores import CREATED, KEY, PLAIN, Open, with_store


def test_key_comes_back_as_it_was_put(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        await store.put(KEY)
        await store.put(PLAIN)
        assert await store.find(KEY.digest) == KEY
        assert await store.find(PLAIN.digest) == PLAIN
        assert await store.find(digest_of("another")) is None
        assert await store.keys() == [PLAIN, KEY]

    with_store(opening, work)


def test_later_state_replaces_the_earlier(opening: Open) -> None:
    revoked = replace(KEY, revoked=CREATED)

    async def work(store: KeyStore) -> None:
        await store.put(KEY)
        await store.put(revoked)
        assert await store.keys() == [revoked]

    with_store(opening, work)


def test_requests_count_by_minute_and_key(opening: Open) -> None:
    async def work(store: KeyStore) -> list[int]:
        asked = [("a", 7), ("a", 7), ("b", 7), ("a", 8), ("a", 8)]
        return [await store.count_request(*each) for each in asked]

    assert with_store(opening, work) == [1, 2, 1, 1, 2]


def test_reservation_holds_up_to_the_limit_and_says_what_was_there(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        assert await reserved(store, demand(6, 10)) == ("granted", 0)
        assert await reserved(store, demand(5, 10)) == ("over_limit", 6)
        assert await store.num_chars("a", MONTH, NOW_S) == 6
        assert await reserved(store, demand(4, 10)) == ("granted", 6)
        assert await reserved(store, demand(1, 10)) == ("over_limit", 10)
        assert await store.num_chars("a", MONTH, NOW_S) == 10
        assert await store.num_chars("b", MONTH, NOW_S) == 0

    with_store(opening, work)


def test_first_demand_over_the_limit_holds_nothing(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        assert await reserved(store, demand(11, 10)) == ("over_limit", 0)
        assert await store.num_chars("a", MONTH, NOW_S) == 0

    with_store(opening, work)


def test_without_a_limit_large_numbers_stay_exact(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        await pay(store, demand(10**14))
        assert await reserved(store, demand(1)) == ("granted", 10**14)
        assert await store.num_chars("a", MONTH, NOW_S) == 10**14 + 1

    with_store(opening, work)


def test_what_is_delivered_is_paid_and_the_rest_comes_back(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        asked = demand(10, 10)
        await reserved(store, asked)
        for delivered in (2, 3, 3):  # a repeated call counts once
            await store.deliver(delivery(asked, delivered, is_last=False), NOW_S)
            assert await store.num_chars("a", MONTH, NOW_S) == 10
        for _ in range(2):
            await store.deliver(delivery(asked, 4), NOW_S)
            assert await store.num_chars("a", MONTH, NOW_S) == 4

    with_store(opening, work)


def test_delivery_without_a_reservation_changes_nothing(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        await store.deliver(delivery(demand(5), 5), NOW_S)
        assert await store.num_chars("a", MONTH, NOW_S) == 0

    with_store(opening, work)


def test_repeated_demand_of_an_attempt_holds_nothing_more(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        asked = demand(6, 10)
        assert [(await reserved(store, asked))[0] for _ in range(3)] == ["granted"] * 3
        assert await store.num_chars("a", MONTH, NOW_S) == 6

    with_store(opening, work)


def test_reservation_of_a_dead_process_expires(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        asked = demand(10, 10)
        await reserved(store, asked)
        await store.deliver(delivery(asked, 3, is_last=False), NOW_S + 60)
        late_s = NOW_S + 60 + LIFETIME_S
        assert await reserved(store, demand(1, 10), late_s - 1) == ("over_limit", 10)
        assert await store.num_chars("a", MONTH, late_s) == 3
        assert await reserved(store, demand(7, 10), late_s) == ("granted", 3)
        assert await store.num_chars("a", MONTH, late_s + LIFETIME_S) == 3

    with_store(opening, work)


def test_late_delivery_counts_although_its_reservation_expired(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        asked = demand(10, 10)
        await reserved(store, asked)
        late_s = NOW_S + 2 * LIFETIME_S
        assert await pay(store, demand(8, 10), late_s) == "granted"
        await store.deliver(delivery(asked, 4, is_last=False), late_s)
        await store.deliver(delivery(asked, 5), late_s)
        assert await store.num_chars("a", MONTH, late_s) == 13
        await store.deliver(delivery(asked, 9), late_s + 2 * LATE_S)
        assert await store.num_chars("a", MONTH, late_s) == 13

    with_store(opening, work)


def test_repetition_pays_only_for_what_no_attempt_has_delivered(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        def attempt() -> Demand:
            return demand(10, 10, own_id="i", fingerprint="f", remembered_s=1000)

        first, second = attempt(), attempt()
        await reserved(store, first)
        assert await reserved(store, second) == ("in_progress", 10)
        await store.deliver(delivery(first, 6), NOW_S)
        for expected in (6, 10, 10):
            assert await reserved(store, second) == ("granted", expected)
            await store.deliver(delivery(second, 2, is_last=False), NOW_S)
            await store.deliver(delivery(second, 10), NOW_S)
            assert await store.num_chars("a", MONTH, NOW_S) == 10
            second = attempt()
        other = demand(10, 10, own_id="i", fingerprint="other")
        assert await reserved(store, other) == ("other_request", 10)
        assert (await reserved(store, other, NOW_S + 999))[0] == "other_request"
        assert (await reserved(store, other, NOW_S + 1000))[0] == "over_limit"  # forgotten

    with_store(opening, work)


def test_repetition_of_a_dead_attempt_may_begin_once_that_has_expired(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        first, second = (demand(10, 10, own_id="i", remembered_s=1000) for _ in range(2))
        await reserved(store, first)
        await store.deliver(delivery(first, 4, is_last=False), NOW_S)
        late_s = NOW_S + LIFETIME_S
        assert (await reserved(store, second, late_s - 1))[0] == "in_progress"
        assert await reserved(store, second, late_s) == ("granted", 4)
        await store.deliver(delivery(first, 5), late_s)  # it was only slow; the second goes on
        assert await store.num_chars("a", MONTH, late_s) == 10
        await store.deliver(delivery(second, 9), late_s)
        assert await store.num_chars("a", MONTH, late_s) == 9

    with_store(opening, work)


def test_number_of_remembered_requests_is_bounded(
    opening: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("memory_store", "sqlite_store", "redis_store"):
        monkeypatch.setattr(f"service.api.auth.{module}.MAX_REMEMBERED", 3)

    async def work(store: KeyStore) -> None:
        async def ask(name: str, seconds: int) -> str:
            asked = demand(1, own_id=name, fingerprint=name, remembered_s=1000)
            return await pay(store, asked, NOW_S + seconds)

        for number, name in enumerate("pqrs"):
            assert await ask(name, number) == "granted"
        for number, name in enumerate("qrs"):
            await ask(name, 10 + number)
        assert await store.num_chars("a", MONTH, NOW_S + 20) == 4
        await ask("p", 20)  # forgotten, so it is a new one
        assert await store.num_chars("a", MONTH, NOW_S + 20) == 5

    with_store(opening, work)


def test_new_month_begins_at_nothing(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        open_still = demand(10, 10)
        await reserved(store, open_still)
        assert await reserved(store, demand(10, 10, month="2026-02")) == ("granted", 0)
        assert await store.num_chars("a", "2026-02", NOW_S) == 10
        await store.deliver(delivery(open_still, 4), NOW_S)
        assert await store.num_chars("a", "2026-02", NOW_S) == 10

    with_store(opening, work)


def test_earlier_month_is_settled_in_that_month(lasting: Open) -> None:
    async def work(store: KeyStore) -> None:
        open_still = demand(10, 10)
        await reserved(store, open_still)
        await pay(store, demand(10, 10, month="2026-02"))
        await store.deliver(delivery(open_still, 4), NOW_S)
        assert await store.num_chars("a", MONTH, NOW_S) == 4

    with_store(lasting, work)


Step = tuple[int, int, int, bool, int]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),  # which of the requests
        st.integers(0, 12),  # characters
        st.integers(0, 40),  # seconds later
        st.booleans(),  # whether it asks or delivers
        st.integers(0, 1),  # the latest attempt, or the one before
    ),
    max_size=25,
)


async def _walk(store: KeyStore, key_id: str, steps: list[Step]) -> list[object]:
    """What a store answers to any order of demands and deliveries; two of four are repeated."""
    attempts: dict[int, list[Demand]] = {}
    seen: list[object] = []
    now_s = NOW_S
    for which, num_chars, seconds, asks, age in steps:
        now_s += seconds
        if asks:
            own_id, remembered_s = (f"r{which}", 60.0) if which < 2 else ("", 0.0)
            asked = demand(num_chars, 20, own_id=own_id, key_id=key_id, remembered_s=remembered_s)
            seen.append(await reserved(store, asked, now_s))
            attempts.setdefault(which, []).append(asked)
        elif own := attempts.get(which):
            asked = own[-1 - age % len(own)]
            is_last = seconds % 2 == 0
            await store.deliver(delivery(asked, num_chars, is_last=is_last), now_s)
        seen.append(await store.num_chars(key_id, MONTH, now_s))
    return seen


def test_all_stores_answer_alike(lasting: Open) -> None:
    numbers = itertools.count()

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def walk(steps: list[Step]) -> None:
        key_id = f"k{next(numbers)}"
        there = runner.run(_walk(store, key_id, steps))
        assert there == runner.run(_walk(MemoryStore(), key_id, steps))
        assert all(count >= 0 for count in there if isinstance(count, int))

    with asyncio.Runner() as runner:
        store = lasting()
        try:
            walk()
        finally:
            runner.run(store.close())


def test_everything_outlasts_the_process(lasting: Open) -> None:
    async def write(store: KeyStore) -> None:
        await store.put(KEY)
        await pay(store, demand(6))

    async def read(store: KeyStore) -> tuple[list[ApiKey], int]:
        return await store.keys(), await store.num_chars("a", MONTH, NOW_S)

    with_store(lasting, write)
    assert with_store(lasting, read) == ([KEY], 6)


def test_two_replicas_never_grant_more_than_the_limit(lasting: Open) -> None:
    async def work(first: KeyStore) -> int:
        second = lasting()
        try:
            stores = [first, second] * 50
            answers = await asyncio.gather(*(reserved(s, demand(3, 100)) for s in stores))
            assert sum(outcome == "granted" for outcome, _ in answers) == 33
            return await second.num_chars("a", MONTH, NOW_S)
        finally:
            await second.close()

    assert with_store(lasting, work) == 99


def test_what_one_replica_revokes_the_other_knows_at_once(lasting: Open) -> None:
    async def work(first: KeyStore) -> None:
        second = lasting()
        try:
            await first.put(KEY)
            assert await second.find(KEY.digest) == KEY
            await first.put(replace(KEY, revoked=CREATED))
            found = await second.find(KEY.digest)
            assert found is not None
            assert found.revoked == CREATED
        finally:
            await second.close()

    with_store(lasting, work)
