"""The judgements that confidence is measured with, and the measurement."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.quality.doubt import (
    CONFIGS,
    JUDGED,
    Judged,
    figures,
    interval,
    rule,
    training_texts,
)

LINES = JUDGED.read_text(encoding="utf-8").splitlines()
ROWS = list(csv.DictReader(LINES, delimiter="\t", quoting=csv.QUOTE_NONE))


def case(confidence: float, *, is_acceptable: bool, has_checks: bool = False) -> Judged:
    return Judged(
        pair="en->de",
        is_acceptable=is_acceptable,
        confidence=confidence,
        mean=-confidence,
        lowest=-confidence,
        has_checks=has_checks,
        is_known=False,
    )


def test_300_different_sentences_are_judged_half_of_them_german() -> None:
    assert Counter(row["source_language"] for row in ROWS) == {"en": 150, "de": 150}
    assert len({row["source"] for row in ROWS}) == 300
    assert {row["acceptable"] for row in ROWS} == {"0", "1"}
    assert min(Counter(row["domain"] for row in ROWS).values()) >= 42


def test_most_sentences_are_no_training_text_of_this_repository() -> None:
    known = training_texts(sorted(CONFIGS.glob("*.tsv")))
    assert sum(row["source"] in known for row in ROWS) < 50


def test_both_sides_of_training_text_are_known(tmp_path: Path) -> None:
    (tmp_path / "text.tsv").write_text("See you!\tBis bald!\n", encoding="utf-8")
    assert training_texts([tmp_path / "text.tsv"]) == {"See you!", "Bis bald!"}


def test_the_rule_agrees_with_readers_better_than_plain_chrf() -> None:
    found = rule()
    assert found["pairs"] == 90
    assert found["area of the rule"] > found["area of plain chrF"] > 0.75
    assert abs(found["accepted by the rule"] - found["acceptable"]) <= 5


def test_figures_count_what_each_limit_flags() -> None:
    cases = [
        case(0.9, is_acceptable=True),
        case(0.4, is_acceptable=True),
        case(0.2, is_acceptable=False),
        case(0.8, is_acceptable=False, has_checks=True),
    ]
    found = figures(cases)
    assert (found["sentences"], found["acceptable"]) == (4, 2)
    assert found["area_under_curve"] == 0.75
    assert found["flagged"]["confidence < 0.5"] == {"bad": "1 of 2", "good": "1 of 2"}
    assert found["flagged"]["checks"] == {"bad": "1 of 2", "good": "0 of 2"}
    assert found["flagged"]["either"] == {"bad": "2 of 2", "good": "1 of 2"}


def test_the_interval_holds_the_area_and_narrows_with_more_sentences() -> None:
    random = np.random.default_rng(1)
    is_good = random.random(400) < 0.5
    scores = is_good + random.normal(size=400)
    low, high = interval(scores, is_good)
    few_low, few_high = interval(scores[:60], is_good[:60])
    assert 0.65 < low < 0.76 < high < 0.85
    assert high - low < few_high - few_low
