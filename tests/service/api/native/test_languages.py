"""What a client asks before it translates."""

from importlib.util import find_spec

import pytest

from service.api.native.languages import SettingsReply
from service.api.replies.translation import DetectionReply
from tests.service.api.fakes import UpperCaser, app_with, ask


@pytest.mark.parametrize("encoding", ["json", "data", "params"])
def test_detected_languages_come_best_first(encoding: str) -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/detect", **{encoding: {"q": "Guten Tag"}})
    assert reply.json() == [
        {"confidence": 90.0, "language": "de"},
        {"confidence": 10.0, "language": "en"},
    ]
    assert [DetectionReply.model_validate(x).model_dump() for x in reply.json()] == reply.json()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "Invalid request: missing q parameter"),
        ({"q": ""}, "Invalid request: missing q parameter"),
        ({"q": ["a"]}, "q: Input should be a valid string"),
        ({"q": 5}, "q: Input should be a valid string"),
        ({"q": "x" * 21}, "Invalid request: request (21) exceeds text limit (20)"),
    ],
)
def test_wrong_text_to_detect_is_refused(parameters: dict[str, object], message: str) -> None:
    reply = ask(app_with(UpperCaser(), max_text_chars=20), "POST", "/detect", json=parameters)
    assert reply.status_code == 400
    assert message in reply.json()["error"]


def test_languages_are_answered_to_a_form_body_too() -> None:
    reply = ask(app_with(UpperCaser()), "GET", "/languages", data={"api_key": ""})
    assert (reply.status_code, reply.json()) == (200, [])


@pytest.mark.parametrize(("keys", "is_required"), [("", False), ("key-of-the-tests", True)])
def test_page_is_told_limits_and_whether_a_key_is_needed(keys: str, is_required: bool) -> None:
    app = app_with(UpperCaser(), api_keys=keys, max_text_chars=77)
    reply = ask(app, "GET", "/frontend/settings").json()
    assert SettingsReply.model_validate(reply).model_dump() == reply
    assert (reply["keyRequired"], reply["apiKeys"]) == (is_required, is_required)
    assert reply["charLimit"] == 77
    assert {".srt", ".vtt", ".csv", ".tsv", ".properties", ".strings", ".xliff", ".xlf"} <= set(
        reply["supportedFilesFormat"]
    )
    for suffix, library in ((".pdf", "pypdfium2"), (".yaml", "yaml"), (".yml", "yaml")):
        is_there = find_spec(library) is not None
        assert (suffix in reply["supportedFilesFormat"]) == is_there
    assert reply["language"]["source"] == {"code": "auto", "name": "Auto Detect"}


def test_health_is_what_libretranslate_says() -> None:
    assert ask(app_with(UpperCaser()), "GET", "/health").json() == {"status": "ok"}
