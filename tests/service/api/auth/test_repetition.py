"""Requests that are sent again pay once: with `Idempotency-Key`, and from DeepL's clients."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import deepl
import pytest
from fastapi import FastAPI

from service.api.auth.repetition import DEEPL_REMEMBERED_S
from service.server.parts import create_file_jobs
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of

KEY, OTHER_KEY = "key-of-the-tests", "other-key-of-the-tests"
PAIR = {"source": "en", "target": "de"}
BASE = {"q": "hello", **PAIR}
CHARGED = ["/translate", "/attention", "/score", "/compare", "/translate_file", "/v2/translate"]
PYTHON_CLIENT = f"deepl-python/{deepl.__version__} (Linux) python/3.11 requests/2.32"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    app = app_with(UpperCaser(), api_keys=f"{KEY},{OTHER_KEY}", file_folder=tmp_path)
    parts = parts_of(app)
    files = create_file_jobs(parts.settings, parts.translator)
    app.state.parts = replace(parts, files=files)
    yield app
    asyncio.run(files.close())


def _asked(path: str, text: str = "hello") -> dict[str, Any]:
    """A request of five characters."""
    match path:
        case "/score":
            pair = {"source_text": text[:2], "target_text": text[2:]}
            return {"json": {**PAIR, "pairs": [pair]}}
        case "/compare":
            return {"json": {"first": text[:2], "second": text[2:]}}
        case "/translate_file":
            return {"data": PAIR, "files": {"file": ("a.txt", text.encode())}}
        case "/v2/translate":
            return {"json": {"text": [text], "source_lang": "EN", "target_lang": "DE"}}
    return {"json": BASE | {"q": text}}


def _status(
    app: FastAPI,
    path: str,
    *names: str,
    key: str = KEY,
    agent: str = "",
    **options: Any,  # noqa: ANN401 - httpx's own
) -> int:
    headers = [("Authorization", f"Bearer {key}"), ("User-Agent", agent)]
    headers += [("Idempotency-Key", name) for name in names]
    given = options or _asked(path)
    return ask(app, "POST", path, headers=headers, **given).status_code


def _used(app: FastAPI, key: str = KEY) -> int:
    reply = ask(app, "GET", "/v2/usage", headers={"Authorization": f"Bearer {key}"})
    return int(reply.json()["character_count"])


@pytest.mark.parametrize("path", CHARGED)
def test_repetition_is_charged_once(app: FastAPI, path: str) -> None:
    assert [_status(app, path, "a") for _ in range(3)] == [200] * 3
    assert _used(app) == 5
    assert _status(app, path, "b") == 200
    assert _status(app, path) == 200
    assert _used(app) == 15


@pytest.mark.parametrize("path", CHARGED)
def test_name_is_bound_to_the_request(app: FastAPI, path: str) -> None:
    assert _status(app, path, "a") == 200
    refused = 400 if path == "/v2/translate" else 422
    assert _status(app, path, "a", **_asked(path, "other")) == refused
    assert _status(app, path, "a", params={"x": "y"}, **_asked(path)) == refused
    assert _used(app) == 5


def test_name_is_bound_to_the_path(app: FastAPI) -> None:
    assert _status(app, "/translate", "a") == 200
    assert _status(app, "/attention", "a") == 422


def test_name_is_bound_to_the_key(app: FastAPI) -> None:
    for key in (KEY, OTHER_KEY):
        assert _status(app, "/translate", "a", key=key) == 200
        assert _used(app, key) == 5


def test_stream_that_failed_pays_for_the_rest_when_it_is_repeated() -> None:
    class FailsOnce(UpperCaser):
        async def _begin(self, request: Any) -> None:  # noqa: ANN401 - as inherited
            await super()._begin(request)
            if len(self.requests) == 2:
                raise ZeroDivisionError

    app = app_with(FailsOnce(), api_keys=KEY)
    asked: dict[str, Any] = {"json": BASE | {"q": ["one", "three"], "stream": True}}
    used = []
    for _ in range(3):
        assert _status(app, "/translate", "a", **asked) == 200
        used.append(_used(app))
    assert used == [3, 8, 8]


@pytest.mark.parametrize("name", ["a-b", '"a-b"', " a-b "])
def test_quotes_of_structured_headers_are_no_part_of_the_name(app: FastAPI, name: str) -> None:
    assert _status(app, "/translate", "a-b") == _status(app, "/translate", name) == 200
    assert _used(app) == 5


@pytest.mark.parametrize("names", [("",), ('""',), ("a" * 256,), ('a"b',), ("a b",), ("a", "a")])
def test_malformed_name_is_refused(app: FastAPI, names: tuple[str, ...]) -> None:
    assert _status(app, "/translate", *names) == 400
    assert _used(app) == 0


def test_without_keys_the_header_is_ignored() -> None:
    app = app_with(UpperCaser())
    for text in ("hello", "other"):
        assert _status(app, "/translate", "a", json=BASE | {"q": text}) == 200


def test_equal_requests_of_deepls_clients_are_charged_once(app: FastAPI) -> None:
    assert [_status(app, "/v2/translate", agent=PYTHON_CLIENT) for _ in range(3)] == [200] * 3
    assert _used(app) == 5
    other = _asked("/v2/translate", "other")
    assert _status(app, "/v2/translate", agent=PYTHON_CLIENT, **other) == 200
    assert _used(app) == 10


def test_equal_requests_of_other_clients_are_not(app: FastAPI) -> None:
    assert [_status(app, "/v2/translate", agent="curl/8") for _ in range(2)] == [200] * 2
    assert [_status(app, "/translate", agent=PYTHON_CLIENT) for _ in range(2)] == [200] * 2
    assert _used(app) == 20


def test_deepls_client_repeats_within_the_time_that_is_remembered() -> None:
    from deepl.http_client import _BackoffTimer, max_network_retries, min_connection_timeout

    longest_s = _BackoffTimer.BACKOFF_INITIAL
    for _ in range(max_network_retries):
        longest_s *= _BackoffTimer.BACKOFF_MULTIPLIER
    longest_s *= 1 + _BackoffTimer.BACKOFF_JITTER
    assert longest_s + min_connection_timeout < DEEPL_REMEMBERED_S
