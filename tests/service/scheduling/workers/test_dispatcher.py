import threading
from dataclasses import replace

import pytest

from service.engine.graphs.encoder import CALL_COST_TOKENS, MAX_GROUP_TOKENS, length_groups
from service.engine.search.options import DecodeOptions
from service.errors import ShuttingDownError
from service.observability.metrics import Metrics
from service.scheduling.limits import AdmissionLimits
from service.scheduling.queue import AdmissionQueue
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.local_engine import LocalEngine
from service.scheduling.workers.look_ahead import LookAhead
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
from tests.service.scheduling.workers.single_loop import (
    MANY_TURNS,
    SingleLoop,
    assert_translated,
    hypotheses_of,
)

LONG = DecodeOptions(max_target_tokens=LIMIT, beam_size=2)


@pytest.fixture
def single() -> SingleLoop:
    return SingleLoop.create()


def test_every_job_gives_what_it_gives_alone(single: SingleLoop) -> None:
    asked = [(source, EVERY_KIND[i % len(EVERY_KIND)]) for i, source in enumerate(tiny_sources())]
    futures = [single.submit(source, options) for source, options in asked]
    single.run()
    assert [hypotheses_of(f) for f in futures] == [alone(*a) for a in asked]
    assert single.worker.is_idle


def test_jobs_join_between_the_steps_of_others(single: SingleLoop) -> None:
    early = single.submit(tiny_sources()[0])
    single.iterate(3)
    late = single.submit(tiny_sources()[1])
    single.iterate()
    assert [shapes["input_ids"][0] for shapes in single.decoder.fed] == [1, 1, 1, 2]
    single.run()
    assert_translated(early, tiny_sources()[0])
    assert_translated(late, tiny_sources()[1])


def test_a_result_says_how_long_it_took(single: SingleLoop) -> None:
    future = single.submit(tiny_sources()[0])
    single.clock.now_s += 2
    single.iterate()
    single.clock.now_s += 3
    single.run()
    result = future.result(timeout=0)
    assert (result.queue_s, result.encode_s, result.decode_s) == (2, 0, 3)


def test_every_iteration_is_a_heartbeat(single: SingleLoop) -> None:
    single.clock.now_s += 7
    single.iterate()
    assert single.worker.heartbeat_s == single.clock.now_s


def test_metrics_count_jobs_steps_and_tokens(single: SingleLoop) -> None:
    sources = tiny_sources()[:3]
    for source in sources:
        single.submit(source)
    single.submit(sources[0], DecodeOptions(max_target_tokens=1))
    assert single.counted("queue_depth") == 4
    single.iterate()
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


def test_a_cancelled_job_leaves_at_the_next_iteration(single: SingleLoop) -> None:
    given_up, other = single.submit(tiny_sources()[0], LONG), single.submit(tiny_sources()[1])
    single.iterate(2)
    assert single.slots_in_use == 3
    assert given_up.cancel()
    single.iterate()
    assert single.slots_in_use == 1
    assert single.decoder.fed[-1]["input_ids"] == (1, 1)
    single.run()
    assert_translated(other, tiny_sources()[1])
    assert single.counted("finish_total", reason="stop") == 1


def test_a_wide_beam_is_admitted_while_narrow_ones_keep_coming(single: SingleLoop) -> None:
    source = tiny_sources()[0]
    for _ in range(4):
        single.submit(source, LONG)
    single.iterate()
    assert single.slots_in_use == 8
    wide = single.submit(tiny_sources()[4], replace(BEAM, beam_size=8))
    late = [single.submit(source, LONG) for _ in range(40)]
    for _ in range(MANY_TURNS):
        if wide.done():
            break
        late.append(single.submit(source, LONG))
        single.iterate()
    assert hypotheses_of(wide) == alone(tiny_sources()[4], replace(BEAM, beam_size=8))
    assert not any(future.done() for future in late), "it was at the head: no job overtook it"


def test_a_worker_takes_as_many_tokens_as_it_may_in_an_iteration() -> None:
    longest = max(tiny_sources(), key=len)
    single = SingleLoop.create(num_slots=32, look_ahead=LookAhead(num_tokens=3 * len(longest)))
    for _ in range(20):
        single.submit(longest, LONG)
    single.iterate()
    assert single.slots_in_use == 2 * 3
    single.iterate()
    assert single.slots_in_use == 2 * 6


def test_a_full_batch_prefills_the_next_jobs_together() -> None:
    single = SingleLoop.create(num_slots=8)
    source = tiny_sources()[0]
    early = [single.submit(source, DecodeOptions(max_target_tokens=2)) for _ in range(8)]
    single.iterate()
    late = [single.submit(source, LONG) for _ in range(8)]
    single.iterate()
    assert all(future.done() for future in early)
    assert single.counted("padding_ratio_count") == 2
    assert single.slots_in_use == 8, "the next step gives them their slots"
    single.iterate()
    assert single.slots_in_use == 8, "beams of two: four of them have slots"
    assert single.counted("padding_ratio_count") == 2, "but all were encoded at once"
    assert single.counted("queue_depth") == 0
    single.run()
    assert [hypotheses_of(future) for future in late] == [alone(source, LONG)] * 8


def test_a_prefilled_job_can_still_be_cancelled() -> None:
    single = SingleLoop.create(num_slots=8)
    source = tiny_sources()[0]
    first = [single.submit(source, LONG) for _ in range(4)]
    given_up, other = single.submit(source, LONG), single.submit(source, LONG)
    single.iterate()
    assert single.counted("queue_depth") == 0
    assert given_up.cancel()
    single.run()
    assert [hypotheses_of(future) for future in [*first, other]] == [alone(source, LONG)] * 5
    assert single.counted("finish_total", reason="stop") == 5


def test_a_job_cancelled_in_its_last_step_stays_cancelled(single: SingleLoop) -> None:
    future = single.submit(tiny_sources()[0], DecodeOptions(max_target_tokens=1))

    def give_up(_: Tensors) -> None:
        assert future.cancel()

    single.decoder.after = give_up
    single.iterate()
    assert future.cancelled()
    assert single.counted("finish_total", reason="length") == 0
    assert single.slots_in_use == 0


def test_stopping_ends_every_job_of_the_batch(single: SingleLoop) -> None:
    inside = [single.submit(source, LONG) for source in tiny_sources()[:2]]
    single.iterate()
    single.worker.stop()
    for future in inside:
        with pytest.raises(ShuttingDownError):
            hypotheses_of(future)
    assert (single.slots_in_use, single.worker.is_idle) == (0, True)


def test_a_worker_can_be_stopped_before_it_starts_and_twice(single: SingleLoop) -> None:
    single.worker.stop()
    single.worker.start()
    single.worker.stop()
    single.worker.stop()
    assert single.worker.is_idle


def test_stopping_an_idle_worker_takes_no_time() -> None:
    queue = AdmissionQueue(AdmissionLimits(), Metrics())
    engine = LocalEngine(tiny_sessions(), num_slots=1)
    worker = Dispatcher(engine, queue, Metrics(), wait_s=120.0)
    worker.start()
    stopping = threading.Thread(target=worker.stop, daemon=True)
    stopping.start()
    stopping.join(timeout=30)
    assert not stopping.is_alive()


def test_a_worker_that_runs_is_stopped_in_the_middle_of_its_work(single: SingleLoop) -> None:
    futures = [single.submit(source) for source in tiny_sources()]
    single.worker.start()
    futures[0].result(timeout=30)
    single.worker.stop()
    single.queue.close()
    left = single.queue.clear()
    answered = [future for future in futures if future.done()]
    assert len(answered) + len(left) == len(futures)
    assert single.slots_in_use == 0
