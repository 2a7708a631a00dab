"""What is wrong with a request of a dialect is said in its shape, and what is odd is understood."""

import json
from typing import Any

import pytest

from service.api.refusals.problems import GoogleProblem, problem_content
from service.text.markup.passage import MarkupOptions
from service.translation.values import TranslateRequest
from tests.service.api.fakes import UpperCaser, app_with, ask

CLOUD = "/google/language/translate/v2"
PAIR = {"from": "en", "to": "de"}
DEEPLX = {"text": "hello", "target_lang": "DE"}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/deeplx/translate", {"target_lang": "DE"}, "missing text parameter"),
        ("/deeplx/translate", {"text": "hello"}, "missing target_lang parameter"),
        ("/deeplx/translate", DEEPLX | {"text": ["a"]}, "text: Input should be a valid string"),
        ("/deeplx/translate", DEEPLX | {"text": "a\0b"}, "text: a text may not contain a NUL"),
        ("/deeplx/translate", DEEPLX | {"tag_handling": "md"}, "tag_handling: Input should be"),
        ("/deeplx/translate", DEEPLX | {"text": "x" * 21}, "exceeds text limit (20)"),
        ("/immersive", {"target_lang": "de"}, "missing text_list parameter"),
        ("/immersive", {"target_lang": "de", "text_list": "a"}, "text_list: Input should be"),
        ("/immersive", {"target_lang": "de", "text_list": ["a", 5]}, "text_list: Input should be"),
        ("/immersive", {"target_lang": "de", "text_list": ["a"] * 4}, "text_list has 4 texts"),
        ("/kiss", PAIR, "send either text or texts"),
        ("/kiss", PAIR | {"text": "a", "texts": ["b"]}, "send either text or texts"),
        ("/kiss", {"text": "a"}, "missing to parameter"),
        ("/kiss", PAIR | {"texts": ["a"] * 4}, "texts has 4 texts; the limit is 3"),
        ("/mtran/translate", PAIR, "missing text parameter"),
        ("/mtran/translate", PAIR | {"text": "a", "html": "x"}, "html: Input should be a valid"),
        ("/mtran/translate/batch", PAIR | {"text": "a"}, "missing texts parameter"),
        (CLOUD, {"q": "a"}, "missing target parameter"),
        (CLOUD, {"q": [["a"]], "target": "de"}, "q: Input should be a text or a list of texts"),
        (CLOUD, {"q": ["a"] * 4, "target": "de"}, "q has 4 texts; the limit is 3"),
        (CLOUD, {"q": "a", "target": "de", "format": "md"}, "format: Input should be 'html'"),
        (CLOUD + "/detect", {}, "missing q parameter"),
    ],
)
def test_a_fault_is_named(path: str, body: dict[str, Any], message: str) -> None:
    app = app_with(UpperCaser(), max_text_chars=20, max_texts=3)
    reply = ask(app, "POST", path, json=body)
    assert reply.status_code == 400
    content = reply.json()
    error = content["error"] if "error" in content else content["message"]
    assert message in (error["message"] if isinstance(error, dict) else error)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/plain?to=de", "missing text parameter"),
        ("/plain?text=a", "missing to parameter"),
        ("/plain?text=%FF&to=de", "a parameter is not UTF-8"),
        ("/google/translate_a/single?q=a", "missing tl parameter"),
        ("/translate_a/single?tl=de", "missing q parameter"),
    ],
)
def test_a_fault_of_an_address_is_named(path: str, message: str) -> None:
    reply = ask(app_with(UpperCaser()), "GET", path)
    assert reply.status_code == 400
    assert message in reply.text


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/deeplx/nothing", {"code", "message"}),
        ("/google/nothing", {"error"}),
        ("/immersive/nothing", {"error", "code"}),
    ],
)
def test_what_is_not_there_is_missed_in_the_dialect(path: str, shape: set[str]) -> None:
    reply = ask(app_with(UpperCaser()), "GET", path)
    assert (reply.status_code, set(reply.json())) == (404, shape)


def test_googles_error_has_a_word_for_its_status() -> None:
    reply = ask(app_with(UpperCaser(), api_keys="key-of-the-tests"), "POST", f"{CLOUD}?key=no")
    assert reply.json() == {
        "error": {
            "code": 403,
            "message": "Invalid API key",
            "status": "PERMISSION_DENIED",
            "errors": [{"message": "Invalid API key", "domain": "global", "reason": "invalid_key"}],
        }
    }


@pytest.mark.parametrize("path", ["/deeplx", "/immersive", "/kiss", "/mtran/translate", CLOUD])
def test_an_error_is_small_whatever_it_quotes(path: str) -> None:
    body = dict.fromkeys(("to", "target", "target_lang", "from", "source"), "😀" * 36)
    texts = {"text": "a", "text_list": ["a"], "q": "a", "html": "\U0001f600" * 5000}
    reply = ask(app_with(UpperCaser()), "POST", path, json=body | texts)
    assert reply.status_code == 400
    assert len(reply.content) <= 4096


def test_googles_error_is_small_where_the_text_is_long() -> None:
    content = problem_content(GoogleProblem, 400, "invalid_request", "\U0001f600" * 600)
    assert len(json.dumps(content, ensure_ascii=False).encode()) <= 4096


def test_a_wrong_key_in_the_address_is_refused_before_the_body() -> None:
    app = app_with(UpperCaser(), api_keys="key-of-the-tests")
    reply = ask(app, "POST", "/immersive?token=wrong", content="{")
    assert reply.status_code == 403
    assert ask(app, "POST", "/immersive", content="{").status_code == 400


@pytest.mark.parametrize("given", ["Bearer", "Bearer ", "DeepL-Auth-Key", "Basic", "Basic !"])
def test_a_scheme_alone_is_no_key(given: str) -> None:
    app = app_with(UpperCaser(), api_keys="key-of-the-tests")
    headers = {"Authorization": given}
    reply = ask(app, "POST", "/deeplx/translate", json=DEEPLX, headers=headers)
    assert reply.status_code == 400
    assert "operator" in reply.json()["message"]
    path = "/deeplx/translate?token=key-of-the-tests"
    assert ask(app, "POST", path, json=DEEPLX, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("credentials", "status"),
    [("cGVsbHVjaWQ6d3Jvbmc=", 403), ("cGVsbHVjaWQ=", 400), ("//8=", 400)],
    ids=["wrong", "none", "no text"],
)
def test_a_password_is_a_key(credentials: str, status: int) -> None:
    app = app_with(UpperCaser(), api_keys="key-of-the-tests")
    headers = {"Authorization": f"Basic {credentials}"}
    reply = ask(app, "POST", "/deeplx/translate", json=DEEPLX, headers=headers)
    assert reply.status_code == status


@pytest.mark.parametrize(
    ("path", "body", "markup"),
    [
        ("/deeplx", DEEPLX | {"tag_handling": "html"}, MarkupOptions()),
        ("/deeplx", DEEPLX | {"tag_handling": "xml"}, MarkupOptions(kind="xml")),
        ("/mtran/translate", PAIR | {"text": "a", "html": True}, MarkupOptions()),
        (CLOUD, {"q": "a", "target": "de", "format": None}, MarkupOptions()),
        (CLOUD, {"q": "a", "target": "de", "format": "html"}, MarkupOptions()),
        (CLOUD, {"q": "a", "target": "de", "format": "text"}, None),
    ],
)
def test_markup_is_asked_for(path: str, body: dict[str, Any], markup: MarkupOptions | None) -> None:
    translator = UpperCaser()
    assert ask(app_with(translator), "POST", path, json=body).status_code == 200
    (asked,) = translator.requests
    assert isinstance(asked, TranslateRequest)
    assert asked.markup == markup


@pytest.mark.parametrize(("most", "count"), [(7, 3), (2, 2), (0, 0)])
def test_deeplx_has_alternatives_within_the_limit(most: int, count: int) -> None:
    app = app_with(UpperCaser(), max_alternatives=most)
    reply = ask(app, "POST", "/deeplx", json=DEEPLX).json()
    assert reply["alternatives"] == [f"HELLO {n}" for n in range(count)]


def test_google_detects_each_text() -> None:
    reply = ask(app_with(UpperCaser()), "POST", CLOUD + "/detect", json={"q": ["a", "b"]})
    found = [{"language": "de", "confidence": 0.9, "isReliable": False}]
    assert reply.json() == {"data": {"detections": [found, found]}}


def test_google_translates_by_get() -> None:
    reply = ask(app_with(UpperCaser()), "GET", f"{CLOUD}?q=a&q=b&target=de&source=en")
    texts = [each["translatedText"] for each in reply.json()["data"]["translations"]]
    assert texts == ["A", "B"]
