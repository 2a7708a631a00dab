"""Keys, and what each of them may have translated."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from service.api.auth.api_keys import ApiKeys, load_api_keys
from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import KeyStore
from service.api.auth.memory_store import MemoryStore
from service.errors import StartupError
from service.observability.metrics import Metrics
from service.scheduling.limits import Client
from service.settings import load_settings
from tests.service.api.auth.failing_store import FailingStore
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of

BASE = {"q": "hello", "source": "en", "target": "de"}
K1, K2 = "key-of-the-tests", "other-key-of-the-tests"
ROUTES = ["/translate", "/attention", "/detect"]


@dataclass(slots=True)
class Calendar:
    """A time that a test sets."""

    now: datetime = datetime(2026, 1, 31, 23, 59, 50, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def _app_with_store(
    translator: UpperCaser,
    *keys: ApiKey,
    calendar: Calendar | None = None,
    store: KeyStore | None = None,
) -> FastAPI:
    """The app with a store that has `keys`."""
    store = store or MemoryStore()
    for key in keys:
        asyncio.run(store.put(key))
    app = app_with(translator)
    api_keys = ApiKeys(Metrics(), store=store, now=calendar or Calendar())
    app.state.parts = replace(parts_of(app), keys=api_keys)
    return app


def _key(secret: str) -> ApiKey:
    return ApiKey(digest=digest_of(secret), name="a", created=Calendar().now)


def _translated(app: FastAPI, secret: str) -> int:
    return ask(app, "POST", "/translate", json=BASE | {"api_key": secret}).status_code


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("given", "status", "body"),
    [
        ({"json": BASE | {"api_key": K1}}, 200, None),
        ({"json": BASE | {"api_key": K2}}, 200, None),
        ({"data": BASE | {"api_key": K1}}, 200, None),
        ({"params": BASE | {"api_key": K1}}, 200, None),
        ({"json": BASE, "headers": {"Authorization": f"Bearer {K1}"}}, 200, None),
        ({"json": BASE, "headers": {"Authorization": f"bearer  {K1} "}}, 200, None),
        (
            {"json": BASE | {"api_key": "no"}},
            403,
            {"error": "Invalid API key", "code": "invalid_key"},
        ),
        (
            {"json": BASE | {"api_key": K1}, "headers": {"Authorization": "Bearer no"}},
            403,
            {"error": "Invalid API key", "code": "invalid_key"},
        ),
        (
            {"json": BASE},
            400,
            {
                "error": "Please contact the server operator to get an API key",
                "code": "key_required",
            },
        ),
        (
            {"json": BASE, "headers": {"Authorization": f"Basic {K1}"}},
            400,
            {
                "error": "Please contact the server operator to get an API key",
                "code": "key_required",
            },
        ),
    ],
)
def test_key_decides(
    path: str, given: dict[str, Any], status: int, body: dict[str, str] | None
) -> None:
    reply = ask(app_with(UpperCaser(), api_keys=f"{K1}, {K2}"), "POST", path, **given)
    assert reply.status_code == status, reply.text
    if body is not None:
        assert reply.json() == body


def test_without_keys_any_key_will_do() -> None:
    app = app_with(UpperCaser())
    assert ask(app, "POST", "/translate", json=BASE | {"api_key": "x"}).status_code == 200
    assert ask(app, "POST", "/translate", json=BASE | {"api_key": [1]}).status_code == 200


def test_nothing_is_translated_for_a_wrong_key() -> None:
    translator = UpperCaser()
    ask(app_with(translator, api_keys=K1), "POST", "/translate", json=BASE)
    assert translator.requests == []


def test_key_file_has_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# people\n{K1}\n\n  {K2}  \n", encoding="utf-8")
    app = app_with(UpperCaser(), api_key_file=path)
    for key, status in [(K1, 200), (K2, 200), ("# people", 403), ("people", 403)]:
        reply = ask(app, "POST", "/translate", json=BASE | {"api_key": key})
        assert reply.status_code == status, key


@pytest.mark.parametrize("content", [None, b"", b"# a comment\n", b"\xff\xfe"])
def test_key_file_without_keys_is_a_startup_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartupError, match="--api-key-file"):
        load_api_keys(load_settings({"api_key_file": path}), Metrics())


def test_short_key_is_refused_with_the_command_that_makes_a_long_one(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{K1}\nsecret\n", encoding="utf-8")
    for given, name in (
        ({"api_keys": f"{K1},secret"}, "--api-keys"),
        ({"api_key_file": path}, f"--api-key-file: {path}"),
    ):
        with pytest.raises(StartupError) as caught:
            load_api_keys(load_settings(given), Metrics())
        assert str(caught.value) == (
            f"{name}: key 2 of 2 has fewer than 16 characters: replace it by one that "
            "`pellucid keys generate` prints"
        )


def test_least_length_of_a_key_is_a_setting() -> None:
    app = app_with(UpperCaser(), api_keys="short", min_key_chars=5)
    assert _translated(app, "short") == 200


def test_settings_never_show_a_key() -> None:
    assert K1 not in repr(load_settings({"api_keys": K1}))


def test_quota_is_kept_in_every_dialect() -> None:
    app = app_with(UpperCaser(), api_keys=f"{K1},{K2}", max_chars_per_key=8)
    asked = BASE | {"api_key": K1}
    assert ask(app, "POST", "/translate", json=asked).status_code == 200
    reply = ask(app, "POST", "/translate", json=asked)
    assert (reply.status_code, reply.json()["code"]) == (429, "quota_exceeded")
    assert reply.json()["error"].startswith("Slowdown: the key has 3 of 8 characters left")
    body = {"text": ["hello"], "source_lang": "EN", "target_lang": "DE", "auth_key": K1}
    assert ask(app, "POST", "/v2/translate", json=body).status_code == 456
    assert ask(app, "POST", "/translate", json=asked | {"api_key": K2}).status_code == 200


def test_store_without_keys_accepts_no_request() -> None:
    app = _app_with_store(UpperCaser())
    assert ask(app, "POST", "/translate", json=BASE).status_code == 400
    assert _translated(app, K1) == 403
    assert ask(app, "GET", "/frontend/settings").json()["keyRequired"] is True


def test_key_of_the_store_is_let_in_until_it_is_revoked() -> None:
    store = MemoryStore()
    app = _app_with_store(UpperCaser(), _key(K1), store=store)
    assert _translated(app, K1) == 200
    asyncio.run(store.put(replace(_key(K1), revoked=Calendar().now)))
    assert _translated(app, K1) == 403


def test_key_of_the_store_is_let_in_until_it_expires() -> None:
    calendar = Calendar()
    key = replace(_key(K1), expires=calendar.now + timedelta(seconds=5))
    app = _app_with_store(UpperCaser(), key, calendar=calendar)
    assert _translated(app, K1) == 200
    calendar.now += timedelta(seconds=5)
    assert _translated(app, K1) == 403


def test_keys_of_the_configuration_are_let_in_beside_those_of_a_store(tmp_path: Path) -> None:
    app = app_with(UpperCaser(), api_keys=K1, key_store=str(tmp_path / "keys.db"))
    assert _translated(app, K1) == 200
    assert _translated(app, "other") == 403


def test_each_key_has_its_minute() -> None:
    calendar = Calendar()
    keys = [
        replace(_key(K1), requests_per_minute=2),
        replace(_key("other"), requests_per_minute=1),
    ]
    app = _app_with_store(UpperCaser(), *keys, calendar=calendar)
    assert [_translated(app, K1) for _ in range(3)] == [200, 200, 429]
    assert _translated(app, "other") == 200
    reply = ask(app, "POST", "/translate", json=BASE | {"api_key": K1})
    assert (reply.json()["code"], reply.headers["Retry-After"]) == ("rate_limited", "10")
    calendar.now += timedelta(seconds=10)
    assert _translated(app, K1) == 200


def test_failing_store_accepts_no_key() -> None:
    translator = UpperCaser()
    app = _app_with_store(translator, store=FailingStore())
    reply = ask(app, "POST", "/translate", json=BASE | {"api_key": K1})
    assert (reply.status_code, reply.json()["code"]) == (503, "key_store_failed")
    body = {"text": ["hello"], "target_lang": "DE", "auth_key": K1}
    assert ask(app, "POST", "/v2/translate", json=body).status_code == 503
    assert translator.requests == []


def test_refusals_are_counted_by_their_reason() -> None:
    metrics = Metrics()
    app = app_with(UpperCaser())
    keys = ApiKeys(metrics, configured={digest_of(K1): replace(_key(K1), monthly_chars=4)})
    app.state.parts = replace(parts_of(app), keys=keys)
    assert (_translated(app, K1), _translated(app, "no")) == (429, 403)
    page = metrics.exposition().decode()
    for reason in ("quota_exceeded", "invalid_key"):
        assert f'pellucid_rejected_total{{reason="{reason}"}} 1.0' in page


ASKED: dict[str, dict[str, Any]] = {
    "/translate": {"json": BASE},
    "/attention": {"json": BASE},
    "/v2/translate": {"json": {"text": ["a"], "source_lang": "EN", "target_lang": "DE"}},
}


@pytest.mark.parametrize("path", ASKED)
def test_queue_is_shared_among_keys(path: str) -> None:
    translator = UpperCaser()
    key = replace(_key(K1), weight=3.0, max_queued_jobs=9)
    app = _app_with_store(translator, key)
    headers = {"Authorization": f"Bearer {K1}"}
    assert ask(app, "POST", path, headers=headers, **ASKED[path]).status_code == 200
    (request,) = translator.requests
    assert request.client == Client(name=key.id, weight=3.0, max_queued_jobs=9, key_id=key.id)


@pytest.mark.parametrize("path", ASKED)
def test_queue_is_shared_among_addresses_where_there_are_no_keys(path: str) -> None:
    translator = UpperCaser()
    app = app_with(translator)
    for forwarded in ("203.0.113.1", "203.0.113.1", "203.0.113.2"):
        ask(app, "POST", path, headers={"X-Forwarded-For": forwarded}, **ASKED[path])
    first, again, other = (request.client.name for request in translator.requests)
    assert first == again != other
    assert "203.0.113" not in first


def test_only_trusted_proxies_set_the_client_address() -> None:
    translator = UpperCaser()
    app = app_with(translator, trusted_proxies="10.0.0.0/8")
    for forwarded in ("203.0.113.1", "203.0.113.2"):
        ask(app, "POST", "/translate", json=BASE, headers={"X-Forwarded-For": forwarded})
    first, second = (request.client for request in translator.requests)
    assert first == second
