"""`POST /suggest` stores what clients suggest, where the operator wants it."""

import os
from pathlib import Path
from typing import Any

import pytest

from service.api.suggestions import SuggestionFile
from service.errors import StartupError
from tests.service.api.fakes import UpperCaser, app_with, ask

BODY = {"q": "Good morning.", "s": "Guten Morgen!", "source": "en", "target": "de"}


def _lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def test_it_is_off_unless_a_file_is_named() -> None:
    app = app_with(UpperCaser())
    reply = ask(app, "POST", "/suggest", data=BODY)
    assert reply.status_code == 403
    assert reply.json()["code"] == "suggestions_disabled"
    assert ask(app, "GET", "/frontend/settings").json()["suggestions"] is False


@pytest.mark.parametrize("encoding", ["json", "data"])
def test_a_suggestion_is_a_line(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "suggestions.tsv"
    app = app_with(UpperCaser(), suggestion_file=path)
    assert ask(app, "GET", "/frontend/settings").json()["suggestions"] is True
    for _ in range(2):
        reply = ask(app, "POST", "/suggest", **{encoding: BODY})
        assert (reply.status_code, reply.json()) == (200, {"success": True})
    assert [line[1:] for line in _lines(path)] == [["en", "de", BODY["q"], BODY["s"]]] * 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_tabs_and_lines_stay_within_a_field(tmp_path: Path) -> None:
    path = tmp_path / "suggestions.tsv"
    body = BODY | {"q": "a\tb\\n\nc", "s": "d\re"}
    app = app_with(UpperCaser(), suggestion_file=path)
    assert ask(app, "POST", "/suggest", json=body).status_code == 200
    ((_, _, _, text, suggestion),) = _lines(path)
    assert (text, suggestion) == (r"a\tb\\n\nc", r"d\re")


def test_it_needs_the_key(tmp_path: Path) -> None:
    path = tmp_path / "suggestions.tsv"
    app = app_with(UpperCaser(), suggestion_file=path, api_keys="key-of-the-tests")
    assert ask(app, "POST", "/suggest", data=BODY).status_code == 400
    assert ask(app, "POST", "/suggest", data=BODY | {"api_key": "no"}).status_code == 403
    given = BODY | {"api_key": "key-of-the-tests"}
    assert ask(app, "POST", "/suggest", data=given).status_code == 200
    assert "key-of-the-tests" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"q": ""}, "missing q parameter"),
        ({"s": None}, "missing s parameter"),
        ({"s": "x" * 41}, "exceeds text limit (40)"),
        ({"source": "x" * 36}, "source: String should have at most 35 characters"),
    ],
)
def test_a_fault_is_named_and_nothing_is_stored(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    path = tmp_path / "suggestions.tsv"
    app = app_with(UpperCaser(), suggestion_file=path, max_text_chars=40)
    reply = ask(app, "POST", "/suggest", json=BODY | given)
    assert reply.status_code == 400
    assert message in reply.json()["error"]
    assert path.read_bytes() == b""


def test_a_full_file_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "suggestions.tsv"
    app = app_with(UpperCaser(), suggestion_file=path)
    with path.open("wb") as file:
        os.truncate(file.fileno(), 67_108_864)
    reply = ask(app, "POST", "/suggest", data=BODY)
    assert (reply.status_code, reply.json()["code"]) == (503, "storage_full")
    assert path.stat().st_size == 67_108_864


def test_a_file_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"--suggestion-file: .* cannot be written"):
        SuggestionFile(tmp_path / "missing" / "suggestions.tsv")
