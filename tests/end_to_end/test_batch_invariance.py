"""A sentence gets the same translation alone, in any company and under any load."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from bundle.reader import read_bundle
from service.engine.batch import decode_batch
from service.engine.hypothesis import Hypothesis
from service.engine.options import DecodeOptions
from service.engine.sessions import Sessions, open_sessions
from tests.data.toy_language import sentence_pairs
from tests.end_to_end.copy_task import sentences
from tests.service.server_process import ServerProcess, serving

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
ENGLISH = (TESTS / "data" / "sentences.en.txt").read_text(encoding="utf-8").splitlines()
EMBEDDED = {path.name: path for path in sorted((TESTS.parent / "bundles").glob("*-*"))}
NUM_CLIENTS = 16
SCORE_TOLERANCES = {"fp32": 1e-4, "int8": 0.0}
"""In nats. Integers add up to the same sum in any order; floats depend on how a product is cut."""


@pytest.fixture(scope="module", params=["copy fp32", "copy int8", "tiny", *EMBEDDED])
def bundle(request: pytest.FixtureRequest) -> Path:
    kind, _, precision = str(request.param).partition(" ")
    if kind == "copy":
        return Path(request.getfixturevalue("copy_bundles")) / precision
    return EMBEDDED.get(kind, TESTS / "data" / "tiny-bundle")


@pytest.fixture(scope="module")
def texts(bundle: Path) -> list[str]:
    """300 sentences of the kind that the model knows."""
    if bundle.name in EMBEDDED:
        return ENGLISH
    if bundle.name == "tiny-bundle":
        return [source for source, _ in sentence_pairs(300, seed=11)]
    return sentences(300, seed=11)


@pytest.fixture(scope="module")
def sessions(bundle: Path) -> Sessions:
    return open_sessions(read_bundle(bundle))


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    flags = ("--bundles", str(bundle), "--workers", "2", "--max-text-chars", "50000")
    with serving(folder, *flags) as process:
        yield process


@pytest.fixture(scope="module")
def tolerance(sessions: Sessions) -> float:
    return SCORE_TOLERANCES[sessions.bundle.manifest.precision]


def translate(
    sessions: Sessions, texts: Sequence[str], *, beam_size: int, num_sentences: int
) -> list[tuple[Hypothesis, ...]]:
    """Decode with room for `num_sentences` side by side."""
    manifest = sessions.bundle.manifest
    tokenizer = sessions.bundle.tokenizer
    options = DecodeOptions(
        beam_size=beam_size,
        num_hypotheses=min(beam_size, 2),
        max_target_tokens=manifest.max_target_tokens,
    )
    sources = [tokenizer.encode_source(text, manifest.pairs[0]) for text in texts]
    assert max(map(len, sources)) <= manifest.max_source_tokens
    return decode_batch(sessions, sources, options, num_slots=beam_size * num_sentences)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_the_size_of_the_batch_changes_nothing(
    sessions: Sessions, texts: list[str], tolerance: float, beam_size: int
) -> None:
    assert len(set(texts)) == 300
    alone = translate(sessions, texts, beam_size=beam_size, num_sentences=1)
    assert len({h[0].target_ids for h in alone}) > 290
    for num_sentences in (2, 8, 32):
        together = translate(sessions, texts, beam_size=beam_size, num_sentences=num_sentences)
        for one, other in zip(alone, together, strict=True):
            assert [h.target_ids for h in one] == [h.target_ids for h in other]
            assert [h.finish_reason for h in one] == [h.finish_reason for h in other]
            for a, b in zip(one, other, strict=True):
                assert abs(a.score - b.score) <= tolerance
                np.testing.assert_allclose(
                    a.token_log_probs, b.token_log_probs, rtol=0, atol=tolerance
                )


def test_sixteen_clients_at_once_get_what_each_would_get_alone(
    server: ServerProcess, texts: list[str], tolerance: float
) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        alone = [ask(client, text) for text in texts]
        whole = ask(client, texts)
        with ThreadPoolExecutor(NUM_CLIENTS) as clients:
            beside = list(clients.map(lambda text: ask(client, text), texts))
    assert [reply["translatedText"] for reply in beside] == whole["translatedText"]
    for one, other, listed in zip(alone, beside, whole["details"], strict=True):
        assert one["translatedText"] == other["translatedText"]
        scores = [[s["score"] for s in each] for each in (one["details"], other["details"], listed)]
        for others in scores[1:]:
            np.testing.assert_allclose(scores[0], others, rtol=0, atol=tolerance)


def ask(client: httpx.Client, q: str | list[str]) -> Any:  # noqa: ANN401 - JSON
    content = {"q": q, "source": "en", "target": "de", "details": True}
    reply = client.post("/translate", json=content)
    assert reply.status_code == 200, reply.text
    return reply.json()
