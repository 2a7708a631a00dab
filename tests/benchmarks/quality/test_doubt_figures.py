"""Figures that confidence could be computed from: what they are, and how they are compared."""

import math

import numpy as np
import pytest

from benchmarks.quality.doubt_figures import (
    Case,
    backwards,
    beam_share,
    cases,
    compared,
    copied,
    disagreement,
    figures_of,
    gain,
)
from service.engine.graphs.sessions import open_sessions
from service.engine.search.options import Hypothesis
from tests.service.tiny_models import tiny_bundle

BUNDLE = tiny_bundle()
(PAIR,) = BUNDLE.manifest.pairs


def hypothesis(*ids: int, log_prob: float = -1.0) -> Hypothesis:
    return Hypothesis(
        target_ids=ids,
        token_log_probs=(log_prob,) * (len(ids) + 1),
        finish_reason="stop",
        has_ended=True,
        score=log_prob,
    )


def case(*hypotheses: Hypothesis, source: str = "a b", text: str = "a c") -> Case:
    return Case(
        source=source, pair=PAIR, hypotheses=hypotheses, text=text, backwards=(), is_good=True
    )


def test_a_search_that_is_sure_has_all_of_the_beam() -> None:
    sure = case(hypothesis(5, log_prob=-0.1), hypothesis(6, log_prob=-20))
    torn = case(hypothesis(5), hypothesis(6))
    assert beam_share(sure) == pytest.approx(0, abs=1e-9)
    assert beam_share(torn) == pytest.approx(-math.log(2))


def test_a_beam_disagrees_by_its_tokens() -> None:
    assert disagreement(case(hypothesis(5, 6))) == 0
    assert disagreement(case(hypothesis(5, 6), hypothesis(5, 6))) == 0
    assert disagreement(case(hypothesis(5, 6), hypothesis(5, 7))) == pytest.approx(0.5)


def test_words_of_the_source_are_copied_in_any_case() -> None:
    assert copied(case(source="Tom and I", text="tom und ich")) == pytest.approx(1 / 3)


def test_the_likelier_source_has_the_better_round_trip() -> None:
    sessions = open_sessions(BUNDLE)
    text = BUNDLE.manifest.canary.source_text
    (found,) = cases(sessions, [text], PAIR, lambda index, output: bool(output))
    assert found.is_good
    assert set(figures_of(found, BUNDLE)) > {"mean", "sum", "round trip"}
    # The tiny bundle has no other direction: the figure is that of its own one, either way round.
    right, wrong = (backwards(sessions, [(text, target)], PAIR)[0] for target in (found.text, text))
    assert len(right) == len(BUNDLE.tokenizer.encode_target(found.text)) - 1
    assert np.mean(right) > np.mean(wrong)


def test_a_figure_that_knows_more_gains_and_one_that_knows_nothing_does_not() -> None:
    random = np.random.default_rng(2)
    is_good = random.random(600) < 0.5
    figures = {
        "mean": is_good + random.normal(size=600) * 2,
        "sum": random.normal(size=600),
        "better": is_good + random.normal(size=600),
    }
    first, second = (
        {n: f[part] for n, f in figures.items()} for part in (slice(300), slice(300, 600))
    )
    found = compared(first, is_good[:300], second, is_good[300:])
    assert found["and better"]["area"] > found["mean and sum"] + 0.05
    assert found["and better"]["gain_95"][0] > 0
    low, high = gain(figures["mean"], figures["mean"], is_good)
    assert (low, high) == (0, 0)
