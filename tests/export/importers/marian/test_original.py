"""A bundle of a Marian model translates as Marian itself does, whose outputs were recorded."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle.reader import read_bundle
from export.importers.importer import import_bundle, prepare_import
from export.importers.marian.reader import read
from export.importers.networks.positions import marian_positions, sines_then_cosines
from export.network import Network
from export.publication.staging import GraphVariant, open_staged
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.export.importers.imports import small_import
from tests.export.importers.marian import original_outputs

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


def _with_papers_positions(network: Network) -> Network:
    table = sines_then_cosines(LONGEST, network.architecture.d_model)
    return replace(network, source_positions=table, target_positions=table)


def _with_unknown(network: Network) -> Network:
    name, unknown = "output_projection.bias", network.special_ids.unk
    bias = network.weights[name].copy()
    bias[unknown] = original_outputs.arrays()["decoder_ff_logit_out_b"][0, unknown]
    return replace(network, weights={**network.weights, name: bias})


@pytest.mark.parametrize("mistake", [_with_papers_positions, _with_unknown])
def test_what_converters_mistake_changes_texts(
    mistake: Callable[[Network], Network], tmp_path: Path
) -> None:
    """Some of the 60 texts tell Marian's sinusoids from the paper's, and need no `<unk>`."""
    path = original_outputs.save_model(tmp_path / "model")
    options = small_import("marian", path, tmp_path / "out")
    options = replace(options, max_source_tokens=LONGEST, max_target_tokens=LONGEST)
    job = prepare_import(read(options), options)
    model = replace(job.model, network=mistake(job.model.network))
    sessions = open_staged(replace(job, model=model), GraphVariant(), tmp_path / "graphs")
    found = translated(sessions, list(TRANSLATIONS))
    assert sum(a == b for a, b in zip(found, TRANSLATIONS.values(), strict=True)) < 60


def test_marians_longest_wave_is_ten_thousand() -> None:
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
