"""Keys of a store, and the real servers that ask it."""

import signal
from contextlib import ExitStack
from pathlib import Path

import httpx

from tests.service.api.auth.redis_server import needs_redis, redis_server
from tests.service.command_line import run_here
from tests.service.server_process import LONGEST_S, ServerProcess, serving
from tests.service.tiny_models import tiny_bundle

CANARY = tiny_bundle().manifest.canary
PAIR = {"source": CANARY.pair.source, "target": CANARY.pair.target}
NUM_CHARS = len(CANARY.source_text)
FLAGS = ("--workers", "1", "--slots-per-worker", "8", "--key-store")


def _key(store: str, *limits: str) -> str:
    return run_here("keys", "add", "a", *limits, "--key-store", store).stdout.strip()


def _ask(server: ServerProcess, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    body = {"q": CANARY.source_text, **PAIR}
    return httpx.post(
        f"{server.url}/translate", json=body, headers=headers, timeout=LONGEST_S
    ).status_code


def _used(server: ServerProcess, key: str) -> dict[str, int]:
    headers = {"Authorization": f"DeepL-Auth-Key {key}"}
    usage: dict[str, int] = httpx.get(
        f"{server.url}/v2/usage", headers=headers, timeout=LONGEST_S
    ).json()
    return usage


def test_usage_outlives_a_kill_to_the_character(tmp_path: Path) -> None:
    store = str(tmp_path / "keys.db")
    key = _key(store, "--monthly-chars", str(3 * NUM_CHARS))
    with serving(tmp_path, *FLAGS, store) as server:
        assert [_ask(server, key), _ask(server, key)] == [200, 200]
        server.process.send_signal(signal.SIGKILL)
        assert server.exit_code() == -signal.SIGKILL
    with serving(tmp_path, *FLAGS, store) as server:
        used = {"character_count": 2 * NUM_CHARS, "character_limit": 3 * NUM_CHARS}
        assert _used(server, key) == used
        assert [_ask(server, key), _ask(server, key)] == [200, 429]


def test_key_is_given_out_and_taken_back_while_it_serves(tmp_path: Path) -> None:
    store = str(tmp_path / "keys.db")
    with serving(tmp_path, *FLAGS, store) as server:
        key = _key(store)
        assert _ask(server, key) == 200
        listed = run_here("keys", "list", "--key-store", store).stdout
        key_id = listed.splitlines()[1].split()[0]
        assert run_here("keys", "revoke", key_id, "--key-store", store).returncode == 0
        assert _ask(server, key) == 403


@needs_redis
def test_replicas_share_a_quota_and_let_nobody_in_without_their_store(tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(ExitStack())
        store = redis.enter_context(redis_server(tmp_path))
        key = _key(store, "--monthly-chars", str(3 * NUM_CHARS))
        replicas = []
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir()
            replicas.append(stack.enter_context(serving(folder, *FLAGS, store)))
        first, second = replicas
        asked = [_ask(server, key) for server in (first, second, first, second)]
        assert asked == [200, 200, 200, 429]
        assert _used(first, key) == _used(second, key)
        redis.close()
        assert [_ask(server, key) for server in replicas] == [503, 503]
        assert first.metric('pellucid_rejected_total{reason="key_store_failed"}') == 1
        assert httpx.get(f"{first.url}/readyz", timeout=LONGEST_S).status_code == 200
