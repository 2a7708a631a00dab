"""Keys, and what each of them may have translated."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from service.api.keys import UNLIMITED_CHARS, Account, load_api_keys
from service.errors import QuotaExceededError, StartupError
from service.settings import load_settings
from tests.service.api.fakes import UpperCaser, app_with, ask

BASE = {"q": "hello", "source": "en", "target": "de"}
ROUTES = ["/translate", "/attention", "/detect"]


@dataclass(slots=True)
class Calendar:
    """A day that a test turns over."""

    day: date = date(2026, 1, 31)

    def __call__(self) -> date:
        return self.day


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("given", "status", "body"),
    [
        ({"json": BASE | {"api_key": "k1"}}, 200, None),
        ({"json": BASE | {"api_key": "k2"}}, 200, None),
        ({"data": BASE | {"api_key": "k1"}}, 200, None),
        ({"params": BASE | {"api_key": "k1"}}, 200, None),
        ({"json": BASE, "headers": {"Authorization": "Bearer k1"}}, 200, None),
        ({"json": BASE, "headers": {"Authorization": "bearer  k1 "}}, 200, None),
        (
            {"json": BASE | {"api_key": "no"}},
            403,
            {"error": "Invalid API key", "code": "invalid_key"},
        ),
        (
            {"json": BASE | {"api_key": "k1"}, "headers": {"Authorization": "Bearer no"}},
            403,
            {"error": "Invalid API key", "code": "invalid_key"},
        ),
        (
            {"json": BASE},
            400,
            {
                "error": "Please contact the server operator to get an API key",
                "code": "key_required",
            },
        ),
        (
            {"json": BASE, "headers": {"Authorization": "Basic k1"}},
            400,
            {
                "error": "Please contact the server operator to get an API key",
                "code": "key_required",
            },
        ),
    ],
)
def test_key_decides(
    path: str, given: dict[str, Any], status: int, body: dict[str, str] | None
) -> None:
    reply = ask(app_with(UpperCaser(), api_keys="k1, k2"), "POST", path, **given)
    assert reply.status_code == status, reply.text
    if body is not None:
        assert reply.json() == body


def test_without_keys_any_key_will_do() -> None:
    app = app_with(UpperCaser())
    assert ask(app, "POST", "/translate", json=BASE | {"api_key": "x"}).status_code == 200
    assert ask(app, "POST", "/translate", json=BASE | {"api_key": [1]}).status_code == 200


def test_nothing_is_translated_for_a_wrong_key() -> None:
    translator = UpperCaser()
    ask(app_with(translator, api_keys="k1"), "POST", "/translate", json=BASE)
    assert translator.requests == []


def test_key_file_has_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# people\nk1\n\n  k2  \n", encoding="utf-8")
    app = app_with(UpperCaser(), api_key_file=path)
    for key, status in [("k1", 200), ("k2", 200), ("# people", 403), ("people", 403)]:
        reply = ask(app, "POST", "/translate", json=BASE | {"api_key": key})
        assert reply.status_code == status, key


@pytest.mark.parametrize("content", [None, b"", b"# nobody\n", b"\xff\xfe"])
def test_useless_key_file_lets_nobody_in_because_nothing_starts(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartupError, match="--api-key-file"):
        load_api_keys(load_settings({"api_key_file": path}))


def test_settings_never_show_a_key() -> None:
    assert "k1" not in repr(load_settings({"api_keys": "k1"}))


def test_quota_is_kept_in_every_dialect() -> None:
    app = app_with(UpperCaser(), api_keys="k1,k2", max_chars_per_key=8)
    asked = BASE | {"api_key": "k1"}
    assert ask(app, "POST", "/translate", json=asked).status_code == 200
    reply = ask(app, "POST", "/translate", json=asked)
    assert (reply.status_code, reply.json()["code"]) == (429, "quota_exceeded")
    assert reply.json()["error"].startswith("Slowdown: the key has 3 of 8 characters left")
    body = {"text": ["hello"], "source_lang": "EN", "target_lang": "DE", "auth_key": "k1"}
    assert ask(app, "POST", "/v2/translate", json=body).status_code == 456
    assert ask(app, "POST", "/translate", json=asked | {"api_key": "k2"}).status_code == 200


def test_what_failed_does_not_count() -> None:
    account = Account(10, Calendar())
    with pytest.raises(ZeroDivisionError), account.charged(7):
        raise ZeroDivisionError
    assert account.num_chars == 0
    with account.charged(10):
        assert account.num_chars == 10
    assert account.num_chars == 10


def test_work_that_goes_on_counts_already() -> None:
    account = Account(10, Calendar())
    with account.charged(6), pytest.raises(QuotaExceededError), account.charged(5):
        pass
    assert account.num_chars == 6


def test_new_month_begins_anew() -> None:
    today = Calendar()
    account = Account(10, today)
    with account.charged(10):
        pass
    today.day = date(2026, 2, 1)
    assert account.num_chars == 0
    with account.charged(4):
        today.day = date(2026, 3, 1)
    assert account.num_chars == 0


def test_account_without_a_limit_says_what_deepl_says() -> None:
    unlimited = Account(None, Calendar())
    with unlimited.charged(10**9):
        assert unlimited.max_chars == UNLIMITED_CHARS
