"""`pellucid checkpoint`: a bundle becomes a checkpoint that training begins from."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from bundle.provenance import ForeignOrigin, Lineage, TrainingStage
from export.errors import ExportError
from export.recovery.checkpoint import recover_checkpoint
from export.recovery.cli import register
from model.config import read_config
from model.data.tokenizer import load_tokenizer
from model.greedy import greedy_translate
from model.training.checkpoint import (
    AVERAGED_NAME,
    CONFIG_NAME,
    TOKENIZER_NAME,
    load_checkpoint,
)
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle


def _checkpoint(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["checkpoint", *map(str, arguments)])
    return int(parsed.run(parsed))


def test_the_checkpoint_of_a_bundle_translates_as_the_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "run" / AVERAGED_NAME
    assert _checkpoint(TINY_BUNDLE, tmp_path / "run") == 0
    assert capsys.readouterr().out == f"{written}\n"
    found, bundle = load_checkpoint(written), tiny_bundle()
    manifest = bundle.manifest
    assert found.config_text == manifest.provenance.training_config
    config = read_config(tmp_path / "run" / CONFIG_NAME)
    assert config == found.config
    assert found.progress.step == manifest.provenance.training_steps
    assert found.num_pairs == {each.name: each.pairs for each in manifest.provenance.data}
    tokenizer = load_tokenizer(tmp_path / "run" / TOKENIZER_NAME)
    assert tokenizer.vocab_size() == found.model.architecture.vocab_size
    canary = manifest.canary
    source = bundle.tokenizer.encode_source(canary.source_text, canary.pair)
    torch.set_num_threads(1)
    (target,) = greedy_translate(found.model, [source], max_tokens=40)
    assert tuple(target) == canary.target_ids


def test_a_checkpoint_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / AVERAGED_NAME).write_bytes(b"mine")
    assert _checkpoint(TINY_BUNDLE, tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    file = tmp_path / AVERAGED_NAME
    assert line == f"pellucid checkpoint: {file} exists already: name another folder"
    assert (tmp_path / AVERAGED_NAME).read_bytes() == b"mine"


def test_what_is_no_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _checkpoint(tmp_path / "none", tmp_path / "run") == 2
    assert capsys.readouterr().err.startswith("pellucid checkpoint: ")
    assert not (tmp_path / "run").exists()


def test_imported_bundles_are_refused(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    origin = ForeignOrigin(kind="marian", name="Marian", files={})
    provenance = bundle.manifest.provenance.model_copy(update={"foreign": origin})
    manifest = bundle.manifest.model_copy(update={"provenance": provenance})
    with pytest.raises(ExportError, match="was imported from marian"):
        recover_checkpoint(replace(bundle, manifest=manifest), tmp_path)


def test_the_stages_of_training_go_along(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    numbers = {"seed": 1, "steps": 10, "target_tokens": 1000, "minutes": 0.5}
    first = TrainingStage(name="first", began_from=(), **numbers)
    second = TrainingStage(name="second", began_from=("first",), **numbers)
    lineage = Lineage(stages=(first, second), mean_of=("second",))
    manifest = bundle.manifest.model_copy(update={"lineage": lineage})
    found = load_checkpoint(recover_checkpoint(replace(bundle, manifest=manifest), tmp_path))
    assert asdict(found.lineage) == lineage.model_dump()


def test_a_bundle_from_before_lineages_has_that_of_its_configuration(tmp_path: Path) -> None:
    found = load_checkpoint(recover_checkpoint(tiny_bundle(), tmp_path))
    (stage,) = found.lineage.stages
    assert (stage.name, stage.began_from) == (found.config.name, None)
    assert found.lineage.steps == tiny_bundle().manifest.provenance.training_steps
