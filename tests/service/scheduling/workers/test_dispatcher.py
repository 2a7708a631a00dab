import threading
from dataclasses import replace

import pytest

from service.engine.graphs.encoder import CALL_COST_TOKENS, MAX_GROUP_TOKENS, length_groups
from service.engine.search.options import DecodeOptions
from service.errors import ShuttingDownError
from service.observability.metrics import Metrics
from service.scheduling.limits import AdmissionLimits
from service.scheduling.queue import AdmissionQueue
from service.scheduling.workers.dispatcher import Dispatcher, LookAhead
from service.scheduling.workers.local_engine import LocalEngine
from tests.service.engine.spy import Tensors
from tests.service.engine.tiny import (
    BEAM,
    EVERY_KIND,
    GREEDY,
    LIMIT,
    alone,
    tiny_sessions,
    tiny_sources,
)
from tests.service.scheduling.workers.single_worker import (
    MANY_TURNS,
    SingleWorker,
    assert_translated,
    hypotheses_of,
)

LONG = DecodeOptions(max_target_tokens=LIMIT, beam_size=2)


@pytest.fixture
def single() -> SingleWorker:
    return SingleWorker.create()


def test_every_job_gives_what_it_gives_alone(single: SingleWorker) -> None:
    asked = [(source, EVERY_KIND[i % len(EVERY_KIND)]) for i, source in enumerate(tiny_sources())]
    futures = [single.submit(source, options) for source, options in asked]
    single.run()
    assert [hypotheses_of(f) for f in futures] == [alone(*a) for a in asked]
    assert single.worker.is_idle


def test_jobs_join_between_the_steps_of_others(single: SingleWorker) -> None:
    early = single.submit(tiny_sources()[0])
    single.turn(3)
    late = single.submit(tiny_sources()[1])
    single.turn()
    assert [shapes["input_ids"][0] for shapes in single.decoder.fed] == [1, 1, 1, 2]
    single.run()
    assert_translated(early, tiny_sources()[0])
    assert_translated(late, tiny_sources()[1])


def test_a_result_says_how_long_it_took(single: SingleWorker) -> None:
    future = single.submit(tiny_sources()[0])
    single.clock.now_s += 2
    single.turn()
    single.clock.now_s += 3
    single.run()
    result = future.result(timeout=0)
    assert (result.queue_s, result.encode_s, result.decode_s) == (2, 0, 3)


def test_every_turn_is_a_heart_beat(single: SingleWorker) -> None:
    single.clock.now_s += 7
    single.turn()
    assert single.worker.last_beat_s == single.clock.now_s


def test_what_happens_is_counted(single: SingleWorker) -> None:
    sources = tiny_sources()[:3]
    for source in sources:
        single.submit(source)
    single.submit(sources[0], DecodeOptions(max_target_tokens=1))
    assert single.counted("queue_depth") == 4
    single.turn()
    assert single.counted("queue_depth") == 0
    assert single.slots_in_use == 3
    single.run()
    generated = [alone(source, GREEDY)[0] for source in sources]
    lengths = [*map(len, sources), len(sources[0])]
    groups = length_groups(lengths, MAX_GROUP_TOKENS, CALL_COST_TOKENS)
    num_steps = max(len(best.token_log_probs) for best in generated)
    num_tokens = sum(len(best.target_ids) for best in generated)
    expected = {
        "source_tokens_total": sum(map(len, sources)) + len(sources[0]),
        "target_tokens_total": num_tokens + 1,
        "decode_steps_total": num_steps,
        "batch_rows_count": num_steps,
        "batch_rows_sum": sum(len(best.token_log_probs) for best in generated) + 1,
        "padding_ratio_count": len(groups),
        "slots_in_use": 0,
    }
    assert {name: single.counted(name) for name in expected} == expected
    assert single.counted("finish_total", reason="stop") == 3
    assert single.counted("finish_total", reason="length") == 1


def test_a_job_that_is_given_up_is_gone_at_the_next_turn(single: SingleWorker) -> None:
    given_up, other = single.submit(tiny_sources()[0], LONG), single.submit(tiny_sources()[1])
    single.turn(2)
    assert single.slots_in_use == 3
    assert given_up.cancel()
    single.turn()
    assert single.slots_in_use == 1
    assert single.decoder.fed[-1]["input_ids"] == (1, 1)
    single.run()
    assert_translated(other, tiny_sources()[1])
    assert single.counted("finish_total", reason="stop") == 1


def test_a_wide_beam_gets_its_turn_while_narrow_ones_keep_coming(single: SingleWorker) -> None:
    source = tiny_sources()[0]
    for _ in range(4):
        single.submit(source, LONG)
    single.turn()
    assert single.slots_in_use == 8
    wide = single.submit(tiny_sources()[4], replace(BEAM, beam_size=8))
    late = [single.submit(source, LONG) for _ in range(40)]
    for _ in range(MANY_TURNS):
        if wide.done():
            break
        late.append(single.submit(source, LONG))
        single.turn()
    assert hypotheses_of(wide) == alone(tiny_sources()[4], replace(BEAM, beam_size=8))
    assert not any(future.done() for future in late), "it was at the head: nobody overtook it"


def test_a_worker_takes_as_many_tokens_as_it_may_in_a_turn() -> None:
    longest = max(tiny_sources(), key=len)
    single = SingleWorker.create(num_slots=32, look_ahead=LookAhead(num_tokens=3 * len(longest)))
    for _ in range(20):
        single.submit(longest, LONG)
    single.turn()
    assert single.slots_in_use == 2 * 3
    single.turn()
    assert single.slots_in_use == 2 * 6


def test_a_full_batch_encodes_those_that_come_next_together() -> None:
    single = SingleWorker.create(num_slots=8)
    source = tiny_sources()[0]
    early = [single.submit(source, DecodeOptions(max_target_tokens=2)) for _ in range(8)]
    single.turn()
    late = [single.submit(source, LONG) for _ in range(8)]
    single.turn()
    assert all(future.done() for future in early)
    assert single.counted("padding_ratio_count") == 2
    assert single.slots_in_use == 0
    single.turn()
    assert single.slots_in_use == 8, "beams of two: four of them have slots"
    assert single.counted("padding_ratio_count") == 2, "but all were encoded at once"
    assert single.counted("queue_depth") == 0
    single.run()
    assert [hypotheses_of(future) for future in late] == [alone(source, LONG)] * 8


def test_who_is_prepared_may_still_give_up() -> None:
    single = SingleWorker.create(num_slots=8)
    source = tiny_sources()[0]
    first = [single.submit(source, LONG) for _ in range(4)]
    given_up, other = single.submit(source, LONG), single.submit(source, LONG)
    single.turn()
    assert single.counted("queue_depth") == 0
    assert given_up.cancel()
    single.run()
    assert [hypotheses_of(future) for future in [*first, other]] == [alone(source, LONG)] * 5
    assert single.counted("finish_total", reason="stop") == 5


def test_who_gives_up_in_the_last_step_has_given_up(single: SingleWorker) -> None:
    future = single.submit(tiny_sources()[0], DecodeOptions(max_target_tokens=1))

    def give_up(_: Tensors) -> None:
        assert future.cancel()

    single.decoder.after = give_up
    single.turn()
    assert future.cancelled()
    assert single.counted("finish_total", reason="length") == 0
    assert single.slots_in_use == 0


def test_stopping_answers_everybody_in_the_batch(single: SingleWorker) -> None:
    inside = [single.submit(source, LONG) for source in tiny_sources()[:2]]
    single.turn()
    single.worker.stop()
    for future in inside:
        with pytest.raises(ShuttingDownError):
            hypotheses_of(future)
    assert (single.slots_in_use, single.worker.is_idle) == (0, True)


def test_a_worker_can_be_stopped_before_it_starts_and_twice(single: SingleWorker) -> None:
    single.worker.stop()
    single.worker.start()
    single.worker.stop()
    single.worker.stop()
    assert single.worker.is_idle


def test_an_idle_worker_need_not_be_waited_for() -> None:
    queue = AdmissionQueue(AdmissionLimits(), Metrics())
    engine = LocalEngine(tiny_sessions(), num_slots=1)
    worker = Dispatcher(engine, queue, Metrics(), wait_s=120.0)
    worker.start()
    stopping = threading.Thread(target=worker.stop, daemon=True)
    stopping.start()
    stopping.join(timeout=30)
    assert not stopping.is_alive()


def test_a_worker_that_runs_is_stopped_in_the_middle_of_its_work(single: SingleWorker) -> None:
    futures = [single.submit(source) for source in tiny_sources()]
    single.worker.start()
    futures[0].result(timeout=30)
    single.worker.stop()
    single.queue.close()
    left = single.queue.clear()
    answered = [future for future in futures if future.done()]
    assert len(answered) + len(left) == len(futures)
    assert single.slots_in_use == 0
