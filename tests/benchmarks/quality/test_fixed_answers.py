"""Accepted answers, and that no question is part of the training text."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.quality.fixed_answers import Case, cases
from model.data.corpus import read_pairs

CONFIGS = Path(__file__).parents[3] / "model" / "configs"
EVERY = list(cases())


def of_value(kind: str, source: str) -> Case:
    return next(c for c in EVERY if c.kind == kind and source in c.source)


def test_every_kind_is_asked_both_ways() -> None:
    counts = Counter((case.kind, case.pair) for case in EVERY)
    for pair in ("en-de", "de-en"):
        assert counts["words", pair] >= 200
        assert counts["greetings", pair] == 100
        assert counts["names", pair] == 200
        assert counts["numbers", pair] == 300
    assert list(cases()) == EVERY


def test_capitals_and_final_marks_of_a_whole_answer_are_free() -> None:
    case = Case(kind="words", pair="en-de", source="yes", accepted=("ja",), is_whole=True)
    assert case.is_right("Ja!")
    assert not case.is_right("Ja, ja")


def test_a_value_may_stand_anywhere_but_is_written_as_its_language_writes_it() -> None:
    case = of_value("numbers", "4,000,000")
    assert case.is_right("Im Archiv liegen 4.000.000 Fotos.")
    assert not case.is_right("Das Archiv enthält 4,000.000 Fotos.")


@pytest.mark.parametrize(
    ("german", "right", "wrong"),
    [
        ("66,68 $", ["It was $66.68.", "It was 66.68 dollars."], ["66.68 for", "$66,68"]),
        ("11. November 1958", ["on 11 November 1958", "on November 11, 1958"], ["11. November"]),
        ("um 20 Uhr", ["at 8 p.m.", "at 8pm", "at 20:00"], ["at 20.", "at 8 a.m."]),
    ],
)
def test_english_has_several_ways(german: str, right: list[str], wrong: list[str]) -> None:
    case = of_value("numbers", german)
    assert [case.is_right(output) for output in right] == [True] * len(right)
    assert [case.is_right(output) for output in wrong] == [False] * len(wrong)


def test_neither_names_nor_sentences_are_those_of_the_training_templates() -> None:
    names, _ = read_pairs("en-de-names.tsv", CONFIGS)
    templates, _ = read_pairs("en-de-templates.tsv", CONFIGS)
    asked = {part for c in EVERY if c.kind == "names" for n in c.accepted for part in n.split()}
    assert not asked & {pair.source for pair in names if pair.origin in ("first", "last")}
    frames = {case.source for case in EVERY if case.kind in ("names", "numbers")}
    assert not frames & {side for pair in templates for side in (pair.source, pair.target)}
