"""What is loaded and when it leaves, with models that are loaded in no time, or when told to."""

import asyncio
import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from bundle.reader import Bundle
from service.errors import DeadlineExceededError, NotReadyError, ShuttingDownError, StartupError
from service.models.claim import Claim
from service.models.loaded_model import LoadedModel, ReferenceCount, ResidencyOptions
from service.models.residency import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    Loading,
    Residency,
)
from service.models.served_bundle import ServedBundle
from service.observability.metrics import Metrics
from tests.service.tiny_models import FakeClock, tiny_bundle
from tests.service.waiting import eventually

LONGEST_S = 30.0
SIZE = 100
"""Bytes of each bundle, as the engines say."""


@dataclass(slots=True, eq=False)
class FakeModel:
    bundle: Bundle
    references: ReferenceCount = field(default_factory=ReferenceCount)
    is_closed: bool = False
    fault: str | None = None

    def close(self) -> None:
        self.is_closed = True


@dataclass(kw_only=True)
class Site:
    """A residency over bundles whose loading can be held up, and can fail."""

    num_bundles: int = 3
    options: ResidencyOptions = field(default_factory=ResidencyOptions)
    clock: FakeClock = field(default_factory=FakeClock)
    metrics: Metrics = field(default_factory=Metrics)
    loads: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    engine_bytes: int = SIZE

    def __post_init__(self) -> None:
        self.gates = {str(n): threading.Event() for n in range(self.num_bundles)}
        for gate in self.gates.values():
            gate.set()
        self.served = [ServedBundle(bundle=_named(name)) for name in self.gates]
        loading = Loading(
            load=self._load,
            start=self._start,
            free=lambda: None,
            engine_bytes=lambda: dict.fromkeys(self.gates, self.engine_bytes),
        )
        self.residency = Residency(self.served, loading, self.options, self.metrics, self.clock)
        for served in self.served:
            served.size_bytes = SIZE

    def _load(self, bundle: Bundle) -> LoadedModel:
        self.loads.append(bundle.sha256)
        return cast("LoadedModel", FakeModel(bundle))

    def _start(self, model: LoadedModel) -> None:
        name = model.bundle.sha256
        assert self.gates[name].wait(LONGEST_S)
        if name in self.failing:
            raise StartupError(f"{name} is broken")

    def claim(self, *numbers: int) -> Claim:
        return self.residency.claim([self.served[n] for n in numbers])

    def use(self, *numbers: int) -> None:
        """Claim, and let go a second later."""
        claim = self.claim(*numbers)
        claim.ready.result(LONGEST_S)
        self.clock.now_s += 1
        self.residency.release(claim)

    @property
    def loaded(self) -> list[int]:
        return [n for n, served in enumerate(self.served) if served.model is not None]

    def counted(self, metric: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"pellucid_{metric}", labels) or 0.0

    def settled(self, *numbers: int) -> None:
        """Wait until exactly these are in memory."""
        eventually(lambda: [n for n, s in enumerate(self.served) if s.is_resident] == list(numbers))


def _named(name: str) -> Bundle:
    """A bundle without files, so that only engines take memory."""
    whole = tiny_bundle()
    manifest = whole.manifest.model_copy(update={"name": f"model-{name}", "files": {}})
    return Bundle(path=whole.path, manifest=manifest, sha256=name)


@contextmanager
def site(
    *, num_bundles: int = 3, budget: int | None = None, idle_s: float | None = None
) -> Iterator[Site]:
    options = ResidencyOptions(budget_bytes=budget, unload_after_s=idle_s, engine_bytes=SIZE)
    opened = Site(num_bundles=num_bundles, options=options)
    try:
        yield opened
    finally:
        for gate in opened.gates.values():
            gate.set()
        opened.residency.close()


def test_concurrent_first_requests_share_one_load() -> None:
    with site() as here:
        here.gates["0"].clear()
        claims = [here.claim(0) for _ in range(8)]
        eventually(lambda: here.loads == ["0"])
        assert not any(claim.ready.done() for claim in claims)
        here.gates["0"].set()
        wait([claim.ready for claim in claims], LONGEST_S)
        assert here.loads == ["0"]
        assert (
            here.counted("models_loaded")
            == here.counted("model_loads_total", outcome="loaded")
            == 1
        )


def test_others_are_served_while_one_is_loaded() -> None:
    with site() as here:
        here.use(1)
        here.gates["0"].clear()
        waiting = here.claim(0)
        here.use(1)
        here.use(2)
        assert not waiting.ready.done()


def test_a_deadline_holds_while_a_model_is_loaded_and_the_next_request_finds_it() -> None:
    async def ask(here: Site, timeout_s: float) -> None:
        async with here.residency.claimed([here.served[0]], timeout_s):
            pass

    with site() as here:
        here.gates["0"].clear()
        with pytest.raises(DeadlineExceededError, match="model-0 could not be loaded within"):
            asyncio.run(ask(here, 0.05))
        here.gates["0"].set()
        asyncio.run(ask(here, LONGEST_S))
        assert here.loads == ["0"]
        assert here.served[0].num_claims == 0


def test_a_model_that_cannot_be_loaded_is_tried_again_after_longer_and_longer_pauses() -> None:
    with site() as here:
        here.failing.add("0")
        pause_s = FIRST_PAUSE_S
        for num_loads in range(1, 10):
            with pytest.raises(NotReadyError, match="the model model-0 cannot be loaded"):
                here.use(0)
            with pytest.raises(NotReadyError, match=f"tried again in {pause_s:.1f} s"):
                here.use(0)
            assert len(here.loads) == num_loads
            assert here.served[0].fault == "0 is broken"
            here.clock.now_s += pause_s
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        assert here.counted("model_loads_total", outcome="failed") == 9
        here.failing.clear()
        here.use(0)
        assert here.served[0].fault is None


def test_a_request_for_two_models_fails_with_the_broken_one_and_leaves_the_other() -> None:
    with site() as here:
        here.failing.add("0")
        claim = here.claim(0, 1)
        with pytest.raises(NotReadyError, match="model-0"):
            claim.ready.result(LONGEST_S)
        here.residency.release(claim)
        eventually(lambda: here.loaded == [1])
        here.use(1)
        assert sorted(here.loads) == ["0", "1"]


def test_an_idle_model_is_unloaded_and_loaded_again_when_it_is_needed() -> None:
    with site(idle_s=60) as here:
        here.use(0)
        model = cast("FakeModel", here.served[0].model)
        here.clock.now_s += 59
        here.residency.look()
        assert here.loaded == [0]
        here.clock.now_s += 1
        here.residency.look()
        here.settled()
        assert model.is_closed
        assert here.counted("models_loaded") == 0
        assert here.counted("model_unloads_total", reason="idle") == 1
        here.use(0)
        assert here.loads == ["0", "0"]


def test_a_model_in_use_stays_however_long_that_takes() -> None:
    with site(idle_s=60, budget=SIZE) as here:
        claim = here.claim(0)
        claim.ready.result(LONGEST_S)
        here.clock.now_s += 1000
        here.residency.look()
        waiting = here.claim(1)
        here.residency.look()
        assert here.loaded == [0]
        assert not waiting.ready.done()
        here.residency.release(claim)
        waiting.ready.result(LONGEST_S)
        assert here.loaded == [1]


def test_the_least_recently_used_leaves_first() -> None:
    with site(num_bundles=4, budget=3 * SIZE) as here:
        for number in (0, 1, 2, 0):
            here.use(number)
        here.use(3)
        here.settled(0, 2, 3)
        assert here.counted("model_unloads_total", reason="memory") == 1


def test_no_more_leave_than_are_needed() -> None:
    with site(num_bundles=5, budget=4 * SIZE) as here:
        for number in range(4):
            here.use(number)
        here.use(4)
        here.settled(1, 2, 3, 4)


def test_a_model_larger_than_the_budget_is_served_alone() -> None:
    with site(budget=SIZE // 2) as here:
        here.use(0)
        here.residency.look()
        assert here.loaded == [0]
        here.use(1)
        here.settled(1)


def test_a_stream_of_requests_for_one_model_does_not_keep_another_out() -> None:
    """Each begins before the last one has ended, so that the model is never without a request."""
    with site(budget=SIZE) as here:
        first = here.claim(0)
        first.ready.result(LONGEST_S)
        other = here.claim(1)
        second = here.claim(0)
        assert not second.ready.done()
        here.residency.release(first)
        other.ready.result(LONGEST_S)
        assert not second.ready.done()
        here.residency.release(other)
        second.ready.result(LONGEST_S)


def test_a_request_that_gives_up_holds_nobody_up() -> None:
    with site(budget=SIZE) as here:
        first = here.claim(0)
        first.ready.result(LONGEST_S)
        given_up = here.claim(1)
        here.residency.release(given_up)
        here.claim(0).ready.result(LONGEST_S)
        assert here.loads == ["0"]


def test_growth_beyond_the_budget_is_noticed() -> None:
    with site(budget=3 * SIZE) as here:
        for number in range(3):
            here.use(number)
        here.engine_bytes = 2 * SIZE
        here.residency.look()
        here.settled(2)


def test_a_bundle_that_is_no_longer_served_leaves_with_its_last_request() -> None:
    with site() as here:
        claim = here.claim(0)
        claim.ready.result(LONGEST_S)
        here.residency.serve(here.served[1:])
        assert here.loaded == [0]
        here.residency.release(claim)
        here.settled()
        assert here.counted("model_unloads_total", reason="replaced") == 1


def test_a_bundle_that_is_removed_while_it_is_loaded_leaves_at_once() -> None:
    with site() as here:
        here.gates["0"].clear()
        here.residency.release(here.claim(0))
        here.residency.serve(here.served[1:])
        here.gates["0"].set()
        here.settled()


def test_closing_answers_all_that_wait() -> None:
    with site(budget=SIZE) as here:
        here.gates["0"].clear()
        loading, waiting = here.claim(0), here.claim(1)
        closing = threading.Thread(target=here.residency.close)
        closing.start()
        for claim in (loading, waiting):
            with pytest.raises(ShuttingDownError):
                claim.ready.result(LONGEST_S)
        here.gates["0"].set()
        closing.join(LONGEST_S)
        assert not closing.is_alive()
        with pytest.raises(ShuttingDownError):
            here.claim(2)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_unloaded_in_use_and_nobody_waits_for_ever(seed: int) -> None:
    """Random requests for one to three of eight bundles, of which three have room."""
    with site(num_bundles=8, budget=3 * SIZE, idle_s=2) as here:
        faults: list[str] = []

        def ask(numbers: Sequence[Sequence[int]]) -> None:
            for wanted in numbers:
                claim = here.claim(*wanted)
                claim.ready.result(LONGEST_S)
                models = [cast("FakeModel", here.served[n].model) for n in wanted]
                here.clock.now_s += 0.5
                if sum(s.is_resident for s in here.served) > 3:
                    faults.append("more than there is room for")
                if any(model.is_closed for model in models):
                    faults.append("closed while in use")
                here.residency.release(claim)

        rng = random.Random(seed)
        plans = [[rng.sample(range(8), rng.randint(1, 3)) for _ in range(40)] for _ in range(6)]
        threads = [threading.Thread(target=ask, args=[plan]) for plan in plans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONGEST_S)
        assert not any(thread.is_alive() for thread in threads)
        assert faults == []
        assert here.counted("model_unloads_total", reason="memory") > 10
