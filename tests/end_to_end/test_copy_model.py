"""The whole way: train, export, serve in a process of its own, translate and inspect over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.reader import read_bundle
from tests.end_to_end.copy_task import NUM_HELD_OUT, sentences
from tests.service.server_process import ServerProcess, serving

pytestmark = pytest.mark.slow

HELD_OUT = sentences(NUM_HELD_OUT, seed=1)
LANGUAGES = {"source": "en", "target": "de"}
KINDS = ("encoder", "decoder", "cross")
TEXTS = [text for text in HELD_OUT if text.endswith(".")][:4]


@pytest.fixture(scope="module", params=["fp32", "int8"])
def server(
    request: pytest.FixtureRequest, copy_bundles: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    flags = ("--bundles", str(copy_bundles / request.param))
    with serving(folder, *flags, PELLUCID_WORKERS="2") as process:
        yield process


def post(server: ServerProcess, path: str, **content: object) -> Any:  # noqa: ANN401 - JSON
    reply = httpx.post(f"{server.url}{path}", json=LANGUAGES | content, timeout=30)
    assert reply.status_code == 200, reply.text
    return reply.json()


def inspect(server: ServerProcess, **content: object) -> Any:  # noqa: ANN401 - JSON
    return post(server, "/attention", **{"kinds": KINDS, **content})


def test_it_copies_what_it_has_never_seen(server: ServerProcess) -> None:
    reply = post(server, "/translate", q=HELD_OUT, details=True)
    same = sum(a == b for a, b in zip(reply["translatedText"], HELD_OUT, strict=True))
    assert same > 0.95 * len(HELD_OUT)
    assert all(s["finish_reason"] == "stop" for text in reply["details"] for s in text)


def test_the_bundle_says_what_was_measured(copy_bundles: Path) -> None:
    plain, quantised = (read_bundle(copy_bundles / name).manifest for name in ("fp32", "int8"))
    assert plain.parity.identical_sentences == plain.parity.sentences == 100
    assert quantised.parity.later_steps_max_error <= 1e-4
    assert {report.precision for report in quantised.quality} == {"fp32", "int8"}
    assert all(report.bleu > 95 for report in quantised.quality)


@pytest.mark.parametrize("text", TEXTS)
def test_attention_rows_are_distributions_and_the_decoder_looks_back_only(
    server: ServerProcess, text: str
) -> None:
    found = inspect(server, q=text)
    num_source, num_target = len(found["source_tokens"]), len(found["target_tokens"])
    maps = {kind: np.array(found[kind]) for kind in KINDS}
    assert maps["encoder"].shape == (1, 2, num_source, num_source)
    assert maps["decoder"].shape == (2, 2, num_target, num_target)
    assert maps["cross"].shape == (2, 2, num_target, num_source)
    for weights in maps.values():
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-4)
        assert (weights >= 0).all()
    assert (np.triu(maps["decoder"], 1) == 0).all()


def test_no_attention_falls_on_padding(server: ServerProcess) -> None:
    texts = sorted(TEXTS, key=len)
    together = inspect(server, q=texts)
    assert len({len(pair["source_tokens"]) for pair in together}) > 1
    for text, beside in zip(texts, together, strict=True):
        alone = inspect(server, q=text)
        assert alone["source_tokens"] == beside["source_tokens"]
        for kind in KINDS:
            # All weight is on the pair's own tokens: none is left for padding.
            np.testing.assert_allclose(np.array(beside[kind]).sum(-1), 1, atol=1e-5)
            np.testing.assert_allclose(beside[kind], alone[kind], atol=1e-5)


def test_attention_in_a_translation_is_that_of_the_inspection(server: ServerProcess) -> None:
    text = TEXTS[0]
    reply = post(server, "/translate", q=text, attention={"kinds": KINDS})
    (sentence,) = reply["details"]
    given = inspect(server, q=text, translation=reply["translatedText"])
    ours = inspect(server, q=text)
    for other in (given, ours):
        for name in ("source_tokens", "target_tokens"):
            assert sentence["attention"][name] == other[name]
        for kind in KINDS:
            np.testing.assert_allclose(sentence["attention"][kind], other[kind], atol=1e-6)
        np.testing.assert_allclose(sentence["token_scores"], other["token_scores"], atol=1e-4)


def test_cross_attention_shows_where_each_copied_piece_came_from(server: ServerProcess) -> None:
    shares = []
    for text in TEXTS:
        found = inspect(server, q=text, kinds=["cross"])
        if found["translation"] == text:
            shares.append(_pointed_at(np.array(found["cross"])))
    # Some head of some layer looks at the very piece that is written next.
    assert np.mean(shares, axis=0).max() > 0.7


def _pointed_at(cross: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of target pieces whose own source piece gets the most weight, [layers, heads]."""
    positions = np.arange(cross.shape[2])
    return np.asarray((cross.argmax(-1) == positions).mean(-1))
