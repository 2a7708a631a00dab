import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.search.beam import BeamSearch, BeamStep
from service.engine.search.continuations import best_continuations, best_tokens
from service.engine.search.logits_processors import MASKED
from service.engine.search.options import DecodeOptions, Hypothesis
from service.engine.search.outcome import SearchStep
from service.engine.search.repetition import CHECK_EVERY
from tests.service.engine.toy_model import (
    EOS,
    GARDEN_PATH,
    LOOPING,
    A,
    B,
    Model,
    RandomModel,
    TableModel,
    best_first,
    exhaustive,
    patient_beam,
    run_beam,
    run_greedy,
)


class UnboundedOptions(DecodeOptions):
    """A beam wider than the service would run."""

    def __post_init__(self) -> None:
        pass


models = st.builds(
    RandomModel,
    seed=st.integers(0, 10_000),
    vocab_size=st.integers(2, 7),
    is_coarse=st.booleans(),
    eos_bias=st.sampled_from([0.0, -2.0, -5.0]),
)
alphas = st.sampled_from([0.0, 0.6, 1.0, 2.5])


@st.composite
def beam_options(draw: st.DrawFn) -> DecodeOptions:
    beam_size = draw(st.integers(1, 8))
    return DecodeOptions(
        beam_size=beam_size,
        num_hypotheses=draw(st.integers(1, beam_size)),
        length_penalty=draw(alphas),
        max_target_tokens=draw(st.integers(1, 9)),
    )


def text_of(hypothesis: Hypothesis) -> tuple[int, ...]:
    return hypothesis.target_ids


def test_a_beam_finds_what_greedy_search_walks_past() -> None:
    options = DecodeOptions(beam_size=2, num_hypotheses=2, length_penalty=0, max_target_tokens=5)
    (best, second), num_steps = run_beam(GARDEN_PATH, options)
    assert (best.target_ids, best.finish_reason) == ((B,), "stop")
    assert best.token_log_probs == pytest.approx((math.log(0.4375), math.log(0.875)))
    assert best.score == pytest.approx(math.log(0.3828125))
    # Step 2 ranks B-end .383, A-A .1875, A-B .1875, A-end .125: the last is outside of the beam.
    assert (second.target_ids, second.finish_reason) == ((A, A), "stop")
    assert num_steps == 3


def test_a_search_ends_as_soon_as_nothing_can_overtake() -> None:
    options = DecodeOptions(beam_size=2, length_penalty=0, max_target_tokens=60)
    _, num_steps = run_beam(GARDEN_PATH, options)
    assert num_steps == 2  # B-end .383 is found; A-A and A-B have .1875 left


def test_a_search_goes_on_while_a_longer_sentence_may_still_win() -> None:
    rare, never = 1e-20, 1e-30
    on_and_on = (never, 1.0, rare)
    model = TableModel(table={(): (0.6, 0.4, never), **{(A,) * n: on_and_on for n in range(1, 4)}})
    options = DecodeOptions(beam_size=2, length_penalty=2.0, max_target_tokens=9)
    (found,), num_steps = run_beam(model, options)
    # log .6 = -.51 is found at once; log .4 = -.92 becomes -.33 over (10 / 6) ** 2.
    assert (found.target_ids, num_steps) == ((A, A, A, A), 5)


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, ()), (8.0, (A, A))])
def test_the_length_penalty_decides_between_short_and_long(
    alpha: float, expected: tuple[int, ...]
) -> None:
    model = TableModel(table={(): (0.5, 0.5), (A,): (0.5, 0.5)})
    options = DecodeOptions(beam_size=2, length_penalty=alpha, max_target_tokens=9)
    # log .5 = -.69 against log .25 = -1.39, which over (8 / 6) ** 8 = 9.99 is -.14
    assert run_beam(model, options)[0][0].target_ids == expected


def test_the_first_of_equals_wins_in_both_searches() -> None:
    model = TableModel(table={(): (0.04, 0.32, 0.32, 0.32)})
    options = DecodeOptions(max_target_tokens=3)
    assert run_greedy(model, options).target_ids == (1,)
    assert run_beam(model, options)[0][0].target_ids == (1,)


@given(model=models, longest=st.integers(1, 9))
def test_a_beam_of_one_is_greedy_search(model: Model, longest: int) -> None:
    # With a penalty it would go on looking for something longer.
    options = DecodeOptions(length_penalty=0.0, max_target_tokens=longest)
    (found,), _ = run_beam(model, options)
    assert found == run_greedy(model, options)


@given(
    seed=st.integers(0, 10_000),
    vocab_size=st.integers(2, 4),
    longest=st.integers(1, 4),
    alpha=alphas,
    wanted=st.integers(1, 5),
)
def test_a_beam_as_wide_as_all_sentences_finds_the_best_of_all(
    seed: int, vocab_size: int, longest: int, alpha: float, wanted: int
) -> None:
    model = RandomModel(seed=seed, vocab_size=vocab_size)
    options = UnboundedOptions(
        beam_size=vocab_size**longest,
        num_hypotheses=min(wanted, vocab_size**longest),
        length_penalty=alpha,
        max_target_tokens=longest,
    )
    expected = exhaustive(model, options)[:wanted]
    found, _ = run_beam(model, options)
    assert [h.score for h in found[: len(expected)]] == pytest.approx([h.score for h in expected])
    assert list(map(text_of, found[: len(expected)])) == list(map(text_of, expected))
    assert {h.finish_reason for h in found[len(expected) :]} <= {"length"}


@settings(max_examples=300)
@given(model=models, options=beam_options())
def test_stopping_early_changes_no_result(model: Model, options: DecodeOptions) -> None:
    to_the_end = options.max_target_tokens
    assert run_beam(model, options, lookahead=to_the_end)[0] == patient_beam(model, options)


@given(model=models, options=beam_options())
def test_without_a_length_penalty_looking_ahead_changes_nothing(
    model: Model, options: DecodeOptions
) -> None:
    plain = replace(options, length_penalty=0.0)
    assert run_beam(model, plain, lookahead=0) == run_beam(model, plain, lookahead=99)


@given(model=models, options=beam_options())
def test_hypotheses_are_distinct_and_best_first(model: Model, options: DecodeOptions) -> None:
    found, _ = run_beam(model, options)
    assert 1 <= len(found) <= options.num_hypotheses
    assert len({(h.target_ids, h.finish_reason) for h in found}) == len(found)
    ended = [h for h in found if h.finish_reason == "stop"]
    cut_off = [h for h in found if h.finish_reason == "length"]
    assert list(found) == [*best_first(ended), *best_first(cut_off)]


@given(model=models, options=beam_options())
def test_every_log_prob_is_that_of_its_token(model: Model, options: DecodeOptions) -> None:
    for hypothesis in (*run_beam(model, options)[0], run_greedy(model, options)):
        ids = hypothesis.target_ids
        generated = (*ids, EOS) if hypothesis.finish_reason == "stop" else ids
        expected = [float(model(ids[:i])[token]) for i, token in enumerate(generated)]
        assert list(hypothesis.token_log_probs) == expected
        assert hypothesis.log_prob == sum(expected)


@given(model=models, options=beam_options())
def test_the_limit_counts_the_end_token(model: Model, options: DecodeOptions) -> None:
    for hypothesis in (*run_beam(model, options)[0], run_greedy(model, options)):
        limit = options.max_target_tokens
        length = len(hypothesis.target_ids)
        if hypothesis.finish_reason == "stop":
            assert length + 1 <= limit
        else:
            assert length == limit


def test_what_is_cut_off_is_returned_only_where_too_few_have_ended() -> None:
    model = TableModel(table={(): (0.3, 0.4, 0.3), (A,): (0.1, 0.5, 0.4), (B,): (0.1, 0.5, 0.4)})
    options = DecodeOptions(beam_size=2, num_hypotheses=2, length_penalty=0, max_target_tokens=2)
    (ended, cut_off), _ = run_beam(model, options)
    assert (ended.target_ids, ended.finish_reason) == ((), "stop")
    assert (cut_off.target_ids, cut_off.finish_reason) == ((A, A), "length")
    (only,), _ = run_beam(model, DecodeOptions(beam_size=2, length_penalty=0, max_target_tokens=2))
    assert only == ended


def test_a_forced_prefix_is_scored_by_the_model_and_continued() -> None:
    greedy = run_greedy(GARDEN_PATH, DecodeOptions(prefix_ids=(B,), max_target_tokens=5))
    assert greedy.target_ids == (B,)
    assert greedy.token_log_probs == pytest.approx((math.log(0.4375), math.log(0.875)))
    options = DecodeOptions(beam_size=2, num_hypotheses=2, prefix_ids=(B,), max_target_tokens=5)
    found, _ = run_beam(GARDEN_PATH, options)
    assert {h.target_ids[:1] for h in found} == {(B,)}
    assert found[0] == replace(greedy, score=found[0].score)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_nothing_ends_before_its_shortest_length(beam_size: int) -> None:
    model = TableModel(table={(): (0.9, 0.1), (A,): (0.9, 0.1), (A, A): (0.9, 0.1)})
    options = DecodeOptions(beam_size=beam_size, min_target_tokens=2, max_target_tokens=9)
    run = run_greedy if beam_size == 1 else lambda *a: run_beam(*a)[0][0]
    assert run(model, options).target_ids == (A, A)


@given(model=models, size=st.integers(1, 3), beam_size=st.integers(1, 4))
def test_no_n_gram_occurs_twice_where_that_is_forbidden(
    model: Model, size: int, beam_size: int
) -> None:
    options = DecodeOptions(
        beam_size=beam_size, num_hypotheses=beam_size, no_repeat_ngram=size, max_target_tokens=9
    )
    found = (run_greedy(model, options),) if beam_size == 1 else run_beam(model, options)[0]
    assert found
    for hypothesis in found:
        ids = hypothesis.target_ids
        ngrams = [ids[i : i + size] for i in range(len(ids) - size + 1)]
        assert len(ngrams) == len(set(ngrams))


@pytest.mark.parametrize("beam_size", [1, 2])
def test_a_loop_is_decoded_once_more_without_repeating(beam_size: int) -> None:
    run = run_greedy if beam_size == 1 else lambda *a: run_beam(*a)[0][0]
    # So long that a beam does not prefer an early end.
    options = DecodeOptions(beam_size=beam_size, min_target_tokens=7, max_target_tokens=30)
    assert len(run(LOOPING, replace(options, max_loop_tokens=None)).target_ids) >= 7
    guarded = run(LOOPING, replace(options, max_loop_tokens=4))
    ids = guarded.target_ids
    assert guarded.finish_reason == "repetition"
    trigrams = [ids[i : i + 3] for i in range(len(ids) - 2)]
    assert len(trigrams) == len(set(trigrams))


def test_rules_that_leave_nothing_end_the_sentence() -> None:
    model = TableModel(table={(): (0.1, 0.9)})
    options = DecodeOptions(
        beam_size=2, no_repeat_ngram=1, min_target_tokens=5, max_target_tokens=9
    )
    (found,), _ = run_beam(model, options)
    assert (found.target_ids, found.finish_reason) == ((A,), "length")


def search_of(options: DecodeOptions) -> BeamSearch:
    """The search of one sentence."""
    beam_size, longest = options.beam_size, options.max_target_tokens
    search = BeamSearch(1, longest, EOS, beam_size=beam_size)
    search.begin(options)
    return search


def advance(search: BeamSearch, *continuations: tuple[int, int, float]) -> BeamStep:
    """A step in which all but a few continuations are masked: parent, token, log-probability."""
    shape = (1, search.beam_size, search.num_candidates)
    log_probs, ids = np.full(shape, MASKED, np.float32), np.ones(shape, np.int64)
    for rank, (parent, token, log_prob) in enumerate(continuations):
        log_probs[0, parent, rank], ids[0, parent, rank] = log_prob, token
    return search.advance(log_probs, ids)


def advance_alone(
    options: DecodeOptions, tokens: Sequence[int], log_probs: Sequence[float]
) -> SearchStep:
    """Give a beam one continuation a step; what the last step leads to."""
    search = search_of(options)
    for token, log_prob in zip(tokens, log_probs, strict=True):
        outcome = advance(search, (0, token, log_prob)).outcome
    return outcome


@pytest.mark.parametrize("beam_size", [2, 4])
def test_a_loop_is_one_of_tokens_and_not_of_their_scores(beam_size: int) -> None:
    options = DecodeOptions(beam_size=beam_size, max_loop_tokens=4)
    same, varied = [5] * CHECK_EVERY, list(range(3, 3 + CHECK_EVERY))
    rising = [-1 / (2 + i) for i in range(CHECK_EVERY)]
    assert advance_alone(options, same, rising).restarted == [0]
    assert advance_alone(options, varied, [-0.5] * CHECK_EVERY) == SearchStep()


def test_a_prefix_that_can_only_equal_the_result_is_pruned() -> None:
    search = search_of(DecodeOptions(beam_size=2, length_penalty=0.0))
    found = advance(search, (0, EOS, -0.5), (0, A, -0.5), (0, B, -0.5)).outcome.finished[0]
    assert [h.target_ids for h in found] == [()]


def test_a_prefix_is_kept_while_its_bound_over_the_next_tokens_is_higher() -> None:
    """The end scores -0.5 / (6 / 6) with alpha 1; three tokens on, A has -0.6 / (9 / 6)."""
    search = search_of(DecodeOptions(beam_size=2, length_penalty=1.0))
    step = advance(search, (0, EOS, -0.5), (0, A, -0.6), (0, B, -0.8))
    assert step.num_live.tolist() == [1]
    assert (step.parents[0, 0], step.tokens[0, 0]) == (0, A)


def test_the_tokens_of_a_prefix_are_those_of_its_parents() -> None:
    search = search_of(DecodeOptions(beam_size=2, max_target_tokens=3, length_penalty=0.0))
    advance(search, (0, A, -0.1), (0, B, -0.2), (0, 3, -0.3))
    advance(search, (1, 4, -0.1), (0, 5, -0.4), (1, 6, -0.5))
    step = advance(search, (1, 7, -0.1), (0, 8, -0.4), (1, 9, -0.9))
    found = step.outcome.finished[0]
    assert [(h.target_ids, h.has_ended) for h in found] == [((A, 5, 7), False)]
    assert found[0].token_log_probs == pytest.approx((-0.1, -0.4, -0.1))


def test_the_best_tokens_of_each_row_come_best_first_and_ties_by_id() -> None:
    log_probs = np.array([[-3, -1, -2, -1], [-1, -4, -9, -2]], dtype=np.float32)
    best, ids = best_tokens(log_probs, 3)
    assert ids.tolist() == [[1, 3, 2], [0, 3, 1]]
    assert best.tolist() == [[-1, -1, -2], [-1, -2, -4]]


@pytest.mark.parametrize("count", [1, 8, 50, 60])
def test_the_best_tokens_are_the_start_of_a_stable_sort(count: int) -> None:
    """With many equals, masked tokens among them."""
    log_probs = -np.random.default_rng(0).integers(1, 12, (4, 50)).astype(np.float32)
    log_probs[:, ::3] = MASKED
    best, ids = best_tokens(log_probs, count)
    order = np.argsort(-log_probs, axis=1, kind="stable")[:, :count]
    assert ids.tolist() == order.tolist()
    assert best.tolist() == np.take_along_axis(log_probs, order, axis=1).tolist()


def test_continuations_of_several_searches_are_ranked_each_by_itself() -> None:
    """Two searches with two live prefixes each, and two candidates after each prefix."""
    log_probs = np.array([[[-1, -2], [-0.5, -3]], [[-4, -5], [-0.25, -0.5]]], dtype=np.float32)
    ids = np.array([[[10, 11], [12, 13]], [[20, 21], [22, 23]]], dtype=np.int64)
    before = np.array([[-1.0, -1.5], [0.0, -4.0]])
    ranked = best_continuations(log_probs, ids, before, 3)
    first, second = (
        [*zip(*c, strict=True)] for c in zip(*(x.tolist() for x in ranked[:3]), strict=True)
    )
    # Sums -2, -3, -2, -4.5: of the two that are equal, the one of the earlier prefix comes first.
    assert first == [(0, 10, -1.0), (1, 12, -0.5), (0, 11, -2.0)]
    # Sums -4, -5, -4.25, -4.5.
    assert second == [(0, 20, -4.0), (1, 22, -0.25), (1, 23, -0.5)]


def test_each_of_three_searches_ranks_its_own_tokens() -> None:
    log_probs = np.full((3, 1, 2), -1.0, dtype=np.float32)
    ids = np.array([[[1, 2]], [[3, 4]], [[5, 6]]], dtype=np.int64)
    ranked = best_continuations(log_probs, ids, np.zeros((3, 1)), 2)
    assert ranked.tokens.tolist() == [[1, 2], [3, 4], [5, 6]]
