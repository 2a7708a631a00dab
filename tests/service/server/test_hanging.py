"""A step that hangs, in a real server: nobody goes without an answer, and the process ends."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from service.server.watchdog import EXIT_CODE
from tests.service.scheduling.workers.poison import POISON, TEXTS
from tests.service.server_process import ServerProcess, serving

pytestmark = pytest.mark.slow

HEALTHY = next(text for text in TEXTS if text != POISON)
FLAGS = ("--workers", "2", "--heartbeat-timeout-s", "0.7", "--watchdog-timeout-s", "4")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("hanging")
    with serving(folder, *FLAGS, module="tests.service.server.hanging_server") as running:
        yield running


def translate(server: ServerProcess, text: str, **options: object) -> httpx.Response:
    body = {"q": text, "source": "en", "target": "de", **options}
    return httpx.post(f"{server.url}/translate", json=body, timeout=30)


def until_unready(server: ServerProcess) -> httpx.Response:
    while True:
        reply = httpx.get(f"{server.url}/readyz", timeout=30)
        if reply.status_code != 200:
            return reply


def test_a_hanging_step_costs_its_own_sentence_and_then_the_process(server: ServerProcess) -> None:
    with ThreadPoolExecutor(3) as clients:
        assert translate(server, HEALTHY).status_code == 200
        patient = clients.submit(translate, server, POISON)
        until_taken(server, patient)
        hurried = clients.submit(translate, server, POISON, deadline_ms=1000)
        alone = clients.submit(translate, server, POISON, deadline_ms=1000, beam_size=2)
        unready = until_unready(server)
        assert (unready.status_code, unready.json()["code"]) == (503, "not_ready")
        assert "no heart-beat for 0.7 s" in unready.json()["error"]
        assert [f.result(30).status_code for f in (hurried, alone)] == [504, 504]
        assert patient.result(30).status_code == 503
        assert patient.result(30).json()["code"] == "shutting_down"
    assert server.exit_code() == EXIT_CODE
    (event,) = [event for event in server.events() if event["logger"] == "service.server.watchdog"]
    assert (event["level"], event["event"]) == ("critical", "worker hangs, process ends")
    assert POISON not in server.log.read_text(encoding="utf-8")


def until_taken(server: ServerProcess, patient: "Future[httpx.Response]") -> None:
    """Its batch hangs; the other worker goes on."""
    while server.metric("pellucid_slots_in_use ") == 0:
        assert not patient.done()
    assert translate(server, HEALTHY).status_code == 200
