"""Whatever is sent, the answer is a 4xx with `{"error", "code"}`: never a 500, never a `detail`."""

import json
from typing import Any

import httpx
import pytest

from tests.service.api.fakes import UpperCaser, app_with, ask

BASE = {"q": "hello", "source": "en", "target": "de"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in BASE.items() if key != name}


def _problem(reply: httpx.Response, status: int) -> str:
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert set(body) == {"error", "code"}
    return str(body["error"])


@pytest.mark.parametrize("path", ["/translate", "/attention"])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "Invalid request: missing q parameter"),
        (_without("q"), "Invalid request: missing q parameter"),
        (_without("target"), "Invalid request: missing target parameter"),
        (BASE | {"q": ""}, "Invalid request: missing q parameter"),
        (BASE | {"q": []}, "Invalid request: missing q parameter"),
        (BASE | {"q": None}, "Invalid request: missing q parameter"),
        (BASE | {"q": 5}, "q: Input should be a text or a list of texts"),
        (BASE | {"q": {"a": 1}}, "q: Input should be a text or a list of texts"),
        (BASE | {"q": ["a", 5]}, "q: Input should be a text or a list of texts"),
        (BASE | {"q": [["a"]]}, "q: Input should be a text or a list of texts"),
        (BASE | {"q": "a\0b"}, "q: a text may not contain a NUL character"),
        (BASE | {"q": ["a", "\0"]}, "q: a text may not contain a NUL character"),
        (BASE | {"source": 5}, "source: Input should be a valid string"),
        (BASE | {"target": ["de"]}, "target: Input should be a valid string"),
        (BASE | {"target": "d" * 99}, "target: String should have at most 35 characters"),
        (BASE | {"deadline_ms": 0}, "deadline_ms: Input should be greater than 0"),
        (BASE | {"deadline_ms": "soon"}, "deadline_ms: Input should be a valid integer"),
        (BASE | {"q": "x" * 21}, "Invalid request: request (21) exceeds text limit (20)"),
        (BASE | {"q": ["x" * 11] * 2}, "Invalid request: request (22) exceeds text limit (20)"),
        (BASE | {"q": ["x"] * 4}, "q has 4 texts; the limit is 3"),
    ],
)
def test_wrong_parameters_are_named(path: str, parameters: dict[str, Any], message: str) -> None:
    app = app_with(UpperCaser(), max_text_chars=20, max_texts=3)
    assert message in _problem(ask(app, "POST", path, json=parameters), 400)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"format": "pdf"}, "format: pdf format is not supported"),
        ({"format": ["html"]}, "format: Input should be a valid string"),
        ({"unwrap": "perhaps"}, "unwrap: Input should be a valid boolean"),
        ({"glossary": "a=b"}, "there is no glossary 'a=b'"),
        ({"glossary": 5}, "glossary: Input should be a valid list"),
        ({"glossary": [{"source": "a"}]}, "missing glossary.0.target parameter"),
        ({"glossary": [{"source": "a", "target": 5}]}, "glossary.0.target: Input should be a"),
        ({"glossary": [{"source": " ", "target": "b"}]}, "glossary entry ' ' -> 'b' is empty"),
        ({"glossary": [{"source": "a", "target": "b\0"}]}, "glossary entry 'a' has a NUL"),
        ({"glossary": [{"source": "a\0", "target": "b"}]}, "has a NUL character or half of a"),
        (
            {"glossary": [{"source": s, "target": s} for s in ("Bank", "bank")]},
            "glossary: the glossary has two targets for 'bank'",
        ),
        (
            {"glossary": [{"source": "a", "target": "a"}] * 1001},
            "glossary: List should have at most 1000 items",
        ),
        ({"stream": "perhaps"}, "stream: Input should be a valid boolean"),
        ({"stream": True, "alternatives": 1}, "without alternatives, attention and search"),
        ({"stream": True, "attention": True}, "without alternatives, attention and search"),
        ({"stream": True, "without_heads": [["cross", 0, 0]]}, "without without_heads"),
        ({"without_heads": [["cross", 0]]}, "without_heads.0.2"),
        ({"without_heads": [["sideways", 0, 0]]}, "without_heads.0.0"),
        ({"without_heads": [["cross", -1, 0]]}, "without_heads.0.1"),
        ({"stream": True, "search": True}, "without alternatives, attention and search"),
        ({"alternatives": "many"}, "alternatives: Input should be a valid integer"),
        ({"alternatives": 3}, "alternatives parameter must be <= 2"),
        ({"beam_size": 0}, "beam_size: Input should be greater than or equal to 1"),
        ({"beam_size": 9}, "beam_size: Input should be less than or equal to 8"),
        ({"beam_size": 1.5}, "beam_size: Input should be a valid integer"),
        ({"length_penalty": -1}, "length_penalty: Input should be greater than or equal to 0"),
        ({"length_penalty": 1e300}, "length_penalty: Input should be less than or equal to 10"),
        ({"max_target_tokens": 0}, "max_target_tokens: Input should be greater than 0"),
        ({"details": "perhaps"}, "details: Input should be a valid boolean"),
        ({"attention": "perhaps"}, "attention: Input should be a valid dictionary"),
        ({"attention": {"kinds": ["all"]}}, "'encoder', 'decoder' or 'cross'"),
        ({"attention": {"heads": "x"}}, "attention.heads: Input should be a valid list"),
        ({"beam_size": 0, "details": 7}, "beam_size: Input should be greater"),
        ({"beam_size": 0, "details": 7}, "; details: Input should be a valid boolean"),
    ],
)
def test_wrong_options_of_translate_are_named(parameters: dict[str, Any], message: str) -> None:
    app = app_with(UpperCaser(), max_alternatives=2)
    assert message in _problem(ask(app, "POST", "/translate", json=BASE | parameters), 400)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kinds": ["all"]}, "'encoder', 'decoder' or 'cross'"),
        ({"layers": [0.5]}, "layers.0: Input should be a valid integer"),
        ({"reduce": "some"}, "reduce: Input should be 'none', 'heads' or 'all'"),
        ({"translation": ["a"]}, "translation must be one text, or as many as q has"),
        ({"q": ["a", "b"], "translation": ["a"]}, "translation must be one text, or as many"),
        ({"q": ["a"], "translation": "a"}, "translation must be one text, or as many"),
        ({"translation": "a\0"}, "translation: a text may not contain a NUL character"),
        ({"translation": "x" * 30_000}, "request (30005) exceeds text limit (30000)"),
    ],
)
def test_wrong_options_of_attention_are_named(parameters: dict[str, Any], message: str) -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/attention", json=BASE | parameters)
    assert message in _problem(reply, 400)


@pytest.mark.parametrize("path", ["/translate", "/attention"])
@pytest.mark.parametrize(
    ("content", "headers", "message"),
    [
        (b"", JSON, "the body is not valid JSON"),
        (b"{", JSON, "the body is not valid JSON"),
        (b"[]", JSON, "the JSON body must be an object"),
        (b'"q"', JSON, "the JSON body must be an object"),
        (b'{"q": NaN}', JSON, "the body is not valid JSON"),
        (b'{"q": Infinity}', JSON, "the body is not valid JSON"),
        (b'{"q": "\\ud800"}', JSON, "the body is not valid JSON"),
        (b'{"q": "a\nb"}', JSON, "the body is not valid JSON"),
        (b'{"q": ' + b"9" * 6000 + b"}", JSON, "the body is not valid JSON"),
        (b"[" * 100_000, JSON, "the body is not valid JSON"),
        (b'{"q": "\xff"}', JSON, "byte 7 of the body is not UTF-8"),
        (b"q=\xff&source=en&target=de", FORM, "byte 2 of the body is not UTF-8"),
        (b"q=%FF&source=en&target=de", FORM, "a parameter is not UTF-8"),
        (b"q=%ED%A0%80&source=en&target=de", FORM, "a parameter is not UTF-8"),
        (b"q=%00&source=en&target=de", FORM, "NUL character"),
        (json.dumps(BASE).encode(), FORM, "send the header 'Content-Type: application/json'"),
        (json.dumps(BASE).encode(), {}, "send the header 'Content-Type: application/json'"),
        (b"hello", {"Content-Type": "text/plain"}, "Content-Type must be application/json"),
        (b"hello", {}, "Content-Type must be application/json"),
        (b"hello", MULTIPART, "Invalid request"),
        (b"hello", {"Content-Type": "multipart/form-data"}, "Invalid request"),
        (
            b'--x\r\nContent-Disposition: form-data; name="q"; filename="f"\r\n\r\nhi\r\n--x--\r\n',
            MULTIPART,
            "a file was sent where text is expected",
        ),
    ],
)
def test_unreadable_bodies_are_explained(
    path: str, content: bytes, headers: dict[str, str], message: str
) -> None:
    reply = ask(app_with(UpperCaser()), "POST", path, content=content, headers=headers)
    assert message in _problem(reply, 400)


def test_huge_numbers_are_no_crash() -> None:
    for number in (b"1e999", b"-1e999", b"1" * 4000):
        for field in (b"beam_size", b"length_penalty", b"max_target_tokens", b"deadline_ms"):
            body = b'{"q":"a","source":"en","target":"de","' + field + b'":' + number + b"}"
            reply = ask(app_with(UpperCaser()), "POST", "/translate", content=body, headers=JSON)
            assert reply.status_code in (200, 400), (field, number[:9], reply.text)


def test_megabyte_of_text_is_over_the_limit() -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=BASE | {"q": "x" * 1_000_000})
    assert _problem(reply, 400) == ("Invalid request: request (1000000) exceeds text limit (30000)")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/translate", "POST"),
        ("DELETE", "/translate", "POST"),
        ("POST", "/languages", "GET, HEAD"),
        ("GET", "/detect", "POST"),
        ("BREW", "/livez", "GET, HEAD"),
    ],
)
def test_wrong_method_says_which_is_right(method: str, path: str, allowed: str) -> None:
    reply = ask(app_with(UpperCaser()), method, path)
    assert _problem(reply, 405) == f"{method} is not allowed here; allowed: {allowed}"
    assert reply.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/nothing", "/translate/", "/%00", "/%FF", "/../etc/passwd"])
def test_unknown_path_is_404(path: str) -> None:
    assert "/docs" in _problem(ask(app_with(UpperCaser()), "GET", path), 404)
