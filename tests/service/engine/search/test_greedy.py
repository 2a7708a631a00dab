import math
from dataclasses import replace

import numpy as np
import pytest

from service.engine.search.greedy import GreedySearch
from service.engine.search.options import DecodeOptions
from tests.service.engine.toy_model import EOS, GARDEN_PATH, LOOPING, A, run_greedy


def test_greedy_search_takes_the_best_token_of_every_step() -> None:
    found = run_greedy(GARDEN_PATH, DecodeOptions(length_penalty=1.0, max_target_tokens=5))
    assert found.target_ids == (A, A)
    assert found.finish_reason == "stop"
    assert found.token_log_probs == pytest.approx((math.log(0.5), math.log(0.375), 0.0))
    assert found.log_prob == pytest.approx(math.log(0.1875))
    assert found.score == pytest.approx(math.log(0.1875) / (8 / 6))


def test_unused_scores_are_not_computed() -> None:
    options = DecodeOptions(with_scores=False, max_target_tokens=5)
    search = GreedySearch(EOS)
    search.begin(options)
    assert search.num_candidates == 0
    search.begin(replace(options, with_scores=True))
    assert search.num_candidates == 1
    search.remove(1)
    assert search.num_candidates == 0
    found = run_greedy(GARDEN_PATH, options)
    assert (found.target_ids, found.finish_reason) == ((A, A), "stop")
    assert found.token_log_probs == ()


def test_a_tail_that_is_tolerated_is_no_loop() -> None:
    options = DecodeOptions(max_target_tokens=12, max_loop_tokens=12)
    found = run_greedy(LOOPING, options)
    assert (found.target_ids, found.finish_reason) == ((A,) * 12, "length")


def test_scores_computed_for_others_of_the_batch_are_not_returned() -> None:
    search = GreedySearch(EOS)
    search.begin(DecodeOptions(with_scores=False))
    assert search.advance([A], [-0.5]).finished == {}
    (found,) = search.advance([EOS], [-0.25]).finished[0]
    assert found.token_log_probs == ()


def test_a_shortest_length_holds_for_its_own_sentence_while_that_is_there() -> None:
    options = DecodeOptions(with_scores=False, max_target_tokens=9)
    search = GreedySearch(EOS)
    for shortest in (0, 2, 0):
        search.begin(replace(options, min_target_tokens=shortest))
    assert search.ending_too_early(np.array([EOS, EOS, A])) == [1]
    assert search.ending_too_early(np.array([EOS, A, EOS])) == []
    search.remove(0)
    assert search.ending_too_early(np.array([EOS, EOS])) == [1]
    search.advance([A, A], None)
    search.advance([A, A], None)
    assert search.ending_too_early(np.array([EOS, EOS])) == []
    search.remove(1)
    assert search.ending_too_early(np.array([EOS])) == []
