"""The application over engines elsewhere answers as the one over models in its own process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from service.cluster.engine import Engine
from service.cluster.gateway import create_gateway
from service.observability.metrics import Metrics
from service.server.app import create_app, open_registry
from service.settings import Settings
from tests.service.cluster.transports import PickledTransport, tiny_engine
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle

SETTINGS = Settings(engines=0, workers=1, bundles=(TINY_BUNDLE,))
TOKEN = "an operator's token"
EN_DE = {"source": "en", "target": "de"}
TEXTS = {"q": ["Anna reads. Ben sings.", "", "Anna sees a house."]}


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to an app on an event loop of its own."""

    runner: asyncio.Runner
    http: httpx.AsyncClient

    def get(self, path: str) -> httpx.Response:
        return self.runner.run(self.http.get(path))

    def post(self, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx has them
        return self.runner.run(self.http.post(path, **options))


@contextmanager
def client_of(app: FastAPI) -> Iterator[Client]:
    lifespan = app.router.lifespan_context(app)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")
    with asyncio.Runner() as runner:
        runner.run(lifespan.__aenter__())
        yield Client(runner, http)
        runner.run(http.aclose())
        runner.run(lifespan.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = tiny_engine(SETTINGS)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def gateway(engine: Engine) -> Iterator[Client]:
    with client_of(
        create_gateway(SETTINGS, [(tiny_bundle(), PickledTransport(engine=engine))])
    ) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def whole() -> Iterator[Client]:
    metrics = Metrics()
    app = create_app(SETTINGS, open_registry(SETTINGS, metrics), metrics)
    with client_of(app) as whole:
        yield whole


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/translate", EN_DE | TEXTS),
        ("/translate", EN_DE | TEXTS | {"source": "auto"}),
        ("/translate", EN_DE | TEXTS | {"details": True, "attention": True}),
        ("/translate", EN_DE | TEXTS | {"alternatives": 3, "beam_size": 4}),
        ("/translate", {"q": "Anna <b>reads</b>.", **EN_DE, "format": "html"}),
        ("/translate", EN_DE | TEXTS | {"stream": True}),
        ("/translate", EN_DE | TEXTS | {"source": "xx"}),
        ("/translate", EN_DE | TEXTS | {"beam_size": 99}),
        ("/translate", {"q": "Anna", **EN_DE, "prefix": "Ben", "alternatives": 2}),
        ("/attention", {"q": "Anna reads. Ben sings.", **EN_DE}),
        ("/attention", {"q": "Anna reads.", "translation": "Anna liest.", **EN_DE}),
        ("/attention", {"q": "Anna reads.", **EN_DE, "layers": [99]}),
        ("/score", {"pairs": [{"source_text": "a", "target_text": "b"}], **EN_DE}),
        ("/detect", {"q": "Anna reads."}),
        ("/v2/translate", {"text": ["Anna reads."], "target_lang": "DE"}),
    ],
)
def test_a_gateway_says_what_the_whole_says(
    gateway: Client, whole: Client, path: str, body: dict[str, Any]
) -> None:
    ours, theirs = gateway.post(path, json=body), whole.post(path, json=body)
    assert (ours.status_code, ours.text) == (theirs.status_code, theirs.text)


@pytest.mark.parametrize("path", ["/languages", "/v2/languages?type=target", "/openapi.json"])
def test_a_gateway_serves_what_the_whole_serves(gateway: Client, whole: Client, path: str) -> None:
    assert gateway.get(path).json() == whole.get(path).json()


def test_a_gateway_is_ready_once_an_engine_has_said_so(gateway: Client) -> None:
    first = gateway.get("/readyz")
    assert first.status_code in (200, 503)
    assert gateway.get("/readyz").status_code == 200
    (model,) = gateway.get("/models").json()
    assert model["canary"]["state"] == "ok"


def test_a_file_is_translated_through_a_gateway(gateway: Client, whole: Client) -> None:
    def translated(client: Client) -> str:
        reply = client.post(
            "/translate_file",
            files={"file": ("a.txt", b"Anna reads.\nBen sings.\n")},
            data={**EN_DE},
        )
        return client.get(reply.json()["translatedFileUrl"]).text

    assert translated(gateway) == translated(whole) != ""


def test_a_gateway_counts_what_its_engines_did(gateway: Client) -> None:
    gateway.post("/translate", json=EN_DE | TEXTS)
    page = gateway.get("/metrics").text.splitlines()
    (decoded,) = (x for x in page if x.startswith('pellucid_stage_seconds_sum{stage="decode"}'))
    assert float(decoded.rpartition(" ")[2]) > 0


def test_bundles_of_a_cluster_are_not_reloaded_by_its_door(engine: Engine) -> None:
    settings = Settings(engines=0, workers=1, bundles=(TINY_BUNDLE,), admin_token=SecretStr(TOKEN))
    app = create_gateway(settings, [(tiny_bundle(), PickledTransport(engine=engine))])
    with client_of(app) as gateway:
        reply = gateway.post("/admin/reload", headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status_code == 409
    assert "deploy" in reply.json()["error"]
