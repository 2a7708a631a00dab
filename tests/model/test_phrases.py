"""The phrases that were written for the embedded model."""

from pathlib import Path

from benchmarks.quality.model import PHRASES
from model.corpus import read_pairs
from model.filtering import filtered

FOLDER = Path(__file__).parents[2] / "model" / "configs"


def test_every_phrase_can_be_learnt_and_none_is_what_quality_is_measured_with() -> None:
    pairs, report = read_pairs("en-de-phrases.tsv", FOLDER)
    assert report.num_bad == 0
    assert filtered(pairs)[0] == pairs
    assert {pair.origin for pair in pairs} == {"phrases"}
    assert len({pair.source for pair in pairs}) == len(pairs)
    assert not {pair.source for pair in pairs} & set(PHRASES["en"])
    assert not {pair.target for pair in pairs} & set(PHRASES["de"])
