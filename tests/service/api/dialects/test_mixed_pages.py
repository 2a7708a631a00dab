"""A page may quote any language: what cannot be translated stays, and the rest is translated."""

from collections.abc import Iterator

import httpx
import pytest

from tests.service.server_process import LONGEST_S, serving
from tests.service.tiny_models import tiny_bundle

PAIR = tiny_bundle().manifest.pairs[0]
TEXT = tiny_bundle().manifest.canary.source_text
FRENCH = (
    "Le gouvernement a annoncé hier que les nouvelles mesures seraient appliquées dans toutes "
    "les régions du pays dès le mois prochain."
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        serving(tmp_path_factory.mktemp("pages"), "--workers", "1") as server,
        httpx.Client(base_url=server.url, timeout=LONGEST_S) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def translated(client: httpx.Client) -> str:
    body = {"q": TEXT, "source": PAIR.source, "target": PAIR.target}
    return str(client.post("/translate", json=body).json()["translatedText"])


def test_immersive_translate_gets_the_rest_of_its_page(
    client: httpx.Client, translated: str
) -> None:
    body = {"source_lang": "auto", "target_lang": PAIR.target, "text_list": [TEXT, FRENCH, TEXT]}
    reply = client.post("/immersive", json=body)
    ours = {"detected_source_lang": PAIR.source, "text": translated}
    theirs = {"detected_source_lang": "fr", "text": FRENCH}
    assert reply.json() == {"translations": [ours, theirs, ours]}


def test_kiss_translator_gets_the_rest_of_its_page(client: httpx.Client, translated: str) -> None:
    body = {"from": "auto", "to": PAIR.target, "texts": [FRENCH, TEXT]}
    reply = client.post("/kiss", json=body).json()
    assert [each["text"] for each in reply["translations"]] == [FRENCH, translated]
    assert [each["src"] for each in reply["translations"]] == ["fr", PAIR.source]


@pytest.mark.parametrize(
    ("source", "texts"), [("auto", [FRENCH]), ("auto", [FRENCH, FRENCH]), ("fr", [FRENCH, TEXT])]
)
def test_a_page_of_which_nothing_is_translated_is_refused(
    client: httpx.Client, source: str, texts: list[str]
) -> None:
    body = {"source_lang": source, "target_lang": PAIR.target, "text_list": texts}
    reply = client.post("/immersive", json=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "unsupported_language")


def test_other_dialects_refuse_a_list_with_a_foreign_text(client: httpx.Client) -> None:
    body = {"from": "auto", "to": PAIR.target, "texts": [TEXT, FRENCH]}
    reply = client.post("/mtran/translate/batch", json=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "unsupported_language")
