"""The texts that were written for the embedded model."""

from pathlib import Path

import pytest

from benchmarks.quality.model import PHRASES
from model.data.cleaning import fault_of, normalise
from model.data.corpus import read_pairs
from model.data.filtering import filtered

FOLDER = Path(__file__).parents[2] / "model" / "configs"


@pytest.mark.parametrize("name", ["en-de-phrases.tsv", "en-de-written.tsv"])
def test_every_text_can_be_learnt_and_none_is_what_quality_is_measured_with(name: str) -> None:
    pairs, report = read_pairs(name, FOLDER)
    assert report.num_bad == 0
    assert filtered(pairs)[0] == pairs
    assert not {pair.source for pair in pairs} & set(PHRASES["en"])
    assert not {pair.target for pair in pairs} & set(PHRASES["de"])


def test_phrases_are_one_corpus_without_repetition() -> None:
    pairs, _ = read_pairs("en-de-phrases.tsv", FOLDER)
    assert {pair.origin for pair in pairs} == {"phrases"}
    assert len({pair.source for pair in pairs}) == len(pairs)


def test_what_was_written_is_clean_and_says_which_domain_it_is_of() -> None:
    pairs, _ = read_pairs("en-de-written.tsv", FOLDER)
    assert len(set(pairs)) == len(pairs) > 2000
    assert all(pair.origin.startswith("own-") for pair in pairs)
    assert [pair for pair in pairs if fault_of(normalise(pair))] == []
    assert [pair for pair in pairs if normalise(pair) != pair] == []
