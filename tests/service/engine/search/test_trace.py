"""Traces against a plain reading of the model: nothing of the search is used to check them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.batch_decoder import BatchDecoder
from service.engine.offline import decode_requests
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions, Hypothesis
from service.engine.search.ranking import length_normalised
from service.engine.search.trace import NUM_TRACED, Candidate, SearchTrace
from tests.service.engine.tiny import EVERY_KIND, alone, tiny_sessions, tiny_sources
from tests.service.engine.toy_model import (
    EOS,
    GARDEN_PATH,
    A,
    B,
    Model,
    Prefix,
    RandomModel,
    run_beam,
    run_greedy,
)

models = st.builds(
    RandomModel,
    seed=st.integers(0, 10_000),
    vocab_size=st.integers(2, 12),
    is_coarse=st.just(False),
    eos_bias=st.sampled_from([0.0, -2.0, -5.0]),
)


@st.composite
def traced_options(draw: st.DrawFn) -> DecodeOptions:
    return DecodeOptions(
        beam_size=draw(st.integers(1, 5)),
        length_penalty=draw(st.sampled_from([0.0, 0.6, 1.0])),
        max_target_tokens=draw(st.integers(2, 9)),
        min_target_tokens=draw(st.integers(0, 1)),
        with_trace=True,
    )


def searched(model: Model, options: DecodeOptions) -> tuple[Hypothesis, SearchTrace]:
    best = run_greedy(model, options) if options.beam_size == 1 else run_beam(model, options)[0][0]
    assert best.trace is not None
    return best, best.trace


def prefixes_of(trace: SearchTrace) -> list[list[Prefix]]:
    """The prefixes of every step and of the end, as the candidates that were kept tell."""
    found: list[list[Prefix]] = [[()]]
    for step in trace.steps:
        kept = sorted((c.place, c) for c in step if c.place is not None)
        assert [place for place, _ in kept] == list(range(len(kept)))
        found.append([(*found[-1][c.prefix], c.token) for _, c in kept])
    return found


def brute_force(
    model: Model, prefixes: list[Prefix], sums: list[float]
) -> list[tuple[float, int, int]]:
    """Every continuation: summed log-probability, prefix and token, best first."""
    every = [
        (total + float(log_prob), place, token)
        for place, (prefix, total) in enumerate(zip(prefixes, sums, strict=True))
        for token, log_prob in enumerate(model(prefix))
    ]
    return sorted(every, key=lambda each: -each[0])


@settings(deadline=None)
@given(models, traced_options())
def test_candidates_are_the_best_of_all_continuations(
    model: RandomModel, options: DecodeOptions
) -> None:
    _, trace = searched(model, options)
    count = NUM_TRACED if options.beam_size == 1 else max(NUM_TRACED, 2 * options.beam_size)
    sums = [0.0]
    for prefixes, step in zip(prefixes_of(trace), trace.steps, strict=False):
        every = brute_force(model, prefixes, sums)[:count]
        assert [(c.prefix, c.token) for c in step] == [(p, t) for _, p, t in every]
        assert [c.log_prob for c in step] == pytest.approx([total for total, *_ in every], abs=1e-5)
        for candidate in step:
            log_prob = model(prefixes[candidate.prefix])[candidate.token]
            assert candidate.token_log_prob == pytest.approx(float(log_prob), abs=1e-6)
        sums = [c.log_prob for c in sorted((c for c in step if c.place is not None), key=_place)]


@settings(deadline=None)
@given(models, traced_options())
def test_fates_lead_to_the_result(model: RandomModel, options: DecodeOptions) -> None:
    best, trace = searched(model, options)
    prefixes = prefixes_of(trace)
    ended = [
        (c.score, (*prefixes[at][c.prefix],))
        for at, step in enumerate(trace.steps)
        for c in step
        if c.fate == "ended"
    ]
    if best.has_ended:
        score, ids = max(ended, key=lambda each: each[0] or -math.inf)
        assert ids == best.target_ids
        assert score == pytest.approx(best.score)
    else:
        assert not ended
        assert prefixes[-1][0] == best.target_ids
    for at, step in enumerate(trace.steps):
        for c in step:
            assert (c.place is not None) == (c.fate == "kept")
            assert (c.score is not None) == (c.fate == "ended")
            assert c.fate != "ended" or c.token == EOS
            if c.score is not None:
                penalised = length_normalised(c.log_prob, at + 1, options.length_penalty)
                assert c.score == pytest.approx(penalised)


@settings(deadline=None)
@given(models, traced_options())
def test_a_trace_changes_nothing(model: RandomModel, options: DecodeOptions) -> None:
    best, _ = searched(model, options)
    plain = replace(options, with_trace=False)
    expected = run_greedy(model, plain) if options.beam_size == 1 else run_beam(model, plain)[0][0]
    assert replace(best, trace=None) == expected


def test_the_end_of_a_search_is_explained() -> None:
    options = DecodeOptions(beam_size=2, length_penalty=0, max_target_tokens=60, with_trace=True)
    best, trace = searched(GARDEN_PATH, options)
    assert best.target_ids == (B,)
    assert trace.stop == "overtaken"
    first, second = trace.steps
    assert [(c.token, c.fate) for c in first[:2]] == [(A, "kept"), (B, "kept")]
    assert (second[0].token, second[0].fate) == (EOS, "ended")
    assert {c.fate for c in second[1:3]} == {"pruned"}
    cut, trace = searched(GARDEN_PATH, replace(options, max_target_tokens=1))
    assert (cut.has_ended, trace.stop) == (False, "length")
    _, trace = searched(GARDEN_PATH, replace(options, beam_size=1))
    assert trace.stop == "end"


def test_too_early_an_end_is_forbidden() -> None:
    options = DecodeOptions(
        beam_size=2, length_penalty=0, max_target_tokens=5, min_target_tokens=2, with_trace=True
    )
    _, trace = searched(GARDEN_PATH, options)
    fates = {c.fate for c in trace.steps[1] if c.token == EOS and c.log_prob > math.log(0.3)}
    assert fates == {"forbidden"}


def _place(candidate: Candidate) -> int:
    assert candidate.place is not None
    return candidate.place


def test_traced_sentences_of_every_kind_are_decoded_as_before() -> None:
    """In one batch, with sentences beside them that are not traced."""
    requests: list[DecodeRequest[int]] = []
    for i, source_ids in enumerate(tiny_sources()):
        options = EVERY_KIND[i % len(EVERY_KIND)]
        traced = replace(options, with_trace=options.with_scores and i % 2 == 0)
        requests.append(DecodeRequest(handle=i, source_ids=source_ids, options=traced))
    decoder: BatchDecoder[int] = BatchDecoder(tiny_sessions(), num_slots=16)
    num_traced = 0
    for finished in decode_requests(decoder, requests, num_prefilled=8):
        request = requests[finished.handle]
        best, *others = finished.hypotheses
        plain = replace(request.options, with_trace=False)
        expected = alone(tuple(request.source_ids), plain)
        assert (replace(best, trace=None), *others) == expected
        assert finished.hypotheses == alone(tuple(request.source_ids), request.options)
        assert (best.trace is not None) == request.options.with_trace
        num_traced += best.trace is not None
    assert num_traced > 10


def test_probabilities_of_a_step_are_those_of_the_model() -> None:
    """The tokens of the result, found in the trace, have the result's own log-probabilities."""
    for options in (EVERY_KIND[0], EVERY_KIND[1]):
        (best, *_) = alone(tiny_sources()[3], replace(options, with_trace=True))
        assert best.trace is not None
        found, place = [], 0
        ids = [*best.target_ids, None] if best.has_ended else list(best.target_ids)
        for token, step in zip(ids, best.trace.steps, strict=False):
            chosen = [
                c
                for c in step
                if c.prefix == place and (c.token == token or (token is None and c.score))
            ]
            found.append(chosen[0].token_log_prob)
            place = chosen[0].place or 0
        np.testing.assert_array_equal(found, best.token_log_probs)
