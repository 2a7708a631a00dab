"""Doubt is a formula of the log-probabilities of tokens."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.doubt import DEFAULT_DOUBT, confidence, word_log_probs
from bundle.manifest import Doubt

LOG_PROBS = st.lists(st.floats(-60, 0), min_size=1, max_size=60)


def test_confidence_is_the_logistic_function_of_mean_and_sum() -> None:
    doubt = Doubt(bias=2.0, mean_weight=3.0, total_weight=0.5, low_word=-2.0)
    expected = 1 / (1 + math.exp(-(2.0 + 3.0 * -0.4 + 0.5 * -1.2)))
    assert confidence(doubt, [-0.1, -0.9, -0.2]) == pytest.approx(expected)


@given(LOG_PROBS)
def test_confidence_is_a_probability_and_falls_with_every_token(log_probs: list[float]) -> None:
    value = confidence(DEFAULT_DOUBT, log_probs)
    assert 0 <= value <= 1
    assert confidence(DEFAULT_DOUBT, [log_probs[0] - 1, *log_probs[1:]]) <= value
    assert confidence(DEFAULT_DOUBT, [*log_probs, min(log_probs)]) <= value


def test_a_word_has_the_sum_of_its_tokens_and_punctuation_is_no_word() -> None:
    text = "Das Haus, alt."
    spans = [(0, 3), (3, 6), (6, 8), (8, 9), (9, 13), (13, 14)]
    rated = word_log_probs(text, spans, [-1.0, -2.0, -4.0, -8.0, -16.0, -32.0, -64.0])
    assert [(text[slice(*span)], log_prob) for span, log_prob in rated] == [
        ("Das", -1.0),
        ("Haus", -6.0),
        ("alt", -16.0),
    ]


def test_a_token_in_two_words_counts_in_both() -> None:
    assert word_log_probs("a b", [(0, 3)], [-1.0]) == [((0, 1), -1.0), ((2, 3), -1.0)]


def test_tokens_without_characters_count_nowhere_outside_a_word() -> None:
    assert word_log_probs("a", [(0, 0), (0, 1), (1, 1)], [-4.0, -1.0, -8.0]) == [((0, 1), -1.0)]


def test_a_symbol_is_a_word() -> None:
    assert word_log_probs("⟦0⟧ b", [(0, 3), (3, 5)], [-1.0, -2.0]) == [
        ((0, 3), -1.0),
        ((4, 5), -2.0),
    ]
