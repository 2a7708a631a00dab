"""Real servers whose clients hang up, whose processes are killed, and whose replies are lost."""

import json
import random
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import deepl
import httpx
import pytest

from tests.service.api.auth.redis_server import hanging_server
from tests.service.command_line import run_here
from tests.service.server_process import LONGEST_S, ServerProcess, serving
from tests.service.tiny_models import tiny_bundle
from tests.service.waiting import eventually

CANARY = tiny_bundle().manifest.canary
PAIR = {"source": CANARY.pair.source, "target": CANARY.pair.target}
TEXT = f"{CANARY.source_text} " * 80
FLAGS = ("--workers", "1", "--slots-per-worker", "8", "--key-store")
NUM_STREAMS = 48
SHORT = ("--deadline-ms", "5000", "--reply-timeout-s", "5")


def _key(store: str, *limits: str) -> str:
    return run_here("keys", "add", "a", *limits, "--key-store", store).stdout.strip()


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _used(server: ServerProcess, key: str) -> int:
    reply = httpx.get(f"{server.url}/v2/usage", headers=_headers(key), timeout=LONGEST_S)
    return int(reply.json()["character_count"])


def _open_reservations(store: str) -> int:
    with closing(sqlite3.connect(store)) as file:
        return int(file.execute("SELECT count(*) FROM reservations WHERE is_open").fetchone()[0])


@contextmanager
def _stream(server: ServerProcess, key: str) -> Iterator[Iterator[int]]:
    """The end of each part in the source, as the parts come."""
    asked = {"q": TEXT, **PAIR, "stream": True, "details": True}
    with httpx.stream(
        "POST", f"{server.url}/translate", json=asked, headers=_headers(key), timeout=LONGEST_S
    ) as reply:
        assert reply.status_code in (200, 429)
        data = (line.removeprefix("data: ") for line in reply.iter_lines())
        parts = (json.loads(line) for line in data if line.startswith('{"index"'))
        yield (part["details"][-1]["source_span"][1] for part in parts)


@pytest.mark.slow
def test_streams_that_are_hung_up_pay_for_what_was_sent(tmp_path: Path) -> None:
    store, draw = str(tmp_path / "keys.db"), random.Random(19)
    with serving(tmp_path, *FLAGS, store) as server:
        key, whole = _key(store), _key(store)
        with _stream(server, whole) as ends:
            possible = {0, *ends, len(TEXT)}
        assert len(possible) > 70
        prices = []
        for _ in range(NUM_STREAMS):
            before, read = _used(server, key), 0
            with _stream(server, key) as ends:
                for _ in range(draw.randint(1, 60)):
                    read = next(ends)
            eventually(lambda: _open_reservations(store) == 0)
            price = _used(server, key) - before
            assert price in possible
            assert price >= read
            prices.append(price)
        assert min(prices) < len(TEXT)  # some were hung up while there was more to come


def test_quota_is_not_outrun_by_hanging_up(tmp_path: Path) -> None:
    """Twelve streams of 60 parts once read 30,960 characters on a quota of 20,000."""
    store, quota = str(tmp_path / "keys.db"), 6 * len(TEXT)
    with serving(tmp_path, *FLAGS, store) as server:
        key, read = _key(store, "--monthly-chars", str(quota)), 0
        for _ in range(12):
            with _stream(server, key) as ends:
                parts = [end for _, end in zip(range(60), ends, strict=False)]
            read += max(parts, default=0)
            eventually(lambda: _open_reservations(store) == 0)
        assert read <= _used(server, key) <= quota
        assert parts == []  # refused


@pytest.mark.slow
def test_killed_process_charges_for_no_reply_and_leaves_nothing_reserved(tmp_path: Path) -> None:
    store = str(tmp_path / "keys.db")
    with serving(tmp_path, *FLAGS, store, *SHORT, "--max-text-chars", "1000000") as server:
        key = _key(store, "--monthly-chars", "1000000")
        asked = {"q": TEXT * 50, **PAIR, "beam_size": 8}
        thread = threading.Thread(target=_ask_in_vain, args=(server, key, asked))
        thread.start()
        eventually(lambda: _open_reservations(store) == 1)
        held = _used(server, key)
        server.process.send_signal(signal.SIGKILL)
        assert server.exit_code() == -signal.SIGKILL
        thread.join()
    assert held == len(TEXT) * 50
    with serving(tmp_path, *FLAGS, store, *SHORT) as server:
        eventually(lambda: _used(server, key) == 0)
        assert _translated(server, key) == 200
        assert _used(server, key) == len(CANARY.source_text)


def _ask_in_vain(server: ServerProcess, key: str, asked: dict[str, object]) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{server.url}/translate", json=asked, headers=_headers(key), timeout=LONGEST_S)


def _translated(server: ServerProcess, key: str) -> int:
    body = {"q": CANARY.source_text, **PAIR}
    return httpx.post(
        f"{server.url}/translate", json=body, headers=_headers(key), timeout=LONGEST_S
    ).status_code


def test_server_whose_redis_hangs_lives_and_says_so(tmp_path: Path) -> None:
    listener, address = hanging_server(tmp_path)
    with closing(listener), serving(tmp_path, *FLAGS, address) as server:
        assert _translated(server, "key-of-the-tests") == 503
        for path in ("/livez", "/readyz", "/metrics"):
            assert httpx.get(f"{server.url}{path}", timeout=LONGEST_S).status_code == 200
        assert server.metric('pellucid_rejected_total{reason="key_store_failed"}') == 1


class _LosesTheFirstReply:
    """Between client and server: passes requests on, and drops the connection before a reply."""

    def __init__(self, server: ServerProcess) -> None:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        self._server = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.num_connections = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection(self._server) as server:
                self.num_connections += 1
                self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        client.settimeout(LONGEST_S)
        request = client.recv(65_536)
        head, _, body = request.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        while len(body) < length:
            body += client.recv(65_536)
        server.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
        reply = b"".join(iter(lambda: server.recv(65_536), b""))
        assert reply.startswith(b"HTTP/1.1 200 ")
        if self.num_connections > 1:
            client.sendall(reply)


def test_official_deepl_client_pays_once_for_a_reply_that_was_lost(tmp_path: Path) -> None:
    store = str(tmp_path / "keys.db")
    with serving(tmp_path, *FLAGS, store) as server:
        key = _key(store)
        with (
            closing(_LosesTheFirstReply(server)) as proxy,
            closing(deepl.DeepLClient(key, server_url=proxy.url)) as client,
        ):
            target = {"en": "EN-GB", "pt": "PT-PT"}.get(PAIR["target"], PAIR["target"].upper())
            result = client.translate_text(
                CANARY.source_text, source_lang=PAIR["source"].upper(), target_lang=target
            )
            assert isinstance(result, deepl.TextResult)
            assert proxy.num_connections == 2
        assert _used(server, key) == len(CANARY.source_text)
