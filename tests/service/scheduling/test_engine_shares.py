"""Which bundle gets another engine, and which one loses one."""

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.scheduling.engine_shares import BACKED_UP_S, LOOK_S, SLACK_S, EngineShares
from tests.service.tiny_models import FakeClock

SLOTS = 32
MAX = 4


@dataclass(eq=False, kw_only=True)
class Bundle:
    """Engines that come and go as they are told."""

    num_engines: int = 1
    max_engines: int = MAX
    slots_per_engine: int = SLOTS
    slots_wanted: int = 0

    def add_engine(self) -> bool:
        assert self.num_engines < self.max_engines
        self.num_engines += 1
        return True

    def retire_engine(self) -> None:
        assert self.num_engines > 1
        self.num_engines -= 1


class World:
    """Some bundles, looked at on a fake clock."""

    def __init__(self, *bundles: Bundle, may_be_joined: bool = False) -> None:
        self.clock = FakeClock()
        self.bundles = list(bundles)
        self.shares = EngineShares(
            lambda: self.bundles,
            max_engines=MAX,
            clock=self.clock,
            may_be_joined=lambda: may_be_joined,
        )

    def pass_s(self, seconds: float) -> None:
        until_s = self.clock.now_s + seconds
        while self.clock.now_s < until_s:
            self.clock.now_s += LOOK_S
            self.shares.look()


@pytest.fixture
def busy() -> Bundle:
    return Bundle()


@pytest.fixture
def world(busy: Bundle) -> World:
    return World(busy, Bundle(), Bundle())


def test_a_bundle_that_is_alone_has_all_engines(busy: Bundle) -> None:
    World(busy).pass_s(LOOK_S)
    assert busy.num_engines == MAX


def test_a_bundle_that_others_may_join_gets_engines_by_its_backlog(busy: Bundle) -> None:
    world = World(busy, may_be_joined=True)
    world.pass_s(SLACK_S)
    assert busy.num_engines == 1
    busy.slots_wanted = 10 * SLOTS
    world.pass_s(MAX * (BACKED_UP_S + LOOK_S))
    assert busy.num_engines == MAX


def test_a_backlog_starts_engines_one_by_one(world: World, busy: Bundle) -> None:
    busy.slots_wanted = 10 * SLOTS
    world.pass_s(BACKED_UP_S + LOOK_S)
    assert busy.num_engines == 2
    world.pass_s(BACKED_UP_S + LOOK_S)
    assert busy.num_engines == 3
    world.pass_s(10)
    assert busy.num_engines == MAX
    assert [other.num_engines for other in world.bundles[1:]] == [1, 1]


def test_a_burst_that_is_over_at_once_starts_none(world: World, busy: Bundle) -> None:
    for _ in range(20):
        busy.slots_wanted = 10 * SLOTS
        world.pass_s(BACKED_UP_S - LOOK_S)
        busy.slots_wanted = SLOTS
        world.pass_s(LOOK_S)
    assert busy.num_engines == 1


def test_what_fits_one_engine_starts_no_other(world: World, busy: Bundle) -> None:
    busy.slots_wanted = SLOTS
    world.pass_s(10)
    assert busy.num_engines == 1


def test_an_engine_that_was_not_needed_for_long_is_retired(world: World, busy: Bundle) -> None:
    busy.num_engines = 3
    busy.slots_wanted = SLOTS
    world.pass_s(SLACK_S)
    assert busy.num_engines == 3
    world.pass_s(2 * LOOK_S)
    assert busy.num_engines == 2
    world.pass_s(SLACK_S + 2 * LOOK_S)
    assert busy.num_engines == 1
    world.pass_s(SLACK_S + 2 * LOOK_S)
    assert busy.num_engines == 1


def test_an_engine_that_is_needed_now_and_then_stays(world: World, busy: Bundle) -> None:
    busy.num_engines = 2
    for _ in range(5):
        busy.slots_wanted = 0
        world.pass_s(SLACK_S - LOOK_S)
        busy.slots_wanted = 2 * SLOTS
        world.pass_s(LOOK_S)
    assert busy.num_engines == 2


def test_no_more_engines_work_than_there_are_processors(world: World) -> None:
    for bundle in world.bundles:
        bundle.slots_wanted = 10 * SLOTS
    world.pass_s(60)
    assert sum(bundle.num_engines for bundle in world.bundles) == MAX


def test_an_engine_in_its_time_of_grace_makes_room_for_one_that_is_needed(
    world: World, busy: Bundle
) -> None:
    _, former, _ = world.bundles
    former.num_engines = MAX
    busy.slots_wanted = 10 * SLOTS
    world.pass_s(10)
    assert busy.num_engines == MAX
    assert former.num_engines == 1


def test_the_last_of_two_bundles_gets_all_engines(world: World, busy: Bundle) -> None:
    del world.bundles[1:]
    world.pass_s(LOOK_S)
    assert busy.num_engines == MAX


@given(demands=st.lists(st.lists(st.integers(0, 500), min_size=3, max_size=3), max_size=60))
def test_every_bundle_keeps_an_engine_and_few_are_left_over(demands: list[list[int]]) -> None:
    world = World(Bundle(), Bundle(), Bundle())
    for wanted in demands:
        for bundle, slots in zip(world.bundles, wanted, strict=True):
            bundle.slots_wanted = slots
        world.pass_s(1.0)
        engines = [bundle.num_engines for bundle in world.bundles]
        assert min(engines) >= 1
        assert sum(engines) <= len(engines) + MAX - 1


def test_it_starts_once_and_ends() -> None:
    looked = threading.Event()

    def bundles() -> list[Bundle]:
        looked.set()
        raise RuntimeError("no bundles")

    shares = EngineShares(bundles, max_engines=2)
    shares.start()
    shares.start()
    assert looked.wait(timeout=60)
    looked.clear()
    assert looked.wait(timeout=60), "a look that failed is not the last"
    shares.close()
    shares.close()


def test_where_nothing_is_to_be_shared_no_thread_looks() -> None:
    shares = EngineShares(list, max_engines=1)
    shares.start()
    assert "pellucid-engine-shares" not in {thread.name for thread in threading.enumerate()}
    shares.close()
