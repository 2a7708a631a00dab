"""`POST /attention` on real maps, in every form."""

import asyncio
import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image

from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.settings import load_settings
from tests.service.tiny_models import Running, running

MAX_CELLS = 1000


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service


@pytest.fixture
def app(service: Running) -> FastAPI:
    return create_app(load_settings({}), Registry(service.registry.models), Metrics())


@pytest.fixture
def strict_app(service: Running) -> FastAPI:
    settings = load_settings({"max_attention_cells": MAX_CELLS})
    return create_app(settings, Registry(service.registry.models), Metrics())


def text_of(service: Running) -> str:
    return service.model.bundle.manifest.canary.source_text


def ask(app: FastAPI, accept: str, **parameters: object) -> httpx.Response:
    body = {"source": "en", "target": "de"} | parameters

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/attention", json=body, headers={"Accept": accept})

    return asyncio.run(send())


def arrays(app: FastAPI, **parameters: object) -> dict[str, np.ndarray[Any, Any]]:
    reply = ask(app, "application/x-npz", **parameters)
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "application/x-npz"
    return dict(np.load(BytesIO(reply.content), allow_pickle=False))


def test_arrays_are_those_of_the_json(app: FastAPI, service: Running) -> None:
    asked = {"q": text_of(service), "kinds": ["encoder", "decoder", "cross"]}
    reply = ask(app, "*/*", **asked).json()
    found = arrays(app, **asked)
    for kind in ("encoder", "decoder", "cross"):
        np.testing.assert_allclose(found[kind], np.array(reply[kind]), atol=1e-7)
    for name in ("source_tokens", "target_tokens"):
        assert found[name].tolist() == reply[name]
    alignment, confidence = reply["alignment"], reply["confidence"]
    pairs = " ".join(f"{i}-{j}" for i, j in found["alignment.pharaoh"].tolist())
    assert pairs == alignment["pharaoh"]
    for name in ("source_words", "target_words"):
        assert found[f"alignment.{name}"].tolist() == alignment[name]
    np.testing.assert_allclose(found["alignment.weights"], alignment["weights"], rtol=1e-6)
    for name, value in confidence.items():
        np.testing.assert_allclose(found[f"confidence.{name}"], value, rtol=1e-6)


def test_a_list_is_a_list_in_every_form(app: FastAPI, service: Running) -> None:
    texts = [text_of(service)] * 2
    found = arrays(app, q=texts)
    assert "1.cross" in found
    assert len(ask(app, "", q=texts).json()) == 2
    svg = ET.fromstring(ask(app, "image/svg+xml", q=texts).content)
    assert len(svg.findall("{*}g/{*}title")) == 2 * 2 * 3 + 6


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("image/svg+xml", "image/svg+xml; charset=utf-8"),
        ("image/png", "image/png"),
        ("text/html", "text/html; charset=utf-8"),
        ("application/x-npz", "application/x-npz"),
        ("application/json", "application/json"),
        ("application/pdf", "application/json"),
    ],
)
def test_the_header_says_what_comes(
    app: FastAPI, service: Running, accept: str, media_type: str
) -> None:
    reply = ask(app, accept, q=text_of(service))
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == media_type
    assert reply.headers["Vary"] == "Accept"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_pictures_are_pictures_and_the_page_is_a_page(app: FastAPI, service: Running) -> None:
    text = text_of(service)
    svg = ask(app, "image/svg+xml", q=text)
    root = ET.fromstring(svg.content)
    assert root.findtext("{*}title") == f"Attention: {text}"
    assert svg.headers["Content-Security-Policy"] == "default-src 'none'"
    image = Image.open(BytesIO(ask(app, "image/png", q=text).content))
    assert image.size == (2 * int(root.attrib["width"]), 2 * int(root.attrib["height"]))
    html = ask(app, "text/html", q=text)
    assert html.text.startswith("<!doctype html>")
    assert text in html.text
    assert "default-src 'none'" in html.headers["Content-Security-Policy"]


@pytest.mark.parametrize("accept", ["image/svg+xml", "image/png", "text/html", "application/x-npz"])
def test_a_text_for_which_no_model_ran_has_every_form(app: FastAPI, accept: str) -> None:
    assert ask(app, accept, q="12").status_code == 200


def test_words_have_maps_whose_rows_sum_to_one(app: FastAPI) -> None:
    text = "A naïve flower needs the book."
    words = arrays(app, q=text, words=True, kinds=["encoder", "decoder", "cross"])
    pieces = arrays(app, q=text)
    assert words["source_tokens"].tolist() == [*text[:-1].split(), ".", "</s>"]
    assert len(words["source_tokens"]) < len(pieces["source_tokens"])
    for kind in ("encoder", "decoder", "cross"):
        np.testing.assert_allclose(words[kind].sum(-1), 1, atol=1e-4)
    assert not np.triu(words["decoder"], k=1).any()
    assert words["cross"].shape[2:] == (len(words["target_tokens"]), len(words["source_tokens"]))
    np.testing.assert_array_equal(words["alignment.pharaoh"], pieces["alignment.pharaoh"])


def test_words_of_a_given_translation_are_its_own(app: FastAPI, service: Running) -> None:
    words = arrays(app, q=text_of(service), translation="naïve 日本, ja", words=True)
    assert words["target_tokens"].tolist() == ["naïve", "日本", ",", "ja", "</s>"]


@pytest.mark.parametrize("name", ["html", "xml"])
def test_markup_is_refused_with_a_reason(app: FastAPI, name: str) -> None:
    reply = ask(app, "", q="<b>x</b>", format=name)
    assert reply.status_code == 400
    assert "tags never reach the model" in reply.json()["error"]
    assert ask(app, "", q="12", format="text").status_code == 200


@pytest.mark.parametrize(
    ("wrong", "valid"),
    [
        ({"kinds": ["self"]}, "'encoder', 'decoder' or 'cross'"),
        ({"layers": [2]}, "layers are 0, 1"),
        ({"heads": [3]}, "heads are 0, 1, 2"),
        ({"heads": [-1]}, "heads are 0, 1, 2"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    app: FastAPI, wrong: dict[str, object], valid: str
) -> None:
    reply = ask(app, "image/png", q="x", **wrong)
    assert reply.status_code == 400
    assert reply.headers["Content-Type"] == "application/json"
    assert valid in reply.json()["error"]


def long_pairs(service: Running, count: int) -> dict[str, list[str]]:
    """Texts with translations; each has ten tokens on both sides, and so 100 numbers in a map."""
    text = " ".join((text_of(service).split() * 2)[:8])
    return {"q": [text] * count, "translation": [text] * count}


def advised(reply: httpx.Response) -> dict[str, list[int]]:
    """The fields that a refusal says to send."""
    assert reply.status_code == 413
    error = reply.json()["error"]
    fields = re.search(r"ask for (\".*?\]), or", error)
    assert fields, error
    found: dict[str, list[int]] = json.loads("{" + fields[1] + "}")
    return found


@pytest.mark.parametrize(
    ("count", "selection", "advice"),
    [
        (4, {}, {"layers": [1], "heads": [0, 1]}),
        (1, {"kinds": ["encoder", "decoder", "cross"]}, {"layers": [1], "heads": [0, 1, 2]}),
        (
            4,
            {"kinds": ["encoder"], "layers": [1, 0], "heads": [2, 0, 1]},
            {"layers": [0], "heads": [2, 0]},
        ),
        (6, {"reduce": "heads"}, {"layers": [1]}),
        (3, {"kinds": ["decoder", "cross"], "reduce": "heads", "words": True}, {"layers": [1]}),
    ],
)
def test_too_many_numbers_are_refused_with_a_request_that_fits(
    strict_app: FastAPI,
    service: Running,
    count: int,
    selection: dict[str, object],
    advice: dict[str, list[int]],
) -> None:
    asked = long_pairs(service, count) | selection
    assert advised(ask(strict_app, "", **asked)) == advice
    assert ask(strict_app, "", **(asked | advice)).status_code == 200


def test_too_large_a_picture_is_refused_with_a_request_that_fits(
    app: FastAPI, service: Running
) -> None:
    asked = long_pairs(service, 60)
    less = advised(ask(app, "image/png", **asked))
    assert less == {"layers": [1], "heads": [0, 1, 2]}
    assert ask(app, "image/png", **(asked | less)).status_code == 200
    assert ask(app, "image/svg+xml", **asked).status_code == 200


def test_details_of_a_translation_have_words_as_well(app: FastAPI) -> None:
    body = {"q": "A naïve flower.", "source": "en", "target": "de", "attention": {"words": True}}

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/translate", json=body)

    (sentence,) = asyncio.run(send()).json()["details"]
    maps = sentence["attention"]
    assert maps["source_tokens"] == ["A", "naïve", "flower", ".", "</s>"]
    assert len(maps["token_scores"]) == len(maps["target_tokens"])
    assert len(sentence["token_scores"]) == len(sentence["target_tokens"])
