"""Doubt is calibrated: parameters are found again, and too little text is left alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.doubt import confidence
from bundle.manifest import Doubt
from export.calibration.doubt import (
    MIN_SENTENCES,
    ScoredSentence,
    area_under_curve,
    calibrate_doubt,
    deviation,
    fit_doubt,
    fit_logistic,
    reliability,
)
from export.sentences.development_set import DevelopmentSet, encode_pairs
from model.data.corpus import SentencePair
from service.engine.graphs.sessions import open_sessions
from tests.data.toy_language import sentence_pairs
from tests.service.tiny_models import tiny_bundle

TRUE = Doubt(bias=3.0, mean_weight=4.0, total_weight=0.2, low_word=-2.0)


def sentences(
    count: int, doubt: Doubt = TRUE, *, is_reversed: bool = False
) -> list[ScoredSentence]:
    """Sentences that are accepted as often as `doubt` says."""
    random = np.random.default_rng(7)
    found = []
    for _ in range(count):
        log_probs = tuple((-random.exponential(random.uniform(0.1, 1.2), 12)).tolist())
        log_probs = log_probs[: int(random.integers(2, 13))]
        is_accepted = bool(random.random() < confidence(doubt, log_probs)) != is_reversed
        found.append(
            ScoredSentence(
                token_log_probs=log_probs, word_log_probs=log_probs, is_accepted=is_accepted
            )
        )
    return found


def test_the_parameters_that_made_the_judgements_are_found() -> None:
    fitted = fit_doubt(sentences(20_000), "simulated", 4)
    assert fitted is not None
    assert fitted.bias == pytest.approx(TRUE.bias, abs=0.3)
    assert fitted.mean_weight == pytest.approx(TRUE.mean_weight, abs=0.5)
    assert fitted.total_weight == pytest.approx(TRUE.total_weight, abs=0.06)


def test_held_out_confidence_is_as_often_right_as_it_says() -> None:
    fitted = fit_doubt(sentences(20_000), "simulated", 4)
    assert fitted is not None and fitted.calibration is not None
    calibration = fitted.calibration
    assert (calibration.dataset, calibration.sentences) == ("simulated", 20_000)
    assert sum(bin_.sentences for bin_ in calibration.bins) == 20_000
    assert all(abs(b.accepted - b.confidence) < 0.06 for b in calibration.bins if b.sentences > 200)
    assert calibration.area_under_curve > 0.8


def test_one_word_in_twenty_of_accepted_sentences_is_marked() -> None:
    fitted = fit_doubt(sentences(2_000), "simulated", 4)
    assert fitted is not None and fitted.calibration is not None
    assert fitted.calibration.doubtful_words == pytest.approx(0.05, abs=0.002)
    assert fitted.calibration.doubtful_words_elsewhere > 0.1


def test_more_doubt_never_means_more_confidence() -> None:
    fitted = fit_doubt(sentences(2_000, is_reversed=True), "simulated", 4)
    assert fitted is not None
    assert fitted.mean_weight >= 0
    assert fitted.total_weight >= 0


def test_too_few_sentences_or_too_few_of_one_kind_are_not_fitted() -> None:
    enough = sentences(MIN_SENTENCES)
    assert fit_doubt(enough, "simulated", 4) is not None
    assert fit_doubt(enough[1:], "simulated", 4) is None
    assert fit_doubt([s for s in sentences(2_000) if s.is_accepted], "simulated", 4) is None


def test_a_logistic_regression_stays_finite_where_a_line_parts_the_items() -> None:
    figures: NDArray[np.float64] = np.arange(20.0)[:, None]
    bias, weight = fit_logistic(figures, figures[:, 0] > 9.5)
    assert weight > 0
    assert -bias / weight == pytest.approx(9.5, abs=0.1)


def test_area_under_the_curve_counts_pairs_and_equals_as_half() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8])
    assert area_under_curve(scores, np.array([False, False, True, True])) == 3.5 / 4
    assert area_under_curve(-scores, np.array([False, False, True, True])) == 0.5 / 4


def test_a_bin_has_its_share_and_empty_bins_are_left_out() -> None:
    found = reliability(np.array([0.05, 0.07, 1.0]), np.array([False, True, True]))
    assert [(b.sentences, b.confidence, b.accepted) for b in found] == [
        (2, 0.06, 0.5),
        (1, 1.0, 1.0),
    ]


def test_deviation_weighs_a_fault_by_the_root_of_the_length() -> None:
    assert deviation("Das ist gut.", "Das ist gut.") == 0
    assert deviation("xxxx", "abcd") == pytest.approx(2.0)


def test_a_bundle_is_calibrated_on_its_own_translations() -> None:
    bundle = tiny_bundle()
    (pair,) = bundle.manifest.pairs
    # Sentences that the toy model knows, and references that it cannot hit.
    known = [SentencePair(s, t) for s, t in sentence_pairs(150, seed=3)]
    missed = [SentencePair(p.source, "etwas ganz anderes als das") for p in known]
    encoded = encode_pairs(known + missed, bundle.tokenizer, pair, max_source=60, max_target=60)
    dev = DevelopmentSet(name="toy", pair=pair, pairs=tuple(encoded))
    fitted = calibrate_doubt(open_sessions(bundle), [dev])
    assert fitted is not None and fitted.calibration is not None
    assert fitted.calibration.sentences == 300
    assert fitted.calibration.beam_size == bundle.manifest.decoding.beam_size
    assert 0 < sum(b.accepted * b.sentences for b in fitted.calibration.bins) <= 151
