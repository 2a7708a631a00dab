"""Scores by set, and format markers that the source lacks."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality import by_set
from benchmarks.quality.by_set import has_new_marker, read_sets
from tests.export.networks import random_transformer
from tests.export.runs import BOTH_WAYS, VOCAB_SIZE, write_run

BUNDLE = Path(__file__).parents[2] / "data" / "tiny-bundle"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    named, own = tmp_path / "mixed.tsv", tmp_path / "letters.tsv"
    named.write_text("".join(f"dog {i}\tHund {i}\tnews\n" for i in range(9)), encoding="utf-8")
    own.write_text("a dog\tein Hund\n", encoding="utf-8")
    return [named, own]


def test_a_set_is_named_by_the_third_column_or_the_file_and_drawn_by_seed(
    files: list[Path],
) -> None:
    sets = read_sets(files, 4)
    assert {name: len(pairs) for name, pairs in sets.items()} == {"news": 4, "letters": 1}
    assert sets == read_sets(files, 4)
    assert len(read_sets(files, 100)["news"]) == 9


def scored(
    subject: Path, arguments: list[str], out: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, dict[str, Any]]]:
    fixed = ["--limit", "2", "--beams", "1", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["by_set", str(subject), *arguments, *fixed])
    assert by_set.main() == 0
    sets: dict[str, dict[str, dict[str, Any]]] = json.loads(out.read_text("utf-8"))["sets"]
    return sets


def test_a_bundle_is_scored_on_every_set(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = scored(BUNDLE, [*map(str, files)], tmp_path / "scores.json", monkeypatch)
    assert set(sets) == {"news", "letters"}
    for searches in sets.values():
        for scores in searches.values():
            assert 0 <= scores["bleu"] <= 100
            assert scores["signature"].startswith("nrefs:1")


def test_a_checkpoint_is_scored_in_each_of_its_directions(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_transformer(vocab_size=VOCAB_SIZE, max_positions=128)
    checkpoint = write_run(tmp_path / "run", model, config=BOTH_WAYS)
    arguments = [*map(str, files), "--data", str(tmp_path / "run")]
    sets = scored(checkpoint, arguments, tmp_path / "scores.json", monkeypatch)
    assert set(sets) == {"news", "letters"}
    assert set(sets["news"]) == {"en->de beam 1", "de->en beam 1"}


@pytest.mark.parametrize(
    ("source", "output", "is_new"),
    [
        ("Bye", "?plural:Ches", True),
        ("Save %s", "%s speichern", False),
        ("Save it", "%s speichern", True),
        ("100 % sure", "zu 100 % sicher", False),
        ("name", "⟦3⟧", True),
    ],
)
def test_a_marker_that_the_source_lacks_is_new(source: str, output: str, is_new: bool) -> None:
    assert has_new_marker(source, output) == is_new
