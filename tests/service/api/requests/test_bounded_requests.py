"""What one request of at most the body limit costs: a small reply, nothing with a wrong key."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from service.api.refusals.problems import MAX_ERROR_CHARS
from service.api.requests.parameters import MAX_FAULTS, MAX_FIELDS, MAX_LIST_COMMAS
from tests.service.api.fakes import UpperCaser, app_with, ask

MEBIBYTE = 1_048_576
MAX_ERROR_BYTES = 4_096
PAIR = {"source": "en", "target": "de"}
BASE = {"q": "hello", **PAIR}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def _list(item: str) -> str:
    """A JSON list of as many items as a body may hold."""
    return "[" + ",".join([item] * ((MEBIBYTE - 400) // (len(item) + 1))) + "]"


def _body(**values: str) -> str:
    """A request as JSON, with values that are JSON already."""
    fields = {name: json.dumps(value) for name, value in BASE.items()} | values
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


HUGE = {
    "kinds": ("/translate", _body(attention=f'{{"kinds":{_list("1")}}}')),
    "layers": ("/translate", _body(attention=f'{{"layers":{_list("[]")}}}')),
    "many layers": ("/attention", _body(layers=_list("0"))),
    "kinds of an inspection": ("/attention", _body(kinds=_list("1"))),
    "texts that are none": ("/translate", _body(q=_list("1"))),
    "empty texts": ("/translate", _body(q=_list('""'))),
    "prefixes": ("/translate", _body(prefix=_list('""'))),
    "glossary": ("/translate", _body(glossary=_list("{}"))),
    "pairs": ("/score", _body(pairs=_list("{}"))),
    "format": ("/translate", _body(format=json.dumps("x" * (MEBIBYTE - 200)))),
    "source": ("/translate", _body(source=json.dumps("x" * (MEBIBYTE - 200)))),
    "number": ("/translate", _body(beam_size="1" * (MEBIBYTE - 200))),
    "control characters": ("/translate", _body(format=json.dumps("\x01" * 170_000))),
    "deepl texts": ("/v2/translate", f'{{"target_lang":"DE","text":{_list("1")}}}'),
    "deepl tags": ("/v2/translate", _body(text='"a"', target_lang='"DE"', ignore_tags=_list("1"))),
    "deepl tag names": (
        "/v2/translate",
        _body(text='"a"', target_lang='"DE"', ignore_tags=json.dumps("a," * 500_000)),
    ),
}


@pytest.mark.parametrize(("path", "body"), HUGE.values(), ids=HUGE.keys())
def test_a_reply_to_a_huge_mistake_is_small(path: str, body: str) -> None:
    assert len(body) <= MEBIBYTE
    reply = ask(app_with(UpperCaser()), "POST", path, content=body, headers=JSON)
    assert reply.status_code == 400
    assert len(reply.content) <= MAX_ERROR_BYTES


def test_a_reply_names_some_of_many_faults() -> None:
    names = (
        "beam_size length_penalty max_target_tokens max_length_factor unwrap min_target_tokens "
        "no_repeat_ngram_size details alignment stream deadline_ms format alternatives glossary"
    )
    parameters = dict.fromkeys(names.split(), "x")
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=BASE | parameters)
    assert reply.status_code == 400
    assert len(reply.json()["error"]) <= MAX_ERROR_CHARS
    assert reply.json()["error"].count(": ") <= MAX_FAULTS + 1


@pytest.mark.parametrize("item", ["1", '"a"', "{}", '""'])
def test_a_list_that_is_too_long_for_any_is_not_parsed(item: str) -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/translate", content=_list(item), headers=JSON)
    assert reply.status_code == 400
    # Not that it is no object, which the parser would find.
    assert "commas" in reply.json()["error"]


def test_as_many_commas_as_lists_and_texts_may_have_are_understood() -> None:
    q = ["a," * 30] * 500
    glossary = [
        {"source": f"term {n}", "target": ",".join("abcdefghijklmnopqrstuvwx")} for n in range(999)
    ]
    asked = BASE | {"q": q, "glossary": glossary}
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=asked)
    assert reply.status_code == 200
    assert len(reply.json()["translatedText"]) == 500


def test_a_table_may_have_more_commas_than_texts() -> None:
    app = app_with(UpperCaser(), api_keys=["right-key-of-some-length"])
    entries = "\n".join(f"{n},{n}" for n in range(MAX_LIST_COMMAS + 31_000))
    languages = {"source_lang": "en", "target_lang": "de"}
    body = {"name": "x", **languages, "entries": entries, "entries_format": "csv"}
    headers = {"Authorization": "DeepL-Auth-Key right-key-of-some-length"}
    reply = ask(app, "POST", "/v2/glossaries", json=body, headers=headers)
    assert "5,000 terms" in reply.json()["message"], "it was parsed"


@pytest.mark.parametrize("where", ["content", "params"])
def test_a_form_has_a_limited_number_of_fields(where: str) -> None:
    fields = "&".join(f"a{number}=1" for number in range(MAX_FIELDS + 1))
    options: dict[str, Any] = {where: fields}
    reply = ask(app_with(UpperCaser()), "POST", "/translate", headers=FORM, **options)
    assert reply.status_code == 400
    assert f"more than {MAX_FIELDS} fields" in reply.json()["error"]


def test_a_multipart_form_has_a_limited_number_of_fields() -> None:
    field = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    body = field * (MAX_FIELDS + 1) + "--x--\r\n"
    reply = ask(app_with(UpperCaser()), "POST", "/translate", content=body, headers=headers)
    assert reply.status_code == 400
    assert len(reply.content) <= MAX_ERROR_BYTES


@pytest.mark.parametrize("size", [100, 200_000])
def test_large_bodies_are_understood_as_small_ones_are(size: int) -> None:
    app = app_with(UpperCaser(), max_text_chars=300_000)
    reply = ask(app, "POST", "/translate", json=BASE | {"q": "ab " * (size // 3)})
    assert reply.json() == {"translatedText": "AB " * (size // 3)}
    form = ask(app, "POST", "/translate", data=BASE | {"q": "ab " * (size // 3)})
    assert form.json() == reply.json()


def test_the_next_event_loop_may_parse_a_large_body() -> None:
    app = app_with(UpperCaser(), max_text_chars=300_000)
    for _ in range(4):  # each has a loop of its own, and ends before the rest
        reply = ask(app, "POST", "/translate", json=BASE | {"q": "ab " * 60_000})
        assert reply.status_code == 200


@pytest.mark.parametrize("path", ["/translate", "/attention", "/score", "/detect", "/v2/translate"])
def test_a_body_is_not_read_for_a_wrong_key(path: str) -> None:
    app = app_with(UpperCaser(), api_keys=["right-key-of-some-length"])

    async def unread() -> Message:
        raise AssertionError("the body was read")

    status = asyncio.run(_status(app, path, unread, key="wrong"))
    assert status == 403


async def _status(app: FastAPI, path: str, receive: Any, *, key: str) -> int:  # noqa: ANN401 - ASGI's
    sent: list[Any] = []

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": headers,
    }
    await app(scope, receive, send)
    return int(sent[0]["status"])


def test_a_key_among_the_parameters_still_counts() -> None:
    key = "right-key-of-some-length"
    app = app_with(UpperCaser(), api_keys=[key])
    assert _answer(app, api_key=key).status_code == 200
    assert _answer(app, api_key="wrong").status_code == 403
    assert _answer(app).status_code == 400


def _answer(app: FastAPI, **parameters: str) -> httpx.Response:
    return ask(app, "POST", "/translate", json=BASE | parameters)
