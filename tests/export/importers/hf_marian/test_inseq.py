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
from export.staging import GraphVariant, open_staged  # noqa: E402
from service.engine.graphs.cause_passes import zeroed_distances  # noqa: E402
from tests.export.importers.hf_marian.hf_models import save_model  # noqa: E402
from tests.export.importers.imports import small_import  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore")]  # inseq's and captum's own
SOURCE, TARGET = "the dog sees a big house", "der Hund sieht ein Haus"
THRESHOLD = 1e-5
"""inseq takes a smaller distance for none."""


def test_every_layer_has_inseqs_scores(tmp_path: Path) -> None:
    # inseq scales the decoder's embeddings, and transformers once more: without a scale they agree.
    path = save_model(tmp_path / "model", scale_embedding=False)
    options = small_import("hf-marian", path, tmp_path / "out", precision="fp32")
    sessions = open_staged(
        prepare_import(read(options), options), GraphVariant(), tmp_path / "graphs"
    )
    bundle = sessions.bundle
    source = bundle.tokenizer.encode_source(SOURCE, bundle.manifest.pairs[0])
    target = bundle.tokenizer.encode_target(TARGET)
    count = len(source) + len(target)
    zeroed_distances(sessions, source, target, (0, 1))  # opens the graph
    began_s = time.perf_counter()
    encoder, decoder = zeroed_distances(sessions, source, target, (0, count))
    ours_s = time.perf_counter() - began_s
    theirs, theirs_s = _inseq(path)
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


def _inseq(path: Path) -> tuple[Any, float]:
    """Its scores, and the seconds that it took."""
    model = inseq.load_model(
        MarianMTModel.from_pretrained(path).eval(),
        "value_zeroing",
        tokenizer=MarianTokenizer.from_pretrained(path),
    )
    began_s = time.perf_counter()
    output = model.attribute(SOURCE, TARGET, attribute_target=True, show_progress=False)
    return output.sequence_attributions[0], time.perf_counter() - began_s


def _as_ours(scores: Any) -> NDArray[np.float32]:  # noqa: ANN401
    return np.nan_to_num(scores.numpy().transpose(0, 2, 1))


def _shares(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each output token among the tokens of one kind, as inseq divides them."""
    kept = np.where(distances < THRESHOLD, 0, distances)
    return np.asarray(kept / np.maximum(kept.sum(axis=0, keepdims=True), THRESHOLD))
