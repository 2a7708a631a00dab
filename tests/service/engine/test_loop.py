"""The order in which sentences begin in one engine."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from bundle.tensors import ATTENTION_NAME
from service.engine.inspection import AttendRequest, WantedOutputs
from service.engine.loop import MAX_OVERTAKES, MAX_PASS_WAIT_S, STEPS_TO_PASS, EngineLoop, Progress
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions
from tests.service.engine.spy import DecoderSpy, Tensors, spied
from tests.service.engine.tiny import GREEDY, alone, tiny_sessions, tiny_sources
from tests.service.tiny_models import FakeClock

PASS_S, STEP_S = 1 / 64, 1 / 128
YOUNG_STEPS = 8
SOURCE = tiny_sources()[0]
SHORT = DecodeOptions(max_target_tokens=2)
"""Two steps, whatever the sentence: what has begun first ends first."""


@pytest.fixture
def loop() -> EngineLoop[str]:
    """One row at a time."""
    return EngineLoop(tiny_sessions(), num_slots=1)


def submit(
    loop: EngineLoop[str], names: str, *, is_urgent: bool = False, options: DecodeOptions = SHORT
) -> None:
    """Give it a sentence for each letter, together."""
    requests = [DecodeRequest(handle=name, source_ids=SOURCE, options=options) for name in names]
    loop.submit(requests, is_urgent=is_urgent)


def iterate(loop: EngineLoop[str]) -> list[str]:
    """What has ended, in order."""
    progress: Progress[str] = Progress()
    loop.iterate(progress)
    assert not progress.failures
    return [decoded.handle for decoded in progress.decoded]


def finish(loop: EngineLoop[str]) -> str:
    ended: list[str] = []
    while not loop.is_idle:
        ended += iterate(loop)
    return "".join(ended)


def test_sentences_begin_as_they_come(loop: EngineLoop[str]) -> None:
    submit(loop, "abc")
    submit(loop, "de")
    assert finish(loop) == "abcde"


def test_urgent_ones_begin_before_what_is_encoded_ahead_and_in_their_order(
    loop: EngineLoop[str],
) -> None:
    submit(loop, "abcd")
    iterate(loop)
    ended = []
    for name in "xyz":
        submit(loop, name, is_urgent=True)
        ended += iterate(loop)
    assert "".join(ended) + finish(loop) == "axyzbcd"


def test_an_urgent_one_interrupts_no_row(loop: EngineLoop[str]) -> None:
    submit(loop, "a", options=GREEDY)
    iterate(loop)
    submit(loop, "x", is_urgent=True)
    assert finish(loop) == "ax"


def test_endless_urgent_ones_overtake_a_sentence_within_the_bound(loop: EngineLoop[str]) -> None:
    submit(loop, "ABC")
    iterate(loop)
    names = iter(map(chr, range(0x4E00, 0x9FFF)))
    ended: list[str] = []
    while not {"A", "B", "C"} <= set(ended):
        submit(loop, next(names), is_urgent=True)
        ended += iterate(loop)
    places = [ended.index(name) for name in "ABC"]
    assert places == [0, 1 + MAX_OVERTAKES, 2 + 2 * MAX_OVERTAKES]


@pytest.mark.parametrize("name", ["x", "b"])
def test_encoded_sentences_can_be_cancelled(loop: EngineLoop[str], name: str) -> None:
    submit(loop, "ab", options=GREEDY)
    iterate(loop)
    submit(loop, "xy", is_urgent=True, options=GREEDY)
    iterate(loop)
    loop.cancel([name])
    assert finish(loop) == "axyb".replace(name, "")


def test_nothing_is_encoded_ahead_while_urgent_ones_wait_for_slots(loop: EngineLoop[str]) -> None:
    submit(loop, "a", options=GREEDY)
    iterate(loop)
    submit(loop, "x", is_urgent=True)
    iterate(loop)
    submit(loop, "b")
    progress: Progress[str] = Progress()
    loop.iterate(progress)
    assert progress.groups == []
    assert finish(loop) == "axb"


def test_a_failure_drops_encoded_urgent_ones_as_well() -> None:
    def break_down(_: Tensors) -> None:
        raise RuntimeError("the graph broke down")

    sessions, decoder = spied(tiny_sessions())
    loop: EngineLoop[str] = EngineLoop(sessions, num_slots=1)
    submit(loop, "a", options=GREEDY)
    iterate(loop)
    submit(loop, "x", is_urgent=True)
    iterate(loop)
    decoder.before = break_down
    progress: Progress[str] = Progress()
    loop.iterate(progress)
    assert [set(failure.handles) for failure in progress.failures] == [{"a", "x"}]
    decoder.before = None
    assert loop.is_idle
    submit(loop, "b")
    assert finish(loop) == "b"


@dataclass(slots=True, kw_only=True)
class SlowAttention:
    """The attention session, which takes its time."""

    real: Any
    clock: FakeClock
    pass_s: float = PASS_S

    def run(self, names: Sequence[str], feeds: Mapping[str, Any]) -> Any:  # noqa: ANN401 - onnxruntime's own
        self.clock.now_s += self.pass_s
        return self.real.run(names, feeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowLoop:
    """A loop whose clock moves by `STEP_S` with each step and by `PASS_S` with each pass."""

    loop: EngineLoop[str]
    clock: FakeClock
    decoder: DecoderSpy
    attention: SlowAttention

    @classmethod
    def create(cls) -> "SlowLoop":
        clock = FakeClock()
        sessions, decoder = spied(tiny_sessions())
        attention = SlowAttention(real=sessions.session(ATTENTION_NAME), clock=clock)
        loop: EngineLoop[str] = EngineLoop(
            sessions.with_session(ATTENTION_NAME, attention),
            num_slots=1,
            clock=clock,
            young_steps=YOUNG_STEPS,
        )

        def step(_: Tensors) -> None:
            clock.now_s += STEP_S

        decoder.after = step
        return cls(loop=loop, clock=clock, decoder=decoder, attention=attention)

    def attend(self, names: str) -> None:
        """Give it a pass for each letter."""
        for name in names:
            wanted = WantedOutputs(alignment=True)
            pairs = ((SOURCE, SOURCE),)
            self.loop.attend(AttendRequest(handle=name, pairs=pairs, wanted=wanted))

    def steps_until_a_pass(self) -> int:
        """Steps from now to the beginning of the next pass."""
        progress: Progress[str] = Progress()
        began = before = len(self.decoder.fed)
        while not progress.attended:
            before = len(self.decoder.fed)
            self.loop.iterate(progress)
        return before - began


def test_steps_have_most_of_the_time_while_passes_wait() -> None:
    slow = SlowLoop.create()
    loop, decoder = slow.loop, slow.decoder
    submit(loop, "abcd", options=GREEDY)
    slow.attend("ABCDEF")
    progress: Progress[str] = Progress()
    steps_at_pass: list[int] = []
    while not loop.is_idle:
        num_passes = len(progress.attended)
        had_rows = loop.slots_in_use > 0 or not steps_at_pass
        loop.iterate(progress)
        if len(progress.attended) > num_passes and had_rows and loop.slots_in_use:
            steps_at_pass.append(len(decoder.fed))
    assert [attended.handle for attended in progress.attended] == [*"ABCDEF"]
    between = [later - earlier for earlier, later in pairwise(steps_at_pass)]
    assert len(between) > 1
    assert min(between) >= STEPS_TO_PASS * PASS_S / STEP_S


def test_a_pass_lets_a_sentence_that_has_just_begun_end_first() -> None:
    slow = SlowLoop.create()
    slow.attend("A")
    slow.steps_until_a_pass()
    slow.clock.now_s += 10 * PASS_S
    submit(slow.loop, "a")
    slow.attend("B")
    assert slow.steps_until_a_pass() == 2
    assert slow.loop.is_idle


def test_what_a_step_ends_is_reported_before_the_next_pass() -> None:
    slow = SlowLoop.create()
    submit(slow.loop, "a")
    slow.attend("A")
    progress: Progress[str] = Progress()
    while not progress.decoded:
        slow.attend("B")
        had_passes = len(progress.attended)
        slow.loop.iterate(progress)
    assert len(progress.attended) == had_passes
    assert slow.steps_until_a_pass() == 0


def test_a_pass_waits_for_sentences_no_longer_than_its_share_of_the_time() -> None:
    slow = SlowLoop.create()
    slow.attend("A")
    slow.steps_until_a_pass()
    slow.clock.now_s += 10 * PASS_S
    submit(slow.loop, "abcdefgh")
    slow.attend("B")
    assert slow.steps_until_a_pass() == STEPS_TO_PASS * PASS_S / STEP_S


def test_a_pass_waits_no_longer_for_sentences_after_one_of_a_costlier_kind() -> None:
    slow = SlowLoop.create()
    slow.attention.pass_s = 100.0
    slow.attend("A")
    slow.steps_until_a_pass()
    slow.clock.now_s += 1000.0
    submit(slow.loop, "abcdefghijklmnop")
    slow.attend("B")
    assert slow.steps_until_a_pass() == math.ceil(MAX_PASS_WAIT_S / STEP_S)


def test_a_pass_waits_for_no_sentence_that_has_been_inside_for_long() -> None:
    slow = SlowLoop.create()
    slow.attend("A")
    slow.steps_until_a_pass()
    slow.clock.now_s += 10 * PASS_S
    submit(slow.loop, "a", options=DecodeOptions(max_target_tokens=12, min_target_tokens=11))
    for _ in range(YOUNG_STEPS - 1):
        iterate(slow.loop)
    slow.attend("B")
    assert slow.steps_until_a_pass() == 1
    assert not slow.loop.is_idle


def test_urgent_or_not_a_sentence_gives_what_it_gives_alone() -> None:
    loop: EngineLoop[int] = EngineLoop(tiny_sessions(), num_slots=4)
    sources: Sequence[tuple[int, ...]] = tiny_sources(12)
    progress: Progress[int] = Progress()
    for handle, source_ids in enumerate(sources):
        request = DecodeRequest(handle=handle, source_ids=source_ids, options=GREEDY)
        loop.submit([request], is_urgent=handle % 3 == 2)
        loop.iterate(progress)
    while not loop.is_idle:
        loop.iterate(progress)
    assert {decoded.handle: decoded.hypotheses for decoded in progress.decoded} == {
        handle: alone(source_ids, GREEDY) for handle, source_ids in enumerate(sources)
    }
