"""Guessing keys: the table of addresses, and what a client sees."""

from dataclasses import dataclass

import pytest
from fastapi import FastAPI

from service.api.auth import wrong_keys
from service.api.auth.wrong_keys import WrongKeys
from service.errors import WrongKeysError
from tests.service.api.fakes import UpperCaser, app_with, ask

KEY = "key-of-the-tests"
BASE = {"q": "hello", "source": "en", "target": "de"}
DEEPL = {"text": ["hello"], "source_lang": "EN", "target_lang": "DE"}


@dataclass(slots=True)
class _Clock:
    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def _wait_s(table: WrongKeys, address: str = "a", digest: str = "guess") -> float | None:
    try:
        table.check(address, digest)
    except WrongKeysError as error:
        return error.retry_after_s
    return None


def test_address_waits_for_the_rest_of_its_minute() -> None:
    clock = _Clock()
    table = WrongKeys(2, clock)
    for _ in range(2):
        assert _wait_s(table) is None
        table.add_wrong("a", "guess")
        clock.now_s += 10
    assert _wait_s(table) == 40
    assert _wait_s(table, "b") is None
    clock.now_s += 40
    assert _wait_s(table) is None


def test_key_accepted_from_that_address_is_still_let_in() -> None:
    table = WrongKeys(1, _Clock())
    table.add_right("a", "right")
    table.add_right("b", "other")
    table.add_wrong("a", "guess")
    assert _wait_s(table, "a", "right") is None
    assert _wait_s(table, "a", "other") is not None
    table.add_wrong("a", "right")  # it was revoked
    assert _wait_s(table, "a", "right") is not None


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_keys, "MAX_ADDRESSES", 3)
    monkeypatch.setattr(wrong_keys, "MAX_RIGHT_KEYS", 3)
    table = WrongKeys(1, _Clock())
    for number in range(5):
        table.add_right(f"address {number}", "right")
        table.add_wrong(f"address {number}", "guess")
    waits = [_wait_s(table, f"address {number}") is not None for number in range(5)]
    assert waits == [False, False, True, True, True]
    rights = [_wait_s(table, f"address {number}", "right") is None for number in range(2, 5)]
    assert rights == [True, True, True]


def _app() -> FastAPI:
    return app_with(UpperCaser(), api_keys=KEY, max_wrong_keys_per_minute=3)


def _translated(app: FastAPI, key: str, address: str = "203.0.113.1") -> int:
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": address}
    return ask(app, "POST", "/translate", json=BASE, headers=headers).status_code


def test_guesses_are_refused_whether_right_or_wrong() -> None:
    app = _app()
    assert [_translated(app, f"guess {n}") for n in range(5)] == [403, 403, 403, 429, 429]
    assert _translated(app, KEY) == 429
    assert _translated(app, KEY, "203.0.113.2") == 200


def test_client_that_was_let_in_goes_on_beside_a_guessing_one() -> None:
    app = _app()
    assert _translated(app, KEY) == 200
    assert [_translated(app, f"guess {n}") for n in range(4)] == [403, 403, 403, 429]
    assert _translated(app, KEY) == 200


def test_addresses_of_a_network_of_version_6_are_one() -> None:
    app = _app()
    statuses = [_translated(app, "guess", f"2001:db8::{n}") for n in range(4)]
    assert statuses == [403, 403, 403, 429]
    assert _translated(app, "guess", "2001:db8:0:1::1") == 403


def test_refusal_says_when_to_come_back_in_every_dialect() -> None:
    app = _app()
    for _ in range(3):
        ask(app, "GET", "/v2/usage", headers={"Authorization": "DeepL-Auth-Key wrong"})
    reply = ask(app, "POST", "/translate", json=BASE | {"api_key": "wrong"})
    assert (reply.status_code, reply.json()["code"]) == (429, "wrong_keys")
    assert 0 < int(reply.headers["Retry-After"]) <= 60
    reply = ask(app, "POST", "/v2/translate", json=DEEPL | {"auth_key": "wrong"})
    assert (reply.status_code, set(reply.json())) == (429, {"message"})


def test_request_without_a_key_is_no_guess() -> None:
    app = _app()
    statuses = {ask(app, "POST", "/translate", json=BASE).status_code for _ in range(5)}
    assert statuses == {400}
