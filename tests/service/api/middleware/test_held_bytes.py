"""Bodies, and replies that clients do not take, share one limit."""

import pytest

from service.api.middleware.held_bytes import HeldBytes
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of
from tests.service.scheduling.workers.single_loop import counted

BASE = {"q": "hello", "source": "en", "target": "de"}


@pytest.mark.parametrize(("path", "name"), [("/translate", "error"), ("/v2/translate", "message")])
def test_requests_are_refused_while_replies_fill_the_memory(path: str, name: str) -> None:
    app = app_with(UpperCaser(), max_bodies_bytes=1_000)
    held = parts_of(app).held_bytes
    held.add(1_001)
    refused = ask(app, "POST", path, json=BASE)
    assert refused.status_code == 429
    assert refused.json()[name].startswith("Slowdown: requests and replies hold 1001 bytes")
    assert int(refused.headers["Retry-After"]) >= 1
    assert counted(parts_of(app).metrics, "rejected_total", reason="bodies_full") == 1
    held.remove(1_001)
    assert ask(app, "POST", "/translate", json=BASE).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/health"])
def test_probes_are_answered_all_the_same(path: str) -> None:
    app = app_with(UpperCaser(), max_bodies_bytes=1_000)
    parts_of(app).held_bytes.add(1_001)
    assert ask(app, "GET", path).status_code == 200


def test_pages_are_not() -> None:
    app = app_with(UpperCaser(), max_bodies_bytes=1_000)
    parts_of(app).held_bytes.add(1_001)
    assert ask(app, "GET", "/openapi.json").status_code == 429


def test_what_is_taken_is_not_held() -> None:
    app = app_with(UpperCaser(), max_bodies_bytes=1_000)
    held = parts_of(app).held_bytes
    assert isinstance(held, HeldBytes)
    for _ in range(30):
        assert ask(app, "POST", "/translate", json=BASE).status_code == 200
    assert not held.is_full
