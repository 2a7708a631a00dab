"""What the dialects say of languages that are reached by way of a third one."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from service.api.native.languages import LanguageReply
from service.api.replies.translation import TranslateReply
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.server.parts import open_registry
from service.settings import load_settings
from tests.service.api.fakes import ask
from tests.service.tiny_models import renamed_copy, tiny_bundle

TEXT = tiny_bundle().manifest.canary.source_text
EN_IT = {"source": "en", "target": "it"}
HEADS = [["cross", 0, 1]]
PAIRS = [{"source_text": TEXT, "target_text": TEXT}]
ENGLISH = "The weather is nice today, and we are going for a walk."


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    folder = tmp_path_factory.mktemp("bundles")
    for source, target in (("en", "de"), ("de", "it")):
        renamed_copy(folder / f"{source}-{target}", source, target)
    settings = load_settings(
        {"bundles": (folder,), "engines": 0, "workers": 1, "slots_per_worker": 8}
    )
    metrics = Metrics()
    registry = open_registry(settings, metrics)
    registry.start()
    yield create_app(settings, registry, metrics)
    registry.close()


def body(app: FastAPI, path: str, **parameters: object) -> Any:  # noqa: ANN401 - as httpx has it
    reply = ask(app, "POST", path, json=parameters)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_languages_say_what_is_reached_through_which(app: FastAPI) -> None:
    languages = ask(app, "GET", "/languages").json()
    assert languages == [
        {"code": "de", "name": "German", "targets": ["it"]},
        {"code": "en", "name": "English", "targets": ["de", "it"], "pivots": {"it": "de"}},
    ]
    assert [
        LanguageReply.model_validate(x).model_dump(exclude_none=True) for x in languages
    ] == languages


def test_details_have_the_route_where_there_is_one(app: FastAPI) -> None:
    reply = body(app, "/translate", q=TEXT, details=True, alignment=True, **EN_IT)
    assert TranslateReply.model_validate(reply).model_dump(exclude_none=True, mode="json") == reply
    (sentence,) = reply["details"]
    assert [leg["model"] for leg in sentence["route"]] == ["en-de", "de-it"]
    assert (
        sentence["route"][-1]["translation"] == sentence["translation"] == reply["translatedText"]
    )
    (direct,) = body(app, "/translate", q=TEXT, source="en", target="de", details=True)["details"]
    assert direct["translation"] == sentence["route"][0]["translation"]
    assert "route" not in direct


def test_libretranslate_and_deepl_translate_to_the_same(app: FastAPI) -> None:
    (theirs,) = body(app, "/v2/translate", text=[TEXT], source_lang="EN", target_lang="IT")[
        "translations"
    ]
    form = ask(app, "POST", "/translate", data={"q": TEXT, **EN_IT}).json()
    assert theirs["text"] == form["translatedText"] != ""


@pytest.mark.parametrize(("kind", "codes"), [("source", {"DE", "EN"}), ("target", {"DE", "IT"})])
def test_deepls_list_has_them_too(app: FastAPI, kind: str, codes: set[str]) -> None:
    languages = ask(app, "GET", f"/v2/languages?type={kind}").json()
    assert {language["language"] for language in languages} == codes


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/attention", {"q": TEXT}),
        ("/attention", {"q": TEXT, "translation": TEXT}),
        ("/translate", {"q": TEXT, "attention": True}),
        ("/attention", {"q": TEXT, "contrast": TEXT}),
        ("/attention", {"q": TEXT, "translation": TEXT, "contrast": TEXT}),
        ("/attention", {"q": TEXT, "without_heads": HEADS}),
        ("/translate", {"q": TEXT, "prefix": "Ein"}),
        ("/translate", {"q": TEXT, "search": True}),
        ("/translate", {"q": TEXT, "without_heads": HEADS}),
        ("/score", {"pairs": PAIRS}),
        ("/score", {"pairs": PAIRS, "without_heads": HEADS}),
    ],
)
def test_what_needs_one_model_is_refused_and_says_whom_to_ask(
    app: FastAPI, path: str, parameters: dict[str, object]
) -> None:
    reply = ask(app, "POST", path, json={**EN_IT, **parameters})
    assert (reply.status_code, reply.json()["code"]) == (400, "unsupported_language")
    assert "ask for en->de or de->it" in reply.json()["error"]


def test_a_detected_source_has_searches_and_contrasts(app: FastAPI) -> None:
    """Heads only where the model is known before the language: with a given translation."""
    asked: dict[str, Any] = {"q": ENGLISH, "source": "auto", "target": "de"}
    assert body(app, "/translate", search=True, **asked)["details"][0]["search"]["steps"]
    given = {"translation": "eins", **asked}
    found = body(app, "/attention", contrast="zwei", **given)
    assert found["contrast"]["steps"]
    without = body(app, "/attention", without_heads=HEADS, **given)
    assert without["token_scores"] != found["token_scores"]
    for path in ("/translate", "/attention"):
        reply = ask(app, "POST", path, json={**asked, "without_heads": HEADS})
        assert reply.status_code == 400
        assert "without_heads is about one model: name the source" in reply.json()["error"]


def test_a_stream_has_the_route(app: FastAPI) -> None:
    reply = ask(
        app, "POST", "/translate", json={"q": TEXT, "stream": True, "details": True, **EN_IT}
    )
    assert reply.status_code == 200
    assert reply.text.count('"route"') == 1
