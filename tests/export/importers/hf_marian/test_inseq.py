"""Value zeroing of an imported model is that of inseq, layer by layer, where that is installed."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("transformers", reason="transformers is not installed")
inseq = pytest.importorskip("inseq", reason="inseq is not installed")

from transformers import MarianMTModel, MarianTokenizer  # noqa: E402

from export.importers.hf_marian.reader import read  # noqa: E402
from export.importers.importer import prepare_import  # noqa: E402
from export.publication.staging import GraphVariant, open_staged  # noqa: E402
from service.engine.graphs.cause_passes import (  # noqa: E402
    occluded_log_probs,
    zeroed_distances,
)
from service.engine.graphs.sessions import Sessions  # noqa: E402
from tests.export.importers.hf_marian.hf_models import save_model  # noqa: E402
from tests.export.importers.imports import small_import  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore")]  # inseq's and captum's own
SOURCE, TARGET = "the dog sees a big house", "der Hund sieht ein Haus"
THRESHOLD = 1e-5
"""inseq takes a smaller distance for none."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # inseq scales the decoder's embeddings, and transformers once more: without a scale they agree.
    return save_model(tmp_path_factory.mktemp("inseq") / "model", scale_embedding=False)


@pytest.fixture(scope="module")
def sessions(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    folder = tmp_path_factory.mktemp("ours")
    options = small_import("hf-marian", path, folder / "out", precision="fp32")
    return open_staged(prepare_import(read(options), options), GraphVariant(), folder / "graphs")


def test_occlusion_lowers_probabilities_as_in_inseq(path: Path, sessions: Sessions) -> None:
    """Of source tokens; inseq leaves the end token as it is.

    Here padding has no probability, so that all others are a little larger (0.3 %): what agrees is
    how a token's change is shared out.
    """
    bundle = sessions.bundle
    source = bundle.tokenizer.encode_source(SOURCE, bundle.manifest.pairs[0])
    target = bundle.tokenizer.encode_target(TARGET)
    whole, without = occluded_log_probs(sessions, source, target, (0, len(source) - 1))
    theirs, _ = _inseq(path, "occlusion", attributed_fn="probability")
    expected = np.nan_to_num(theirs.source_attributions.numpy())[:-1]
    found = np.abs(np.exp(whole) - np.exp(without))
    found, expected = (changes / changes.sum(axis=0) for changes in (found, expected))
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_every_layer_has_inseqs_scores(path: Path, sessions: Sessions) -> None:
    bundle = sessions.bundle
    source = bundle.tokenizer.encode_source(SOURCE, bundle.manifest.pairs[0])
    target = bundle.tokenizer.encode_target(TARGET)
    count = len(source) + len(target)
    zeroed_distances(sessions, source, target, (0, 1))  # opens the graph
    began_s = time.perf_counter()
    encoder, decoder = zeroed_distances(sessions, source, target, (0, count))
    ours_s = time.perf_counter() - began_s
    theirs, theirs_s = _inseq(path, "value_zeroing", attribute_target=True)
    print(f"{count} tokens: inseq {theirs_s:.2f} s, here {ours_s:.4f} s")
    assert [t.token for t in theirs.source] == bundle.tokenizer.source_pieces(source)
    assert [t.token for t in theirs.target[1:]] == bundle.tokenizer.target_pieces(target)
    # inseq: [read, written, layer]; ours: [read, layer, written].
    ours = _shares(decoder[: len(source)])
    np.testing.assert_allclose(ours, _as_ours(theirs.source_attributions), atol=1e-3)
    own = _shares(decoder[len(source) :])
    np.testing.assert_allclose(own, _as_ours(theirs.target_attributions)[: len(target)], atol=1e-3)
    read_scores = _shares(encoder[: len(source)])
    expected = theirs.sequence_scores["encoder_self_scores"]
    np.testing.assert_allclose(read_scores, _as_ours(expected), atol=1e-3)


def _inseq(path: Path, method: str, **options: Any) -> tuple[Any, float]:  # noqa: ANN401
    """Its scores, and the seconds that it took."""
    model = inseq.load_model(
        MarianMTModel.from_pretrained(path).eval(),
        method,
        tokenizer=MarianTokenizer.from_pretrained(path),
    )
    began_s = time.perf_counter()
    output = model.attribute(SOURCE, TARGET, show_progress=False, **options)
    return output.sequence_attributions[0], time.perf_counter() - began_s


def _as_ours(scores: Any) -> NDArray[np.float32]:  # noqa: ANN401
    return np.asarray(np.nan_to_num(scores.numpy().transpose(0, 2, 1)), np.float32)


def _shares(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each output token among the tokens of one kind, as inseq divides them."""
    kept = np.where(distances < THRESHOLD, 0, distances)
    return np.asarray(kept / np.maximum(kept.sum(axis=0, keepdims=True), THRESHOLD))
