"""A bundle of a Marian model translates as Marian itself does, whose outputs were recorded."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle.reader import read_bundle
from export.graphs.writer import write_graphs
from export.importers.importer import import_bundle, prepare_import
from export.importers.marian.reader import read
from export.importers.networks.positions import marian_positions, sines_then_cosines
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.export.importers.imports import small_import
from tests.export.importers.marian import original_outputs
from tests.export.networks import as_bundle

RECORD: dict[str, Any] = json.loads(original_outputs.OUTPUTS.read_text(encoding="utf-8"))
TRANSLATIONS: dict[str, str] = RECORD["translations"]
LONGEST = 256


@pytest.fixture(scope="module", autouse=True)
def the_recorded_weights() -> None:
    if original_outputs.digest() != RECORD["arrays_sha256"]:
        pytest.fail(f"this NumPy draws other weights: record again by {RECORD['command']}")


def test_sixty_texts_are_translated_as_by_the_original(tmp_path: Path) -> None:
    path = original_outputs.save_model(tmp_path / "model")
    options = small_import("marian", path, tmp_path / "out")
    options = replace(options, max_source_tokens=LONGEST, max_target_tokens=LONGEST)
    import_bundle(options)
    sessions = open_sessions(read_bundle(options.out))
    assert len(TRANSLATIONS) == 60
    assert translated(sessions, list(TRANSLATIONS)) == list(TRANSLATIONS.values())


def test_the_papers_positions_change_texts(tmp_path: Path) -> None:
    """What was taken for Marian's table: some of the 60 texts tell the two apart."""
    path = original_outputs.save_model(tmp_path / "model")
    options = small_import("marian", path, tmp_path / "out")
    options = replace(options, max_source_tokens=LONGEST, max_target_tokens=LONGEST)
    job = prepare_import(read(options), options)
    table = sines_then_cosines(LONGEST, 32)
    network = replace(job.model.network, source_positions=table, target_positions=table)
    write_graphs(network, None, tmp_path)
    bundle = as_bundle(network, None, tmp_path)
    manifest = bundle.manifest.model_copy(
        update={"max_source_tokens": LONGEST, "max_target_tokens": LONGEST}
    )
    sessions = open_sessions(replace(bundle, manifest=manifest, loaded=[job.model.tokenizer]))
    found = translated(sessions, list(TRANSLATIONS))
    assert sum(a == b for a, b in zip(found, TRANSLATIONS.values(), strict=True)) < 50


def test_marians_longest_wave_is_ten_thousand(tmp_path: Path) -> None:
    table = marian_positions(40, 8)
    np.testing.assert_allclose(table[:, 3], np.sin(np.arange(40) / 10_000), atol=1e-7)
    np.testing.assert_allclose(table[:, 4], np.cos(np.arange(40)), atol=1e-6)
    np.testing.assert_allclose(table[7, 1], np.sin(7 * 10_000 ** (-1 / 3)), atol=1e-7)


def translated(sessions: Sessions, texts: Sequence[str]) -> list[str]:
    """Greedy translations, cut off at twice the source as by the original."""
    bundle = sessions.bundle
    pair, tokenizer = bundle.manifest.pairs[0], bundle.tokenizer
    found = []
    for text in texts:
        ids = tokenizer.encode_source(text, pair)
        options = DecodeOptions(max_target_tokens=2 * len(ids))
        ((hypothesis,),) = decode_batch(sessions, [ids], options)
        found.append(tokenizer.decode_target(hypothesis.target_ids))
    return found
