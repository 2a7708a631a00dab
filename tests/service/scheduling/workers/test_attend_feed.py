"""Passes over finished pairs beside sentences: one at a time, and once more where one fails."""

import logging

import numpy as np
import pytest

from service.engine.inspection import WantedOutputs
from service.engine.loop import Progress
from service.errors import ShuttingDownError, TranslationFailedError
from service.scheduling.attend_queue import Attend
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.local_engine import LocalEngine
from tests.service.engine.tiny import POISONED, tiny_sessions, tiny_sources
from tests.service.scheduling.workers.pairs import asked, assert_attended
from tests.service.scheduling.workers.single_loop import SingleLoop, assert_translated

ALIGNMENT = WantedOutputs(alignment=True)


@pytest.fixture
def single() -> SingleLoop:
    return SingleLoop.create()


class Deaf(LocalEngine):
    """Takes work and does none of it while it is deaf."""

    is_deaf = True

    def work(self, timeout_s: float) -> Progress[int]:
        return Progress() if self.is_deaf else super().work(timeout_s)


def given(single: SingleLoop, attend: Attend) -> Attend:
    single.attends.add(attend)
    return attend


def poisoned() -> Attend:
    return Attend(pairs=((POISONED, POISONED),), wanted=ALIGNMENT, request_id="abc")


def test_a_pass_gives_what_the_graph_gives(single: SingleLoop) -> None:
    attend = given(single, asked(5))
    single.iterate()
    assert_attended(attend.future.result(timeout=0), 5)


def test_what_is_not_wanted_is_not_given(single: SingleLoop) -> None:
    attend, everything = given(single, asked(2, ALIGNMENT)), given(single, asked(2))
    single.iterate(2)
    for only, full in zip(attend.future.result(0), everything.future.result(0), strict=True):
        assert (only.maps, only.log_probs) == ({}, None)
        assert only.alignment is not None
        assert full.alignment is not None
        np.testing.assert_array_equal(only.alignment, full.alignment)


def test_between_two_steps_there_is_one_pass(single: SingleLoop) -> None:
    sentence = single.submit(tiny_sources()[0])
    attends = [given(single, asked(1)) for _ in range(3)]
    for num_steps in (1, 2, 3):
        single.iterate()
        assert len(single.decoder.fed) == num_steps
        assert sum(attend.future.done() for attend in attends) == num_steps
    single.run()
    assert_translated(sentence, tiny_sources()[0])


def test_what_a_translation_waits_for_comes_first(single: SingleLoop) -> None:
    maps, alignment = given(single, asked(1)), given(single, asked(1, ALIGNMENT, is_urgent=True))
    single.iterate()
    assert (maps.future.done(), alignment.future.done()) == (False, True)


def test_a_pass_that_fails_twice_fails_alone_and_is_logged_with_its_request_id(
    single: SingleLoop, caplog: pytest.LogCaptureFixture
) -> None:
    sentence = single.submit(tiny_sources()[0])
    bad, good = given(single, poisoned()), given(single, asked(2))
    with caplog.at_level(logging.ERROR):
        single.iterate(3)
    with pytest.raises(TranslationFailedError):
        bad.future.result(timeout=0)
    assert_attended(good.future.result(timeout=0), 2)
    single.run()
    assert_translated(sentence, tiny_sources()[0])
    (record,) = (r for r in caplog.records if r.getMessage() == "job failed")
    assert (vars(record)["request_id"], vars(record)["source_tokens"]) == ("abc", len(POISONED))


def test_a_pass_that_is_cancelled_is_forgotten(single: SingleLoop) -> None:
    waiting, kept = given(single, asked(1)), given(single, asked(2))
    assert waiting.future.cancel()
    assert single.attends.take() is kept
    assert single.attends.take() is None


def test_a_pass_cancelled_in_the_engine_makes_room_for_the_next() -> None:
    engine = Deaf(tiny_sessions(), num_slots=8)
    single = SingleLoop.create()
    worker = Dispatcher(engine, single.queue, single.metrics, attends=single.attends, wait_s=0.0)
    first, second = given(single, asked(1)), given(single, asked(1))
    worker.iterate()
    assert first.future.cancel()
    assert not worker.is_idle
    engine.is_deaf = False
    worker.iterate()
    assert_attended(second.future.result(timeout=0), 1)
    assert worker.is_idle


def test_nothing_joins_a_job_that_is_retried_alone(single: SingleLoop) -> None:
    single.submit(POISONED)
    single.submit(tiny_sources()[0])
    single.iterate()
    attend = given(single, asked(1))
    single.iterate()
    assert not attend.future.done(), "a retried job is inside"
    single.run()
    single.iterate()
    assert_attended(attend.future.result(timeout=0), 1)


def test_stopping_ends_a_pass(single: SingleLoop) -> None:
    engine = Deaf(tiny_sessions(), num_slots=8)
    worker = Dispatcher(engine, single.queue, single.metrics, attends=single.attends, wait_s=0.0)
    attend = given(single, asked(1))
    worker.iterate()
    worker.stop()
    with pytest.raises(ShuttingDownError):
        attend.future.result(timeout=0)


def test_a_closed_queue_refuses(single: SingleLoop) -> None:
    single.attends.close()
    with pytest.raises(ShuttingDownError):
        single.attends.add(asked(1))
