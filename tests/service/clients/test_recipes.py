"""Requests of the programs of docs/clients.md, as their sources make them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.service.server_process import serving
from tests.service.tiny_models import tiny_bundle

KEY = "key-of-the-tests"
PAIR = tiny_bundle().manifest.pairs[0]
TEXT = tiny_bundle().manifest.canary.source_text
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("recipes")
    with (
        serving(folder, "--workers", "1", PELLUCID_API_KEYS=KEY) as server,
        httpx.Client(base_url=server.url, timeout=30) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def translated(client: httpx.Client) -> str:
    """The translation of `TEXT`."""
    asked = {"q": TEXT, "source": PAIR.source, "target": PAIR.target, "api_key": KEY}
    text = client.post("/translate", json=asked).json()["translatedText"]
    assert isinstance(text, str)
    assert text
    return text


def _reply(response: httpx.Response) -> Any:  # noqa: ANN401 - any JSON
    assert response.status_code == 200, response.text
    return response.json()


def test_weblate(client: httpx.Client, translated: str) -> None:
    """`weblate/machinery/libretranslate.py`: addresses are joined to one that ends in a slash."""
    languages = _reply(client.get("/languages"))
    assert PAIR.source in [language["code"] for language in languages]
    asked = {"api_key": KEY, "q": TEXT, "source": PAIR.source, "target": PAIR.target}
    assert _reply(client.post("/translate", data=asked))["translatedText"] == translated


def test_libreoffice(client: httpx.Client, translated: str) -> None:
    """`linguistic/source/translate.cxx`: an escaped form, and the query of its caller."""
    text = str(httpx.QueryParams({"text": f"<p>{TEXT}</p>"}))
    body = f"auth_key={KEY}&target_lang={PAIR.target.upper()}&{text}"
    address = "/v2/translate?tag_handling=html"
    (first,) = _reply(client.post(address, content=body, headers=FORM))["translations"]
    assert first["text"] == f"<p>{translated}</p>"


def test_libreoffice_with_its_key_as_a_header(client: httpx.Client, translated: str) -> None:
    headers = {**FORM, "Authorization": f"DeepL-Auth-Key {KEY}"}
    text = str(httpx.QueryParams({"text": TEXT}))
    body = f"target_lang={PAIR.target.upper()}&{text}"
    address = "/v2/translate?tag_handling=html"
    (first,) = _reply(client.post(address, content=body, headers=headers))["translations"]
    assert first["text"] == translated


def test_zotero(client: httpx.Client, translated: str) -> None:
    """`src/modules/services/libretranslate.ts` of PDF Translate."""
    asked = {
        "q": TEXT,
        "source": PAIR.source,
        "target": PAIR.target,
        "format": "text",
        "api_key": KEY,
    }
    reply = _reply(client.post("/translate", content=json.dumps(asked), headers=JSON))
    assert reply["translatedText"] == translated
    assert not reply.get("error")


def test_home_assistant(client: httpx.Client, translated: str) -> None:
    """The payload of the recipe's template, with the content type that the command is given."""
    payload = json.dumps({"q": TEXT, "source": "auto", "target": PAIR.target})
    headers = {**JSON, "Authorization": f"Bearer {KEY}"}
    reply = _reply(client.post("/translate", content=payload, headers=headers))
    assert reply["translatedText"] == translated


def test_libretranslates_page_with_a_file(client: httpx.Client, translated: str) -> None:
    """`libretranslate/static/js/app.js`: no release of `libretranslatepy` sends files."""
    settings = _reply(client.get("/frontend/settings"))
    assert settings["filesTranslation"]
    assert {".txt", ".docx"} <= set(settings["supportedFilesFormat"])
    form = {"source": PAIR.source, "target": PAIR.target, "api_key": KEY}
    files = {"file": ("note.txt", TEXT.encode())}
    reply = _reply(client.post("/translate_file", data=form, files=files))
    assert client.get(reply["translatedFileUrl"]).text == translated
    for fault, status in (({"api_key": "wrong"}, 403), ({"target": "zz"}, 400)):
        refused = client.post("/translate_file", data=form | fault, files=files)
        assert (refused.status_code, bool(refused.json()["error"])) == (status, True)


def test_mastodon(client: httpx.Client, translated: str) -> None:
    """`app/lib/translation_service/libre_translate.rb`: a list of texts as HTML."""
    asked = {
        "q": [TEXT, f"<p>{TEXT}</p>"],
        "source": "auto",
        "target": PAIR.target,
        "format": "html",
        "api_key": KEY,
    }
    reply = _reply(client.post("/translate", json=asked))
    assert reply["translatedText"] == [translated, f"<p>{translated}</p>"]
    assert [found["language"] for found in reply["detectedLanguage"]] == [PAIR.source] * 2
