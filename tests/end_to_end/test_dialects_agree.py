"""Every dialect of one server says the same of one sentence."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.server_process import LONGEST_S, serving

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
SENTENCES = (REPOSITORY / "tests" / "data" / "sentences.en.txt").read_text("utf-8").splitlines()
NUM_SENTENCES = 24
FROM_TO = {"from": "en", "to": "de"}
CODES = {"source_lang": "EN", "target_lang": "DE"}
Ask = tuple[str, str, Callable[[str], dict[str, Any]], Callable[[httpx.Response], str]]
ASKED: dict[str, Ask] = {
    "DeepL": (
        "POST",
        "/v2/translate",
        lambda text: {"json": {"text": [text], **CODES}},
        lambda reply: str(reply.json()["translations"][0]["text"]),
    ),
    "DeepLX": (
        "POST",
        "/deeplx/translate",
        lambda text: {"json": {"text": text, **CODES}},
        lambda reply: str(reply.json()["data"]),
    ),
    "Immersive Translate": (
        "POST",
        "/immersive",
        lambda text: {"json": {"text_list": [text], **CODES}},
        lambda reply: str(reply.json()["translations"][0]["text"]),
    ),
    "Kiss Translator": (
        "POST",
        "/kiss",
        lambda text: {"json": {"text": text, **FROM_TO}},
        lambda reply: str(reply.json()["text"]),
    ),
    "MTranServer": (
        "POST",
        "/mtran/translate",
        lambda text: {"json": {"text": text, **FROM_TO}},
        lambda reply: str(reply.json()["result"]),
    ),
    "plain": (
        "GET",
        "/plain",
        lambda text: {"params": {"text": text, **FROM_TO}},
        lambda reply: reply.text,
    ),
    "Google, version 2": (
        "POST",
        "/google/language/translate/v2",
        lambda text: {"json": {"q": text, "source": "en", "target": "de", "format": "text"}},
        lambda reply: str(reply.json()["data"]["translations"][0]["translatedText"]),
    ),
    "Google, single": (
        "GET",
        "/google/translate_a/single",
        lambda text: {"params": {"q": text, "sl": "en", "tl": "de"}},
        lambda reply: "".join(pair[0] for pair in reply.json()[0]),
    ),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a server with the embedded bundles, whose beams are wide enough for alternatives."""
    folder = tmp_path_factory.mktemp("dialects")
    with (
        serving(folder, "--bundles", str(REPOSITORY / "bundles")) as server,
        httpx.Client(base_url=server.url, timeout=LONGEST_S) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def native(client: httpx.Client) -> list[str]:
    body = {"q": SENTENCES[:NUM_SENTENCES], "source": "en", "target": "de"}
    translated: list[str] = client.post("/translate", json=body).json()["translatedText"]
    return translated


@pytest.mark.parametrize("dialect", ASKED)
def test_a_dialect_says_what_the_native_one_says(
    client: httpx.Client, native: list[str], dialect: str
) -> None:
    method, path, asked, read = ASKED[dialect]
    replies = [client.request(method, path, **asked(text)) for text in SENTENCES[:NUM_SENTENCES]]
    assert [read(reply) for reply in replies] == native


def test_deeplx_has_alternatives_that_differ(client: httpx.Client) -> None:
    reply = client.post("/deeplx", json={"text": SENTENCES[0], **CODES}).json()
    assert reply["alternatives"]
    assert len({reply["data"], *reply["alternatives"]}) == 1 + len(reply["alternatives"])
