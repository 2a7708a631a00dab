"""Bundles replaced under a real server that is busy, and its end while it is."""

import json
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
import pytest

from bundle.tensors import WEIGHTS_NAME
from tests.service.server_process import ServerProcess, serving
from tests.service.steady_load import steady_load
from tests.service.tiny_models import TINY_BUNDLE, altered_copy, tiny_bundle
from tests.service.waiting import eventually

pytestmark = pytest.mark.slow

CANARY = tiny_bundle().manifest.canary
PAIR = {"source": CANARY.pair.source, "target": CANARY.pair.target}
TOKEN = "a token of this test"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
LONGEST_S = 120
SMALL_SERVER = ("--workers", "1", "--slots-per-worker", "8", "--deadline-ms", "120000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A server, and the link by which it finds its bundle."""

    server: ServerProcess
    link: Path

    def put(self, release: Path) -> None:
        """Let the link show to another folder, in one step."""
        other = self.link.with_name(".next")
        other.symlink_to(release)
        other.replace(self.link)

    @property
    def sha256(self) -> str:
        """Of what is served."""
        (model,) = httpx.get(f"{self.server.url}/models", timeout=LONGEST_S).json()
        return str(model["sha256"])

    def reload(self) -> httpx.Response:
        return httpx.post(f"{self.server.url}/admin/reload", headers=ADMIN, timeout=LONGEST_S)

    def reloads(self, outcome: str) -> float:
        return self.server.metric(f'pellucid_reloads_total{{outcome="{outcome}"}}')

    def has_logged(self, event: str) -> bool:
        return any(logged["event"] == event for logged in self.server.events())


@contextmanager
def _serving(folder: Path) -> Iterator[Site]:
    bundles = folder / "bundles"
    bundles.mkdir()
    link = bundles / "served"
    link.symlink_to(shutil.copytree(TINY_BUNDLE, folder / "release-1"))
    flags = ("--bundles", str(bundles), *SMALL_SERVER)
    with serving(folder, *flags, PELLUCID_ADMIN_TOKEN=TOKEN) as server:
        yield Site(server=server, link=link)


def _bodies(name: str) -> "Iterator[bytes]":
    """Texts that differ, so that no two share a run."""
    for n in count():
        yield json.dumps({"q": f"{name} {n} {CANARY.source_text}", **PAIR}).encode()


def _long(name: str, num_sentences: int = 600) -> dict[str, object]:
    """A request that takes its time."""
    sentences = (f"{name} {n} {CANARY.source_text}" for n in range(num_sentences))
    return {"q": " ".join(sentences), "beam_size": 8, **PAIR}


def test_bundles_are_replaced_under_load_without_a_failed_request(tmp_path: Path) -> None:
    newer = altered_copy(tmp_path / "release-2", name="newer")
    broken = altered_copy(tmp_path / "release-3", name="broken")
    (broken / WEIGHTS_NAME).write_bytes(b"cut short")
    with _serving(tmp_path) as site, ThreadPoolExecutor(2) as others:
        url = f"{site.server.url}/translate"
        first = site.sha256
        with steady_load(url, [_bodies(name).__next__ for name in "ab"]) as load:
            long = [others.submit(httpx.post, url, json=_long(n), timeout=LONGEST_S) for n in "cd"]
            eventually(lambda: site.server.metric("pellucid_in_flight") >= len(long))
            site.put(newer)
            site.server.process.send_signal(signal.SIGHUP)
            eventually(lambda: site.reloads("swapped") == 1)
            second = site.sha256
            assert second != first
            assert not site.has_logged("model closed"), "a long request still runs on the old one"
            assert [reply.result().status_code for reply in long] == [200, 200]
            eventually(lambda: site.has_logged("model closed"))
            site.put(broken)
            refused = site.reload()
            assert (refused.status_code, refused.json()["code"]) == (409, "reload_refused")
            assert f"{WEIGHTS_NAME}: 9 bytes" in refused.json()["error"]
            assert (site.sha256, site.reloads("refused")) == (second, 1)
            assert httpx.get(f"{site.server.url}/readyz", timeout=LONGEST_S).status_code == 200
            site.put(tmp_path / "release-1")
            assert site.reload().json()["outcome"] == "swapped"
            assert site.sha256 == first
        assert set(load.answers) == {"200"}
        site.server.terminate()
        assert site.server.exit_code() == 0


def test_everything_that_was_accepted_before_sigterm_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path, *SMALL_SERVER) as server, ThreadPoolExecutor(12) as others:
        bodies = [_long(name, 200) for name in "abcdefghijkl"]
        accepted = [
            others.submit(httpx.post, f"{server.url}/translate", json=body, timeout=LONGEST_S)
            for body in bodies
        ]
        # Some may have ended before the last has come: on a busy machine clients start slowly.
        eventually(
            lambda: (
                (in_flight := server.metric("pellucid_in_flight")) > 0
                and in_flight + sum(answer.done() for answer in accepted) >= len(bodies)
            )
        )
        server.terminate()
        assert [answer.result().status_code for answer in accepted] == [200] * len(bodies)
        assert server.exit_code() == 0


def test_during_the_shutdown_delay_requests_are_served_and_readiness_fails(tmp_path: Path) -> None:
    """Long enough not to be over by itself; a second signal ends it."""
    body = {"q": CANARY.source_text, **PAIR}
    with serving(tmp_path, "--shutdown-delay-s", "600") as server:
        server.terminate()
        with httpx.Client(base_url=server.url, timeout=LONGEST_S) as client:
            eventually(lambda: client.get("/readyz").status_code == 503)
            assert client.post("/translate", json=body).status_code == 200
        server.terminate()
        assert server.exit_code() == 0
