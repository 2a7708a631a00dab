"""What happens to every request."""

import asyncio
import logging
from typing import Any

import httpx
import pytest

from service.server.connections.head_requests import answering_head
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of

BASE = {"q": "my secret text", "source": "en", "target": "de"}


@pytest.mark.parametrize("given", ["abc-123", "a" * 128, "00-ab/cd:1=2@x+y_z.9"])
def test_request_id_is_echoed(given: str) -> None:
    reply = ask(app_with(UpperCaser()), "GET", "/livez", headers={"X-Request-Id": given})
    assert reply.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", " ", "a" * 129, "a b", 'a"b', "a\tb", "<script>"])
def test_unfit_request_id_is_replaced(given: str) -> None:
    reply = ask(app_with(UpperCaser()), "GET", "/livez", headers={"X-Request-Id": given})
    assert len(reply.headers["X-Request-Id"]) == 32
    assert reply.headers["X-Request-Id"].isalnum()


def test_every_request_without_an_id_gets_its_own() -> None:
    app = app_with(UpperCaser())
    ids = {ask(app, "GET", "/nothing").headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3


def test_unknown_paths_share_one_label() -> None:
    app = app_with(UpperCaser())
    for path in ("/one", "/two", "/wp-admin.php"):
        ask(app, "GET", path)
    page = parts_of(app).metrics.exposition().decode()
    lines = [x for x in page.splitlines() if x.startswith("pellucid_requests_total{")]
    assert lines == ['pellucid_requests_total{dialect="none",route="unknown",status="404"} 3.0']


def test_requests_are_counted_and_timed_by_route() -> None:
    app = app_with(UpperCaser())
    ask(app, "POST", "/translate", json=BASE)
    ask(app, "POST", "/translate", json={})
    page = parts_of(app).metrics.exposition().decode()
    for status in (200, 400):
        labels = f'dialect="native",route="/translate",status="{status}"'
        assert f"pellucid_requests_total{{{labels}}} 1.0" in page
    assert 'pellucid_request_seconds_count{route="/translate"} 2.0' in page


def test_log_has_one_event_a_request_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="service.api.middleware.request_log")
    app = app_with(UpperCaser())
    ask(app, "POST", "/translate", params=BASE)
    ask(app, "GET", "/my-secret-text")
    first, second = (vars(record) for record in caplog.records)
    assert (first["method"], first["route"], first["status"]) == ("POST", "/translate", 200)
    assert (second["method"], second["route"], second["status"]) == ("GET", "unknown", 404)
    assert "secret" not in str(first) + str(second)


def test_head_is_logged_as_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="service.api.middleware.request_log")
    answering: Any = answering_head  # of the same interface by other names
    app = answering(app_with(UpperCaser()))
    replies = [ask(app, "HEAD", path) for path in ("/languages", "/translate")]
    assert [reply.status_code for reply in replies] == [200, 405]
    logged = [(vars(record)["method"], vars(record)["route"]) for record in caplog.records]
    assert logged == [("HEAD", "/languages"), ("HEAD", "/translate")]


def test_probes_are_logged_only_if_they_fail(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="service.api.middleware.request_log")
    app = app_with(UpperCaser())
    ask(app, "GET", "/readyz")
    assert caplog.records == []
    parts_of(app).in_flight.close()
    ask(app, "GET", "/readyz")
    (event,) = [vars(r) for r in caplog.records if r.name == "service.api.middleware.request_log"]
    assert (event["route"], event["status"]) == ("/readyz", 503)


def test_translations_in_work_are_counted_but_probes_are_not() -> None:
    async def scenario() -> tuple[str, str]:
        started, go_on = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            started.set()
            await go_on.wait()

        app = app_with(UpperCaser(before=wait))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            running = asyncio.create_task(client.post("/translate", json=BASE))
            await started.wait()
            during = (await client.get("/metrics")).text
            go_on.set()
            await running
            return during, (await client.get("/metrics")).text

    during, after = asyncio.run(scenario())
    assert "pellucid_in_flight 1.0" in during
    assert "pellucid_in_flight 0.0" in after
