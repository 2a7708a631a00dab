"""A server that may open fewer files than it has clients: it serves, and logs little."""

import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from service.server.connections.accept_errors import INTERVAL_S
from tests.service.server.hostile_client import connect
from tests.service.server_process import LONGEST_S, ServerProcess, serving
from tests.service.tiny_models import tiny_bundle
from tests.service.waiting import eventually

pytestmark = pytest.mark.slow

CANARY = tiny_bundle().manifest.canary
BODY = {
    "q": CANARY.source_text,
    "source": CANARY.pair.source,
    "target": CANARY.pair.target,
}
NUM_CLIENTS = 600


def limit(server: ServerProcess, num_descriptors: int) -> None:
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (num_descriptors, hard))


def translates(server: ServerProcess) -> bool:
    try:
        reply = httpx.post(f"{server.url}/translate", json=BODY, timeout=LONGEST_S)
    except httpx.TransportError:
        return False
    return reply.is_success


def events(server: ServerProcess, name: str) -> int:
    return [event["event"] for event in server.events()].count(name)


def test_more_connections_than_files_leave_no_traceback_and_others_are_served(
    tmp_path: Path,
) -> None:
    with serving(
        tmp_path, module="tests.service.server.limited_service", NUM_DESCRIPTORS="256"
    ) as server:
        with ExitStack() as stack:
            clients = [stack.enter_context(connect(server)) for _ in range(NUM_CLIENTS)]
            for client in clients[:100]:
                with_head(client)
            assert translates(server)
        eventually(lambda: translates(server))
        assert events(server, "fewer connections than configured") == 1
        assert [event for event in server.events() if "traceback" in event] == []


def test_without_any_descriptor_left_it_logs_a_line_a_second_and_recovers(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert translates(server)
        opened = len([*Path(f"/proc/{server.process.pid}/fd").iterdir()])
        limit(server, opened)
        started_s = time.monotonic()
        with ExitStack() as stack:
            for _ in range(NUM_CLIENTS):
                stack.enter_context(connect(server))
            eventually(lambda: events(server, "cannot accept connections") >= 3)
            lasted_s = time.monotonic() - started_s
            lines = server.log.read_text("utf-8").splitlines()
            assert events(server, "cannot accept connections") <= lasted_s / INTERVAL_S + 1
            assert len(lines) < 50
            assert [event for event in server.events() if "traceback" in event] == []
        limit(server, 4096)
        eventually(lambda: translates(server))
        assert server.process.poll() is None


def with_head(client: socket.socket) -> None:
    client.sendall(b"POST /translate HTTP/1.1\r\nHost: x\r\n")
