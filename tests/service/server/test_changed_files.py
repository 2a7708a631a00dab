"""A real server whose bundle is truncated, changed or removed under it: it goes on as it was."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from bundle.tensors import ATTENTION_NAME, DECODER_NAME, WEIGHTS_NAME
from tests.service.server_process import LONGEST_S, ServerProcess, engines_of, is_gone, serving
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle
from tests.service.waiting import eventually

pytestmark = pytest.mark.slow

CANARY = tiny_bundle().manifest.canary
PAIR = {"source": CANARY.pair.source, "target": CANARY.pair.target}


def truncate(folder: Path) -> None:
    for name in (WEIGHTS_NAME, DECODER_NAME, ATTENTION_NAME):
        os.truncate(folder / name, 0)


def overwrite(folder: Path) -> None:
    """In place, as a careless copy does."""
    for name in (WEIGHTS_NAME, ATTENTION_NAME):
        with (folder / name).open("r+b") as file:
            file.write(b"\xff" * (folder / name).stat().st_size)


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def answers(server: ServerProcess, first: int) -> list[object]:
    """Translations, and the status of a map, whose graph is opened at its first use."""
    found: list[object] = []
    for number in range(first, first + 4):
        body = {"q": f"{CANARY.source_text} {number % 10}", **PAIR}
        reply = httpx.post(f"{server.url}/translate", json=body, timeout=LONGEST_S)
        found.append((reply.status_code, reply.json()))
    body = {"q": CANARY.source_text, **PAIR}
    reply = httpx.post(f"{server.url}/attention", json=body, timeout=LONGEST_S)
    return [*found, reply.status_code]


@pytest.mark.parametrize("engines", ["0", "1"])
@pytest.mark.parametrize("harm", [truncate, overwrite, remove])
def test_it_goes_on_as_it_was(tmp_path: Path, harm: Callable[[Path], None], engines: str) -> None:
    folder = shutil.copytree(TINY_BUNDLE, tmp_path / "bundle")
    flags = ("--bundles", str(folder), "--engines", engines, "--canary-interval-s", "0.1")
    with serving(tmp_path, *flags) as server:
        before = answers(server, 0)[:-1]
        harm(folder)
        found = answers(server, 0)
        assert found == [*before, 200]
        if engines == "1":
            (victim,) = engines_of(server.process.pid)
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: is_gone(victim) and len(engines_of(server.process.pid)) == 1)
            assert answers(server, 0) == found
        eventually(lambda: httpx.get(f"{server.url}/readyz", timeout=LONGEST_S).is_success)
        assert server.process.poll() is None
        assert server.metric("pellucid_canary_failures_total ") == 0
        events = [event["event"] for event in server.events()]
    assert "engine cannot start" not in events
    assert "request crashed" not in events


def test_a_reload_of_a_changed_bundle_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    folder = shutil.copytree(TINY_BUNDLE, tmp_path / "bundle")
    with serving(tmp_path, "--bundles", str(folder), "--engines", "1") as server:
        before = answers(server, 0)
        truncate(folder)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "reload refused" in [e["event"] for e in server.events()])
        (refused,) = (e for e in server.events() if e["event"] == "reload refused")
        assert f"{WEIGHTS_NAME}: 0 bytes" in refused["reason"]
        assert answers(server, 0) == before
