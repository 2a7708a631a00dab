"""DeepL's dialect: what it reads, what it gives, and how it says no."""

import asyncio
from typing import Any

import pytest

from service.api.deepl.routes import TIMEOUT_S, source_names, target_names
from service.errors import DeadlineExceededError
from service.text.markup.passage import MarkupOptions
from service.translation.values import TranslateRequest
from tests.service.api.fakes import UpperCaser, app_with, ask

BASE = {"text": ["hello"], "source_lang": "EN", "target_lang": "DE"}


@pytest.mark.parametrize("path", ["/v2/translate", "/deepl/v2/translate"])
@pytest.mark.parametrize("encoding", ["json", "data", "params"])
def test_texts_come_in_every_encoding(path: str, encoding: str) -> None:
    body = BASE | {"text": ["hello", "grüß dich"]}
    reply = ask(app_with(UpperCaser()), "POST", path, **{encoding: body})
    assert reply.json() == {
        "translations": [
            {"detected_source_language": "EN", "text": "HELLO", "billed_characters": 5},
            {"detected_source_language": "EN", "text": "GRÜSS DICH", "billed_characters": 9},
        ]
    }


def test_language_is_found_out_if_it_is_not_given() -> None:
    body = {"text": ["hello"], "target_lang": "EN-GB"}
    reply = ask(app_with(UpperCaser()), "POST", "/v2/translate", json=body).json()
    assert reply["translations"][0]["detected_source_language"] == "DE"


@pytest.mark.parametrize(
    ("parameters", "field", "value"),
    [
        ({}, "source", "en"),
        ({"source_lang": None}, "source", "auto"),
        ({"target_lang": "EN-US"}, "target", "en-us"),
        ({"target_lang": "pt-br"}, "target", "pt-br"),
        ({}, "timeout_s", TIMEOUT_S),
        ({}, "splitting", "sentences"),
        ({"split_sentences": "0"}, "splitting", "none"),
        ({"split_sentences": 0}, "splitting", "none"),
        ({"split_sentences": "1"}, "splitting", "sentences"),
        ({"split_sentences": "nonewlines"}, "unwrap", True),
        ({"split_sentences": "nonewlines", "tag_handling": "html"}, "unwrap", False),
        ({"formality": "prefer_more"}, "texts", ("hello",)),
        ({"text": ["", "a"]}, "texts", ("", "a")),
        ({"context": "x", "preserve_formatting": True, "new": [1]}, "texts", ("hello",)),
        ({}, "markup", None),
        ({"tag_handling": "html"}, "markup", MarkupOptions()),
        (
            {"tag_handling": "xml", "ignore_tags": ["X", "y"], "splitting_tags": "p, q"},
            "markup",
            MarkupOptions(kind="xml", ignore_tags=frozenset("xy"), splitting_tags=frozenset("pq")),
        ),
    ],
)
def test_translator_is_asked_for_what_the_client_wants(
    parameters: dict[str, Any], field: str, value: object
) -> None:
    translator = UpperCaser()
    reply = ask(app_with(translator), "POST", "/v2/translate", json=BASE | parameters)
    assert reply.status_code == 200, reply.text
    (request,) = translator.requests
    assert isinstance(request, TranslateRequest)
    assert getattr(request, field) == value


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"text": []}, "missing text parameter"),
        ({"text": None}, "missing text parameter"),
        ({"text": [5]}, "text: Input should be a text or a list of texts"),
        ({"target_lang": ""}, "missing target_lang parameter"),
        ({"formality": "more"}, "formality: no language has it"),
        ({"formality": "less"}, "formality: no language has it"),
        ({"formality": "polite"}, "formality: Input should be 'default'"),
        ({"tag_handling": "md"}, "tag_handling: Input should be 'html' or 'xml'"),
        ({"ignore_tags": [5]}, "ignore_tags: Input should be a list of names"),
        ({"split_sentences": "2"}, "split_sentences: Input should be '0', '1' or 'nonewlines'"),
        ({"glossary_id": "x", "source_lang": None}, "source_lang is required with a glossary"),
        ({"glossary_id": "x", "glossary_ids": ["y"]}, "glossary_id or glossary_ids, not both"),
        ({"glossary_ids": ["x"] * 6}, "glossary_ids: Tuple should have at most 5 items"),
        ({"glossary_id": "x" * 101}, "glossary_id: String should have at most 100 characters"),
        ({"style_id": "x"}, "style_id: it is not supported"),
        ({"text": ["x"] * 4}, "text has 4 texts; the limit is 3"),
        ({"text": ["x" * 21]}, "request (21) exceeds text limit (20)"),
    ],
)
def test_wrong_parameters_are_named_in_a_string(parameters: dict[str, Any], message: str) -> None:
    app = app_with(UpperCaser(), max_text_chars=20, max_texts=3)
    reply = ask(app, "POST", "/v2/translate", json=BASE | parameters)
    assert (reply.status_code, set(reply.json())) == (400, {"message"})
    assert message in reply.json()["message"]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 403),
        ({"headers": {"Authorization": "DeepL-Auth-Key no"}}, 403),
        ({"headers": {"Authorization": "DeepL-Auth-Key key-of-the-tests"}}, 200),
        ({"params": {"auth_key": "key-of-the-tests"}}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/v2/usage", "/v2/languages", "/deepl/v2/usage"])
def test_key_decides(path: str, given: dict[str, Any], status: int) -> None:
    reply = ask(app_with(UpperCaser(), api_keys="key-of-the-tests"), "GET", path, **given)
    assert reply.status_code == status
    assert status == 200 or set(reply.json()) == {"message"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/v2/nothing", {}, 404),
        ("GET", "/deepl/v2/nothing", {}, 404),
        ("POST", "/v2/glossaries", {}, 400),
        ("PATCH", "/v3/glossaries/x", {"json": {"name": "n"}}, 404),
        ("DELETE", "/v3/glossaries/x", {}, 404),
        ("GET", "/v3/glossaries/x/entries", {}, 400),
        ("GET", "/v3/nothing", {}, 404),
        ("POST", "/v2/document", {}, 400),
        ("POST", "/v2/document/x", {}, 400),
        ("POST", "/v2/document/x/result", {"json": {"document_key": "y"}}, 404),
        ("POST", "/v2/translate", {"json": BASE | {"glossary_id": "x"}}, 404),
        ("GET", "/v2/translate", {}, 400),
        ("POST", "/v2/translate", {"content": "{"}, 400),
        ("POST", "/v2/translate", {"content": b"x" * 2_000_000}, 400),
        ("GET", "/v2/languages", {"params": {"type": "both"}}, 400),
    ],
)
def test_every_no_has_a_status_that_the_client_knows(
    method: str, path: str, options: dict[str, Any], status: int
) -> None:
    reply = ask(app_with(UpperCaser()), method, path, **options)
    assert reply.status_code == status
    assert isinstance(reply.json()["message"], str)


def _miss() -> asyncio.Future[None]:
    raise DeadlineExceededError("not finished within 9 s")


def _crash() -> asyncio.Future[None]:
    raise ZeroDivisionError


@pytest.mark.parametrize("before", [_miss, _crash])
def test_failures_are_503_so_that_the_client_tries_again(before: Any) -> None:  # noqa: ANN401
    reply = ask(app_with(UpperCaser(before=before)), "POST", "/v2/translate", json=BASE)
    assert (reply.status_code, set(reply.json())) == (503, {"message"})


def test_usage_counts_what_was_translated() -> None:
    app = app_with(UpperCaser(), api_keys="key-of-the-tests", max_chars_per_key=100)
    key = {"Authorization": "DeepL-Auth-Key key-of-the-tests"}
    ask(app, "POST", "/v2/translate", json=BASE, headers=key)
    usage = ask(app, "GET", "/v2/usage", headers=key).json()
    assert usage == {"character_count": 5, "character_limit": 100}


def test_languages_have_deepls_names() -> None:
    assert source_names(["en", "pt-br"]) == {"EN": "English", "PT": "Portuguese"}
    assert list(target_names(["de", "en"])) == ["DE", "EN-GB", "EN-US"]


def test_a_glossary_is_created_however_its_languages_are_spelt() -> None:
    terms = {"name": "n", "entries": "a\tb", "source_lang": "en_GB", "target_lang": "deu"}
    app = app_with(UpperCaser())
    created = ask(app, "POST", "/v2/glossaries", json=terms).json()
    assert (created["source_lang"], created["target_lang"]) == ("en", "deu")
    body = BASE | {"glossary_id": created["glossary_id"]}
    assert ask(app, "POST", "/v2/translate", json=body).status_code == 200
    same = ask(app, "POST", "/v2/glossaries", json=terms | {"target_lang": "eng"})
    assert (same.status_code, "are both en" in same.text) == (400, True)


@pytest.mark.parametrize(
    ("path", "terms"),
    [
        ("/v2/glossaries", {"source_lang": "EN", "target_lang": "DE", "entries": "a\tb"}),
        (
            "/v3/glossaries",
            {
                "dictionaries[0].source_lang": "EN",
                "dictionaries[0].target_lang": "DE",
                "dictionaries[0].entries": "a\tb",
            },
        ),
    ],
)
def test_page_of_another_server_makes_no_glossary_where_no_key_is_needed(
    path: str, terms: dict[str, str]
) -> None:
    app = app_with(UpperCaser(), cors_origins="https://own.example")
    for origin, status in (
        ("https://elsewhere.example", 403),
        ("null", 403),
        ("http://test", 201),
        ("https://own.example", 201),
    ):
        form = terms | {"name": "n"}
        reply = ask(app, "POST", path, data=form, headers={"Origin": origin})
        assert reply.status_code == status, origin
    assert ask(app, "POST", path, data=form).status_code == 201
