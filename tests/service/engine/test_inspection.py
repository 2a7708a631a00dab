"""Passes over finished pairs, cut into runs of the graph."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.graphs.attention_pass import EVERY_OUTPUT, attend
from service.engine.inspection import (
    MAX_RUN_TOKENS,
    AttendRequest,
    IdPair,
    WantedOutputs,
    run_pass,
    split,
)
from tests.service.engine.tiny import tiny_sessions, tiny_sources
from tests.service.scheduling.workers.pairs import EVERYTHING, assert_attended, pairs

token_ids = st.lists(st.integers(4, 100), min_size=1, max_size=150).map(tuple)


@given(pairs=st.lists(st.tuples(token_ids, token_ids), max_size=20), limit=st.integers(2, 300))
def test_batches_hold_all_pairs_in_order_and_no_more_than_they_may(
    pairs: list[IdPair], limit: int
) -> None:
    batches = list(split(pairs, limit))
    assert [pair for batch in batches for pair in batch] == pairs
    for batch in batches:
        longest = [max(map(len, side)) for side in zip(*batch, strict=True)]
        assert len(batch) == 1 or len(batch) * sum(longest) <= limit


def test_a_pass_of_several_runs_gives_what_one_run_gives() -> None:
    count = 39
    assert len(list(split(pairs(count), MAX_RUN_TOKENS))) > 3
    request = AttendRequest(handle=1, pairs=pairs(count), wanted=EVERYTHING)
    assert_attended(run_pass(tiny_sessions(), request).pairs, count)


@pytest.mark.parametrize("field", sorted(EVERY_OUTPUT))
def test_one_output_is_the_same_without_the_others(field: str) -> None:
    sources = tiny_sources()[:4]
    everything = attend(tiny_sessions(), sources, sources)
    alone = attend(tiny_sessions(), sources, sources, {field})
    for full, only in zip(everything, alone, strict=True):
        np.testing.assert_array_equal(getattr(full, field), getattr(only, field))
        others = EVERY_OUTPUT - {field}
        assert not any(getattr(only, other).size for other in others)


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (WantedOutputs(alignment=True), {"cross"}),
        (WantedOutputs(log_probs=True), {"log_probs"}),
        (WantedOutputs(kinds=("encoder",)), {"encoder"}),
        (EVERYTHING, set(EVERY_OUTPUT)),
    ],
)
def test_only_what_is_needed_leaves_the_graph(wanted: WantedOutputs, fields: set[str]) -> None:
    assert wanted.fields == fields
