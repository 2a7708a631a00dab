"""A real server whose bundles are loaded at their first use: copies of the tiny bundle."""

import json
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundle.manifest import MANIFEST_NAME
from bundle.tensors import WEIGHTS_NAME
from tests.service.server_process import LONGEST_S, ServerProcess, engines_of, is_gone, serving
from tests.service.tiny_models import renamed_copy, tiny_bundle
from tests.service.waiting import eventually

TEXT = tiny_bundle().manifest.canary.source_text
FIRST_USE = ("--load", "first_use", "--pivot", "false")
NAMES = ("aa", "ab", "ac")


@contextmanager
def site(tmp_path: Path, *flags: str, names: tuple[str, ...] = NAMES) -> Iterator[ServerProcess]:
    """A server of three bundles, each with an engine process while it is loaded."""
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for name in names:
        renamed_copy(bundles / name, "en", name)
    flags = (*FIRST_USE, "--bundles", str(bundles), "--engines", "1", *flags)
    with serving(tmp_path, *flags) as server:
        yield server


def translate(server: ServerProcess, target: str, **options: object) -> httpx.Response:
    body = {"q": TEXT, "source": "en", "target": target} | options
    return httpx.post(f"{server.url}/translate", json=body, timeout=LONGEST_S)


def get(server: ServerProcess, path: str) -> Any:  # noqa: ANN401 - JSON
    return httpx.get(f"{server.url}{path}", timeout=LONGEST_S).json()


def num_loaded(server: ServerProcess) -> float:
    return server.metric("pellucid_models_loaded ")


def events(server: ServerProcess, event: str) -> list[str]:
    return [each["model"] for each in server.events() if each["event"] == event]


def test_all_is_listed_and_ready_before_anything_is_loaded(tmp_path: Path) -> None:
    with site(tmp_path) as server:
        assert engines_of(server.process.pid) == []
        assert get(server, "/readyz") == {"status": "ready"}
        (english,) = get(server, "/languages")
        assert english["targets"] == list(NAMES)
        models = get(server, "/models")
        assert [model["name"] for model in models] == [f"en-{name}" for name in NAMES]
        assert {model["canary"]["state"] for model in models} == {"ok"}
        assert num_loaded(server) == 0
        assert events(server, "model found") == [f"en-{name}" for name in NAMES]
        assert translate(server, "ab").status_code == 200
        assert len(engines_of(server.process.pid)) == num_loaded(server) == 1
        assert events(server, "model loaded") == ["en-ab"]
        assert get(server, "/readyz") == {"status": "ready"}


def test_concurrent_first_requests_load_a_model_once(tmp_path: Path) -> None:
    with site(tmp_path) as server, ThreadPoolExecutor(8) as clients:
        replies = list(clients.map(lambda _: translate(server, "aa"), range(8)))
        assert {reply.status_code for reply in replies} == {200}
        assert server.metric('pellucid_model_loads_total{outcome="loaded"}') == 1


def test_an_idle_model_ends_its_engine_and_comes_back(tmp_path: Path) -> None:
    with site(tmp_path, "--unload-after-s", "0.5") as server:
        first = translate(server, "aa").json()
        eventually(lambda: engines_of(server.process.pid) == [])
        assert num_loaded(server) == 0
        assert server.metric('pellucid_model_unloads_total{reason="idle"}') == 1
        assert get(server, "/readyz") == {"status": "ready"}
        assert translate(server, "aa").json() == first
        assert events(server, "model loaded") == ["en-aa", "en-aa"]


def test_a_deadline_holds_while_a_model_is_loaded(tmp_path: Path) -> None:
    with site(tmp_path) as server:
        reply = translate(server, "aa", deadline_ms=1)
        assert (reply.status_code, reply.json()["code"]) == (504, "deadline_exceeded")
        eventually(lambda: num_loaded(server) == 1)
        assert translate(server, "aa").status_code == 200


def test_a_server_that_ends_while_a_model_is_loaded_leaves_nothing(tmp_path: Path) -> None:
    with site(tmp_path) as server:
        assert translate(server, "aa", deadline_ms=1).status_code == 504
        engines = engines_of(server.process.pid)
        server.terminate()
        assert server.exit_code() == 0
        eventually(lambda: all(map(is_gone, engines)))


def test_a_damaged_bundle_is_503_until_it_is_whole_again_and_the_others_serve(
    tmp_path: Path,
) -> None:
    with site(tmp_path) as server:
        weights = tmp_path / "bundles" / "aa" / WEIGHTS_NAME
        content = weights.read_bytes()
        weights.write_bytes(bytes(len(content)))
        reply = translate(server, "aa")
        assert (reply.status_code, reply.json()["code"]) == (503, "not_ready")
        assert reply.headers["Retry-After"] == "1"  # when it is loaded again
        assert "the model en-aa cannot be loaded" in reply.json()["error"]
        assert str(tmp_path) not in reply.text
        assert translate(server, "ab").status_code == 200
        assert get(server, "/readyz") == {"status": "ready"}
        (broken, *_) = get(server, "/models")
        assert f"{WEIGHTS_NAME}: sha256 differs" in broken["canary"]["reason"]
        assert server.metric('pellucid_model_loads_total{outcome="failed"}') >= 1
        weights.write_bytes(content)
        eventually(lambda: translate(server, "aa").status_code == 200)


def test_a_reload_serves_new_bundles_verified_and_refuses_damaged_ones(tmp_path: Path) -> None:
    with site(tmp_path) as server:
        bundles = tmp_path / "bundles"
        translate(server, "aa")
        translate(server, "ab")
        shutil.rmtree(bundles / "ab")
        renamed_copy(bundles / "ad", "en", "ad")
        damaged = bundles / "ad" / WEIGHTS_NAME
        content = damaged.read_bytes()
        damaged.write_bytes(bytes(len(content)))
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: server.metric('pellucid_reloads_total{outcome="refused"}') == 1)
        assert translate(server, "ab").status_code == 200
        damaged.write_bytes(content)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: server.metric('pellucid_reloads_total{outcome="swapped"}') == 1)
        (english,) = get(server, "/languages")
        assert english["targets"] == ["aa", "ac", "ad"]
        assert translate(server, "ab").status_code == 400
        assert translate(server, "ad").status_code == 200
        eventually(lambda: len(engines_of(server.process.pid)) == 2)
        assert events(server, "model loaded") == ["en-aa", "en-ab", "en-ad"]


def test_a_bundle_that_changed_without_a_reload_is_not_served_as_another(tmp_path: Path) -> None:
    with site(tmp_path) as server:
        path = tmp_path / "bundles" / "aa" / MANIFEST_NAME
        manifest = json.loads(path.read_bytes())
        path.write_text(json.dumps(manifest | {"name": "other"}), encoding="utf-8")
        assert translate(server, "aa").status_code == 503
        (changed, *_) = get(server, "/models")
        assert "was replaced: reload" in changed["canary"]["reason"]
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: translate(server, "aa").status_code == 200)


def test_a_faulty_manifest_is_noticed_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    folder = renamed_copy(tmp_path / "bundles" / "aa", "en", "aa")
    (folder / WEIGHTS_NAME).write_bytes(b"")
    flags = (*FIRST_USE, "--bundles", str(tmp_path / "bundles"))
    with (
        pytest.raises(AssertionError, match=f"{WEIGHTS_NAME}: 0 bytes"),
        serving(tmp_path, *flags),
    ):
        pass


@pytest.mark.parametrize("flags", [("--unload-after-s", "1"), ("--model-memory-mb", "100")])
def test_settings_that_need_first_use_say_so(tmp_path: Path, flags: tuple[str, str]) -> None:
    with pytest.raises(AssertionError, match="add --load first_use"), serving(tmp_path, *flags):
        pass
