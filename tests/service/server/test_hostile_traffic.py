"""Slow, half-open, endless and malformed requests do not keep others from being served."""

import http.client
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from bundle.manifest import Manifest
from tests.service.server.hostile_client import (
    PATIENCE_S,
    Cost,
    allowed_connections,
    ask,
    connect,
    drip,
    many_connections,
    read_to_end,
)
from tests.service.server_process import LONGEST_S, ServerProcess, serving
from tests.service.tiny_models import TINY_BUNDLE
from tests.service.waiting import eventually

pytestmark = pytest.mark.slow

MANIFEST = Manifest.model_validate_json((TINY_BUNDLE / "manifest.json").read_bytes())
PAIR = {"source": MANIFEST.canary.pair.source, "target": MANIFEST.canary.pair.target}
BODY = json.dumps({"q": MANIFEST.canary.source_text, **PAIR}).encode()

HEAD = b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
SILENT = b""
HALF_A_HEAD = HEAD + b"X-Filler: "
HALF_A_BODY = HEAD + b'Content-Length: 900\r\n\r\n{"q": "'
HASTY = ("--header-timeout-s", "1", "--body-timeout-s", "1.5", "--reply-timeout-s", "1")
MEBIBYTE = 1_048_576


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("server"), *HASTY, "--workers", "1") as process:
        yield process


def _translates(server: ServerProcess) -> bool:
    with connect(server) as connection:
        connection.sendall(WHOLE)
        return connection.recv(64).startswith(b"HTTP/1.1 200 ")


def _problem(answer: bytes) -> tuple[int, str]:
    """Status and code of a raw reply."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"X-Request-Id: ".lower() in head.lower()
    return int(head.split(b" ", 2)[1]), json.loads(body)["code"]


def _flood(server: ServerProcess, count: int) -> Cost:
    """Open and keep `count` connections that never finish a request; the cost once it is over."""
    with many_connections(server, count, (SILENT, HALF_A_HEAD, HALF_A_BODY)) as connections:
        for number, _ in enumerate(connections):
            if number % 1000 == 0:
                assert _translates(server)
        assert _translates(server)
        # They still hold their ends, and only the server can let go.
        eventually(lambda: server.metric("pellucid_connections") == 1, PATIENCE_S)
        assert _translates(server)
    return Cost.of(server)


def test_ten_thousand_slow_and_half_open_connections_block_no_other(tmp_path: Path) -> None:
    room, patience = 2_000, ("--header-timeout-s", "4", "--body-timeout-s", "4")
    with serving(tmp_path, "--max-connections", str(room), *patience) as server:
        assert _translates(server)
        before = Cost.of(server)
        count = allowed_connections(10_000)
        after = _flood(server, count)
        assert after.num_files <= before.num_files + 2
        assert after.num_threads <= before.num_threads + 2
        # What the 2,000 took, and nothing for those that were turned away.
        assert after.rss_bytes - before.rss_bytes < 64 * MEBIBYTE
        rejected = ("too_many_connections", "slow_header", "slow_body")
        counts = [server.metric(f'pellucid_rejected_total{{reason="{x}"}}') for x in rejected]
        assert all(counts)
        assert sum(counts) >= count


def test_newest_connection_replaces_the_longest_idle_one(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--max-connections", "2") as server,
        connect(server) as first,
        connect(server) as second,
    ):
        assert _translates(server)
        assert first.recv(64) == b""
        second.sendall(WHOLE)
        assert second.recv(64).startswith(b"HTTP/1.1 200 ")


def test_head_that_drips_is_answered_when_its_time_is_over(server: ServerProcess) -> None:
    with connect(server) as connection:
        answer = drip(connection, HALF_A_HEAD + b"x" * 2_000)
    assert _problem(answer) == (408, "request_timeout")


def test_body_that_drips_is_answered_when_its_time_is_over(server: ServerProcess) -> None:
    with connect(server) as connection:
        connection.sendall(HEAD + b"Content-Length: 2000\r\n\r\n")
        answer = drip(connection, BODY + b" " * (2_000 - len(BODY)))
    assert _problem(answer) == (408, "request_timeout")


def test_file_that_drips_is_answered_when_its_time_is_over(server: ServerProcess) -> None:
    head = b"POST /translate_file HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n"
    with connect(server) as connection:
        connection.sendall(head + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")
        answer = drip(connection, b"x" * 1_900)
    assert _problem(answer) == (408, "request_timeout")


def test_deepls_clients_are_told_of_a_dripping_body_in_a_way_they_know(
    server: ServerProcess,
) -> None:
    head = b"POST /v2/translate HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(head)
        answer = drip(connection, b"x" * 1_900)
    assert answer.startswith(b"HTTP/1.1 503 ")


def test_silent_connection_is_closed_without_a_word(server: ServerProcess) -> None:
    with connect(server) as connection:
        assert read_to_end(connection) == b""


def test_connection_between_two_requests_is_kept(server: ServerProcess) -> None:
    with closing(http.client.HTTPConnection(server.url.removeprefix("http://"))) as client:
        client.request("GET", "/livez")
        client.getresponse().read()
        with connect(server) as later:
            assert read_to_end(later) == b""  # whose time for a first request is over
        client.sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_to_end(client.sock).startswith(b"HTTP/1.1 200 ")


def test_connection_is_closed_when_a_reply_is_not_read(server: ServerProcess) -> None:
    before = server.metric('pellucid_rejected_total{reason="slow_reader"}')
    with connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
        eventually(
            lambda: server.metric('pellucid_rejected_total{reason="slow_reader"}') > before,
            PATIENCE_S,
        )
        eventually(lambda: server.metric("pellucid_connections") == 1, PATIENCE_S)


def test_replies_that_are_not_read_are_limited(tmp_path: Path) -> None:
    flags = ("--max-bodies-bytes", str(MEBIBYTE), "--reply-timeout-s", "5")
    with serving(tmp_path, *flags) as server, ExitStack() as readers:
        assert _translates(server)
        for _ in range(40):
            connection = readers.enter_context(connect(server, receive_bytes=4096))
            # The system takes the first replies, up to some megabytes.
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        eventually(lambda: not _translates(server), PATIENCE_S)
        assert server.metric('pellucid_rejected_total{reason="bodies_full"}') > 0
        eventually(lambda: _translates(server), PATIENCE_S)  # once they are given up


def _send_until_refused(server: ServerProcess, head: bytes, part: bytes) -> tuple[int, bytes]:
    """Bytes that could be sent of a body that never ends, and the answer."""
    sent = 0
    with connect(server) as connection:
        connection.sendall(head)
        try:
            while sent < 1024 * MEBIBYTE:
                connection.sendall(part)
                sent += len(part)
        except OSError:  # it was closed while we were sending
            pass
        return sent, read_to_end(connection)


@pytest.mark.parametrize(
    ("headers", "part"),
    [
        (b"Content-Length: 1073741824\r\n\r\n", b"x" * 65_536),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n%b\r\n" % (b"x" * 65_536)),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10_000),
    ],
    ids=["declared", "in chunks", "in chunks of a byte"],
)
def test_body_of_a_gigabyte_is_refused_long_before_its_end(
    server: ServerProcess, headers: bytes, part: bytes
) -> None:
    before = Cost.of(server)
    sent, answer = _send_until_refused(server, HEAD + headers, part)
    # On a slow machine the time for a body in chunks of a byte is over before its bytes are.
    assert _problem(answer) in {(413, "payload_too_large"), (408, "request_timeout")}
    assert sent < 64 * MEBIBYTE  # most of it lies in the system's buffers
    assert Cost.of(server).rss_bytes < before.rss_bytes + 32 * MEBIBYTE
    assert _translates(server)


def test_pipelined_requests_are_answered_in_their_order(server: ServerProcess) -> None:
    ids = [f"number-{number}" for number in range(200)]
    requests = [
        WHOLE.replace(b"Host: x", b"Host: x\r\nX-Request-Id: %b" % given.encode()) for given in ids
    ]
    bad = b"GET /nothing HTTP/1.1\r\nHost: x\r\nX-Request-Id: bad\r\n\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: last\r\nConnection: close\r\n\r\n"
    lines = ask(server, b"".join(requests) + bad + last).split(b"\r\n")
    found = [x.split(b": ")[1].decode() for x in lines if x.lower().startswith(b"x-request-id")]
    assert found == [*ids, "bad", "last"]
    # A body ends without a line break, so the next reply begins on its last line.
    statuses = [x.rpartition(b"HTTP/1.1 ")[2][:3] for x in lines if b"HTTP/1.1 " in x]
    assert statuses == [b"200"] * 200 + [b"404", b"200"]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS
        (b"GET /\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", 400),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1e3\r\n\r\n", 400),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD + b"X-Bomb: " + b"x" * 100_000, 431),
        (HEAD + b"X: y\r\n" * 20_000, 431),
        (b"GET /" + b"a" * 100_000, 431),
    ],
)
def test_what_is_no_request_is_answered_like_any_error(
    server: ServerProcess, request_bytes: bytes, status: int
) -> None:
    assert _problem(ask(server, request_bytes)) == (status, "invalid_request")
    assert _translates(server)


def test_what_was_asked_before_a_malformed_request_is_answered_before_it_is_refused(
    server: ServerProcess,
) -> None:
    answer = ask(server, WHOLE * 3 + b"no request\r\n\r\n")
    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200"] * 3 + [b"400"]


@pytest.mark.parametrize("trailer", [b"X: y\r\n" * 20_000, b"X: " + b"y" * 100_000])
def test_trailer_without_end_is_refused(server: ServerProcess, trailer: bytes) -> None:
    chunk = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
    answer = ask(server, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + trailer)
    assert _problem(answer) == (431, "invalid_request")


def test_offer_of_another_protocol_is_declined_and_the_connection_goes_on(
    server: ServerProcess,
) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    for_good = WHOLE.replace(b"Host: x", b"Host: x\r\nConnection: close")
    with connect(server) as connection:
        connection.sendall(WHOLE.replace(b"Host: x\r\n", b"Host: x\r\n" + offer))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(for_good)
        assert b"HTTP/1.1 200 " in read_to_end(connection)


def test_connection_is_reused_after_a_body_that_was_not_needed(server: ServerProcess) -> None:
    last = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"56789" + last)
        assert b"HTTP/1.1 200 " in read_to_end(connection)


def test_many_small_headers_harm_no_other_request(server: ServerProcess) -> None:
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + b"X: y\r\n" * 5_000
    assert ask(server, request + b"\r\n").startswith(b"HTTP/1.1 200 ")


def test_ten_thousand_keys_leave_nothing_behind(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(
        "\n".join(f"key-number-{number:05}" for number in range(10_000)), encoding="ascii"
    )
    with serving(tmp_path, "--api-key-file", str(keys), "--workers", "1") as server:
        with httpx.Client(base_url=server.url, timeout=LONGEST_S) as client:

            def use(numbers: range) -> Cost:
                for number in numbers:
                    headers = {"Authorization": f"Bearer key-number-{number:05}"}
                    assert client.get("/v2/usage", headers=headers).status_code == 200
                return Cost.of(server)

            client.get("/metrics")
            # The language model is read beside the first requests and takes 60 MB for a second.
            headers = {"Authorization": "Bearer key-number-00000"}
            assert client.post("/detect", json={"q": "Ja"}, headers=headers).status_code == 200
            some_used = use(range(300))
            num_series = len(client.get("/metrics").text.splitlines())
            more_used = use(range(300, 1_000))
            assert len(client.get("/metrics").text.splitlines()) == num_series
        assert more_used.rss_bytes < 1.05 * some_used.rss_bytes
        assert "key-number" not in server.log.read_text(encoding="utf-8")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        pytest.skip(f"no disk that can be filled: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_fails_one_file_and_is_over_when_there_is_room(
    tmp_path: Path, small_disk: Path
) -> None:
    form = {**PAIR}
    with serving(tmp_path, "--file-folder", str(small_disk)) as server:

        def translate(size_bytes: int) -> httpx.Response:
            files = {"file": ("numbers.txt", b"12345\n" * (size_bytes // 6))}
            return httpx.post(f"{server.url}/translate_file", data=form, files=files, timeout=30)

        too_large = translate(90_000)
        assert (too_large.status_code, too_large.json()["code"]) == (503, "storage_full")
        assert list(small_disk.glob("[!.]*/*")) == []
        assert translate(600).status_code == 200
        filler = small_disk / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(b"x" * 200_000)
        assert translate(6_000).status_code == 503
        filler.unlink()
        assert translate(6_000).status_code == 200
        assert httpx.get(f"{server.url}/readyz", timeout=LONGEST_S).status_code == 200
