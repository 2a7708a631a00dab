"""A Firefox model is served like any other: details, beams, inspections, tags, terms, streams."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from export.importers.importer import import_bundle
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.settings import load_settings
from tests.export.importers.firefox.firefox_models import save_model
from tests.export.importers.imports import small_import
from tests.service.tiny_models import Running, running

TEXT = "The dog sees a big house."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("served")
    path = save_model(folder / "model", end_bias=4)
    options = small_import("firefox", path, folder / "en-de", precision="int8")
    import_bundle(options)
    with running(folder=options.out) as service:
        yield service


def _sent(service: Running, route: str, body: dict[str, object]) -> httpx.Response:
    app: FastAPI = create_app(load_settings({}), Registry(service.registry.models), Metrics())

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(route, json={"source": "en", "target": "de", **body})

    return asyncio.run(send())


def _response(service: Running, route: str, **body: object) -> httpx.Response:
    reply = _sent(service, route, body)
    assert reply.status_code == 200, reply.text
    return reply


def _post(service: Running, route: str, **body: object) -> Any:  # noqa: ANN401
    return _response(service, route, **body).json()


def _refusal(service: Running, route: str, **body: object) -> str:
    reply = _sent(service, route, body)
    assert reply.status_code == 400, reply.text
    return str(reply.json()["error"])


def test_details_and_alternatives(served: Running) -> None:
    reply = _post(served, "/translate", q=TEXT, beam_size=4, alternatives=3, details=True)
    assert len(reply["alternatives"]) == 3
    assert reply["details"]
    plain = _post(served, "/translate", q=TEXT, beam_size=4)
    assert plain["translatedText"] == reply["translatedText"]


def test_scores_are_those_of_given_tokens(served: Running) -> None:
    pairs = [{"source_text": TEXT, "target_text": text} for text in ("der Hund", "das Haus")]
    own, other = _post(served, "/score", pairs=pairs)
    assert own["score"] == pytest.approx(sum(own["token_scores"]))
    assert own["score"] != other["score"]


def test_decoder_maps_are_named_as_what_they_are(served: Running) -> None:
    kinds = ["encoder", "decoder", "cross"]
    reply = _post(served, "/attention", q=TEXT, kinds=kinds)
    assert reply["decoder_cell"] == "ssru"
    shares = np.array(reply["decoder"])
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-4)
    assert shares.shape[:2] == (2, 8)
    assert reply["alignment"]["pharaoh"]
    assert "decoder_cell" not in _post(served, "/attention", q=TEXT)


def test_every_method_but_alti_says_what_a_token_comes_from(served: Running) -> None:
    for method in ("rollout", "value_zeroing", "occlusion"):
        found = _post(served, "/attention", q=TEXT, method=method)["contributions"]
        rows = np.concatenate([found["source"], found["target"]], axis=1)
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-4, err_msg=method)
    error = _refusal(served, "/attention", q=TEXT, method="alti")
    assert "because its decoder is a recurrence" in error
    assert error.endswith("it has attention, rollout, value_zeroing, occlusion")


def test_heads_can_be_left_out_where_there_are_some(served: Running) -> None:
    pairs = [{"source_text": TEXT, "target_text": "der Hund"}]
    (whole,), (without,) = (
        _post(served, "/score", pairs=pairs, without_heads=heads)
        for heads in ([], [["cross", 1, 0], ["encoder", 0, 1]])
    )
    assert whole["score"] != pytest.approx(without["score"], abs=1e-4)
    error = _refusal(served, "/score", pairs=pairs, without_heads=[["decoder", 0, 0]])
    assert error.endswith("the decoder of this model is a recurrence, which has no heads")


def test_pictures_name_the_recurrence(served: Running) -> None:
    app: FastAPI = create_app(load_settings({}), Registry(served.registry.models), Metrics())

    async def send() -> str:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            body = {"q": TEXT, "source": "en", "target": "de", "kinds": ["decoder"]}
            headers = {"Accept": "image/svg+xml"}
            return (await client.post("/attention", json=body, headers=headers)).text

    picture = asyncio.run(send())
    assert "what its recurrence still remembers" in picture
    assert "(not attention)" in picture


def test_tags_addresses_and_terms(served: Running) -> None:
    marked = f"<p>{TEXT} <b>https://example.org/a?b=1</b></p>"
    reply = _post(served, "/translate", q=marked, format="html")
    assert "https://example.org/a?b=1" in reply["translatedText"]
    assert reply["translatedText"].count("<b>") == 1
    terms = [{"source": "house", "target": "Gebäude"}]
    found = _post(served, "/translate", q=TEXT, glossary=terms)
    assert "Gebäude" in found["translatedText"]


def test_a_stream_ends_with_the_whole_text(served: Running) -> None:
    texts = [TEXT, "A man finds the old city."]
    whole = _post(served, "/translate", q=texts)["translatedText"]
    events = _response(served, "/translate", q=texts, stream=True).text
    assert all(text in events for text in whole if text and text.isascii())
    assert "event: done" in events
