"""Times of the stages of a translation, from those of its sentences."""

from hypothesis import given
from hypothesis import strategies as st

from service.engine.search.options import Hypothesis
from service.observability.metrics import STAGES
from service.scheduling.job import JobResult
from service.translation.timings import Runs, Timeline
from service.translation.values import StageTimes

seconds = st.floats(min_value=0, max_value=30)


def result(queue_s: float, encode_s: float, decode_s: float, finished_s: float) -> JobResult:
    best = Hypothesis(
        target_ids=(5, 6, 3),
        token_log_probs=(-0.5,) * 4,
        finish_reason="stop",
        has_ended=True,
        score=-1.0,
    )
    return JobResult(
        hypotheses=(best,),
        queue_s=queue_s,
        encode_s=encode_s,
        decode_s=decode_s,
        finished_s=finished_s,
    )


def timeline(runs: Runs) -> Timeline:
    return Timeline(started_s=10.0, tokenized_s=11.0, decoded_s=20.0, ended_s=21.5, runs=runs)


def spans(*results: JobResult) -> dict[str, tuple[float, float]]:
    return {s.name: (s.started_s, s.ended_s) for s in timeline([results]).stages()}


def test_one_sentence_goes_through_its_stages_one_after_another() -> None:
    assert spans(result(1.0, 2.0, 4.0, 19.0)) == {
        "tokenize": (10.0, 11.0),
        "queue": (12.0, 13.0),
        "encode": (13.0, 15.0),
        "decode": (15.0, 19.0),
        "detokenize": (20.0, 21.5),
    }


def test_a_stage_lasts_from_the_first_sentence_in_to_the_last_out() -> None:
    found = spans(result(1.0, 1.0, 1.0, 14.0), result(3.0, 2.0, 1.0, 18.0))
    assert (found["queue"], found["encode"], found["decode"]) == ((11, 15), (12, 17), (13, 18))


def test_a_shared_run_is_limited_to_the_wait_of_this_request() -> None:
    assert spans(result(9.0, 2.0, 4.0, 19.0))["queue"] == (11.0, 13.0)


def test_a_cached_result_takes_no_time() -> None:
    kept = result(0.0, 0.0, 0.0, 0.0)
    assert all(spans(kept)[name] == (11.0, 11.0) for name in ("queue", "encode", "decode"))
    run = result(1.0, 2.0, 4.0, 19.0)
    assert spans(kept, run) == spans(run)


def test_without_a_sentence_nothing_was_decoded() -> None:
    found = spans()
    assert all(found[name][0] == found[name][1] for name in ("queue", "encode", "decode"))


def test_the_decode_stage_counts_sentences_and_tokens() -> None:
    (decode,) = [s for s in timeline([[result(0, 1, 2, 15)] * 2]).stages() if s.name == "decode"]
    assert decode.attributes == {"pellucid.sentences": 2, "pellucid.tokens": 6}


def test_times_are_those_of_the_slowest_sentence() -> None:
    times = timeline([[result(1, 5, 2, 18), result(3, 2, 4, 19)]]).times()
    assert times == StageTimes(tokenize=1.0, queue=3, encode=5, decode=4, detokenize=1.5)


def test_times_of_models_that_follow_each_other_add_up() -> None:
    runs = [[result(1, 5, 2, 18), result(3, 2, 4, 19)], [], [result(1, 1, 1, 20)]]
    times = timeline(runs).times()
    assert times == StageTimes(tokenize=1.0, queue=4, encode=6, decode=5, detokenize=1.5)


@given(st.lists(st.builds(result, seconds, seconds, seconds, seconds), max_size=4))
def test_no_stage_is_outside_of_its_request(results: list[JobResult]) -> None:
    found = timeline([results]).stages()
    assert [s.name for s in found] == list(STAGES)
    assert all(10.0 <= s.started_s <= s.ended_s <= 21.5 for s in found)
