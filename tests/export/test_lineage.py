"""The manifest and the model card name every stage of training."""

from dataclasses import replace
from pathlib import Path

import pytest

from bundle.reader import read_bundle
from bundle.tensors import MODEL_CARD_NAME
from export.exporter import export_bundle
from export.options import ExportOptions
from model.training.lineage import Lineage, Stage
from tests.export.runs import write_run

FIRST = Stage(name="first", seed=1, steps=1000, target_tokens=50_000, minutes=40.5, began_from=())
SECOND = replace(FIRST, name="second", steps=200, minutes=8.0, began_from=("first",))
THIRD = replace(SECOND, name="third", steps=34, minutes=1.5)


def _options(checkpoint: Path, out: Path) -> ExportOptions:
    return ExportOptions(
        checkpoint=checkpoint,
        out=out,
        data=checkpoint.parent,
        precision="fp32",
        max_source_tokens=32,
        max_target_tokens=24,
        verification_sentences=4,
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lineage")
    lineage = Lineage(stages=(FIRST, SECOND, THIRD), mean_of=("second", "third"))
    options = _options(write_run(folder / "run", lineage=lineage), folder / "out")
    export_bundle(options)
    return options.out


def test_the_manifest_names_all_stages_with_steps_and_minutes(bundle: Path) -> None:
    lineage = read_bundle(bundle).manifest.lineage
    assert lineage is not None
    found = [(s.name, s.seed, s.steps, s.minutes, s.began_from) for s in lineage.stages]
    assert found == [
        ("first", 1, 1000, 40.5, ()),
        ("second", 1, 200, 8.0, ("first",)),
        ("third", 1, 34, 1.5, ("first",)),
    ]
    assert lineage.mean_of == ("second", "third")
    assert (lineage.steps, lineage.target_tokens, lineage.minutes) == (1234, 150_000, 50.0)


def test_the_model_card_sums_the_stages_and_lists_them(bundle: Path) -> None:
    card = (bundle / MODEL_CARD_NAME).read_text(encoding="utf-8")
    assert "1,234 steps over 150,000 target tokens in 50 minutes" in card
    assert "| first | random weights | 1,000 | 50,000 | 40 |" in card
    assert "| third | first | 34 | 50,000 | 2 |" in card
    assert "The weights are the mean of second, third." in card


def test_a_checkpoint_without_lineage_has_the_stage_that_it_knows(tmp_path: Path) -> None:
    manifest = export_bundle(_options(write_run(tmp_path / "run"), tmp_path / "out"))
    assert manifest.lineage is not None
    (stage,) = manifest.lineage.stages
    assert (stage.name, stage.steps, stage.minutes, stage.began_from) == ("random", 7, 1.5, None)
    card = (tmp_path / "out" / MODEL_CARD_NAME).read_text(encoding="utf-8")
    assert "7 steps over 1,234 target tokens in 2 minutes" in card
    assert "| stage |" not in card
