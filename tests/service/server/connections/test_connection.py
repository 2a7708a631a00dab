"""What a full service says at the head of a request: a real server over raw sockets."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from bundle.manifest import Manifest
from tests.service.server.hostile_client import connect, read_to_end
from tests.service.server_process import LONGEST_S, ServerProcess, serving
from tests.service.tiny_models import TINY_BUNDLE
from tests.service.waiting import eventually

MANIFEST = Manifest.model_validate_json((TINY_BUNDLE / "manifest.json").read_bytes())
TEXT = MANIFEST.canary.source_text
PAIR = {"source": MANIFEST.canary.pair.source, "target": MANIFEST.canary.pair.target}
SMALL = json.dumps({"q": TEXT, **PAIR}).encode()
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ONE_FOR_EACH_ADDRESS = ("--max-requests", "2", "--share-runs", "false", "--workers", "1")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with room for one request of this address, which has it for as long as we look."""
    long = {"q": " ".join(f"{n} {TEXT}" for n in range(2_000)), "beam_size": 8, **PAIR}
    flags = (*ONE_FOR_EACH_ADDRESS, "--max-text-chars", "1000000")
    with (
        serving(tmp_path_factory.mktemp("server"), *flags) as server,
        connect(server) as connection,
    ):
        body = json.dumps(long).encode()
        connection.sendall(_head("/translate", len(body)) + body)
        eventually(lambda: server.metric("pellucid_in_flight") == 1)
        yield server


def _head(path: str, size: int, more: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b\r\n" % (
        path.encode(),
        size,
        b"Content-Type: application/json\r\n" + more,
    )


def _refusal(connection: socket.socket) -> tuple[dict[str, str], dict[str, str]]:
    """Headers, by their names in small letters, and the body of a reply that must be a 429."""
    head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    assert status == "HTTP/1.1 429 Too Many Requests"
    return dict(line.lower().split(": ", 1) for line in lines), json.loads(body)


def test_full_service_says_so_before_it_reads_a_body(full: ServerProcess) -> None:
    with connect(full) as connection:
        connection.sendall(_head("/translate", len(SMALL), b"X-Request-Id: mine\r\n") + SMALL[:9])
        headers, body = _refusal(connection)
        assert body["code"] == "overloaded"
        assert int(headers["retry-after"]) >= 1
        assert headers["x-request-id"] == "mine"
        assert headers["cache-control"] == "no-store"
        assert headers["content-length"] == str(len(json.dumps(body, separators=(",", ":"))))
        # The rest of the body is no request, and the connection is as good as before.
        connection.sendall(SMALL[9:] + LAST)
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")


def test_deepls_clients_are_refused_in_a_way_they_know(full: ServerProcess) -> None:
    with connect(full) as connection:
        connection.sendall(_head("/v2/translate?x=y", len(SMALL)) + SMALL)
        assert list(_refusal(connection)[1]) == ["message"]


@pytest.mark.parametrize("path", ["/plain", "/translate_a/single", "/google/translate_a/single"])
def test_a_translation_by_get_is_refused_as_well(full: ServerProcess, path: str) -> None:
    query = b"?q=a&text=a&sl=en&from=en&tl=de&to=de"
    head = b"GET " + path.encode() + query + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(full) as connection:
        connection.sendall(head)
        answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert (b"text/plain" in answer) == (path == "/plain")
        # The connection is as good as before.
        connection.sendall(LAST)
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (b"/livez", b"200"),
        (b"/", b"200"),
        (b"/nothing", b"404"),
        (b"/translate", b"405"),
        (b"/plain?text=a&from=en&to=de", b"429"),
    ],
)
def test_head_is_answered_at_once_as_get_is_but_without_a_body(
    full: ServerProcess, path: bytes, status: bytes
) -> None:
    with connect(full) as connection:
        connection.sendall(b"HEAD " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"\r\ncontent-length: " in answer
        assert answer.endswith(b"\r\n\r\n")
        # The next reply is the next request's.
        connection.sendall(LAST)
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")


def test_one_connection_is_refused_as_often_as_it_asks(full: ServerProcess) -> None:
    name = 'pellucid_rejected_total{reason="too_many_requests"}'
    before = full.metric(name)
    with connect(full) as connection:
        for _ in range(5):
            connection.sendall(_head("/translate", len(SMALL)) + SMALL)
            _refusal(connection)
    assert full.metric(name) == before + 5


def test_another_client_of_the_same_proxy_is_let_in(full: ServerProcess) -> None:
    ours = httpx.post(f"{full.url}/translate", content=SMALL, timeout=LONGEST_S)
    headers = {"X-Forwarded-For": "203.0.113.7"}
    theirs = httpx.post(f"{full.url}/detect", json={"q": TEXT}, headers=headers, timeout=LONGEST_S)
    assert (ours.status_code, theirs.status_code) == (429, 200)


def test_what_was_asked_at_the_same_time_is_answered_in_its_order(full: ServerProcess) -> None:
    ready = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(full) as connection:
        connection.sendall(ready + _head("/translate", len(SMALL)) + SMALL + LAST)
        answer = read_to_end(connection)
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"429", b"200"]
