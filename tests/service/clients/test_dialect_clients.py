"""Real clients of the dialects, in a process of their own: they bring other packages than ours."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.server_process import LONGEST_S, ServerProcess, serving
from tests.service.tiny_models import tiny_bundle

PACKAGES = os.environ.get("CLIENT_PACKAGES")
"""Folder that the packages of requirements-clients.lock are installed in."""
pytestmark = pytest.mark.skipif(
    PACKAGES is None,
    reason="set CLIENT_PACKAGES to a folder with requirements-clients.lock: make test-clients",
)

KEY = "key-of-the-tests"
PAIR = tiny_bundle().manifest.pairs[0]
TEXT = tiny_bundle().manifest.canary.source_text
TEXTS = [f"{TEXT} {TEXT}\n{TEXT}", TEXT]

_CLOUD = """
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.cloud.translate_v2 import Client

client = Client(credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
client._http.headers["X-Goog-Api-Key"] = key
pair = {"source_language": source, "target_language": target, "format_": "text"}
named = {"source_language": "xx", "target_language": target}
def failing(call):
    try:
        call()
    except GoogleAPICallError as error:
        return [type(error).__name__, error.code, error.message, error.errors[0]["reason"]]
reply = {
    "one": client.translate(texts[1], **pair),
    "several": client.translate(texts, **pair),
    "found_out": client.translate(texts[1], target_language=target),
    "html": client.translate(f"<b>{texts[1]}</b>", source_language=source, target_language=target),
    "detected": client.detect_language(texts[1]),
    "detected_several": client.detect_language(texts),
    "languages": client.get_languages(target_language="en"),
    "unknown": failing(lambda: client.translate(texts[1], **named)),
}
client._http.headers["X-Goog-Api-Key"] = "wrong"
reply["wrong_key"] = failing(lambda: client.get_languages())
"""
# Its address is fixed, so its transport sends to the server what it asks of Google's.
_WEB = """
import asyncio, httpx
from googletrans import Translator

class Redirected(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request):
        server = httpx.URL(url)
        request.url = request.url.copy_with(scheme="http", host=server.host, port=server.port)
        return await super().handle_async_request(request)

async def ask(given, raises=False):
    translator = Translator(http2=False, raise_exception=raises)
    headers = {"Authorization": f"Bearer {given}"}
    translator.client = httpx.AsyncClient(transport=Redirected(), headers=headers)
    async with translator:
        several = await translator.translate(texts, src=source, dest=target)
        found_out = await translator.translate(texts[1], dest=target)
        detected = await translator.detect(texts[1])
    return {
        "several": [[each.text, each.src] for each in several],
        "found_out": [found_out.text, found_out.src],
        "detected": [detected.lang, detected.confidence],
    }

reply = asyncio.run(ask(key))
try:
    asyncio.run(ask("wrong", raises=True))
except Exception as error:
    reply["wrong_key"] = str(error)
"""
_DEEPLX = """
import httpx
from deeplx_tr.deeplx_client import deeplx_client

address = f"{url}/deeplx/translate?token="
pair = {"source_lang": source, "target_lang": target}
reply = {
    "several": [deeplx_client(text, **pair, url=address + key) for text in texts],
    "found_out": deeplx_client(texts[1], target_lang=target, url=address + key),
    "alternatives": deeplx_client(texts[1], **pair, alternatives=True, url=address + key),
}
try:
    deeplx_client(texts[1], **pair, url=address + "wrong")
except httpx.HTTPStatusError as error:
    reply["wrong_key"] = [error.response.status_code, error.response.json()]
"""
_PREAMBLE = """
import json, sys
url, key, source, target, texts = json.load(sys.stdin)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("dialect-clients")
    with serving(folder, "--workers", "1", PELLUCID_API_KEYS=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def native(server: ServerProcess) -> list[str]:
    """What the native dialect translates TEXTS to."""
    body = {"q": TEXTS, "source": PAIR.source, "target": PAIR.target, "api_key": KEY}
    reply = httpx.post(f"{server.url}/translate", json=body, timeout=LONGEST_S).json()
    translated: list[str] = reply["translatedText"]
    return translated


def _run(script: str, address: str) -> Any:  # noqa: ANN401 - any JSON
    """What a client's program has found out from the server at `address`."""
    assert PACKAGES is not None
    given = [address, KEY, PAIR.source, PAIR.target, TEXTS]
    done = subprocess.run(
        [sys.executable, "-c", f"{_PREAMBLE}{script}\nprint(json.dumps(reply))"],
        input=json.dumps(given),
        env=os.environ | {"PYTHONPATH": str(Path(PACKAGES).resolve()), "LOGURU_LEVEL": "CRITICAL"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_googles_client_translates_detects_and_lists(
    server: ServerProcess, native: list[str]
) -> None:
    found = _run(_CLOUD, f"{server.url}/google")
    assert found["one"] == {"translatedText": native[1], "input": TEXT}
    assert [each["translatedText"] for each in found["several"]] == native
    assert found["found_out"]["detectedSourceLanguage"] == PAIR.source
    assert found["html"]["translatedText"].startswith("<b>")
    assert found["detected"]["language"] == PAIR.source
    assert 0 < found["detected"]["confidence"] <= 1
    assert [each["language"] for each in found["detected_several"]] == [PAIR.source] * 2
    assert {"language": PAIR.target, "name": "German"} in found["languages"]
    assert found["unknown"][:2] == ["BadRequest", 400]
    assert "xx is not supported" in found["unknown"][2]
    assert found["unknown"][3] == "unsupported_language"
    assert found["wrong_key"][0] == "Forbidden"
    assert found["wrong_key"][3] == "invalid_key"


def test_googletrans_translates_and_detects(server: ServerProcess, native: list[str]) -> None:
    found = _run(_WEB, server.url)
    assert found["several"] == [[text, PAIR.source] for text in native]
    assert found["found_out"] == [native[1], PAIR.source]
    # It asks for a translation to English, which nothing translates to here.
    language, confidence = found["detected"]
    assert language == PAIR.source
    assert 0 < confidence <= 1
    assert '"403"' in found["wrong_key"]


def test_a_client_of_deeplx_translates(server: ServerProcess, native: list[str]) -> None:
    found = _run(_DEEPLX, server.url)
    assert found["several"] == native
    assert found["found_out"] == native[1]
    assert found["alternatives"].startswith(native[1])
    assert found["wrong_key"] == [403, {"code": 403, "message": "Invalid API key"}]
