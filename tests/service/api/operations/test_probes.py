"""Probes and lists, on the tiny bundle."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI

from service.api.operations.models import ModelReply
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.server.parts import open_registry
from service.settings import load_settings
from service.text.language_names import name_of
from tests.service.api.fakes import ask, parts_of
from tests.service.tiny_models import TINY_BUNDLE, altered_copy, tiny_bundle


@contextmanager
def _served(*bundles: Path, is_started: bool = True) -> Iterator[FastAPI]:
    settings = load_settings(
        {"bundles": bundles, "engines": 0, "workers": 1, "slots_per_worker": 8}
    )
    metrics = Metrics()
    registry = open_registry(settings, metrics)
    try:
        if is_started:
            registry.start()
        yield create_app(settings, registry, metrics)
    finally:
        registry.close()


def test_process_is_alive_before_it_is_ready() -> None:
    with _served(TINY_BUNDLE, is_started=False) as app:
        assert ask(app, "GET", "/livez").json() == {"status": "ok"}
        reply = ask(app, "GET", "/readyz")
        assert (reply.status_code, reply.json()["code"]) == (503, "not_ready")
        parts_of(app).registry.start()
        assert ask(app, "GET", "/readyz").json() == {"status": "ready"}


def test_closing_gate_makes_it_unready() -> None:
    with _served(TINY_BUNDLE) as app:
        parts_of(app).in_flight.close()
        reply = ask(app, "GET", "/readyz")
        assert (reply.status_code, reply.json()["code"]) == (503, "shutting_down")
        assert ask(app, "GET", "/livez").status_code == 200


def test_announced_end_makes_it_unready_and_goes_on() -> None:
    with _served(TINY_BUNDLE) as app:
        parts_of(app).in_flight.announce_shutdown()
        assert ask(app, "GET", "/readyz").status_code == 503
        pair = tiny_bundle().manifest.pairs[0]
        asked = {"q": "a", "source": pair.source, "target": pair.target}
        assert ask(app, "POST", "/translate", json=asked).status_code == 200


def test_canary_that_comes_out_differently_makes_it_unready_and_says_why(tmp_path: Path) -> None:
    canary = tiny_bundle().manifest.canary
    other = canary.model_copy(update={"target_ids": (*canary.target_ids, canary.target_ids[0])})
    odd = altered_copy(tmp_path / "odd", canary=other.model_dump(mode="json"))
    with _served(odd) as app:
        reply = ask(app, "GET", "/readyz")
        assert reply.status_code == 503
        assert "canary" in reply.json()["error"]
        (model,) = ask(app, "GET", "/models").json()
        assert model["canary"]["state"] == "failing"
        assert "canary" in model["canary"]["reason"]
        assert "pellucid_canary_failures_total 1.0" in ask(app, "GET", "/metrics").text


def test_models_are_described() -> None:
    bundle = tiny_bundle()
    with _served(TINY_BUNDLE) as app:
        (model,) = ask(app, "GET", "/models").json()
    assert model["sha256"] == bundle.sha256
    assert model["precision"] == bundle.manifest.precision
    assert model["architecture"] == bundle.manifest.architecture.model_dump()
    assert model["methods"] == ["attention", "rollout", "occlusion"]
    assert model["states"] is False
    assert ModelReply.model_validate(model).model_dump(mode="json") == model


def test_languages_of_all_bundles_are_listed(tmp_path: Path) -> None:
    pairs = [{"source": "zz", "target": "de"}, {"source": "zz", "target": "en"}]
    canary = tiny_bundle().manifest.canary.model_dump(mode="json") | {"pair": pairs[0]}
    more = altered_copy(tmp_path / "more", name="more", pairs=pairs, canary=canary)
    with _served(TINY_BUNDLE, more) as app:
        languages = {x["code"]: x for x in ask(app, "GET", "/languages").json()}
    assert languages["zz"] == {"code": "zz", "name": "zz", "targets": ["de", "en"]}
    (pair,) = tiny_bundle().manifest.pairs
    assert pair.target in languages[pair.source]["targets"]


@pytest.mark.parametrize(
    ("code", "name"), [("de", "German"), ("pt-br", "Portuguese (BR)"), ("qqq", "qqq")]
)
def test_languages_have_english_names(code: str, name: str) -> None:
    assert name_of(code) == name


def test_metrics_are_prometheus_text() -> None:
    with _served(TINY_BUNDLE) as app:
        reply = ask(app, "GET", "/metrics")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'pellucid_model_info{name="' in reply.text
