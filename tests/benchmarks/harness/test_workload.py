from collections import Counter
from itertools import islice

from benchmarks.harness.workload import Workload

WORKLOAD = Workload(sentences=["One.", "Two."], source="en", target="de")


def test_every_run_sends_the_same() -> None:
    first, again = (list(islice(WORKLOAD.mixed(seed=1), 50)) for _ in range(2))
    assert first == again
    assert first != list(islice(WORKLOAD.mixed(seed=2), 50))


def test_a_mixed_day_has_everything() -> None:
    calls = list(islice(WORKLOAD.mixed(seed=1), 500))
    assert Counter(call.path for call in calls).keys() == {"/translate", "/attention"}
    assert {call.expected_status for call in calls} == {200, 400}


def test_single_calls_have_one_sentence() -> None:
    for call in islice(WORKLOAD.single(seed=1), 20):
        assert isinstance(call.content, dict)
        assert call.content["q"] in WORKLOAD.sentences
