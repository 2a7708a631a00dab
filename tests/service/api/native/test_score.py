"""Scores over HTTP, on the tiny model."""

from collections.abc import Iterator

import httpx
import pytest

from bundle.manifest import Manifest
from tests.service.server_process import serving
from tests.service.tiny_models import TINY_BUNDLE

MANIFEST = Manifest.model_validate_json((TINY_BUNDLE / "manifest.json").read_bytes())
TEXT = MANIFEST.canary.source_text
PAIR = {"source": MANIFEST.canary.pair.source, "target": MANIFEST.canary.pair.target}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        serving(tmp_path_factory.mktemp("score"), "--bundles", str(TINY_BUNDLE)) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        yield client


def pairs(*texts: tuple[str, str]) -> dict[str, object]:
    asked = [{"source_text": source, "target_text": target} for source, target in texts]
    return {"pairs": asked, **PAIR}


def test_our_own_translation_has_the_score_that_the_search_gave_it(client: httpx.Client) -> None:
    asked = {"q": TEXT, "details": True, **PAIR}
    translated = client.post("/translate", json=asked).json()
    (sentence,) = translated["details"]
    (scored,) = client.post("/score", json=pairs((TEXT, translated["translatedText"]))).json()
    assert scored["target_tokens"] == sentence["target_tokens"]
    assert scored["score"] == pytest.approx(sum(scored["token_scores"]))
    assert scored["score"] == pytest.approx(sentence["score"], abs=0.05)


def test_a_worse_translation_has_a_lower_score_whatever_stands_beside_it(
    client: httpx.Client,
) -> None:
    good = client.post("/translate", json={"q": TEXT, **PAIR}).json()["translatedText"]
    bad = " ".join(reversed(good.split()))
    both = client.post("/score", json=pairs((TEXT, good), (TEXT, bad))).json()
    assert both[0]["score"] > both[1]["score"]
    assert client.post("/score", json=pairs((TEXT, bad))).json() == [both[1]]


def test_characters_that_the_vocabulary_lacks_are_scored_byte_by_byte(
    client: httpx.Client,
) -> None:
    (scored,) = client.post("/score", json=pairs((TEXT, "漢字"))).json()
    assert len(scored["token_scores"]) == len(scored["target_tokens"]) > 6


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({**PAIR}, "missing pairs parameter"),
        ({"pairs": [], **PAIR}, "pairs"),
        ({"pairs": [{"source_text": "a"}], **PAIR}, "target_text"),
        ({"pairs": "a", **PAIR}, "pairs"),
        (pairs((TEXT, "x " * 20_000)), "exceeds text limit"),
        (pairs((TEXT, "word " * 500)), "inspect it sentence by sentence"),
        ({**pairs((TEXT, "x")), "target": "xx"}, "xx is not supported"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_a_reason(
    client: httpx.Client, body: dict[str, object], message: str
) -> None:
    reply = client.post("/score", json=body)
    assert reply.status_code == 400
    assert message in reply.json()["error"]


def test_attention_says_which_word_became_which_and_how_sure_it_looks(
    client: httpx.Client,
) -> None:
    reply = client.post("/attention", json={"q": TEXT, **PAIR}).json()
    alignment, confidence = reply["alignment"], reply["confidence"]
    pairs_ = [tuple(map(int, pair.split("-"))) for pair in alignment["pharaoh"].split()]
    assert len(pairs_) == len(alignment["weights"]) > 0
    assert {target for _, target in pairs_} == set(range(len(alignment["target_words"])))
    assert all(source < len(alignment["source_words"]) for source, _ in pairs_)
    assert 0 < confidence["value"] <= 1


def test_a_given_translation_is_aligned_as_well(client: httpx.Client) -> None:
    asked = {"q": TEXT, "translation": "Ein ganz  anderer Satz.", **PAIR}
    alignment = client.post("/attention", json=asked).json()["alignment"]
    assert alignment["target_words"] == ["Ein", "ganz", "anderer", "Satz", "."]
    assert alignment["pharaoh"]
