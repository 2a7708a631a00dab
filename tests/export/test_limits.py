"""A bundle takes no more tokens than the model has positions that were trained."""

from dataclasses import replace
from pathlib import Path

import pytest

from bundle.reader import read_bundle
from export.errors import ExportError
from export.exporter import export_bundle
from export.options import ExportOptions
from tests.export.networks import random_transformer
from tests.export.runs import CONFIG, VOCAB_SIZE, write_run

TRAINED, POSITIONS = 20, 32
SHORT_PAIRS = CONFIG.replace("[data]\n", f"[data]\nmax_tokens = {TRAINED}\n")


def _options(folder: Path, positions: str) -> ExportOptions:
    model = random_transformer(vocab_size=VOCAB_SIZE, positions=positions, max_positions=POSITIONS)
    checkpoint = write_run(folder / "run", model, config=SHORT_PAIRS)
    return ExportOptions(
        checkpoint=checkpoint,
        out=folder / "out",
        data=checkpoint.parent,
        precision="fp32",
        verification_sentences=4,
    )


@pytest.mark.parametrize(
    ("positions", "limit"),
    [("learned", TRAINED), ("sinusoidal", POSITIONS), ("relative", POSITIONS)],
)
def test_learned_positions_end_with_the_longest_training_pair(
    positions: str, limit: int, tmp_path: Path
) -> None:
    options = _options(tmp_path, positions)
    export_bundle(options)
    manifest = read_bundle(options.out).manifest
    assert (manifest.max_source_tokens, manifest.max_target_tokens) == (limit, limit)


@pytest.mark.parametrize(("source", "target"), [(TRAINED + 1, None), (None, TRAINED + 1)])
def test_limits_over_the_trained_positions_are_refused(
    source: int | None, target: int | None, tmp_path: Path
) -> None:
    options = replace(
        _options(tmp_path, "learned"), max_source_tokens=source, max_target_tokens=target
    )
    with pytest.raises(ExportError, match=f"the model has {TRAINED} trained positions"):
        export_bundle(options)
    assert not options.out.exists()


def test_limits_under_the_trained_positions_are_kept(tmp_path: Path) -> None:
    options = replace(_options(tmp_path, "learned"), max_source_tokens=18, max_target_tokens=12)
    manifest = export_bundle(options)
    assert (manifest.max_source_tokens, manifest.max_target_tokens) == (18, 12)
