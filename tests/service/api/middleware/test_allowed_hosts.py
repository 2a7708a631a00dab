"""A `Host` that is not this server's: refused where a page of an attacker could use it."""

import pytest

from tests.service.api.fakes import UpperCaser, app_with, ask

EVIL = {"Host": "evil.example:8000"}


def status(path: str, headers: dict[str, str], **settings: object) -> int:
    return ask(app_with(UpperCaser(), **settings), "GET", path, headers=headers).status_code


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
@pytest.mark.parametrize("path", ["/languages", "/metrics", "/models", "/", "/nowhere"])
def test_a_loopback_server_without_keys_answers_to_its_own_names(path: str, host: str) -> None:
    assert status(path, EVIL, host=host) == 421
    for own in ("localhost:8000", "127.0.0.1:8000", "[::1]:8000", "box"):
        assert status(path, {"Host": own}, host=host) != 421


def test_it_says_why_and_what_to_do() -> None:
    app = app_with(UpperCaser())
    reply = ask(app, "POST", "/translate", json={"q": "a"}, headers=EVIL)
    assert (reply.status_code, reply.json()["code"]) == (421, "unknown_host")
    assert reply.json()["error"] == (
        "'evil.example:8000' is no name of this server: ask for it by its address, or let "
        "PELLUCID_ALLOWED_HOSTS name it"
    )
    assert "access-control-allow-origin" not in reply.headers
    deepl = ask(app, "POST", "/v2/translate", json={"text": ["a"]}, headers=EVIL)
    assert (deepl.status_code, set(deepl.json())) == (400, {"message"})


def test_a_long_name_is_not_repeated_in_full() -> None:
    headers = {"Host": "a." * 30_000}
    assert len(ask(app_with(UpperCaser()), "GET", "/languages", headers=headers).content) < 300


@pytest.mark.parametrize("path", ["/livez", "/health"])
def test_probes_are_answered_under_any_name(path: str) -> None:
    assert status(path, EVIL) == 200


def test_servers_that_ask_for_keys_or_listen_to_others_answer_to_any_name() -> None:
    assert status("/languages", EVIL, api_keys="a" * 40) == 200
    assert status("/languages", EVIL, host="0.0.0.0") == 200


def test_names_that_are_given_are_the_only_ones_wherever_it_listens() -> None:
    given = {"allowed_hosts": "Translate.Example.org, *.internal.example"}
    for host in ("127.0.0.1", "0.0.0.0"):
        assert status("/languages", EVIL, host=host, **given) == 421
        for name in ("translate.example.org", "a.internal.example", "10.0.0.7:8000"):
            assert status("/languages", {"Host": name}, host=host, **given) == 200


def test_a_star_is_any_name() -> None:
    assert status("/languages", EVIL, allowed_hosts="*") == 200
