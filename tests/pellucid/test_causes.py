"""What a token comes from, as programs get it: shares that no other text changes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.reader import read_bundle
from pellucid import AttentionSelection, Translator
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.sessions import open_sessions
from service.inspection.values import METHODS, Method

EN_DE = Path(__file__).parents[2] / "bundles" / "en-de"
TEXTS = ["Where is the station?", "Thank you.", "The weather is nice today, they say.", "Hello"]
GIVEN = "Where is the station?", "Wo ist der Bahnhof?"


@pytest.fixture(scope="module")
def translator() -> Iterator[Translator]:
    with Translator("en", "de", bundles=EN_DE, threads=1) as running:
        yield running


@pytest.mark.parametrize("method", METHODS[1:])
def test_shares_sum_to_one_and_do_not_depend_on_other_texts(
    translator: Translator, method: Method
) -> None:
    selection = AttentionSelection(method=method)
    together = translator.attention(TEXTS, selection=selection)
    for text, beside in zip(TEXTS, together, strict=True):
        found, expected = beside.contributions, translator.attention(text, selection=selection)
        assert found.source.min() >= 0 <= found.target.min()
        rows = found.source.sum(axis=1) + found.target.sum(axis=1)
        np.testing.assert_allclose(rows, 1, atol=1e-5)
        np.testing.assert_array_equal(found.source, expected.contributions.source)
        np.testing.assert_array_equal(found.target, expected.contributions.target)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_explained_is_what_is_scored(translator: Translator, method: Method) -> None:
    """The bundle is int8; a pass in other arithmetic would have other log-probabilities."""
    assert read_bundle(EN_DE).manifest.precision == "int8"
    found = translator.attention(*GIVEN, selection=AttentionSelection(method=method))
    assert found.sentence.attention.token_log_probs == translator.score(*GIVEN).token_log_probs


def test_occlusion_asks_the_served_engine_for_every_token(translator: Translator) -> None:
    selection = AttentionSelection(method="occlusion")
    found = translator.attention(*GIVEN, selection=selection).contributions
    sessions = open_sessions(read_bundle(EN_DE))
    manifest, tokenizer = sessions.bundle.manifest, sessions.bundle.tokenizer
    source = tokenizer.encode_source(GIVEN[0], manifest.pair("en", "de") or manifest.pairs[0])
    target = tokenizer.encode_target(GIVEN[1])

    def log_probs(occluded: int | None) -> NDArray[np.float32]:
        unknown = manifest.special_ids.unk
        read = [unknown if i == occluded else token for i, token in enumerate(source)]
        (outputs,) = attend(sessions, [read], [target], {"log_probs"})
        return np.asarray(outputs.log_probs)

    whole = log_probs(None)
    changes = np.stack([np.abs(log_probs(i) - whole) for i in range(len(source))], axis=1)
    expected = changes / changes.sum(axis=1, keepdims=True)
    of_source = found.source / found.source_share[:, None]
    np.testing.assert_allclose(of_source, expected, atol=1e-4)
