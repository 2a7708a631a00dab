"""What every reply tells a browser, and what none tells it unasked."""

import pytest

from tests.service.api.fakes import UpperCaser, app_with, ask

BASE = {"q": "hello", "source": "en", "target": "de"}
ORIGIN = {"Origin": "https://example.org"}
PREFLIGHT = ORIGIN | {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}
REPLIES = [
    ("GET", "/livez", {}),
    ("GET", "/languages", {}),
    ("GET", "/metrics", {}),
    ("GET", "/openapi.json", {}),
    ("POST", "/translate", {"json": BASE}),
    ("POST", "/translate", {"json": {}}),
    ("POST", "/translate", {"json": BASE | {"stream": True}}),
    ("POST", "/translate", {"content": b"x" * 2_000_000}),
    ("POST", "/v2/translate", {"json": {}}),
    ("DELETE", "/translate", {}),
    ("GET", "/nothing", {}),
    ("GET", "/download_file/none.txt", {}),
]


@pytest.mark.parametrize(("method", "path", "options"), REPLIES)
def test_every_reply_is_what_it_says_and_is_neither_shown_nor_kept(
    method: str, path: str, options: dict[str, object]
) -> None:
    headers = ask(app_with(UpperCaser()), method, path, **options).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Request-Id"]
    assert "Server" not in headers


@pytest.mark.parametrize("accept", ["text/html", "image/svg+xml"])
def test_replies_that_are_shown_keep_their_own_policy(accept: str) -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/attention", json=BASE, headers={"Accept": accept})
    (policy,) = reply.headers.get_list("Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert policy != "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/", "/docs", "/learn", "/model"])
def test_pages_keep_their_own_policy(path: str) -> None:
    reply = ask(app_with(UpperCaser()), "GET", path)
    (policy,) = reply.headers.get_list("Content-Security-Policy")
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert reply.headers["Cache-Control"] == "no-cache"


def test_other_origins_are_not_allowed() -> None:
    app = app_with(UpperCaser())
    replies = [
        ask(app, "POST", "/translate", json=BASE, headers=ORIGIN),
        ask(app, "OPTIONS", "/translate", headers=PREFLIGHT),
    ]
    for reply in replies:
        assert not [name for name in reply.headers if name.startswith("access-control")]


def test_origins_that_are_named_are_let_in() -> None:
    app = app_with(UpperCaser(), cors_origins="https://example.org, https://example.com")
    asked = ask(app, "OPTIONS", "/translate", headers=PREFLIGHT)
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (
        200,
        ORIGIN["Origin"],
    )
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    reply = ask(app, "POST", "/translate", json=BASE, headers=ORIGIN)
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    assert "Retry-After" in reply.headers["Access-Control-Expose-Headers"]
    other = ask(app, "POST", "/translate", json=BASE, headers={"Origin": "https://example.net"})
    assert "Access-Control-Allow-Origin" not in other.headers


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("PATCH", "/v3/glossaries/x", "authorization,content-type"),
        ("PUT", "/v3/glossaries/x/dictionaries", "authorization,content-type"),
        ("DELETE", "/v3/glossaries/x", "authorization"),
        ("POST", "/google/language/translate/v2", "x-goog-api-key,content-type"),
    ],
)
def test_pages_that_are_let_in_may_send_what_the_dialects_take(
    method: str, path: str, headers: str
) -> None:
    app = app_with(UpperCaser(), cors_origins="https://example.org")
    wanted = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    asked = ask(app, "OPTIONS", path, headers=ORIGIN | wanted)
    assert (asked.status_code, method in asked.headers["Access-Control-Allow-Methods"]) == (
        200,
        True,
    )


def test_no_origin_gets_cookies() -> None:
    app = app_with(UpperCaser(), cors_origins="*")
    reply = ask(app, "POST", "/translate", json=BASE, headers=ORIGIN)
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in reply.headers


def test_metrics_may_ask_for_a_token() -> None:
    app = app_with(UpperCaser(), metrics_token="a-token", api_keys="key-of-the-tests")
    given = [
        (None, 403),
        ("Bearer key-of-the-tests", 403),
        ("Basic a-token", 403),
        ("Bearer a-tokenä", 403),
        ("Bearer a-token", 200),
    ]
    for authorization, status in given:
        headers = {} if authorization is None else {"Authorization": authorization.encode()}
        assert ask(app, "GET", "/metrics", headers=headers).status_code == status


def test_metrics_are_open_unless_a_token_is_set() -> None:
    assert (
        ask(app_with(UpperCaser(), api_keys="key-of-the-tests"), "GET", "/metrics").status_code
        == 200
    )


def test_token_of_the_metrics_translates_nothing() -> None:
    app = app_with(UpperCaser(), metrics_token="a-token", api_keys="key-of-the-tests")
    headers = {"Authorization": "Bearer a-token"}
    assert ask(app, "POST", "/translate", json=BASE, headers=headers).status_code == 403


def test_pages_can_be_left_out() -> None:
    app = app_with(UpperCaser(), pages="false")
    for path in ("/", "/docs", "/openapi.json", "/static/page.js"):
        assert ask(app, "GET", path).status_code == 404
    assert ask(app, "POST", "/translate", json=BASE).status_code == 200
