"""Refusals that are held by a real server when their client leaves, and when it stops."""

from contextlib import closing
from pathlib import Path

import httpx

from tests.service.server.hostile_client import connect
from tests.service.server_process import LONGEST_S, serving

REFUSED = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_held_refusals_end_with_their_connection_and_are_answered_at_a_stop(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-refusals-per-s", "1") as server:
        for _ in range(20):
            with closing(connect(server)) as leaving:
                leaving.sendall(REFUSED)
        with closing(connect(server)) as staying:
            staying.sendall(REFUSED)
            assert httpx.get(f"{server.url}/livez", timeout=LONGEST_S).status_code == 200
            server.terminate()
            assert staying.recv(64).startswith(b"HTTP/1.1 404 ")
        assert server.exit_code() == 0
        assert {event["level"] for event in server.events()} <= {"info"}
