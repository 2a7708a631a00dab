from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI

from service.errors import StartupError
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.server.parts import open_registry
from service.settings import load_settings
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle

TOKEN = "a token of this test"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def _served() -> Iterator[FastAPI]:
    given = {
        "bundles": (TINY_BUNDLE,),
        "engines": 0,
        "workers": 1,
        "slots_per_worker": 8,
        "admin_token": TOKEN,
    }
    settings, metrics = load_settings(given), Metrics()
    registry = open_registry(settings, metrics)
    app = create_app(settings, registry, metrics)
    try:
        registry.start()
        yield app
    finally:
        parts_of(app).reloader.close()
        registry.close()


def test_reload_says_what_it_did() -> None:
    with _served() as app:
        reply = ask(app, "POST", "/admin/reload", headers=RIGHT)
    bundle = tiny_bundle()
    kept = {"name": bundle.manifest.name, "sha256": bundle.sha256}
    assert reply.status_code == 200
    assert reply.json() == {"outcome": "unchanged", "added": [], "kept": [kept], "removed": []}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \udcff"]
)
def test_without_the_token_nothing_is_done(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("utf-8", "surrogateescape")}
    with _served() as app:
        reply = ask(app, "POST", "/admin/reload", headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (403, "invalid_key")
        exposition = parts_of(app).metrics.exposition().decode()
    assert 'pellucid_reloads_total{outcome="unchanged"} 0.0' in exposition


def test_a_server_without_a_token_has_no_such_address() -> None:
    app = app_with(UpperCaser())
    reply = ask(app, "POST", "/admin/reload", headers=RIGHT)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert "/admin/reload" not in ask(app, "GET", "/openapi.json").json()["paths"]


def test_a_server_that_ends_does_not_reload() -> None:
    with _served() as app:
        parts_of(app).in_flight.close()
        reply = ask(app, "POST", "/admin/reload", headers=RIGHT)
    assert (reply.status_code, reply.json()["code"]) == (503, "shutting_down")


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(StartupError, match="--admin-token"):
        load_settings({"admin_token": "short"})
