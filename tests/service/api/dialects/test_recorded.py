"""Each client's request is understood, charged, and answered as the client reads it."""

from typing import Any

import httpx
import pytest

from service.errors import DeadlineExceededError, OverloadedError
from service.translation.values import TranslateRequest
from tests.service.api.dialects.recorded import KEY, RECORDED, Recorded
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of

each = pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.client)


def _send(app: Any, recorded: Recorded) -> httpx.Response:  # noqa: ANN401 - any ASGI app
    return ask(app, recorded.method, recorded.path, **recorded.options)


def _read(recorded: Recorded, reply: httpx.Response) -> object:
    """What the client takes from a reply."""
    if isinstance(recorded.reply, str):
        return reply.text
    read = reply.json()
    if isinstance(recorded.reply, list):
        return read[: len(recorded.reply)]
    assert isinstance(read, dict)
    if recorded.path.startswith("/deeplx"):
        assert (read["code"], read["method"]) == (200, "Free")
        assert isinstance(read["id"], int)
        return {name: read[name] for name in recorded.reply}
    return {name: read[name] for name in recorded.takes or read}


@each
def test_request_is_understood(recorded: Recorded) -> None:
    translator = UpperCaser()
    reply = _send(app_with(translator, api_keys=KEY), recorded)
    assert reply.status_code == 200, reply.text
    assert _read(recorded, reply) == recorded.reply
    (asked,) = translator.requests
    assert isinstance(asked, TranslateRequest)
    assert (asked.source, asked.target) == (recorded.source, recorded.target)
    assert asked.texts == recorded.texts
    assert asked.markup is None


@each
def test_characters_count_for_the_key(recorded: Recorded) -> None:
    num_chars = sum(map(len, recorded.texts))
    app = app_with(UpperCaser(), api_keys=KEY, max_chars_per_key=2 * num_chars - 1)
    assert [_send(app, recorded).status_code for _ in range(2)] == [200, 429]
    usage = ask(app, "GET", "/v2/usage", headers={"Authorization": f"Bearer {KEY}"}).json()
    assert usage["character_count"] == num_chars


@each
def test_a_server_with_another_key_refuses(recorded: Recorded) -> None:
    reply = _send(app_with(UpperCaser(), api_keys="another-key-of-the-tests"), recorded)
    assert (reply.status_code, _message(recorded, reply)) == (403, "Invalid API key")


@each
def test_a_deadline_and_an_overload_have_the_dialects_shape(recorded: Recorded) -> None:
    for error, status in (
        (DeadlineExceededError("too late"), 504),
        (OverloadedError("full", retry_after_s=3), 429),
    ):

        async def fail(error: Exception = error) -> None:
            raise error

        reply = _send(app_with(UpperCaser(before=fail), api_keys=KEY), recorded)
        assert (reply.status_code, _message(recorded, reply)) == (status, str(error))
        assert reply.headers.get("Retry-After") == ("3" if status == 429 else None)


@each
def test_request_takes_room_among_the_requests(recorded: Recorded) -> None:
    taken = []

    async def look() -> None:
        taken.append(parts_of(app).request_limit.is_full("127.0.0.1"))

    app = app_with(UpperCaser(before=look), api_keys=KEY, max_requests=2)
    assert _send(app, recorded).status_code == 200
    assert taken == [True]


def _message(recorded: Recorded, reply: httpx.Response) -> str:
    """The text of an error, where the dialect has it; fails if the shape is another's."""
    if recorded.path.startswith("/plain"):
        assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
        return reply.text
    content = reply.json()
    if recorded.path.startswith("/deeplx"):
        assert content.keys() == {"code", "message"}
        assert content["code"] == reply.status_code
        return str(content["message"])
    if "/translate" in recorded.path and "/mtran" not in recorded.path:
        error = content["error"]
        assert error["code"] == reply.status_code
        assert error["message"] == error["errors"][0]["message"]
        return str(error["message"])
    assert content.keys() == {"error", "code"}
    return str(content["error"])
