"""The server as a process: start, requests, stop."""

import http.client
import json
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bundle.manifest import Manifest
from tests.service.command_line import run_here
from tests.service.server_process import LONGEST_S, ServerProcess, run_command, serving
from tests.service.tiny_models import TINY_BUNDLE
from tests.service.waiting import eventually

MANIFEST = Manifest.model_validate_json((TINY_BUNDLE / "manifest.json").read_bytes())
PAIR = {"source": MANIFEST.canary.pair.source, "target": MANIFEST.canary.pair.target}
TEXT = MANIFEST.canary.source_text
ONE_BY_ONE = ("--share-runs", "false")
"""Equal sentences are work, of which some tests need much."""
SOON_S = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("server"), *ONE_BY_ONE) as process:
        yield process


def _connect(server: ServerProcess) -> socket.socket:
    address = urlsplit(server.url)
    assert address.hostname is not None
    return socket.create_connection((address.hostname, address.port), timeout=20)


def test_it_translates(server: ServerProcess) -> None:
    reply = httpx.post(
        f"{server.url}/translate", json={"q": TEXT, "details": True, **PAIR}, timeout=LONGEST_S
    )
    assert reply.status_code == 200
    assert reply.json()["translatedText"]
    assert reply.json()["details"][0]["source"] == TEXT
    assert {"tokenize", "queue", "encode", "decode", "detokenize"} == {
        part.partition(";")[0].strip() for part in reply.headers["Server-Timing"].split(",")
    }


def test_attention_of_translate_and_of_attention_are_the_same(server: ServerProcess) -> None:
    options = {"kinds": ["encoder", "decoder", "cross"]}
    translated = httpx.post(
        f"{server.url}/translate",
        json={"q": TEXT, "attention": options, **PAIR},
        timeout=LONGEST_S,
    ).json()
    inspected = httpx.post(
        f"{server.url}/attention", json={"q": TEXT, **options, **PAIR}, timeout=LONGEST_S
    ).json()
    maps = translated["details"][0]["attention"]
    assert {name: inspected[name] for name in maps} == maps
    given = httpx.post(
        f"{server.url}/attention",
        json={"q": TEXT, "translation": inspected["translation"], **options, **PAIR},
        timeout=LONGEST_S,
    )
    assert given.status_code == 200


def test_maps_that_do_not_exist_are_refused_with_those_that_do(server: ServerProcess) -> None:
    reply = httpx.post(
        f"{server.url}/attention", json={"q": TEXT, "layers": [99], **PAIR}, timeout=LONGEST_S
    )
    assert reply.status_code == 400
    assert "layer 99 does not exist; cross layers are 0" in reply.json()["error"]


def test_unknown_language_is_named(server: ServerProcess) -> None:
    for source, target, unknown in (("xx", "yy", "xx"), ("auto", "yy", "yy")):
        body = {"q": TEXT, "source": source, "target": target}
        reply = httpx.post(f"{server.url}/translate", json=body, timeout=LONGEST_S)
        assert reply.status_code == 400
        error = reply.json()
        assert error["code"] == "unsupported_language"
        assert error["error"].startswith(f"{unknown} is not supported: this server translates ")


def test_probes_and_lists_answer(server: ServerProcess) -> None:
    assert httpx.get(f"{server.url}/livez", timeout=LONGEST_S).json() == {"status": "ok"}
    assert httpx.get(f"{server.url}/readyz", timeout=LONGEST_S).json() == {"status": "ready"}
    languages = httpx.get(f"{server.url}/languages", timeout=LONGEST_S).json()
    assert PAIR["target"] in next(x["targets"] for x in languages if x["code"] == PAIR["source"])
    (model,) = httpx.get(f"{server.url}/models", timeout=LONGEST_S).json()
    assert model["name"] == MANIFEST.name
    assert model["canary"] == {"source_text": TEXT, "state": "ok", "reason": None}
    assert model["batch_invariant"] is MANIFEST.batch_invariant


def test_metrics_count_what_was_translated(server: ServerProcess) -> None:
    before = server.metric("pellucid_target_tokens_total")
    httpx.post(f"{server.url}/translate", json={"q": TEXT, **PAIR}, timeout=LONGEST_S)
    assert server.metric("pellucid_target_tokens_total") > before
    assert server.metric('pellucid_stage_seconds_count{stage="decode"}') > 0
    assert server.metric("pellucid_model_info{") == 1


def test_missed_deadline_is_504(server: ServerProcess) -> None:
    body = {"q": f"{TEXT} " * 200, "deadline_ms": 1, **PAIR}
    reply = httpx.post(f"{server.url}/translate", json=body, timeout=LONGEST_S)
    assert (reply.status_code, reply.json()["code"]) == (504, "deadline_exceeded")


def test_client_that_leaves_takes_its_work_with_it(server: ServerProcess) -> None:
    # Each another one: equal sentences would be translated once.
    text = " ".join(f"{number} {TEXT}" for number in range(800))
    body = json.dumps({"q": text, "beam_size": 8, **PAIR}).encode()
    with _connect(server) as connection:
        connection.sendall(
            b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        # Not before it is being decoded: until then there is nothing of it to be cancelled.
        eventually(lambda: server.metric("pellucid_slots_in_use") > 0, SOON_S)
    eventually(lambda: server.metric('pellucid_cancelled_total{reason="client"}') > 0, SOON_S)
    eventually(lambda: server.metric("pellucid_slots_in_use") == 0, SOON_S)
    assert server.metric("pellucid_in_flight") == 0


def test_body_over_the_limit_is_answered_before_it_has_been_sent(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    with closing(connection):
        connection.putrequest("POST", "/translate")
        connection.putheader("Content-Length", str(10**9))
        connection.endheaders()
        with connection.getresponse() as reply:
            assert (reply.status, json.load(reply)["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("rubbish", [b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"{}\r\n\r\n"])
def test_bytes_that_are_not_http_get_400(server: ServerProcess, rubbish: bytes) -> None:
    with _connect(server) as connection:
        connection.sendall(rubbish)
        assert connection.recv(64).startswith(b"HTTP/1.1 400")
    assert httpx.get(f"{server.url}/livez", timeout=LONGEST_S).status_code == 200


def test_log_is_json_with_request_ids_and_without_texts(server: ServerProcess) -> None:
    text = f"{TEXT} unmistakable"
    headers = {"X-Request-Id": "look-for-me"}
    httpx.post(
        f"{server.url}/translate", params={"q": text, **PAIR}, headers=headers, timeout=LONGEST_S
    )

    def ours() -> list[dict[str, Any]]:
        return [e for e in server.events() if e.get("request_id") == "look-for-me"]

    eventually(lambda: bool(ours()), SOON_S)  # it is written once the reply is on its way
    (event,) = ours()
    assert (event["event"], event["route"], event["status"]) == ("request", "/translate", 200)
    assert "unmistakable" not in server.log.read_text(encoding="utf-8")


def test_idle_server_ends_at_once_on_sigterm(tmp_path: Path) -> None:
    with serving(tmp_path) as server, httpx.Client(timeout=LONGEST_S) as client:
        client.get(f"{server.url}/livez")  # and keeps its connection open
        server.terminate()
        assert server.exit_code() == 0
        assert server.events()[-1]["event"] == "stopped"


def test_sigterm_finishes_what_was_accepted_and_refuses_the_rest(tmp_path: Path) -> None:
    body = {"q": f"{TEXT} " * 400, "beam_size": 8, **PAIR}
    with (
        serving(tmp_path, *ONE_BY_ONE, "--workers", "1", "--slots-per-worker", "8") as server,
        ThreadPoolExecutor(1) as other,
        httpx.Client(base_url=server.url, timeout=LONGEST_S) as client,
    ):
        accepted = other.submit(httpx.post, f"{server.url}/translate", json=body, timeout=60)
        eventually(lambda: server.metric("pellucid_in_flight") == 1, SOON_S)
        server.terminate()
        eventually(lambda: client.get("/readyz").status_code == 503, SOON_S)
        refused = client.post("/translate", json={"q": TEXT, **PAIR})
        assert (refused.status_code, refused.json()["code"]) == (503, "shutting_down")
        assert client.get("/livez").status_code == 200
        reply = accepted.result()
        assert reply.status_code == 200
        assert reply.json()["translatedText"]
        assert server.exit_code() == 0


def test_work_that_outlasts_the_drain_is_told_so(tmp_path: Path) -> None:
    body = {"q": f"{TEXT} " * 400, "beam_size": 8, **PAIR}
    flags = (*ONE_BY_ONE, "--workers", "1", "--slots-per-worker", "8", "--drain-s", "0")
    with serving(tmp_path, *flags) as server, ThreadPoolExecutor(1) as other:
        accepted = other.submit(httpx.post, f"{server.url}/translate", json=body, timeout=60)
        eventually(lambda: server.metric("pellucid_in_flight") == 1, SOON_S)
        server.terminate()
        reply = accepted.result()
        assert (reply.status_code, reply.json()["code"]) == (503, "shutting_down")
        assert server.exit_code() == 0


def test_client_that_has_not_sent_its_body_cannot_hold_the_end_up(tmp_path: Path) -> None:
    with serving(tmp_path) as server, _connect(server) as connection:
        connection.sendall(b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nq=")
        httpx.get(f"{server.url}/livez", timeout=LONGEST_S)  # by now it has been read
        server.terminate()
        assert server.exit_code() == 0
        assert connection.recv(64).startswith(b"HTTP/1.1 503 ")


def test_nothing_is_reported_to_whom_the_environment_names(tmp_path: Path) -> None:
    variables = {
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }
    with serving(tmp_path, **variables) as server:
        assert [e for e in server.events() if "telemetry" in e["event"].lower()] == []


def _complaint(*arguments: str) -> str:
    """The one line that `pellucid serve` ends with, once it has begun to open what it needs."""
    ended = run_command("serve", *arguments)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    return line


def test_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = _complaint("--port", str(port), "--bundles", str(TINY_BUNDLE))
    assert f"cannot listen on 127.0.0.1 port {port}" in line
    assert "--port" in line


def test_foreign_address_is_one_line() -> None:
    assert "cannot listen on 203.0.113.1" in _complaint("--host", "203.0.113.1")


@pytest.mark.parametrize("host", ["translate..example", "a" * 64])
def test_an_address_that_is_no_name_is_one_line(host: str) -> None:
    assert f"{host} is not an address of this machine: " in _complaint("--host", host)


def test_missing_bundle_folder_is_one_line(tmp_path: Path) -> None:
    line = _complaint("--port", "0", "--bundles", str(tmp_path / "none"))
    assert f"{tmp_path}/none" in line


def test_corrupt_bundle_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(TINY_BUNDLE, broken)
    content = bytearray((broken / "weights.bin").read_bytes())
    content[0] ^= 1
    (broken / "weights.bin").write_bytes(content)
    assert "weights.bin: sha256 differs" in _complaint("--port", "0", "--bundles", str(broken))


def test_unknown_variable_is_one_line() -> None:
    ended = run_here("serve", PELLUCID_PROT="1")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "did you mean PELLUCID_PORT?" in ended.stderr


def test_unknown_flag_is_one_line() -> None:
    ended = run_here("serve", "--prot", "1")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "--prot" in ended.stderr
