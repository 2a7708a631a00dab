"""What a real server keeps to itself, and what it points out."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.server_process import LONGEST_S, ServerProcess, serving
from tests.service.tiny_models import tiny_bundle

pytestmark = pytest.mark.slow

CANARY = tiny_bundle().manifest.canary
PAIR = {"source": CANARY.pair.source, "target": CANARY.pair.target}
SENTINEL = "Zwiebelkuchenrezept"
TEXT = f"{CANARY.source_text} {SENTINEL}."
KEY = "unmistakable-key"
DEEPL_PAIR = {"source_lang": PAIR["source"].upper(), "target_lang": PAIR["target"].upper()}
FROM_TO = {"from": PAIR["source"], "to": PAIR["target"]}
_JSON = {"Content-Type": "application/json"}
_NO_UNICODE = json.dumps({"q": f"{TEXT}\ud800", **PAIR})
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/translate", {"json": {"q": TEXT, "details": True, "alignment": True, **PAIR}}),
    ("POST", "/translate", {"params": {"q": TEXT, **PAIR}}),
    ("POST", "/translate", {"data": {"q": TEXT, **PAIR}}),
    ("POST", "/translate", {"files": {"q": (None, TEXT), "source": (None, PAIR["source"])}}),
    ("POST", "/translate", {"json": {"q": TEXT, "stream": True, **PAIR}}),
    ("POST", "/translate", {"json": {"q": f"<p>{TEXT}</p>", "format": "html", **PAIR}}),
    ("POST", "/translate", {"json": {"q": TEXT, "source": "auto", "target": PAIR["target"]}}),
    ("POST", "/translate", {"json": {"q": TEXT, "source": SENTINEL, "target": SENTINEL}}),
    ("POST", "/translate", {"json": {"q": TEXT, "beam_size": SENTINEL, **PAIR}}),
    ("POST", "/translate", {"json": {"q": TEXT, "prefix": SENTINEL, **PAIR}}),
    ("POST", "/translate", {"content": _NO_UNICODE, "headers": _JSON}),
    ("POST", "/translate", {"json": {"q": TEXT * 2000, **PAIR}}),
    ("POST", "/translate", {"json": {"q": f"{TEXT} " * 200, "deadline_ms": 1, **PAIR}}),
    ("POST", "/translate", {"content": TEXT.encode()}),
    ("POST", "/translate", {"content": b"{" + TEXT.encode()}),
    ("POST", "/detect", {"json": {"q": TEXT}}),
    ("POST", "/attention", {"json": {"q": TEXT, **PAIR}}),
    ("POST", "/attention", {"json": {"q": TEXT, "translation": TEXT, **PAIR}}),
    ("POST", "/attention", {"json": {"q": TEXT, "contrast": TEXT * 2, **PAIR}}),
    ("POST", "/translate", {"json": {"q": TEXT, "search": True, **PAIR}}),
    ("POST", "/translate", {"json": {"q": TEXT, "without_heads": [["cross", 0, 0]], **PAIR}}),
    ("POST", "/compare", {"json": {"first": TEXT, "second": f"{TEXT} {TEXT}"}}),
    ("POST", "/compare", {"json": {"first": TEXT, "second": [TEXT]}}),
    (
        "POST",
        "/score",
        {"json": {"pairs": [{"source_text": TEXT, "target_text": TEXT}], **PAIR}},
    ),
    ("POST", "/v2/translate", {"json": {"text": [TEXT], **DEEPL_PAIR}}),
    ("POST", "/v2/translate", {"data": {"text": TEXT, **DEEPL_PAIR}}),
    ("POST", "/v2/translate", {"json": {"text": [TEXT], "target_lang": SENTINEL}}),
    ("POST", "/deeplx/translate", {"json": {"text": TEXT, **DEEPL_PAIR}}),
    ("POST", f"/immersive?token={KEY}", {"json": {"text_list": [TEXT], **DEEPL_PAIR}}),
    ("POST", "/immersive", {"json": {"text_list": [TEXT], "target_lang": SENTINEL}}),
    ("POST", "/kiss", {"json": {"text": TEXT, **FROM_TO}}),
    ("POST", "/mtran/translate", {"json": {"text": TEXT, **FROM_TO}}),
    ("POST", f"/google/language/translate/v2?key={KEY}", {"json": {"q": TEXT, **PAIR}}),
    ("GET", "/google/translate_a/single", {"params": {"q": TEXT, "tl": PAIR["target"]}}),
    ("GET", "/translate_a/single", {"params": {"q": TEXT, "tl": SENTINEL, "key": KEY}}),
    ("GET", "/plain", {"params": {"text": TEXT, "token": KEY, **FROM_TO}}),
    ("POST", "/suggest", {"data": {"q": TEXT, "s": SENTINEL, **PAIR}}),
    (
        "POST",
        "/translate_file",
        {"data": PAIR, "files": {"file": (f"{SENTINEL}.txt", TEXT.encode())}},
    ),
    (
        "POST",
        "/translate_file",
        {"data": PAIR, "files": {"file": (f"{SENTINEL}.html", f"<p>{TEXT}".encode())}},
    ),
    (
        "POST",
        "/translate_file",
        {"data": PAIR, "files": {"file": (f"{SENTINEL}.srt", TEXT.encode())}},
    ),
    ("POST", "/translate_file", {"data": PAIR, "files": {"file": (f"{SENTINEL}.exe", b"MZ")}}),
    ("GET", f"/{SENTINEL}", {}),
    ("PUT", f"/translate?q={SENTINEL}", {}),
    ("GET", f"/download_file/{SENTINEL}", {}),
    ("GET", f"/jobs/{SENTINEL}", {}),
    ("GET", f"/static/../{SENTINEL}", {}),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 - a fixture's generator
    """One that says everything it has to say, and has been asked everything."""
    variables = {"PELLUCID_LOG_LEVEL": "debug", "PELLUCID_API_KEYS": KEY}
    folder = tmp_path_factory.mktemp("discretion")
    with serving(folder, "--workers", "1", "--slots-per-worker", "8", **variables) as process:
        yield process


def test_no_text_and_no_key_is_in_the_log_at_any_level(server: ServerProcess) -> None:
    replies = []
    for index, (method, path, options) in enumerate(ASKED):
        headers = {"Authorization": f"Bearer {KEY}", "X-Request-Id": f"asked-{index}"}
        given = options | {"headers": headers | options.get("headers", {}), "timeout": 60}
        replies.append(httpx.request(method, server.url + path, **given))
    httpx.post(
        f"{server.url}/translate", json={"q": TEXT, "api_key": SENTINEL, **PAIR}, timeout=LONGEST_S
    )
    assert {200, 400, 404, 405, 504} <= {reply.status_code for reply in replies}
    server.terminate()
    assert server.exit_code() == 0
    told = {event.get("request_id") for event in server.events()}
    assert {f"asked-{index}" for index in range(len(ASKED))} <= told
    assert server.process.stderr is not None
    log = server.log.read_text(encoding="utf-8")
    said = (log + server.process.stderr.read()).lower()
    assert SENTINEL.lower() not in said
    assert KEY not in said
    for text in (CANARY.source_text, replies[0].json()["translatedText"]):
        assert text not in log


def _said(folder: Path, *flags: str, **variables: str) -> tuple[str, list[str]]:
    """Standard error, and the events of the log."""
    with serving(folder, *flags, **variables) as server:
        server.terminate()
        assert server.exit_code() == 0
        assert server.process.stderr is not None
        return server.process.stderr.read(), [event["event"] for event in server.events()]


def test_open_door_to_the_network_is_pointed_out(tmp_path: Path) -> None:
    told, events = _said(tmp_path, "--host", "0.0.0.0")
    assert "Warning: anyone who reaches 0.0.0.0 can translate" in told
    assert "open to all" in events


@pytest.mark.parametrize(
    ("flags", "variables"),
    [((), {}), (("--host", "0.0.0.0"), {"PELLUCID_API_KEYS": KEY})],
)
def test_closed_door_is_not(
    tmp_path: Path, flags: tuple[str, ...], variables: dict[str, str]
) -> None:
    told, events = _said(tmp_path, *flags, **variables)
    assert "Warning" not in told
    assert "open to all" not in events
